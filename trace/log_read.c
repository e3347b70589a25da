// SPDX-License-Identifier: Apache-2.0
// Reading the ring: for a person at the monitor, and for a guest's HVC_DUMP_LOG. The lock is held while one line is
// copied and not longer, so a reader sees each record whole, never holds a writer up for long, and goes no further than
// where the records ended when it began.
#include "log_parts.h"

#include <hv/string.h>

// A record in the ring begins with "ariel: ", which a person at the monitor does not need on each line.
#define PREFIX_LENGTH (sizeof("ariel: ") - 1)
#define DUMP_MAX      128

// Whether a record is of class. Its head is ariel's own and comes first, so the first " class=" of the line is the
// genuine one, whatever a value further on says.
static bool line_is_of(const char *line, enum log_class class)
{
    static const char mark[] = " class=";
    size_t length = strlen(log_class_name(class));

    if (class >= LOG_CLASS_COUNT) {
        return true;
    }
    for (; *line != '\0'; line++) {
        if (strncmp(line, mark, sizeof(mark) - 1) == 0) {
            line += sizeof(mark) - 1;
            return strncmp(line, log_class_name(class), length) == 0 && line[length] == ' ';
        }
    }
    return false;
}

// Where the half ends now: a reader goes no further, or one that is slower than its guest's records would never end.
static uint64_t end_of(bool previous)
{
    spinlock_acquire(&log_state.lock);
    const struct log_half *half = log_ring_half(log_state.ring, previous);
    uint64_t end = half != NULL ? half->sequence : 0;
    spinlock_release(&log_state.lock);
    return end;
}

// The next line of class at or after *position and before end; the lock is held for the copying of one line at a time.
__attribute__((noinline)) static bool read_line(bool previous, enum log_class class, uint64_t *position, uint64_t end,
                                                char *line)
{
    bool found;

    do {
        spinlock_acquire(&log_state.lock);
        const struct log_half *half = log_ring_half(log_state.ring, previous);
        found = half != NULL && log_ring_read(log_state.ring, half, position, line, LOG_LINE_MAX) && *position <= end;
        spinlock_release(&log_state.lock);
    } while (found && !line_is_of(line, class));
    return found;
}

// Two walks: the first counts the records, so that the second can leave out all but the newest `count` of them and
// still give them oldest first.
static unsigned int for_each(bool previous, unsigned int count, enum log_class class, log_callback callback,
                             void *argument)
{
    char line[LOG_LINE_MAX];
    uint64_t position = 0;
    unsigned int total = 0;
    unsigned int done = 0;
    uint64_t end = end_of(previous);

    while (read_line(previous, class, &position, end, line)) {
        total++;
    }
    position = 0;
    for (unsigned int i = 0; i < total && read_line(previous, class, &position, end, line); i++) {
        if (total - i <= count) {
            size_t skip = strncmp(line, "ariel: ", PREFIX_LENGTH) == 0 ? PREFIX_LENGTH : 0;
            callback(line + skip, strlen(line + skip), argument);
            done++;
        }
    }
    return done;
}

// The records of this boot.
unsigned int log_for_each(unsigned int count, enum log_class class, log_callback callback, void *argument)
{
    return for_each(false, count, class, callback, argument);
}

// The records that the boot before this one has left in the ring.
unsigned int log_previous_for_each(unsigned int count, enum log_class class, log_callback callback, void *argument)
{
    return for_each(true, count, class, callback, argument);
}

// A dumped record goes to the serial line as it was first written, its tag included.
static void dump_line(const char *line, size_t length, void *argument)
{
    (void)argument;
    log_state.sink->line(line, length);
}

// A guest has asked for its log: the newest DUMP_MAX records, so that the time for which the line is busy is bounded.
void log_dump(void)
{
    if (log_state.sink != NULL)
        log_for_each(DUMP_MAX, LOG_CLASS_COUNT, dump_line, NULL);
}

// The records stay in memory, for a dump of it. Readers begin behind them.
void log_clear(void)
{
    spinlock_acquire(&log_state.lock);
    struct log_half *half = log_ring_half(log_state.ring, false);
    half->floor = half->sequence;
    spinlock_release(&log_state.lock);
}

uint32_t log_tag(void)
{
    return log_ring_half(log_state.ring, false)->tag;
}

uint32_t log_boots(void)
{
    return log_state.ring->boots;
}

uint64_t log_sequence(void)
{
    return log_ring_half(log_state.ring, false)->sequence;
}
