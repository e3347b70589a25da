// SPDX-License-Identifier: Apache-2.0
// The guest's time and interrupts as the monitor shows them: timer and gic. Read on the vCPU's own CPU.
#include <hv/monitor_cmds.h>

#include <hv/arch/el1_regs.h>
#include <hv/arch/esr_fields.h>
#include <hv/arch/registers.h>
#include <hv/cpu.h>
#include <hv/monitor_event.h>
#include <hv/monitor_out.h>
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

    out_hex("cntv_ctl", 1, timer->control);
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
