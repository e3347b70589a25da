// SPDX-License-Identifier: Apache-2.0
// Owns: the line that the guest is printing, and the last one in which its kernel spoke of trouble. Promises: a byte
// costs one store, a line a few comparisons; what is kept is printable.
#include <hv/guest_words.h>

#include <hv/cpu.h>
#include <hv/log.h>
#include <hv/log_limit.h>
#include <hv/string.h>
#include <hv/vm.h>

#define LINE_LENGTH 120

enum kind { OOPS, PANIC, PANIC_END };

// How such a line begins, behind the kernel's "[   12.345678] ".
static const struct {
    char words[27];
    uint8_t kind;
} table[] = {
    {"Kernel panic - not syncing", PANIC},
    {"---[ end Kernel panic", PANIC_END},
    {"Internal error: ", OOPS},
    {"watchdog: BUG: ", OOPS},
    {"BUG: ", OOPS},
    {"rcu: INFO: rcu_", OOPS},
};

static char line[LINE_LENGTH + 1]; // guarded, like line_length, by the console's lock
static unsigned int line_length;
static char last[LINE_LENGTH + 1]; // who reads it while it changes sees parts of two lines
static uint8_t last_kind;

static bool keep(const char *text)
{
    unsigned int i = 0;

    while (i < ARRAY_COUNT(table) && strncmp(text, table[i].words, strlen(table[i].words)) != 0)
        i++;
    if (i == ARRAY_COUNT(table))
        return false;
    last_kind = table[i].kind;
    memcpy(last, text, strlen(text) + 1);
    return true;
}

bool guest_words_byte(uint8_t byte)
{
    const char *at = line;
    bool found = false;

    if (byte != '\n') {
        if (byte != '\r' && line_length < LINE_LENGTH)
            line[line_length++] = byte >= ' ' && byte < 0x7f ? (char)byte : '?';
        return false;
    }
    line[line_length] = '\0';
    line_length = 0;
    // A prompt may stand before what the kernel says, and a CPU's number behind the time.
    while (at != NULL && !(found = keep(at))) {
        at = strchr(at, ']');
        if (at != NULL && *++at == ' ')
            at++;
    }
    return found;
}

void guest_words_tell(void)
{
    static struct log_limit limits[CPU_MAX]; // each used by its own CPU only
    static bool opened;
    struct log_limit *limit = &limits[cpu_id()];
    uint8_t kind = last_kind;

    if (kind == PANIC_END) {
        if (!__atomic_exchange_n(&opened, true, __ATOMIC_RELAXED))
            vm_open_monitor("guest panic");
    } else if (!log_limit_allows(limit, READ_SYSREG(CNTPCT_EL0))) {
        return;
    } else if (kind == PANIC) {
        log_record(LOG_ERROR, LOG_GUEST, "guest-panic", "vcpu=%u text=%pQ held=%u", cpu_id(), last,
                   log_limit_take(limit));
    } else {
        log_record(LOG_ERROR, LOG_GUEST, "guest-oops", "vcpu=%u text=%pQ held=%u", cpu_id(), last,
                   log_limit_take(limit));
    }
}

const char *guest_words(void)
{
    return last;
}
