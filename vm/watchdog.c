// SPDX-License-Identifier: Apache-2.0
// Owns: the look that each CPU takes once a second at itself and at the others. It reads what telemetry has anyway, so
// that no exit pays for it: the slot of an exit that has not ended carries the number of the next one.

#include <hv/watchdog.h>

#include <hv/arch/registers.h>
#include <hv/event_name.h>
#include <hv/guest_loop.h>
#include <hv/log_budget.h>
#include <hv/kernel_tables.h>
#include <hv/console.h>
#include <hv/notify.h>
#include <hv/telemetry.h>
#include <hv/tick.h>
#include <hv/trap_result.h>
#include <hv/vgic.h>
#include <hv/vm.h>

#define STUCK_MAX 10 // ticks

// Where EL2 may stay: a guest waits in a trapped WFI, or the monitor answers a person.
static bool is_expected(unsigned int key)
{
    return key == KEY_CAUSE_WFI || console_is_held();
}

// The exit of which this tick is part has not ended; a slow one before it has kept the tick waiting.
static void check_last_exit(const struct telemetry *telemetry, uint64_t second)
{
    const struct event *event = telemetry_find(telemetry, telemetry->sequence - 1);

    char name[EVENT_NAME_SIZE];

    if (event != NULL && event->exit - event->entry > second && !is_expected(event->key))
        log_limited(LOG_LIMIT(LOG_SOURCE_SLOW, LOG_WARN), LOG_TRAP, "slow-exit", "exit=%lu key=%s pc=0x%lx ticks=%lu",
                    event->sequence, event_name(event, name, sizeof(name)), event->pc, event->exit - event->entry);
}

// The next CPU, so that each is watched by one other; in the first of the seconds, so that it is told once.
static void check_neighbour(const struct vcpu *vcpu, uint64_t second)
{
    const struct vcpu *other = &vcpu->vm->vcpus[(vcpu->id + 1) % vcpu->vm->vcpu_count];
    uint64_t sequence = __atomic_load_n(&other->telemetry->sequence, __ATOMIC_ACQUIRE);
    const struct event *event = &other->telemetry->last[sequence % TELEMETRY_LAST];
    int64_t ticks = (int64_t)(READ_SYSREG(CNTPCT_EL0) - event->entry);

    if (other != vcpu && event->sequence == sequence && !is_expected(event->cause) && ticks > (int64_t)second &&
        ticks <= 2 * (int64_t)second)
        log_limited(LOG_LIMIT(LOG_SOURCE_STALL, LOG_WARN), LOG_TRAP, "el2-stall", "vcpu=%u exit=%lu key=%s pc=0x%lx",
                    other->id, sequence, event_key_name(event->cause), event->pc);
}

// The tick came where the exit before was a refused fetch: the guest's vectors are not in its memory, and each refusal
// is taken there.
static bool has_no_vectors(const struct vcpu *vcpu)
{
    const struct event *event = telemetry_find(vcpu->telemetry, vcpu->telemetry->sequence - 1);

    return event != NULL && event->cause == KEY_CAUSE_IABT && event->result == TRAP_INJECT_ABORT &&
           event->pc == vcpu->frame->elr_el2;
}

static void check_guest(struct vcpu *vcpu)
{
    const struct trap_frame *frame = vcpu->frame;
    bool masked = (frame->spsr_el2 & SPSR_ELX_I) && vgic_has_pending(vcpu);

    if (!masked && !has_no_vectors(vcpu))
        vcpu->stuck_ticks = 0;
    else if (++vcpu->stuck_ticks == STUCK_MAX) {
        log_limited(LOG_LIMIT(LOG_SOURCE_HANG, LOG_WARN), LOG_GUEST, "guest-hang", "vcpu=%u pc=0x%lx", vcpu->id,
                    frame->elr_el2);
        notify_post(masked ? NOTIFY_VCPU_MASKED : NOTIFY_VCPU_NO_VECTORS);
    }
}

static void second_passed(void)
{
    watchdog_tick(vcpu_current());
}

void watchdog_init(void)
{
    tick_register(second_passed);
}

void watchdog_tick(struct vcpu *vcpu)
{
    uint64_t second = READ_SYSREG(CNTFRQ_EL0);

    check_last_exit(vcpu->telemetry, second);
    check_neighbour(vcpu, second);
    if (!vcpu->waiting) {
        check_guest(vcpu);
        kernel_tables_look(vcpu);
    }
    guest_loop_tick(vcpu);
    if (vcpu->cpu == 0) // one CPU of the machine does it for all
        log_tick();
}
