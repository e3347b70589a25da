// SPDX-License-Identifier: Apache-2.0
// The guest's time and interrupts as the monitor shows them: timer and gic. Both come as snapshots.
#include <hv/monitor_cmds.h>

#include <hv/arch/esr_fields.h>
#include <hv/arch/registers.h>
#include <hv/monitor_out.h>
#include <hv/policy.h>
#include <hv/vgic.h>
#include <hv/vm.h>

static void show_deadline(const char *name, uint64_t control, uint64_t deadline, uint64_t now)
{
    bool late = deadline <= now;
    uint64_t ticks = late ? now - deadline : deadline - now;

    out_text("timer", 1, name);
    out_hex("ctl", 0, control);
    out_fields(register_fields("CNTV_CTL_EL0"), control);
    out_hex("cval", 0, deadline);
    out_number(late ? "past_us" : "due_us", 0, monitor_microseconds(ticks));
    out_end();
}

const char *cmd_timer(const struct monitor_words *words)
{
    struct vtimer_snapshot timer;
    struct vcpu *vcpu;
    const char *error = monitor_vcpu(words->count > 1 ? words->word[1] : NULL, &vcpu);

    if (error != NULL)
        return error;
    vtimer_snapshot(vcpu, &timer);
    out_number("vcpu", 0, vcpu->id);
    out_number("frequency", 0, timer.frequency);
    out_number("physical_us", 0, monitor_microseconds(timer.physical_count));
    out_number("guest_us", 0, monitor_microseconds(timer.virtual_count - VM_VIRTUAL_LEAD));
    out_end();
    out_hex("cntvoff", 0, timer.offset);
    out_number("drift_us", 0, monitor_microseconds(timer.physical_count - (timer.virtual_count - VM_VIRTUAL_LEAD)));
    out_number("paused_us", 0, monitor_microseconds(timer.paused_ticks));
    out_end();
    show_deadline("cntv", timer.virtual_ctl, timer.virtual_cval, timer.virtual_count);
    show_deadline("cntp", timer.physical_ctl, timer.physical_cval,
                  policy_controls.cnthctl_el2 & CNTHCTL_EL2_EL1PCTEN ? timer.physical_count : timer.virtual_count);
    out_numbers("late", timer.late, VTIMER_LATE_BUCKETS);
    out_note(" virtual timer interrupts, by log2 of ticks past the deadline");
    out_end();
    return NULL;
}

static void show_interrupt(const struct vgic_interrupt *interrupt)
{
    out_number("intid", 4, interrupt->intid);
    out_hex("priority", 2, interrupt->priority);
    if (interrupt->target != VGIC_NO_TARGET)
        out_number("target", 0, interrupt->target);
    out_bool("enabled", interrupt->enabled);
    out_bool("pending", interrupt->pending);
    out_bool("active", interrupt->active);
    out_bool("line", interrupt->line);
    out_text("trigger", 0, interrupt->edge ? "edge" : "level");
    out_bool("listed", interrupt->listed);
    out_bool("hardware", interrupt->hardware);
    out_end();
}

const char *cmd_gic(const struct monitor_words *words)
{
    struct vgic_snapshot snapshot;
    struct vgic_interrupt interrupt;
    struct vcpu *vcpu;
    const char *error = monitor_vcpu(words->count > 1 ? words->word[1] : NULL, &vcpu);

    if (error != NULL)
        return error;
    vgic_snapshot(vcpu, &snapshot);
    out_number("vcpu", 0, vcpu->id);
    out_hex("gicd_ctlr", 0, snapshot.ctlr);
    out_hex("ich_hcr", 0, snapshot.hcr);
    out_hex("ich_vmcr", 0, snapshot.vmcr);
    out_number("maintenance", 0, snapshot.maintenance_count);
    out_number("refills", 0, snapshot.refill_count);
    out_end();
    for (unsigned int n = 0; n < snapshot.lr_count; n++) {
        if (snapshot.lr[n] == 0)
            continue;
        out_number("list_register", 0, n);
        out_hex("value", 16, snapshot.lr[n]);
        out_end();
    }
    for (unsigned int intid = 0; intid < 1020; intid++) {
        if (vgic_query(vcpu, intid, &interrupt) && (interrupt.enabled || interrupt.pending || interrupt.active))
            show_interrupt(&interrupt);
    }
    return NULL;
}
