// SPDX-License-Identifier: Apache-2.0
// The records of a panic's report. Another CPU, or this one, may have died with the log's lock, in the middle of a
// record, or with the console's lock in the middle of a line. So a record of the report waits for the log's lock only
// for a while, and goes out by the sink's own way for panics, which takes no lock at all. It does not wait for its turn
// among other records either: those are in the ring.
#include "log_parts.h"

#include <hv/string.h>
#include <hv/trace_text.h>

// Tries of the lock before it is given up. A holder that is alive releases it after it has formatted one record, which
// takes far less time than so many tries.
#define PANIC_TRIES 100000

// The sink's way for panics takes no lock.
static void panic_line(const char *line, size_t length)
{
    if (log_state.sink != NULL)
        log_state.sink->panic_line(line, length);
}

// What was held back comes first. From now on no other CPU prints records.
static void begin_panic(void) NO_THREAD_ANALYSIS
{
    struct log_held held;
    char line[LOG_LINE_MAX];
    unsigned int count;

    __atomic_store_n(&log_state.panicked, true, __ATOMIC_RELAXED);
    count = log_take_held(&held) ? log_count_held(&held, false) : 0;
    if (count == 0) {
        return;
    }
    log_panic("held-back", "count=%u", count);
    for (uint64_t position = held.from; log_next_held(&held, &position, line, false);) {
        panic_line(line, strlen(line));
    }
}

// The lock's holder may be the code that panicked, on this CPU or another: after PANIC_TRIES it is taken as dead and
// the lock is left alone.
void log_panic(const char *event, const char *format, ...) NO_THREAD_ANALYSIS
{
    struct log_head head = {LOG_ERROR, LOG_PANIC, event, LOG_PANIC, true, false, 0};
    char line[LOG_LINE_MAX];
    unsigned int tries = 0;
    va_list arguments;

    if (log_state.ring == NULL) {
        return;
    }
    if (!log_state.panicked) {
        begin_panic();
    }
    while (!log_state.lock_lost && !spinlock_try(&log_state.lock)) {
        log_state.lock_lost = ++tries == PANIC_TRIES;
    }
    uint64_t sequence = log_ring_half(log_state.ring, false)->sequence;
    va_start(arguments, format);
    size_t length = log_format_record(line, &head, format, arguments);
    va_end(arguments);
    log_ring_append(log_state.ring, head.source, sequence, line, length);
    log_state.hidden = 0;
    panic_line(line, length);
    if (!log_state.lock_lost) {
        spinlock_release(&log_state.lock);
    }
    trace_text_log(sequence, line, length, true);
}
