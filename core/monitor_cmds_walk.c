// SPDX-License-Identifier: Apache-2.0
// vm walk: where a guest virtual address leads, descriptor by descriptor, first through the guest's own tables
// (guest_walk.h), then through stage 2; the step that fails is named.
#include <hv/monitor_cmds.h>

#include <hv/cpu.h>
#include <hv/guest_walk.h>
#include <hv/monitor_out.h>
#include <hv/string.h>
#include <hv/vm.h>

static void read_registers(void *argument)
{
    guest_walk_registers_read(argument);
}

static void show_step(const struct guest_walk_step *step)
{
    out("stage=%u level=%u at=0x%lx descriptor:0x%016lx\n", 1, step->level, step->address.v, step->descriptor);
}

static void show_result(const struct guest_walk *walk)
{
    out("stage=%u", 1);
    if (walk->fault != GUEST_WALK_NONE)
        out(" fault=%s level=%u", guest_walk_fault_name(walk->fault), walk->fault_level);
    if (walk->fault == GUEST_WALK_NONE || walk->fault == GUEST_WALK_ACCESS_FLAG) {
        out(" mmu=%d ipa=0x%lx size=0x%lx memory=0x%x el1=%s el0_read=%d el0_write=%d el0_exec=%d", !walk->flat,
            walk->ipa.v, walk->size, walk->memory,
            walk->el1_write  ? walk->el1_exec ? "rwx" : "rw-"
            : walk->el1_exec ? "r-x"
                             : "r--",
            walk->el0_read, walk->el0_write, walk->el0_exec);
    }
    out("\n");
}

static void permissions_text(uint32_t permissions, char *text)
{
    text[0] = (permissions & STAGE2_READ) != 0 ? 'r' : '-';
    text[1] = (permissions & STAGE2_WRITE) != 0 ? 'w' : '-';
    text[2] = (permissions & STAGE2_EXECUTE) != 0 ? 'x' : '-';
    text[3] = '\0';
}

static const char *walk_stage2(ipa_t ipa)
{
    struct stage2_entry entry;
    char text[4];
    enum hv_status status = stage2_query(&vm0.stage2, ipa, &entry);

    if (status != HV_OK)
        return monitor_error("stage 2: ipa 0x%lx: %s", (unsigned long)ipa.v, hv_status_name(status));
    permissions_text(entry.permissions, text);
    out("stage=%u level=%u descriptor:0x%016lx", 2, entry.level, entry.descriptor);
    if (entry.valid)
        out(" pa=0x%lx size=0x%lx guest=%s type=%s", entry.pa.v + (ipa.v & (entry.size - 1)), entry.size, text,
            (entry.permissions & STAGE2_DEVICE) != 0 ? "device" : "normal");
    out("\n");
    return entry.valid
               ? NULL
               : monitor_error("stage 2: no valid descriptor at level %u: this access comes to EL2", entry.level);
}

const char *cmd_vm(const struct monitor_words *words)
{
    struct guest_walk_registers registers;
    struct guest_walk walk;
    struct vcpu *vcpu;
    uint64_t va;
    const char *error;

    if (strcmp(words->word[1], "walk") != 0)
        return monitor_error("vm '%s' is not walk", words->word[1]);
    error = monitor_number("va", words->word[2], 0, UINT64_MAX, &va);
    if (error == NULL)
        error = monitor_vcpu(words->count > 3 ? words->word[3] : NULL, &vcpu);
    if (error != NULL)
        return error;
    if (!cpu_call(vcpu->id, read_registers, &registers))
        return monitor_error("CPU %u does not answer", vcpu->id);
    guest_walk(&vm0, &registers, gva_make(va), &walk);
    for (unsigned int i = 0; i < walk.step_count; i++)
        show_step(&walk.steps[i]);
    show_result(&walk);
    if (walk.fault != GUEST_WALK_NONE)
        return monitor_error("stage 1: %s, level %u", guest_walk_fault_name(walk.fault), walk.fault_level);
    return walk_stage2(walk.ipa);
}
