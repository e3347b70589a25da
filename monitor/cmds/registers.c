// SPDX-License-Identifier: Apache-2.0
// regs shows a vCPU's registers with their fields, sr shows or writes one. regs must show one moment: so the frame and
// the registers of EL1 are copied in one call on the vCPU's own CPU, between two of the guest's instructions, and shown
// from the copy. A running guest goes on at once.
#include <hv/monitor_cmds.h>

#include <hv/arch/esr_fields.h>
#include <hv/arch/vcpu_registers.h>
#include <hv/cpu.h>
#include <hv/log.h>
#include <hv/monitor_candidates.h>
#include <hv/monitor_out.h>
#include <hv/monitor_place.h>
#include <hv/monitor_register.h>
#include <hv/monitor_reply.h>
#include <hv/monitor_subject.h>
#include <hv/string.h>
#include <hv/vm.h>

// What regs shows behind the registers of the frame, in this order.
static const uint16_t shown[] = {
    VCPU_REGISTER_SCTLR_EL1,      VCPU_REGISTER_CPACR_EL1,   VCPU_REGISTER_TCR_EL1,      VCPU_REGISTER_TTBR0_EL1,
    VCPU_REGISTER_TTBR1_EL1,      VCPU_REGISTER_MAIR_EL1,    VCPU_REGISTER_VBAR_EL1,     VCPU_REGISTER_ESR_EL1,
    VCPU_REGISTER_FAR_EL1,        VCPU_REGISTER_ELR_EL1,     VCPU_REGISTER_SPSR_EL1,     VCPU_REGISTER_PAR_EL1,
    VCPU_REGISTER_CONTEXTIDR_EL1, VCPU_REGISTER_TPIDR_EL0,   VCPU_REGISTER_TPIDRRO_EL0,  VCPU_REGISTER_TPIDR_EL1,
    VCPU_REGISTER_MDSCR_EL1,      VCPU_REGISTER_CNTKCTL_EL1, VCPU_REGISTER_CNTV_CTL_EL0, VCPU_REGISTER_CNTV_CVAL_EL0,
};

// The registers of one vCPU at one moment.
struct snapshot {
    struct vcpu *vcpu;
    struct trap_frame frame;
    uint64_t shown[ARRAY_COUNT(shown)]; // every CPU has them
};

// Runs on the vCPU's own CPU, whose hardware has the registers of EL1. The frame has what EL2 saved at the exit.
static void take_snapshot(void *argument)
{
    struct snapshot *snapshot = argument;

    snapshot->frame = *snapshot->vcpu->frame;
    for (unsigned int i = 0; i < ARRAY_COUNT(shown); i++)
        (void)vcpu_register_read(shown[i], &snapshot->shown[i]);
}

// A register by its name: a line with its value and its fields. ESR_EL1 has other fields for each class of exceptions.
static void show_register(const struct vcpu *vcpu, const char *name, uint64_t value)
{
    if (out_is_json())
        out("vcpu=%u", vcpu->id);
    out("name:%-14s value:0x%016lx", name, value);
    out_fields(register_fields(name), value);
    if (parse_find_word("PC ELR_EL1 VBAR_EL1 x30", name) != NULL)
        monitor_show_place(value);
    if (strcmp(name, "ESR_EL1") == 0) {
        out(" class:%s", esr_fields(value)->name);
        out_fields(esr_fields(value), value);
        if (esr_has_fault_status(value))
            out(" fault:%s", fault_status_name((unsigned int)value));
    }
    out("\n");
}

// x0 to x30: three to a line for a person, an object each in JSON.
static void show_general(const struct vcpu *vcpu, const struct trap_frame *frame)
{
    char name[4] = "x0";

    for (unsigned int i = 0; i < 31; i++) {
        name[i < 10 ? 1 : 2] = (char)('0' + i % 10);
        if (i >= 10)
            name[1] = (char)('0' + i / 10);
        if (out_is_json()) {
            show_register(vcpu, name, frame->x[i]);
            continue;
        }
        out_note("%-3s 0x%016lx%s", name, (unsigned long)frame->x[i], i % 3 == 2 || i == 30 ? "\n" : "  ");
    }
}

// regs [vcpu]: general registers, PC and PSTATE, stack pointers, and the registers of EL1 with their fields.
const char *cmd_regs(const struct monitor_words *words)
{
    static struct snapshot snapshot;
    struct vcpu *vcpu;
    const char *error = monitor_vcpu(words->count > 1 ? words->word[1] : NULL, &vcpu);

    if (error != NULL)
        return error;
    snapshot.vcpu = vcpu;
    if (!cpu_call(vcpu->cpu, take_snapshot, &snapshot))
        return monitor_error("CPU %u does not answer", vcpu->cpu);
    out_note("vcpu %u is %s, the guest %s\n", vcpu->id, vcpu->power == VCPU_ON ? "on" : "off", monitor_vm_state());
    show_general(vcpu, &snapshot.frame);
    show_register(vcpu, "PC", snapshot.frame.elr_el2);
    show_register(vcpu, "SPSR_EL2", snapshot.frame.spsr_el2);
    show_register(vcpu, "SP_EL0", snapshot.frame.sp_el0);
    show_register(vcpu, "SP_EL1", snapshot.frame.sp_el1);
    for (unsigned int i = 0; i < ARRAY_COUNT(shown); i++)
        show_register(vcpu, vcpu_registers[shown[i]].name, snapshot.shown[i]);
    return NULL;
}

// sr <name> [value [vcpu]]: shows a register, or writes it and shows what it is then. A write is recorded with the old
// value.
const char *cmd_sr(const struct monitor_words *words)
{
    const char *name = monitor_register_name(words->word[1]);
    bool write = words->count > 2;
    struct vcpu *vcpu;
    uint64_t value = 0;
    uint64_t old = 0;
    const char *error = monitor_vcpu(words->count > 3 ? words->word[3] : NULL, &vcpu);

    if (error == NULL && write)
        error = monitor_number("value", words->word[2], 0, UINT64_MAX, &value);
    if (error == NULL)
        error = monitor_register(vcpu, name, write ? &value : NULL, &old);
    if (error != NULL)
        return error;
    if (write)
        log_record(LOG_INFO, LOG_MONITOR, "monitor-write", "what=sr name=%pQ vcpu=%u old=0x%lx new=0x%lx", name,
                   vcpu->id, (unsigned long)old, (unsigned long)value);
    show_register(vcpu, name, write ? value : old);
    return NULL;
}

// sr and print: the word behind the command is a register's name.
monitor_candidate complete_register(const char *typed, const char **list)
{
    (void)list;
    return *typed == '\0' ? monitor_candidate_register : NULL;
}
