// SPDX-License-Identifier: Apache-2.0
// The filter before a person's terminal: whatever a guest prints, in pieces between which EL2 prints records, the
// terminal of terminal_screen.h knows every sequence that it gets, each record begins in a state in which it can be
// read, and all of them are still on the screen or above it.
// Links: console/terminal_filter.c

#include <fuzz.h>

#include <hv/terminal_filter.h>

#define SCREEN_CHECK(condition) fuzz_check(condition)
#include "../unit/terminal_screen.h"

#define RECORDS_MAX 16

static struct terminal_filter filter;
static struct screen screen;
static char records[RECORDS_MAX][120];
static unsigned int record_count;

static void send(const uint8_t *bytes, size_t length)
{
    fuzz_check(length <= TERMINAL_OUT_MAX);
    for (size_t i = 0; i < length; i++)
        screen_byte(&screen, bytes[i]);
}

static void guest_byte(uint8_t byte)
{
    uint8_t out[TERMINAL_OUT_MAX];

    if (terminal_filter_is_plain(&filter, byte))
        send(&byte, 1);
    else
        send(out, terminal_filter_byte(&filter, byte, out));
}

static void print_record(void)
{
    uint8_t out[TERMINAL_OUT_MAX];
    char *text = records[record_count];

    send(out, terminal_filter_own(&filter, out));
    if (screen.column != 0)
        send((const uint8_t *)"\r\n", 2);
    fuzz_check(screen_is_readable(&screen));
    snprintf(text, sizeof(records[0]),
             "ariel: seq=%u level=warn class=policy event=verdict key=pl031 value=0x%08x tag=01234567", record_count,
             record_count * 2654435761u);
    send((const uint8_t *)text, strlen(text));
    send((const uint8_t *)"\r\n", 2);
    terminal_filter_protect(&filter);
    record_count++;
}

// What guests print most, so that more than single bytes is found soon.
static void print_known(struct fuzz_input *input)
{
    static const char *const known[] = {
        "\033[",    "\033[?",    "\033]0;", "\033P",       "\033[H",      "\033[2J",      "\033[J",
        "\033[1J",  "\033[A",    "\033[9A", "\033M",       "\0337",       "\0338",        "\033[s",
        "\033[u",   "\033[2;5r", "\033[r",  "\033[?1049h", "\033[?1049l", "\033[?7l",     "\033[4h",
        "\033[31m", "\033[m",    "\033(0",  "\016",        "\n",          "\r\n",         "\n\n\n\n\n\n\n\n\n\n",
        "\033[9B",  "\033[L",    "\033[M",  "\033[S",      "\033[T",      "\033[99;1H",   "\033D",
        "\033E",    "\033[F",    "\033[2d", "\033[6n",     "\302\233",    "\342\224\200", "\033[9b",
    };

    for (const char *c = known[fuzz_below(input, sizeof(known) / sizeof(known[0]))]; *c != '\0'; c++)
        guest_byte((uint8_t)*c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {.data = data, .size = size};

    filter = (struct terminal_filter){0};
    screen_init(&screen, 3 + (int)fuzz_below(&input, SCREEN_ROWS_MAX - 2), 20 + (int)fuzz_below(&input, 120));
    record_count = 0;
    while (input.size > 0) {
        unsigned int what = fuzz_below(&input, 256);
        if (what < 8 && record_count < RECORDS_MAX)
            print_record();
        else if (what < 128)
            print_known(&input);
        else
            guest_byte((uint8_t)fuzz_take(&input, 1));
    }
    for (unsigned int i = 0; i < record_count; i++)
        fuzz_check(screen_has(&screen, records[i]));
    return 0;
}
