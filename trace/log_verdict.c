// SPDX-License-Identifier: Apache-2.0
// The records of policy verdicts, and those that tell what was held back of any kind. A guest can provoke a row that
// asks for records as often as it likes. It gets as many records as log_budget.h lets it have, by key and direction. A
// record that is held back costs EL2 a few comparisons under a lock; it is counted, and the count is told by the
// source's next record, by log_tick when the source has been quiet for a second, or by log_flush.
#include <hv/log_budget.h>

#include <hv/event_name.h>
#include <hv/guest_loop.h>
#include <hv/machine.h>
#include <hv/policy.h>
#include <hv/spinlock.h>

#include <hv/arch/registers.h>

#include "log_parts.h"

// Maintenance by set and way (DC ISW, CSW and CISW) comes by the thousands: a guest that cleans a cache makes one exit
// for each of its lines. Such a burst is one record with a count. It is written when the burst has ended, that is, when
// a tenth of a second has passed without another one; a burst that lasts longer than a second has one record on the
// way. Two VMs that clean their caches at the same time have a burst each.
struct burst {
    struct event first;
    const struct vcpu *vcpu; // whose event first is
    uint64_t count;          // not told yet; 0: first is not valid
    uint64_t last;           // CNTPCT_EL0 of the latest
    bool told;               // a record was written while this burst went on
};

#define BURST_FIRST KEY_DC_ISW
#define BURSTS      3
#define BURST_PARTS 10 // of a second: a burst has ended when this part went by without
_Static_assert(KEY_DC_CSW == BURST_FIRST + 1 && KEY_DC_CISW == BURST_FIRST + 2, "the keys of struct burst");

// No record of a verdict is cut, whatever the policy says.
#define VERDICT_LONGEST                                                                                                \
    LOG_HEAD_LONGEST                                                                                                   \
    "exit=999999999999999 key=S3_7_C15_C15_7_and_more op=write verdict=emulate pc=0x0123456789abcdef "                 \
    "addr=0x0123456789abcdef value=0x0123456789abcdef esr=0x01234567 row=1023 at= why="
_Static_assert(sizeof(VERDICT_LONGEST) + POLICY_PLACE_MAX + POLICY_WHY_MAX < LOG_LINE_MAX - LOG_TAIL_MAX, "policy.h");

static struct spinlock burst_lock = SPINLOCK(LOCK_LOG_LIMIT); // guards the bursts; no other lock is taken under it
static struct burst bursts[CPU_MAX][BURSTS] GUARDED_BY(burst_lock); // by the CPU of the VM's vCPU 0, which is its alone

// How loud a verdict is: what stops or pauses a VM is louder than what goes on.
static enum log_level level_of(unsigned int verdict)
{
    switch (verdict) {
    case POLICY_DENY:
    case POLICY_PAUSE:
        return LOG_WARN;
    case POLICY_STOP:
        return LOG_ERROR;
    default:
        return LOG_INFO;
    }
}

// A pause or a stop is always recorded: a person must act before there can be another one.
static unsigned int limit_of(const struct policy *policy, const struct event *event)
{
    const struct policy_row *row = &policy->rows[event->row];

    if (row->log_per_second == POLICY_LOG_UNLIMITED || event->verdict >= POLICY_PAUSE)
        return LOG_UNLIMITED;
    return row->log_per_second != 0 ? row->log_per_second : LOG_LIMIT_PER_SECOND;
}

// ---- What was held back

// Writes the record "suppressed": how many records of a source of budget number were held back. A source of verdicts,
// or of a virtio row, also names the policy row that asked for them.
static void record_held(unsigned int number, unsigned int source, uint64_t held, bool console)
{
    struct log_limit limit = LOG_PLACE(LOG_POLICY, LOG_WARN, console);
    const struct policy *policy;
    unsigned int key, row;
    bool write;
    const char *of = log_source_name(source, &key, &write);

    if (source >= LOG_SOURCE_VERDICT && source < LOG_SOURCE_ABORT) {
        row = log_budget_row(number, source, &policy);
        log_allowed(limit, LOG_POLICY, "suppressed", "row=%u at=%pQ count=%lu of=%s key=%s op=%s", row,
                    policy != NULL ? policy->rows[row].place : "none", held, of, event_key_name(key),
                    write ? "write" : "read");
    } else if (source >= LOG_SOURCE_VIRTIO) {
        row = log_budget_row(number, source, &policy);
        log_allowed(limit, LOG_POLICY, "suppressed", "row=%u at=%pQ count=%lu of=%s", row,
                    policy != NULL ? policy->rows[row].place : "none", held, of);
    } else if (key < KEY_COUNT) {
        log_allowed(limit, LOG_POLICY, "suppressed", "count=%lu of=%s key=%s op=%s", held, of, event_key_name(key),
                    write ? "write" : "read");
    } else {
        log_allowed(limit, LOG_POLICY, "suppressed", "count=%lu of=%s", held, of);
    }
}

// Asks the budget. When there may be a record, what was held back before it is told first.
bool log_may_record(struct log_limit *limit, const struct vm *vm, unsigned int row, unsigned int per_second)
{
    uint64_t held;

    log_budget_set_row(vm->log_budget, limit->source, vm->policy, row);
    enum log_answer answer = log_budget_ask(vm->log_budget, limit->source, per_second, &held);
    limit->console = answer == LOG_WRITE;
    if (held != 0) {
        (void)log_budget_spend(vm->log_budget);
        record_held(vm->log_budget, limit->source, held, limit->console);
    }
    return answer != LOG_HOLD;
}

// The same for a record about event.
static bool may_record(const struct vm *vm, const struct event *event, struct log_limit *limit)
{
    limit->source = log_source_of_verdict(event);
    limit->level = level_of(event->verdict);
    return log_may_record(limit, vm, event->row, limit_of(vm->policy, event));
}

// How many records were held back since boot, told or not.
uint64_t log_suppressed(void)
{
    return log_budget_held();
}

// A key has up to four sources: verdicts and aborts, each read and written. Where it has fewer, the two functions that
// make a source of an event give one that is another key's, which its name tells.
static struct log_tally tally_of_key(const struct vm *vm, unsigned int key)
{
    struct log_tally sum = {0, 0};

    for (unsigned int n = 0; n < 4; n++) {
        struct event event = {.key = (uint16_t)key, .write = n % 2 != 0};
        unsigned int source = n < 2 ? log_source_of_verdict(&event) : log_source_of_abort(&event);
        unsigned int named;
        bool write;

        (void)log_source_name(source, &named, &write);
        if (named == key && write == event.write) {
            struct log_tally tally = log_budget_tally(vm->log_budget, source);
            sum.written += tally.written;
            sum.held += tally.held;
        }
    }
    return sum;
}

uint64_t log_written_of_key(const struct vm *vm, unsigned int key)
{
    return tally_of_key(vm, key).written;
}

uint64_t log_suppressed_of_key(const struct vm *vm, unsigned int key)
{
    return tally_of_key(vm, key).held;
}

uint64_t log_written_of_row(const struct vm *vm, unsigned int row)
{
    return log_budget_tally_of_row(vm->log_budget, row).written;
}

uint64_t log_suppressed_of_row(const struct vm *vm, unsigned int row)
{
    return log_budget_tally_of_row(vm->log_budget, row).held;
}

// ---- Maintenance by set and way

// Whether event is maintenance by set and way, and is counted as part of a burst. A row that pauses or stops at it gets
// a record of its own at once, as any other.
static bool add_to_burst(const struct vcpu *vcpu, const struct event *event)
{
    unsigned int n = event->key - BURST_FIRST;
    uint64_t now = READ_SYSREG(CNTPCT_EL0);

    if (n >= BURSTS || event->verdict >= POLICY_PAUSE)
        return false;
    spinlock_acquire(&burst_lock);
    struct burst *burst = &bursts[vcpu->vm->vcpus[0].cpu][n];
    if (now - burst->last >= READ_SYSREG(CNTFRQ_EL0) / BURST_PARTS)
        burst->told = false;
    if (burst->count++ == 0) {
        burst->first = *event;
        burst->vcpu = vcpu;
    }
    burst->last = now;
    spinlock_release(&burst_lock);
    return true;
}

// Whether burst n of the VM whose first CPU is cpu is to be told now; then its count is taken.
static bool take_burst(unsigned int cpu, unsigned int n, bool all, struct burst *taken)
{
    uint64_t now = READ_SYSREG(CNTPCT_EL0);
    uint64_t second = READ_SYSREG(CNTFRQ_EL0);

    spinlock_acquire(&burst_lock);
    struct burst *burst = &bursts[cpu][n];
    bool ended = now - burst->last >= second / BURST_PARTS;
    bool long_since = !burst->told && now - burst->first.entry >= second;
    bool due = burst->count != 0 && (all || ended || long_since);
    if (due) {
        *taken = *burst;
        burst->count = 0;
        burst->told = true;
    }
    spinlock_release(&burst_lock);
    return due;
}

// A burst asks the budget for one record, however many operations it has.
static void record_burst(const struct burst *burst)
{
    const struct event *first = &burst->first;
    const struct vm *vm = burst->vcpu->vm;
    const struct policy_row *row = &vm->policy->rows[first->row];
    struct log_limit limit;

    if (may_record(vm, first, &limit)) {
        log_budget_add_written(vm->log_budget, limit.source, burst->count - 1); // the first was counted
        log_allowed(limit, LOG_POLICY, "set-way",
                    "exit=%lu key=%s verdict=%s count=%lu pc=0x%lx value=0x%lx row=%u at=%pQ why=%pQ", first->sequence,
                    event_key_name(first->key), policy_action_name(first->verdict), burst->count, first->pc,
                    first->value, first->row, row->place, row->why);
    } else {
        log_budget_hold(vm->log_budget, limit.source, burst->count - 1);
    }
}

// Writes the records of that VM's bursts that are due; all: of all that have not been told.
static void tell_bursts_of(unsigned int cpu, bool all)
{
    struct burst taken;

    for (unsigned int n = 0; n < BURSTS; n++)
        if (take_burst(cpu, n, all, &taken))
            record_burst(&taken);
}

static void tell_bursts(bool all)
{
    for (unsigned int cpu = 0; cpu < CPU_MAX; cpu++)
        tell_bursts_of(cpu, all);
}

// ---- The log's functions

// Called once a second: tells the bursts that have ended, and what was held back of sources that are quiet since. Each
// of these records spends from the budget of the VM that it is about.
void log_tick(void)
{
    uint64_t held;

    tell_bursts(false);
    for (unsigned int n = 0; n < log_budget_count(); n++)
        for (unsigned int source = 0; log_budget_spend(n) && log_budget_next_held(n, &source, false, &held); source++)
            record_held(n, source, held, true);
}

// After a guest's reset each of these records is one of a boot that the guest has caused: those that the budget has no
// place for are told together.
void log_flush(void)
{
    uint64_t held, others = 0;

    tell_bursts(true);
    for (unsigned int n = 0; n == 0 || n < log_budget_count(); n++) {
        for (unsigned int source = 0; log_budget_next_held(n, &source, true, &held); source++) {
            if (log_routine_fits())
                record_held(n, source, held, true);
            else
                others += held;
        }
    }
    if (others != 0)
        log_allowed(LOG_LIMIT(LOG_POLICY, LOG_WARN), LOG_POLICY, "suppressed", "count=%lu of=others", others);
}

// Writes the record of one verdict, if its row exists, it is no part of a burst or of a known loop, and the budget has
// room. In a loop the event is only counted, because the record guest-loop has told it.
void log_verdict(const struct vcpu *vcpu, const struct event *event)
{
    const struct policy *policy = vcpu->vm->policy;
    char name[EVENT_NAME_SIZE];
    struct log_limit limit;

    if (event->row >= policy->row_count || add_to_burst(vcpu, event))
        return;
    if (guest_loop_has(vcpu->telemetry, event)) {
        log_budget_set_row(vcpu->vm->log_budget, log_source_of_verdict(event), policy, event->row);
        log_budget_hold(vcpu->vm->log_budget, log_source_of_verdict(event), 1);
        return;
    }
    if (!may_record(vcpu->vm, event, &limit))
        return;
    log_allowed(limit, LOG_POLICY, "verdict",
                "exit=%lu key=%s op=%s verdict=%s pc=0x%lx addr=0x%lx value=0x%lx esr=0x%x row=%u at=%pQ why=%pQ",
                event->sequence, event_name(event, name, sizeof(name)), event->write ? "write" : "read",
                policy_action_name(event->verdict), event->pc, event->address, event->value, event->syndrome,
                event->row, policy->rows[event->row].place, policy->rows[event->row].why);
    tell_bursts_of(vcpu->vm->vcpus[0].cpu, false);
}
