// SPDX-License-Identifier: Apache-2.0
// Guest time. The problem: a VM that was paused must not see that time has passed, or all its timers fire at once.
//
// The rule: guest time is the physical counter minus vm->virtual_offset. A VM that was paused for 100 ticks has an
// offset that is 100 greater, so its clock reads the same before and after the pause. The virtual timer is the
// hardware's: CNTVOFF_EL2 holds the offset, and the timer's interrupt is forwarded with the HW bit. The physical timer,
// where policy traps it, is emulated on EL2's own timer (hyp_timer.h); the guest's line is computed anew at each access
// and when the deadline has passed.
//
// Who keeps it: all of this runs on the vCPU's own CPU, so a vCPU's timers need no lock.

#include <hv/vtimer.h>

#include <hv/arch/barrier.h>
#include <hv/arch/registers.h>
#include <hv/cpu.h>
#include <hv/gicv3.h>
#include <hv/hyp_timer.h>
#include <hv/machine.h>
#include <hv/string.h>
#include <hv/vgic.h>

#define WRAP_TRIES (1u << 24) // nobody waits for a timer that never fires

// Sets two timers. The virtual one is due first, but its deadline plus CNTVOFF_EL2, which an emulator may compute,
// wraps around 2^64; EL2's own is due later and does not wrap. For example, with the counter at 1000 and 32 ticks
// ahead, the virtual timer is due at 1032 and EL2's at 1064. When EL2's has fired and the virtual one has not, it never
// will. A deadline that has passed by the time it is set fires at once, which proves nothing: then both are set again,
// twice as far ahead.
bool vtimer_may_wrap(uint64_t lead)
{
    const uint64_t on = CNTX_CTL_ENABLE | CNTX_CTL_IMASK;
    uint64_t ahead = 16;
    uint64_t first;

    WRITE_SYSREG(CNTVOFF_EL2, -lead);
    do {
        uint64_t now = READ_SYSREG(CNTPCT_EL0);

        ahead *= 2;
        WRITE_SYSREG(CNTV_CVAL_EL0, now + lead + ahead);
        WRITE_SYSREG(CNTHP_CVAL_EL2, now + 2 * ahead);
        WRITE_SYSREG(CNTV_CTL_EL0, on);
        WRITE_SYSREG(CNTHP_CTL_EL2, on);
        barrier_context();
    } while ((READ_SYSREG(CNTV_CTL_EL0) | READ_SYSREG(CNTHP_CTL_EL2)) & CNTX_CTL_ISTATUS);
    for (unsigned int i = 0; i < WRAP_TRIES && !(READ_SYSREG(CNTHP_CTL_EL2) & CNTX_CTL_ISTATUS); i++)
        cpu_yield();
    first = READ_SYSREG(CNTV_CTL_EL0);
    WRITE_SYSREG(CNTV_CTL_EL0, 0);
    WRITE_SYSREG(CNTHP_CTL_EL2, 0);
    return first & CNTX_CTL_ISTATUS;
}

__attribute__((noinline)) void vtimer_interrupt(struct vcpu *vcpu)
{
    if (vcpu->waiting) {
        vcpu->timer.held = true; // it stays active: when the guest's time goes on, it may not be due any more
        return;
    }
    // The bucket is the number of bits of the delay: 0 ticks go to bucket 0, 1 to 1, 2 and 3 to 2, 4 to 7 to 3.
    uint64_t late = READ_SYSREG(CNTVCT_EL0) - READ_SYSREG(CNTV_CVAL_EL0);
    unsigned int bucket = late == 0 ? 0 : 64 - (unsigned int)__builtin_clzll(late);

    bucket = bucket < VTIMER_LATE_BUCKETS ? bucket : VTIMER_LATE_BUCKETS - 1;
    vcpu->timer.late[bounded_index(bucket, VTIMER_LATE_BUCKETS)]++;
    vgic_forward(vcpu, INTID_VIRTUAL_TIMER);
}

// ---- The physical timer

// How far the guest's physical counter is behind the machine's. It is not, where the policy lets the guest read the
// machine's counter without a trap (CNTHCTL_EL2.EL1PCTEN): its timer must then go by that one.
static uint64_t physical_offset(const struct vcpu *vcpu)
{
    return vcpu->vm->controls.cnthctl_el2 & CNTHCTL_EL2_EL1PCTEN ? 0 : vcpu->vm->virtual_offset;
}

static uint64_t physical_count(const struct vcpu *vcpu)
{
    barrier_context(); // without it the CPU may read the counter earlier, by speculation
    return READ_SYSREG(CNTPCT_EL0) - physical_offset(vcpu);
}

// CNTP_CTL_EL0.ISTATUS: the timer is enabled and its deadline has come, whether or not IMASK keeps its interrupt away.
static bool is_due(const struct vcpu *vcpu)
{
    return (vcpu->timer.physical_ctl & CNTX_CTL_ENABLE) && physical_count(vcpu) >= vcpu->timer.physical_cval;
}

static void physical_expired(void *argument);

// Drives the guest's line, and has EL2's timer come at the guest's deadline.
static void update_physical(struct vcpu *vcpu)
{
    uint32_t ctl = vcpu->timer.physical_ctl;
    bool wanted = (ctl & (CNTX_CTL_ENABLE | CNTX_CTL_IMASK)) == CNTX_CTL_ENABLE;
    bool due = wanted && is_due(vcpu);
    uint64_t offset = physical_offset(vcpu);
    uint64_t deadline = vcpu->timer.physical_cval + offset;
    // An offset above 0 makes a deadline near 2^64 wrap: EL2's counter does not get there. An offset below 0 (the lead)
    // makes the sum wrap for every deadline, and rightly so.
    bool never = (int64_t)offset > 0 && deadline < offset;

    hyp_timer_set(!wanted || due || never ? HYP_TIMER_NEVER : deadline, physical_expired, vcpu);
    (void)vgic_set_line(vcpu->vm, vcpu->id, INTID_PHYSICAL_TIMER, due);
}

static void physical_expired(void *argument)
{
    update_physical(argument);
}

// A vCPU that is turned on finds its timers off, as after a reset of the CPU.
void vtimer_init_cpu(struct vcpu *vcpu)
{
    memset(&vcpu->timer, 0, sizeof(vcpu->timer));
    WRITE_SYSREG(CNTHCTL_EL2, vcpu->vm->controls.cnthctl_el2);
    WRITE_SYSREG(CNTVOFF_EL2, vcpu->vm->virtual_offset);
    WRITE_SYSREG(CNTV_CTL_EL0, 0);
    WRITE_SYSREG(CNTP_CTL_EL0, 0);
    barrier_context(); // the timers are off before their interrupts are let in
    update_physical(vcpu);
}

// A held interrupt is deactivated, not handed to the guest: the offset has grown, so the deadline may be in the future
// again. When it is still past, the timer's line is high and the interrupt comes again at once.
void vtimer_update_offset(struct vcpu *vcpu)
{
    WRITE_SYSREG(CNTVOFF_EL2, vcpu->vm->virtual_offset);
    if (vcpu->timer.held) {
        barrier_context(); // if it is not due any more, its line is down before it may become pending again
        vcpu->timer.held = false;
        gicv3_deactivate(INTID_VIRTUAL_TIMER);
    }
    if (vcpu->timer.physical_ctl & CNTX_CTL_ENABLE)
        update_physical(vcpu);
}

// CNTP_TVAL_EL0 is a 32-bit view of the deadline: a read gives CVAL minus the counter, a write sets CVAL to the counter
// plus the signed value. With the counter at 1000 a write of 0xffffffff (-1) sets CVAL to 999, which is due at once.
uint64_t vtimer_physical_read(struct vcpu *vcpu, enum vtimer_register reg)
{
    switch (reg) {
    case VTIMER_CNTPCT:
        return physical_count(vcpu);
    case VTIMER_CNTP_CTL:
        return vcpu->timer.physical_ctl | (is_due(vcpu) ? CNTX_CTL_ISTATUS : 0);
    case VTIMER_CNTP_CVAL:
        return vcpu->timer.physical_cval;
    case VTIMER_CNTP_TVAL:
        return (uint32_t)(vcpu->timer.physical_cval - physical_count(vcpu));
    }
    return 0;
}

void vtimer_physical_write(struct vcpu *vcpu, enum vtimer_register reg, uint64_t value)
{
    switch (reg) {
    case VTIMER_CNTPCT:
        return;
    case VTIMER_CNTP_CTL:
        vcpu->timer.physical_ctl = (uint32_t)(value & (CNTX_CTL_ENABLE | CNTX_CTL_IMASK));
        break;
    case VTIMER_CNTP_CVAL:
        vcpu->timer.physical_cval = value;
        break;
    case VTIMER_CNTP_TVAL:
        vcpu->timer.physical_cval = physical_count(vcpu) + (uint64_t)(int64_t)(int32_t)value;
        break;
    }
    update_physical(vcpu);
}

// ---- For the monitor

struct request {
    struct vcpu *vcpu;
    struct vtimer_snapshot *snapshot;
};

// Runs on the vCPU's CPU. Where the guest has the physical timer to itself, the emulated state says nothing and the
// registers are read.
static void take(void *argument)
{
    struct request *request = argument;
    struct vtimer_snapshot *snapshot = request->snapshot;
    struct vcpu *vcpu = request->vcpu;

    snapshot->virtual_ctl = READ_SYSREG(CNTV_CTL_EL0);
    snapshot->virtual_cval = READ_SYSREG(CNTV_CVAL_EL0);
    snapshot->physical_ctl = vtimer_physical_read(vcpu, VTIMER_CNTP_CTL);
    snapshot->physical_cval = vcpu->timer.physical_cval;
    if (vcpu->vm->controls.cnthctl_el2 & CNTHCTL_EL2_EL1PCEN) {
        snapshot->physical_ctl = READ_SYSREG(CNTP_CTL_EL0);
        snapshot->physical_cval = READ_SYSREG(CNTP_CVAL_EL0);
    }
    memcpy(snapshot->late, vcpu->timer.late, sizeof(snapshot->late));
}

void vtimer_snapshot(struct vcpu *vcpu, struct vtimer_snapshot *snapshot)
{
    struct request request = {.vcpu = vcpu, .snapshot = snapshot};
    const struct vm *vm = vcpu->vm;

    memset(snapshot, 0, sizeof(*snapshot));
    snapshot->frequency = READ_SYSREG(CNTFRQ_EL0);
    snapshot->physical_count = READ_SYSREG(CNTPCT_EL0);
    snapshot->offset = vm->virtual_offset;
    snapshot->paused_ticks = vm_paused_ticks(vm, snapshot->physical_count);
    // While the VM is paused its clock stands at the moment of the pause.
    snapshot->virtual_count =
        (vm->state <= VM_PAUSING ? snapshot->physical_count : vm->pause_started) - vm->virtual_offset;
    (void)cpu_call(vcpu->cpu, take, &request);
    snapshot->virtual_due = (int64_t)(snapshot->virtual_cval - snapshot->virtual_count);
}
