// SPDX-License-Identifier: Apache-2.0
// What a guest's kernel says about its own end. A guest that panics stops, and nothing of it comes to EL2 any more but
// the text that it prints: so each line is looked at for the words with which Linux begins such a text. A guest prints
// a character an exit, and must not be slower for it: a byte costs two comparisons and a store, a line a few more.
#include <hv/guest_words.h>

#include <hv/log_budget.h>
#include <hv/machine.h>
#include <hv/notify.h>
#include <hv/string.h>
#include <hv/trace_text.h>

// So many oopses, and the person is told: a kernel may survive one, but not a series.
#define OOPS_MANY 16

enum kind { OOPS, PANIC, PANIC_END };

// How such a line begins, behind the kernel's "[   12.345678] ".
static const struct {
    char text[27];
    uint8_t length;
    uint8_t kind;
} table[] = {
#define BEGINS(text, kind) {text, sizeof(text) - 1, kind}
    BEGINS("Kernel panic - not syncing", PANIC),
    BEGINS("---[ end Kernel panic", PANIC_END),
    BEGINS("Internal error: ", OOPS),
    BEGINS("watchdog: BUG: ", OOPS),
    BEGINS("BUG: ", OOPS),
    BEGINS("rcu: INFO: rcu_", OOPS),
#undef BEGINS
};

// Whether text begins with one of the table's words. Then it is kept as the last that was said, made printable.
static bool keep(struct guest_words *words, const char *text)
{
    unsigned int i = 0;

    // The first characters differ in nearly every line.
    while (i < ARRAY_COUNT(table) &&
           (text[0] != table[i].text[0] || strncmp(text, table[i].text, table[i].length) != 0))
        i++;
    if (i == ARRAY_COUNT(table))
        return false;
    words->last_kind = table[i].kind;
    for (i = 0; text[i] != '\0'; i++)
        words->last[i] = text[i] >= ' ' && text[i] < 0x7f ? text[i] : '?';
    words->last[i] = '\0';
    return true;
}

// What is kept of the line that is being printed, and is not in the trace yet, goes there. ends: its line ends here.
static void trace_part(struct guest_words *words, bool ends)
{
    unsigned int length = words->line_length > words->traced ? words->line_length - words->traced : 0;

    if (trace_extras_on())
        trace_text_add(&(struct trace_text){TRACE_TEXT_CONSOLE, words->number, words->offset, ends},
                       &words->line[words->traced], length);
    words->traced += length;
    words->number += ends;
    words->offset = ends ? 0 : words->offset + length;
}

// The beginning of a line is compared with the table at its start, and behind each ']' as the comments below say.
static bool look_at_line(struct guest_words *words)
{
    unsigned int length = words->line_length < GUEST_WORDS_LINE ? words->line_length : GUEST_WORDS_LINE;

    words->line[length] = '\0';
    // The first ']' ends the time. One that stands further on is not looked at.
    const char *at = &words->line[words->bracket < length ? words->bracket : 0];
    bool found = keep(words, words->line);
    // A shell's prompt may stand before what the kernel says ("~ # [   12.3] BUG: ..."), and the number of a CPU behind
    // the time ("[   12.3][    T1] BUG: ..."). So what stands behind each ']' is looked at, until one is followed by
    // the words.
    while (!found && at != NULL && *at == ']') {
        at += at[1] == ' ' ? 2 : 1;
        found = keep(words, at);
        at = strchr(at, ']');
    }
    return found;
}

// The line that is being printed has no room for more: its beginning is looked at, and what is kept of it handed to the
// trace.
static void end_part(struct guest_words *words)
{
    trace_part(words, false);
    if (!words->is_rest)
        words->found = look_at_line(words);
    words->is_rest = true;
    words->line_length = words->traced = 0;
}

// A line is whole.
static __attribute__((noinline)) bool end_line(struct guest_words *words)
{
    while (words->line_length > 0 && words->line[words->line_length - 1] == '\r')
        words->line_length--;
    trace_part(words, true);
    bool found = words->is_rest ? words->found : look_at_line(words);
    words->is_rest = false;
    words->line_length = words->bracket = words->traced = 0;
    return found;
}

void guest_words_other(struct guest_words *words, const char *prefix, const char *text, size_t length)
{
    if (words->line_length > words->traced || words->offset > 0)
        trace_part(words, true);
    struct trace_text part = {.kind = TRACE_TEXT_CONSOLE, .number = words->number++};
    if (!trace_extras_on())
        return;
    trace_text_add(&part, prefix, strlen(prefix));
    part.offset = strlen(prefix);
    part.ends = true;
    trace_text_add(&part, text, length);
}

void guest_words_end(struct guest_words *words)
{
    if (words->line_length > words->traced)
        trace_part(words, false);
}

// Takes one byte of the guest's output; true when it ended a line that guest_words_tell must be called for. The caller
// holds the console's lock.
bool guest_words_byte(struct guest_words *words, uint8_t byte)
{
    if (byte == '\n')
        return end_line(words);
    bool is_full = !guest_words_has_room(words);
    guest_words_text(words, byte);
    if (is_full)
        end_part(words);
    return false;
}

// Tells the log or the person what the last such line said. The console's lock must not be held, because a log record
// is printed under it. PANIC_END is the last line of a panic's report: only then is all of the report out, and the
// monitor opens once.
COLD void guest_words_tell(struct guest_words *words)
{
    uint8_t kind = words->last_kind;

    if (kind == OOPS && __atomic_add_fetch(&words->oopses, 1, __ATOMIC_RELAXED) == OOPS_MANY)
        notify_post(NOTIFY_GUEST_OOPSES, vcpu_current());
    if (kind == PANIC_END) {
        if (!__atomic_exchange_n(&words->panic_told, true, __ATOMIC_RELAXED))
            notify_post(NOTIFY_GUEST_PANIC, vcpu_current());
    } else if (kind == PANIC) {
        log_limited(LOG_LIMIT(LOG_SOURCE_PANIC, LOG_ERROR), LOG_GUEST, "guest-panic", "vcpu=%u text=%pQ",
                    vcpu_current()->id, words->last);
    } else {
        log_limited(LOG_LIMIT(LOG_SOURCE_OOPS, LOG_ERROR), LOG_GUEST, "guest-oops", "vcpu=%u text=%pQ",
                    vcpu_current()->id, words->last);
    }
}
