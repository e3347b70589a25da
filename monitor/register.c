// SPDX-License-Identifier: Apache-2.0
// A register of a vCPU by its name. Some stand in the trap frame (x0..x30, PC, PSTATE, the stack pointers), because EL2
// saved them when the guest trapped; the others still are in the hardware of the vCPU's CPU. So the access is made
// there, by cpu_call, between two of the guest's instructions; a running guest goes on at once.
#include <hv/monitor_register.h>

#include <hv/arch/barrier.h>
#include <hv/arch/sysreg.h>
#include <hv/arch/vcpu_registers.h>
#include <hv/cpu.h>
#include <hv/event_key.h>
#include <hv/hold.h>
#include <hv/monitor_reply.h>
#include <hv/string.h>
#include <hv/vm.h>

struct register_access {
    struct vcpu *vcpu;
    const char *name;
    bool write;
    bool known;  // there is a register of this name
    bool unsafe; // a value that EL2 must not return with
    enum hv_status status;
    uint64_t old;   // what the register was
    uint64_t value; // what to write
};

// The place in the trap frame of x0 to x30, PC, SPSR_EL2, SP_EL0 or SP_EL1; NULL for other names. SP is SP_EL1 when the
// guest runs at EL1h (PSTATE.M = 0b0101), else SP_EL0.
static uint64_t *frame_slot(struct trap_frame *frame, const char *name)
{
    uint64_t n;

    if ((name[0] == 'x' || name[0] == 'X') && parse_u64(name + 1, &n) && n < 31)
        return &frame->x[n];
    if (strcasecmp(name, "SP") == 0)
        return FIELD_GET(SPSR_ELX_M, frame->spsr_el2) == SPSR_M_EL1H ? &frame->sp_el1 : &frame->sp_el0;
    if (strcasecmp(name, "PC") == 0)
        return &frame->elr_el2;
    if (strcasecmp(name, "SPSR_EL2") == 0)
        return &frame->spsr_el2;
    if (strcasecmp(name, "SP_EL0") == 0)
        return &frame->sp_el0;
    if (strcasecmp(name, "SP_EL1") == 0)
        return &frame->sp_el1;
    return NULL;
}

// A register that has no key, because no policy can have it trapped: EL2 reads and writes it on this CPU by a table of
// such registers (vcpu_register_table.h).
static void access_untrapped(struct register_access *access)
{
    unsigned int number = vcpu_register_find(access->name);

    access->known = number < VCPU_REGISTER_COUNT && vcpu_register_read(number, &access->old);
    if (access->known && access->write && !vcpu_register_write(number, access->value))
        access->status = HV_ERR_UNSUPPORTED;
}

// A register that is not in the frame. One that can trap has a key, and is accessed as the policy's allow would do it.
static void access_hardware(struct register_access *access)
{
    unsigned int key = event_key_find(access->name);

    if (key < KEY_SYSREG_FIRST || key >= KEY_SYSREG_UNKNOWN) {
        access_untrapped(access);
        return;
    }
    access->status = sysreg_read(access->vcpu, key, &access->old);
    if (access->status == HV_OK && access->write)
        access->status = sysreg_write(access->vcpu, key, access->value);
}

// Whether EL2 may return to the guest with pstate, where it would have returned with old. PSTATE.M may name EL0 or EL1
// in AArch64, or stay what it is (a program in AArch32). Any other value would be an illegal exception return (DDI
// 0487, "Illegal return events from AArch64 state"), or, with M = EL2h, a return to EL2 itself with the guest's PC.
static bool pstate_is_safe(uint64_t pstate, uint64_t old)
{
    uint64_t mode = pstate & (SPSR_ELX_M4 | SPSR_ELX_M);

    return mode == SPSR_M_EL0T || mode == SPSR_M_EL1T || mode == SPSR_M_EL1H ||
           mode == (old & (SPSR_ELX_M4 | SPSR_ELX_M));
}

// Writes a register that is in the frame, unless EL2 must not return with that value. A new PC also ends whatever the
// vCPU was held at.
static void write_slot(struct register_access *access, uint64_t *slot)
{
    struct trap_frame *frame = access->vcpu->frame;

    access->unsafe = slot == &frame->spsr_el2 && !pstate_is_safe(access->value, frame->spsr_el2);
    if (access->unsafe)
        return;
    *slot = access->value;
    if (slot == &frame->elr_el2)
        hold_drop(access->vcpu);
}

// Runs on the vCPU's own CPU, while the vCPU is in EL2. The names of the frame come first, so that SP_EL1 is what the
// guest will have and not what EL2 has left in the hardware.
static void access_register(void *argument)
{
    struct register_access *access = argument;
    uint64_t *slot = frame_slot(access->vcpu->frame, access->name);

    access->known = true;
    access->status = HV_OK;
    if (slot != NULL) {
        access->old = *slot;
        if (access->write)
            write_slot(access, slot);
        return;
    }
    access_hardware(access);
    if (access->write)
        barrier_context(); // before the guest runs on with it (the eret would do; a read in this reply would not)
}

// The register that a person means by word. gdb puts a $ before it. PSTATE, which gdb calls cpsr, is in SPSR_EL2 while
// the vCPU is in EL2; fp and lr are gdb's names of x29 and x30.
const char *monitor_register_name(const char *word)
{
    static const char *const also[][2] = {{"PSTATE", "SPSR_EL2"}, {"cpsr", "SPSR_EL2"}, {"fp", "x29"}, {"lr", "x30"}};

    if (*word == '$')
        word++;
    for (unsigned int n = 0; n < ARRAY_COUNT(also); n++) {
        if (strcasecmp(word, also[n][0]) == 0)
            return also[n][1];
    }
    return word;
}

// What is wrong with an access that was made, or NULL.
static const char *access_error(const struct register_access *access)
{
    if (access->unsafe)
        return "SPSR_EL2.M may be EL0t (0), EL1t (4), EL1h (5) or what it is";
    if (!access->known)
        return monitor_error("no register '%s' (regs shows the usual ones; x0..x30, PC, PSTATE ...)", access->name);
    if (access->status != HV_OK)
        return monitor_error("%s: %s", access->name, hv_status_name(access->status));
    return NULL;
}

// Reads a register into *old and, where write is not NULL, writes *write to it. The name is looked up on the vCPU's CPU
// together with the access, so that both see the same state.
const char *monitor_register(struct vcpu *vcpu, const char *name, const uint64_t *write, uint64_t *old)
{
    struct register_access access = {.vcpu = vcpu, .name = monitor_register_name(name), .write = write != NULL};

    if (write != NULL)
        access.value = *write;
    if (!cpu_call(vcpu->cpu, access_register, &access))
        return monitor_error("CPU %u does not answer", vcpu->cpu);
    *old = access.old;
    return access_error(&access);
}
