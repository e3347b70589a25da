// SPDX-License-Identifier: Apache-2.0
// The guest's time and interrupts as the monitor shows them: timer and gic. Read on the vCPU's own CPU.
#include <hv/monitor_cmds.h>

#include <hv/arch/el1_regs.h>
#include <hv/arch/esr_fields.h>
#include <hv/arch/registers.h>
#include <hv/cpu.h>
#include <hv/monitor_explain.h>
#include <hv/monitor_out.h>
#include <hv/vgic.h>
#include <hv/vm.h>

struct timer_state {
    uint64_t control;
    uint64_t deadline;
    uint64_t offset;
};

static void read_timer(void *argument)
{
    struct timer_state *timer = argument;

    timer->control = el1_register_read(EL1_CNTV_CTL_EL0);
    timer->deadline = el1_register_read(EL1_CNTV_CVAL_EL0);
    timer->offset = READ_SYSREG(CNTVOFF_EL2);
}

static void show_deadline(const struct timer_state *timer, uint64_t now)
{
    bool late = timer->deadline <= now;
    uint64_t ticks = late ? now - timer->deadline : timer->deadline - now;

    out_hex("cntv_ctl", 0, timer->control);
    out_fields(register_fields("CNTV_CTL_EL0"), timer->control);
    out_hex("cntv_cval", 0, timer->deadline);
    out_number(late ? "past_us" : "due_us", 0, monitor_microseconds(ticks));
    out_end();
}

const char *cmd_timer(const struct monitor_words *words)
{
    struct timer_state timer;
    struct vcpu *vcpu;
    uint64_t now = vm_virtual_time(&vm0);
    const char *error = monitor_vcpu(words->count > 1 ? words->word[1] : NULL, &vcpu);

    if (error != NULL)
        return error;
    if (!cpu_call(vcpu->id, read_timer, &timer))
        return monitor_error("CPU %u does not answer", vcpu->id);
    out_number("vcpu", 0, vcpu->id);
    out_number("frequency", 0, READ_SYSREG(CNTFRQ_EL0));
    out_number("physical_us", 0, monitor_microseconds(READ_SYSREG(CNTPCT_EL0)));
    out_number("guest_us", 0, monitor_microseconds(now));
    out_end();
    out_hex("cntvoff", 0, timer.offset);
    out_number("drift_us", 0, monitor_microseconds(READ_SYSREG(CNTPCT_EL0) - now));
    out_number("paused_us", 0, monitor_microseconds(vm0.paused_ticks));
    out_end();
    show_deadline(&timer, now);
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
