// SPDX-License-Identifier: Apache-2.0
// Log records: their numbers, their format, and their way out. Every record goes into the ring in memory, in the order
// of the numbers; those whose level is shown also go to the sink, which is the serial line.
//
// The serial line is slow, and a record must not keep other CPUs from writing theirs. So the lock is held for the
// number and the ring alone. While it is held, a record for the sink takes a ticket, as at a counter: its CPU then
// waits, without the lock, until the records with lower tickets are out, and prints its own. A CPU has one record under
// way at most, so nobody waits for more records than there are other CPUs. It may hold locks of its own while it waits,
// those that come before the log's in lock_order.h: whoever prints takes the console's lock and none of those, so two
// CPUs cannot wait for each other. The sink never calls back into the log.
//
// A record is one line of printable characters that carries the tag drawn at boot (log_start.c). The tag is never in
// anything that a guest can read.
#include "log_parts.h"

#include <hv/arch/cache.h>
#include <hv/arch/cpu.h>
#include <hv/arch/registers.h>
#include <hv/log_budget.h>
#include <hv/printf.h>
#include <hv/telemetry.h>
#include <hv/trace_text.h>

struct log_state log_state = {.lock = SPINLOCK(LOCK_LOG), .level = LOG_INFO};

// Called once, at boot, before another CPU runs: the sink is read without the lock.
void log_set_sink(const struct log_sink *sink)
{
    log_state.sink = sink;
}

// The time since the boot began, in microseconds.
static uint64_t microseconds(void)
{
    uint64_t ticks = READ_SYSREG(CNTPCT_EL0) - log_state.start;

    // In two parts: ticks * 10^6 would wrap after days.
    return ticks / log_state.frequency * 1000000 + ticks % log_state.frequency * 1000000 / log_state.frequency;
}

// Makes line (length bytes) end at the last blank that is not within quotes, so that no field is cut in two.
static size_t cut_fields(const char *line, size_t length)
{
    size_t end = 0;
    bool quoted = false;

    for (size_t i = 0; i < length; i++) {
        if (line[i] == '\\' && quoted) {
            i++;
        } else if (line[i] == '"') {
            quoted = !quoted;
        } else if (line[i] == ' ' && !quoted) {
            end = i;
        }
    }
    return end;
}

// Whether the sink gets the record.
static bool is_shown(const struct log_head *head)
{
    bool level = (head->level >= log_state.level && head->level >= log_state.quiet) || log_state.ending > 0;

    return head->console && level && log_state.sink != NULL;
}

// Makes the text of one record in line, and returns its length. The head comes first, then the caller's fields, then
// the fields of EL2's own (cut, held, hidden, tag). LOG_TAIL_MAX bytes are kept free for the latter, so that however
// long the caller's fields are, no record is without its tag. A byte that is not printable ASCII becomes '?', because a
// record must not act on a terminal or end its line early. The caller holds the lock, because the number is taken here.
size_t log_format_record(char *line, const struct log_head *head, const char *format, va_list arguments)
{
    struct log_half *half = log_ring_half(log_state.ring, false);
    size_t limit = LOG_LINE_MAX - LOG_TAIL_MAX;
    size_t length = (size_t)format_text(line, limit, "ariel: seq=%lu t=%lu cpu=%u level=%s class=%s event=%s",
                                        half->sequence++, microseconds(), cpu_id(), log_level_name(head->level),
                                        log_class_name(head->class), head->event);

    if (format[0] != '\0' && length + 1 < limit) {
        line[length++] = ' ';
        length += (size_t)format_text_v(line + length, limit - length, format, arguments);
    }
    bool cut = length >= limit;
    length = cut ? cut_fields(line, limit - 1) : length;
    for (size_t i = 0; i < length; i++) {
        line[i] = line[i] >= ' ' && line[i] < 0x7f ? line[i] : '?';
    }
    if (cut) {
        length += (size_t)format_text(line + length, LOG_LINE_MAX - length, " cut=1");
    }
    if (head->limited) {
        length += (size_t)format_text(line + length, LOG_LINE_MAX - length, " held=%lu", head->held);
    }
    if (log_state.hidden != 0 && is_shown(head)) {
        length += (size_t)format_text(line + length, LOG_LINE_MAX - length, " hidden=%lu", log_state.hidden);
    }
    return length + (size_t)format_text(line + length, LOG_LINE_MAX - length, " tag=%08x", half->tag);
}

// Gives a record to the sink when those with lower tickets are out. The lock is not held: a line takes 17 ms on a
// serial line of 115200 baud, and others may write records to the ring meanwhile. After a panic the sink is the
// report's.
static void print_in_turn(uint32_t ticket, bool urgent, const char *line, size_t length)
{
    while (__atomic_load_n(&log_state.turn, __ATOMIC_ACQUIRE) != ticket) {
        if (__atomic_load_n(&log_state.panicked, __ATOMIC_RELAXED))
            return;
        cpu_yield();
    }
    if (urgent && log_state.sink->urgent_line != NULL)
        log_state.sink->urgent_line(line, length);
    else
        log_state.sink->line(line, length);
    __atomic_store_n(&log_state.turn, ticket + 1, __ATOMIC_RELEASE);
}

// Numbers a record, appends it to the ring and prints it if it is shown. `hidden` counts the records since the last one
// that was printed: the next that is printed tells the count, so that a reader of the serial line knows why numbers are
// missing.
//
// A record is for its reader, not for the guest: the time that it takes counts for no exit.
static __attribute__((format(printf, 2, 0))) void write_record(const struct log_head *head, const char *format,
                                                               va_list arguments)
{
    char line[LOG_LINE_MAX];
    uint32_t ticket = 0;
    uint64_t counted = telemetry_stop_clock();

    spinlock_acquire(&log_state.lock);
    uint64_t sequence = log_ring_half(log_state.ring, false)->sequence;
    size_t length = log_format_record(line, head, format, arguments);
    log_ring_append(log_state.ring, head->source, sequence, line, length);
    bool shown = is_shown(head);
    if (shown) {
        log_state.hidden = 0;
        ticket = log_state.next_ticket++;
    } else {
        log_state.hidden++;
        log_state.ring->hidden += log_state.ring->hidden < UINT32_MAX;
    }
    spinlock_release(&log_state.lock);
    if (trace_extras_on())
        trace_text_log(sequence, line, length, false);
    if (shown)
        print_in_turn(ticket, head->level == LOG_ERROR && head->class == LOG_BOOT, line, length);
    telemetry_start_clock(counted);
}

// A record without a limit: for what EL2 does by itself, and what a guest cannot provoke at will.
void log_record(enum log_level level, enum log_class class, const char *event, const char *format, ...)
{
    struct log_head head = {level, class, event, class, true, false, 0};
    va_list arguments;

    va_start(arguments, format);
    write_record(&head, format, arguments);
    va_end(arguments);
}

// A record for which the caller has asked the budget already.
void log_allowed(struct log_limit limit, enum log_class class, const char *event, const char *format, ...)
{
    struct log_head head = {limit.level, class, event, limit.source, limit.console, false, 0};
    va_list arguments;

    va_start(arguments, format);
    write_record(&head, format, arguments);
    va_end(arguments);
}

// A record that a guest can provoke. It asks the budget of its source first, and is counted when it is held back.
void log_limited(struct log_limit limit, enum log_class class, const char *event, const char *format, ...)
{
    struct log_head head = {limit.level, class, event, limit.source, true, true, 0};
    enum log_answer answer = log_budget_ask(log_budget_current(), limit.source, LOG_LIMIT_PER_SECOND, &head.held);
    va_list arguments;

    if (answer == LOG_HOLD) {
        return;
    }
    head.console = answer == LOG_WRITE;
    va_start(arguments, format);
    write_record(&head, format, arguments);
    va_end(arguments);
}

// After a guest's reset, the records of the boot are caused by the guest, and spend from its budget. After any other
// start they are free.
bool log_routine_fits(void)
{
    return !log_state.routine_limited || log_budget_spend(log_budget_current());
}

// A record that every boot writes. It always goes to the ring, and to the serial line where the budget allows.
void log_routine(enum log_class class, const char *event, const char *format, ...)
{
    struct log_head head = {LOG_INFO, class, event, class, true, false, 0};
    va_list arguments;

    head.console = log_routine_fits();
    va_start(arguments, format);
    write_record(&head, format, arguments);
    va_end(arguments);
}

enum log_level log_set_level(enum log_level level)
{
    spinlock_acquire(&log_state.lock);
    enum log_level old = log_state.level;
    log_state.level = level;
    spinlock_release(&log_state.lock);
    return old;
}

enum log_level log_get_level(void)
{
    return log_state.level;
}

uint32_t log_hidden(void)
{
    return __atomic_load_n(&log_state.ring->hidden, __ATOMIC_RELAXED);
}

// The machine is about to end. The lock is taken and never released, so no CPU writes a record after this one. Records
// that have a ticket are waited for, so that they are whole on the line. The ring is cleaned to the point of coherency
// (DC CVAC), because a boot with the caches off, or a dump of memory, must find it there.
void log_end(void) NO_THREAD_ANALYSIS
{
    spinlock_acquire(&log_state.lock);
    while (__atomic_load_n(&log_state.turn, __ATOMIC_ACQUIRE) != log_state.next_ticket &&
           !__atomic_load_n(&log_state.panicked, __ATOMIC_RELAXED))
        cpu_yield();
    cache_clean_poc(log_state.ring, sizeof(*log_state.ring));
}
