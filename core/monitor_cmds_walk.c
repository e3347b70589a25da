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
    out_number("stage", 0, 1);
    out_number("level", 0, step->level);
    out_hex("at", 0, step->address.v);
    out_hex("descriptor", 16, step->descriptor);
    out_end();
}

static void show_result(const struct guest_walk *walk)
{
    out_number("stage", 0, 1);
    if (walk->fault != GUEST_WALK_NONE) {
        out_text("fault", 0, guest_walk_fault_name(walk->fault));
        out_number("level", 0, walk->fault_level);
    }
    if (walk->fault == GUEST_WALK_NONE || walk->fault == GUEST_WALK_ACCESS_FLAG) {
        out_bool("mmu", !walk->flat);
        out_hex("ipa", 0, walk->ipa.v);
        out_hex("size", 0, walk->size);
        out_hex("memory", 0, walk->memory);
        out_text("el1", 0, walk->el1_write ? walk->el1_exec ? "rwx" : "rw-" : walk->el1_exec ? "r-x" : "r--");
        out_bool("el0_read", walk->el0_read);
        out_bool("el0_write", walk->el0_write);
        out_bool("el0_exec", walk->el0_exec);
    }
    out_end();
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
    out_number("stage", 0, 2);
    out_number("level", 0, entry.level);
    out_hex("descriptor", 16, entry.descriptor);
    if (entry.valid) {
        out_hex("pa", 0, entry.pa.v + (ipa.v & (entry.size - 1)));
        out_hex("size", 0, entry.size);
        out_text("guest", 0, text);
        out_text("type", 0, (entry.permissions & STAGE2_DEVICE) != 0 ? "device" : "normal");
    }
    out_end();
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
