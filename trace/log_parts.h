// SPDX-License-Identifier: Apache-2.0
// What the files of the log share. Private to trace/log*.c.
#pragma once

#include <stdarg.h>

#include <hv/log.h>
#include <hv/log_ring.h>
#include <hv/spinlock.h>
#include <hv/types.h>

// The log of this boot. log_init_at (log_start.c) fills it in.
struct log_state {
    struct spinlock lock; // guards all below that is not atomic, and the ring
    struct log_ring *ring;
    const struct log_sink *sink; // NULL: records go to the ring only
    uint64_t start;              // CNTPCT_EL0 at log_init_at
    uint64_t frequency;          // CNTFRQ_EL0, never 0
    uint64_t hidden;             // records since the last one that the sink got
    uint64_t quiet_from;         // while quiet: where in the ring the records begin that were written since
    enum log_level level;        // records below it go to the ring only
    enum log_level quiet;        // so do those below this one, because a person types; LOG_DEBUG: nobody does
    unsigned int ending;  // not 0: every record is shown, because the machine is about to be reset or powered off
    bool routine_limited; // the guest's reset is why this boot, or its end, is recorded
    uint32_t next_ticket; // of the next record for the sink
    uint32_t turn;        // whose record the sink gets now; atomic
    bool lock_lost;       // the lock's holder has died: set by log_panic
    bool panicked;        // the sink is log_panic's; atomic
};

extern struct log_state log_state;

// What a record is, besides its fields.
struct log_head {
    enum log_level level;
    enum log_class class;
    const char *event;
    unsigned int source; // enum log_source
    bool console;        // to the sink too, if its level is shown there
    bool limited;        // has held=, the number of records of its source held back before it
    uint64_t held;
};

// Writes the record with the next number to line (LOG_LINE_MAX bytes) and returns its length. The lock is held, or
// lost.
__attribute__((format(printf, 3, 0))) size_t log_format_record(char *line, const struct log_head *head,
                                                               const char *format, va_list arguments);

struct policy;

// Whether a record of limit->source about vm, of which a policy row lets per_second through (LOG_UNLIMITED: each), may
// be written now; limit->console says whether the console gets it. What was held back before it is told by this call,
// in a record of its own, at limit->level's place. False: the record is held back, and counted for that row.
bool log_may_record(struct log_limit *limit, const struct vm *vm, unsigned int row, unsigned int per_second);

// Records that went to the ring only while a person was at the prompt: where they are, and by what they are known.
struct log_held {
    uint64_t from, end; // sequence numbers; end is the first that is not one of them
    enum log_level level, quiet;
};

// Ends the quiet. What was held back meanwhile stays described in *held; false when that is nothing. The lock is held,
// or lost.
bool log_take_held(struct log_held *held);
// How many there are in the ring. locked: this function takes the lock, for one line at a time; after a panic nobody
// may wait for it.
unsigned int log_count_held(const struct log_held *held, bool locked);
// The next of them from *position on, written to line (LOG_LINE_MAX bytes); moves *position behind it. False: no more.
bool log_next_held(const struct log_held *held, uint64_t *position, char *line, bool locked);
