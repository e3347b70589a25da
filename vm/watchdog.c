// SPDX-License-Identifier: Apache-2.0
// Owns the look that each CPU takes once a second at itself and at the next CPU. It must not make each exit slower, so
// it reads what telemetry writes anyway. telemetry->sequence is the number of exits that have ended, and an exit that
// reaches trap.c writes that number into its slot of telemetry->last when it begins. So a slot whose number is sequence
// belongs to an exit that has not ended. One that trap_quick.c serves gets its number when it ends: it is too short to
// be looked for.

#include <hv/watchdog.h>

#include <hv/arch/registers.h>
#include <hv/event_name.h>
#include <hv/guest_loop.h>
#include <hv/log_budget.h>
#include <hv/kernel_tables.h>
#include <hv/console.h>
#include <hv/notify.h>
#include <hv/symbols.h>
#include <hv/telemetry.h>
#include <hv/tick.h>
#include <hv/trap_result.h>
#include <hv/vgic.h>
#include <hv/vm.h>

// A guest is told to hang after so many ticks in a row; the tick comes once a second.
#define STUCK_MAX 10

// EL2 may stay long in one exit for two good reasons: the guest waits in a trapped WFI, or the monitor answers a
// person.
static bool is_expected(unsigned int key)
{
    return key == KEY_CAUSE_WFI || console_is_held();
}

// EL2 runs with interrupts masked, so an exit that takes long keeps the tick waiting. The tick comes as soon as the
// exit has ended, as an exit of its own. So the one to look at is the exit before: sequence - 1.
static void check_last_exit(const struct telemetry *telemetry, uint64_t second)
{
    const struct event *event = telemetry_find(telemetry, telemetry->sequence - 1);

    char name[EVENT_NAME_SIZE];

    if (event != NULL && event->exit - event->entry > second && !is_expected(event->key))
        log_limited(LOG_LIMIT(LOG_SOURCE_SLOW, LOG_WARN), LOG_TRAP, "slow-exit", "exit=%lu key=%s pc=0x%lx ticks=%lu",
                    event->sequence, event_name(event, name, sizeof(name)), event->pc, event->exit - event->entry);
}

// Each CPU watches the next one, and the last the first, so that each is watched by one other. An exit is recorded when
// it is between one and two seconds old: the tick comes once a second, so that is true at one tick only, and one record
// is written.
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

// The guest's vectors (VBAR_EL1) are at an address at which it may not fetch. Each fetch is an Instruction Abort to
// EL2, EL2 injects it, and the guest takes it at the same vectors, for ever. The sign of it: the last exit was such an
// abort and the guest is still at its PC.
static bool has_no_vectors(const struct vcpu *vcpu)
{
    const struct event *event = telemetry_find(vcpu->telemetry, vcpu->telemetry->sequence - 1);

    return event != NULL && event->cause == KEY_CAUSE_IABT && event->result == TRAP_INJECT_ABORT &&
           event->pc == vcpu->frame->elr_el2;
}

// Whether the guest keeps an interrupt waiting: one is pending, PSTATE.I is set, and the guest has ended none since the
// last tick. A driver whose device interrupts all the time has the first two at every tick, and is at work.
static bool keeps_waiting(struct vcpu *vcpu)
{
    uint64_t ended = vcpu->gic.ended_count;
    bool idle = ended == vcpu->stuck_ended;

    vcpu->stuck_ended = ended;
    return idle && (vcpu->frame->spsr_el2 & SPSR_ELX_I) && vgic_has_pending(vcpu);
}

// Counts ticks in a row at which the guest keeps an interrupt waiting, or has no vectors. One tick at which neither is
// so starts the count again. It is told once, when the count reaches STUCK_MAX.
static void check_guest(struct vcpu *vcpu)
{
    const struct trap_frame *frame = vcpu->frame;
    bool masked = keeps_waiting(vcpu);

    if (!masked && !has_no_vectors(vcpu))
        vcpu->stuck_ticks = 0;
    else if (++vcpu->stuck_ticks == STUCK_MAX) {
        log_limited(LOG_LIMIT(LOG_SOURCE_HANG, LOG_WARN), LOG_GUEST, "guest-hang", "vcpu=%u pc=0x%lx", vcpu->id,
                    frame->elr_el2);
        notify_post(masked ? NOTIFY_VCPU_MASKED : NOTIFY_VCPU_NO_VECTORS, vcpu);
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
        symbols_look(vcpu);
    }
    guest_loop_tick(vcpu);
    if (vcpu->cpu == 0) // one CPU of the machine does it for all
        log_tick();
}
