// SPDX-License-Identifier: Apache-2.0
// timer and gic: the guest's time and its interrupts. Both are snapshots: vdev copies what belongs to one vCPU on that
// vCPU's CPU, whose registers have part of it, and the copy is shown here.
#include <hv/monitor_cmds.h>

#include <hv/arch/esr_fields.h>
#include <hv/arch/registers.h>
#include <hv/monitor_out.h>
#include <hv/monitor_reply.h>
#include <hv/monitor_subject.h>
#include <hv/vgic.h>
#include <hv/vm.h>
#include <hv/vtimer.h>

// A timer as its registers have it, and how far its deadline lies ahead or back, in microseconds.
static void show_deadline(const char *name, uint64_t control, uint64_t deadline, uint64_t now)
{
    bool late = deadline <= now;
    uint64_t ticks = late ? now - deadline : deadline - now;

    out("timer:%s ctl=0x%lx", name, control);
    out_fields(register_fields("CNTV_CTL_EL0"), control);
    out(late ? " cval=0x%lx past_us=%lu\n" : " cval=0x%lx due_us=%lu\n", deadline, monitor_microseconds(ticks));
}

// How late the virtual timer's interrupts came to EL2. Bucket n counts those that were less than 2^n ticks late, and
// not less than 2^(n-1); the last bucket counts all that were later. A row is shown for each bucket that is not empty.
static void show_lateness(const uint64_t *late)
{
    for (unsigned int n = 0; n < VTIMER_LATE_BUCKETS; n++) {
        bool last = n == VTIMER_LATE_BUCKETS - 1;
        if (late[n] != 0)
            out(last ? "late_from_us=%lu interrupts=%lu\n" : "late_below_us=%lu interrupts=%lu\n",
                monitor_microseconds(BIT64(n - last)) + !last, late[n]);
    }
}

// timer [vcpu]: the guest's time beside the machine's, both in microseconds; how far they have drifted apart, because
// the guest was paused; the deadlines of the two timers of EL1 (CNTV, CNTP); and how late the virtual one's interrupts
// came.
const char *cmd_timer(const struct monitor_words *words)
{
    struct vtimer_snapshot timer;
    struct vcpu *vcpu;
    const char *error = monitor_vcpu(words->count > 1 ? words->word[1] : NULL, &vcpu);

    if (error != NULL)
        return error;
    vtimer_snapshot(vcpu, &timer);
    out("vcpu=%u frequency=%lu physical_us=%lu guest_us=%lu\n", vcpu->id, timer.frequency,
        monitor_microseconds(timer.physical_count), monitor_microseconds(timer.virtual_count - vcpu->vm->virtual_lead));
    out("cntvoff=0x%lx drift_us=%lu paused_us=%lu\n", timer.offset,
        monitor_microseconds(timer.physical_count - (timer.virtual_count - vcpu->vm->virtual_lead)),
        monitor_microseconds(timer.paused_ticks));
    show_deadline("cntv", timer.virtual_ctl, timer.virtual_cval, timer.virtual_count);
    show_deadline("cntp", timer.physical_ctl, timer.physical_cval,
                  vcpu->vm->controls.cnthctl_el2 & CNTHCTL_EL2_EL1PCTEN ? timer.physical_count : timer.virtual_count);
    show_lateness(timer.late);
    return NULL;
}

// An interrupt as the virtual GIC has it: a row of the table that cmd_gic's heading begins.
static void show_interrupt(const struct vgic_interrupt *interrupt)
{
    out("intid:%5u priority:0x%02x", interrupt->intid, interrupt->priority);
    if (interrupt->target != VGIC_NO_TARGET)
        out(" target:%6u", interrupt->target);
    else
        out_note(" %6s", "-");
    out(" enabled:%-7d pending:%-7d active:%-6d line:%-4d trigger:%-7s listed:%-6d hardware:%d\n", interrupt->enabled,
        interrupt->pending, interrupt->active, interrupt->line, interrupt->edge ? "edge" : "level", interrupt->listed,
        interrupt->hardware);
}

// gic [vcpu]: the list registers that are in use, and each interrupt that is enabled, pending or active. The other
// ones, most of a thousand, are left out.
const char *cmd_gic(const struct monitor_words *words)
{
    struct vgic_snapshot snapshot;
    struct vgic_interrupt interrupt;
    struct vcpu *vcpu;
    const char *error = monitor_vcpu(words->count > 1 ? words->word[1] : NULL, &vcpu);

    if (error != NULL)
        return error;
    vgic_snapshot(vcpu, &snapshot);
    out("vcpu=%u gicd_ctlr=0x%x ich_hcr=0x%lx ich_vmcr=0x%lx maintenance=%lu refills=%lu\n", vcpu->id, snapshot.ctlr,
        snapshot.hcr, snapshot.vmcr, snapshot.maintenance_count, snapshot.refill_count);
    for (unsigned int n = 0; n < snapshot.lr_count; n++) {
        if (snapshot.lr[n] != 0)
            out("list_register=%u value:0x%016lx\n", n, snapshot.lr[n]);
    }
    out_heading("intid prio target enabled pending active line trigger listed hardware");
    for (unsigned int intid = 0; intid < 1020; intid++) {
        if (vgic_query(vcpu, intid, &interrupt) && (interrupt.enabled || interrupt.pending || interrupt.active))
            show_interrupt(&interrupt);
    }
    return NULL;
}
