// SPDX-License-Identifier: Apache-2.0
// Owns: the records of policy verdicts and their rate limits. Promises: a guest that provokes a logged row without end
// gets at most log_per_second records a second (and as many at once) from it; the rest costs EL2 one comparison under a
// lock and is counted, and the count is told.
#include <hv/log.h>

#include <hv/event_name.h>
#include <hv/policy.h>
#include <hv/spinlock.h>
#include <hv/trap.h>

#include <hv/arch/registers.h>

// A token bucket, kept as the time at which it will be full again: each record moves that time on by 1/rate second;
// more than one second ahead means empty.
struct bucket {
    uint64_t full;     // CNTPCT_EL0
    uint64_t held;     // verdicts held back since the last record
    uint64_t held_all; // since boot
};

static struct spinlock bucket_lock = SPINLOCK(LOCK_LOG_LIMIT); // guards what follows; no other lock is taken under it
static struct bucket buckets[POLICY_ROW_MAX];
static unsigned int sweep_row; // log_verdict looks at one other row each time

// The verdicts held back for row; they count as told.
static uint64_t take_held(unsigned int row) REQUIRES(bucket_lock)
{
    uint64_t held = buckets[row].held;

    buckets[row].held = 0;
    return held;
}

static void record_held(unsigned int row, uint64_t held)
{
    if (held != 0) {
        log_record(LOG_WARN, LOG_POLICY, "suppressed", "row=%u at=%s:%u count=%lu", row, policy_rows[row].file,
                   policy_rows[row].line, held);
    }
}

// Whether a record may be written that cites row. *held: how many were held back before it.
static bool take_token(unsigned int row, uint64_t *held)
{
    uint64_t now = READ_SYSREG(CNTPCT_EL0);
    uint64_t second = READ_SYSREG(CNTFRQ_EL0);
    unsigned int rate = policy_rows[row].log_per_second;
    struct bucket *bucket = &buckets[row];

    spinlock_acquire(&bucket_lock);
    uint64_t full = (bucket->full < now ? now : bucket->full) + (rate == 0 ? 0 : second / rate);
    bool allowed = full <= now + second;
    if (allowed) {
        *held = take_held(row);
        bucket->full = full;
    } else {
        bucket->held++;
        bucket->held_all++;
    }
    spinlock_release(&bucket_lock);
    return allowed;
}

// Tells what the next row in turn has held back, when it is quiet now.
static void sweep(void)
{
    uint64_t now = READ_SYSREG(CNTPCT_EL0);

    spinlock_acquire(&bucket_lock);
    unsigned int row = sweep_row;
    sweep_row = row + 1 < policy_row_count ? row + 1 : 0;
    uint64_t held = buckets[row].full <= now ? take_held(row) : 0;
    spinlock_release(&bucket_lock);
    record_held(row, held);
}

void log_flush(void)
{
    for (unsigned int i = 0; i < policy_row_count; i++) {
        sweep();
    }
}

uint64_t log_suppressed(void)
{
    uint64_t sum = 0;

    spinlock_acquire(&bucket_lock);
    for (unsigned int i = 0; i < policy_row_count; i++) {
        sum += buckets[i].held_all;
    }
    spinlock_release(&bucket_lock);
    return sum;
}

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

void log_verdict(const struct event *event)
{
    const struct policy_row *row = &policy_rows[event->row];
    char name[EVENT_NAME_SIZE];
    uint64_t held;

    if (event->row >= policy_row_count || !take_token(event->row, &held)) {
        return;
    }
    record_held(event->row, held);
    log_record(level_of(event->verdict), LOG_POLICY, "verdict",
               "exit=%lu key=%s op=%s verdict=%s pc=0x%lx addr=0x%lx value=0x%lx esr=0x%x row=%u at=%s:%u why=%pQ",
               event->sequence, event_name(event, name, sizeof(name)), event->write ? "write" : "read",
               policy_action_name(event->verdict), event->pc, event->address, event->value, event->syndrome, event->row,
               row->file, row->line, row->why);
    sweep();
}
