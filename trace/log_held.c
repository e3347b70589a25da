// SPDX-License-Identifier: Apache-2.0
// Records that are held back while a person is at the monitor's prompt: a guest's records would flood what that person
// reads. They are in the ring like all others. When the person leaves the prompt, or the machine ends, they are written
// out from there, behind a record "held-back" that says how many they are: a decoder that reads the serial line knows
// by it that lower numbers follow.
#include "log_parts.h"

#include <hv/string.h>

// Records below `least` do not reach the serial line from now on. quiet_from is the number of the first record that
// this can concern.
void log_quieten(enum log_level least)
{
    spinlock_acquire(&log_state.lock);
    if (least != log_state.quiet) {
        log_state.quiet = least;
        log_state.quiet_from = log_ring_half(log_state.ring, false)->sequence;
    }
    spinlock_release(&log_state.lock);
}

// Whether a line of the ring, written while quiet was least and level the console's, went there only.
static bool was_held(const char *line, enum log_level level, enum log_level least)
{
    static const char mark[] = " level=";
    const char *at = strchr(line, ' ');

    while (at != NULL && strncmp(at, mark, sizeof(mark) - 1) != 0) {
        at = strchr(at + 1, ' ');
    }
    for (unsigned int i = 0; at != NULL && i < LOG_LEVEL_COUNT; i++) {
        const char *name = log_level_name(i);
        if (strncmp(at + sizeof(mark) - 1, name, strlen(name)) == 0) {
            return i < level || i < least;
        }
    }
    return false;
}

// Copies the next held record at or after *position to line. The lock is held for one line at a time, so that other
// CPUs can write between two lines. A panic calls with locked = false: the lock's holder may be dead.
bool log_next_held(const struct log_held *held, uint64_t *position, char *line, bool locked) NO_THREAD_ANALYSIS
{
    const struct log_half *half = log_ring_half(log_state.ring, false);
    bool found;

    do {
        if (locked) {
            spinlock_acquire(&log_state.lock);
        }
        found = log_ring_read(log_state.ring, half, position, line, LOG_LINE_MAX) && *position <= held->end;
        if (locked) {
            spinlock_release(&log_state.lock);
        }
    } while (found && !was_held(line, held->level, held->quiet));
    return found;
}

// Counts without printing, because the record "held-back" that comes first has to say the number.
unsigned int log_count_held(const struct log_held *held, bool locked)
{
    char line[LOG_LINE_MAX];
    uint64_t position = held->from;
    unsigned int count = 0;

    while (log_next_held(held, &position, line, locked)) {
        count++;
    }
    return count;
}

// Ends the quiet and says in *held what it covered: which numbers, and which levels were shown meanwhile. False when
// nothing was quiet. The caller holds the lock, or is a panic's report.
bool log_take_held(struct log_held *held)
{
    held->quiet = log_state.quiet;
    held->level = log_state.level;
    held->from = log_state.quiet_from;
    held->end = log_ring_half(log_state.ring, false)->sequence;
    log_state.quiet = LOG_DEBUG;
    return held->quiet != LOG_DEBUG;
}

// Writes out what was held, behind its announcement. The lock is released between the steps, so other records may be
// written meanwhile; they have higher numbers than held.end and are not taken for held ones.
void log_write_held(void)
{
    struct log_held held;
    char line[LOG_LINE_MAX];

    spinlock_acquire(&log_state.lock);
    bool quiet = log_take_held(&held);
    log_state
        .ending++; // the record below is shown whatever the level: its hidden= announces the gap that the others fill
    spinlock_release(&log_state.lock);
    unsigned int count = quiet ? log_count_held(&held, true) : 0;
    if (count > 0) {
        log_record(LOG_INFO, LOG_MONITOR, "held-back", "count=%u", count);
    }
    for (uint64_t position = held.from;
         count > 0 && log_state.sink != NULL && log_next_held(&held, &position, line, true);) {
        log_state.sink->line(line, strlen(line));
    }
    spinlock_acquire(&log_state.lock);
    log_state.ending--;
    log_state.ring->hidden -= count < log_state.ring->hidden ? count : log_state.ring->hidden;
    spinlock_release(&log_state.lock);
}

// The machine is about to end. What was held is written out, and from now on each record is shown whatever its level.
void log_begin_end(void)
{
    log_write_held();
    spinlock_acquire(&log_state.lock);
    log_state.ending++;
    spinlock_release(&log_state.lock);
}
