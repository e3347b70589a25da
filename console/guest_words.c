// SPDX-License-Identifier: Apache-2.0
// Owns: the line that the guest is printing, and the last one in which its kernel spoke of trouble. Promises: a byte
// costs two comparisons and a store, a line a few more; what is kept is printable.
#include <hv/guest_words.h>

#include <hv/arch/cpu.h>
#include <hv/log_budget.h>
#include <hv/notify.h>
#include <hv/string.h>

#define LINE_LENGTH 120
#define OOPS_MANY   16

enum kind { OOPS, PANIC, PANIC_END };

// How such a line begins, behind the kernel's "[   12.345678] ".
static const struct {
    char words[27];
    uint8_t length;
    uint8_t kind;
} table[] = {
#define BEGINS(words, kind) {words, sizeof(words) - 1, kind}
    BEGINS("Kernel panic - not syncing", PANIC),
    BEGINS("---[ end Kernel panic", PANIC_END),
    BEGINS("Internal error: ", OOPS),
    BEGINS("watchdog: BUG: ", OOPS),
    BEGINS("BUG: ", OOPS),
    BEGINS("rcu: INFO: rcu_", OOPS),
#undef BEGINS
};

// Guarded by the console's lock
static char line[LINE_LENGTH + 1];
static unsigned int line_length;
static unsigned int bracket;       // where the first ']' of the line stands; 0: there is none
static char last[LINE_LENGTH + 1]; // who reads it while it changes sees parts of two lines
static uint8_t last_kind;

static bool keep(const char *text)
{
    unsigned int i = 0;

    while (i < ARRAY_COUNT(table) && strncmp(text, table[i].words, table[i].length) != 0)
        i++;
    if (i == ARRAY_COUNT(table))
        return false;
    last_kind = table[i].kind;
    for (i = 0; text[i] != '\0'; i++)
        last[i] = text[i] >= ' ' && text[i] < 0x7f ? text[i] : '?';
    last[i] = '\0';
    return true;
}

static __attribute__((noinline)) bool end_line(void)
{
    while (line_length > 0 && line[line_length - 1] == '\r')
        line_length--;
    line[line_length] = '\0';
    const char *at = &line[bracket < line_length ? bracket : 0]; // a bracket that did not fit lies behind the end
    line_length = bracket = 0;
    bool found = keep(line);
    // A prompt may stand before what the kernel says, and a CPU's number behind the time.
    while (!found && at != NULL && *at == ']') {
        at += at[1] == ' ' ? 2 : 1;
        found = keep(at);
        at = strchr(at, ']');
    }
    return found;
}

bool guest_words_byte(uint8_t byte)
{
    if (byte == '\n')
        return end_line();
    if (byte == ']' && bracket == 0)
        bracket = line_length;
    line[line_length] = (char)byte; // what does not fit goes where the end of the text will stand
    line_length += line_length < LINE_LENGTH;
    return false;
}

COLD void guest_words_tell(void)
{
    static bool opened;
    static unsigned int oopses;
    uint8_t kind = last_kind;

    if (kind == OOPS && __atomic_add_fetch(&oopses, 1, __ATOMIC_RELAXED) == OOPS_MANY)
        notify_post(NOTIFY_GUEST_OOPSES);
    if (kind == PANIC_END) {
        if (!__atomic_exchange_n(&opened, true, __ATOMIC_RELAXED))
            notify_post(NOTIFY_GUEST_PANIC);
    } else if (kind == PANIC) {
        log_limited(LOG_LIMIT(LOG_SOURCE_PANIC, LOG_ERROR), LOG_GUEST, "guest-panic", "vcpu=%u text=%pQ", cpu_id(),
                    last);
    } else {
        log_limited(LOG_LIMIT(LOG_SOURCE_OOPS, LOG_ERROR), LOG_GUEST, "guest-oops", "vcpu=%u text=%pQ", cpu_id(), last);
    }
}

const char *guest_words(void)
{
    return last;
}
