// SPDX-License-Identifier: Apache-2.0
// The pager. A reply that is longer than the terminal must stop after a page until the person has read it. But a
// command runs in the interrupt of the UART, on a CPU that a vCPU shares, and nothing may wait for a person there: the
// guest would stand still meanwhile. So the command runs to its end at once. Its first page goes to the console, the
// rest into held[], and the pager's keys take it from there, page by page, each key in an interrupt of its own.
#include <hv/monitor_screen.h>

#include <hv/boot_options.h>
#include <hv/console.h>
#include <hv/monitor_client.h>
#include <hv/string.h>
#include <hv/telemetry.h>

#define HELD_SIZE     0x10000u
#define KEY_INTERRUPT 0x03 // Ctrl-C

struct screen_settings screen = {.columns = SCREEN_COLUMNS_DEFAULT};

static UNSET char held[HELD_SIZE];
static struct {
    size_t first;       // what waits in held[] is from first
    size_t end;         // to end - 1
    uint64_t lost;      // bytes that did not fit into held[]
    unsigned int lines; // lines of the present page that were sent
    bool paging;        // this reply is held up after each page
} pager;

// The size and colour of the terminal come from the boot options. A value that is too small or too large to be one is
// not taken, and the default stays.
void screen_init(uint64_t options)
{
    unsigned int rows = (unsigned int)FIELD_GET(BOOT_OPTIONS_ROWS, options);
    unsigned int columns = (unsigned int)FIELD_GET(BOOT_OPTIONS_COLUMNS, options);

    screen.color = (options & BOOT_OPTIONS_COLOR) != 0;
    if (rows >= SCREEN_ROWS_MIN)
        screen.rows = (uint16_t)rows;
    if (columns >= SCREEN_COLUMNS_MIN && columns <= SCREEN_COLUMNS_MAX)
        screen.columns = (uint16_t)columns;
}

// A reply begins. It is paged when a person has typed the command, not when a script has sent it, unless a pager was
// asked for by name.
void screen_begin(bool typed)
{
    screen_drop();
    pager.lines = 0;
    pager.paging = screen.rows != 0 && (typed || screen.page_all);
}

void screen_no_pager(void)
{
    pager.paging = false;
}

// What waits is forgotten: the person has left the prompt or has given another command.
void screen_drop(void)
{
    pager.first = pager.end = 0;
    pager.lost = 0;
    pager.paging = false;
}

// The length of the first line of text, its '\n' included; all of it where there is none.
static size_t line_length(const char *text, size_t length)
{
    size_t n = 0;

    while (n < length && text[n] != '\n')
        n++;
    return n < length ? n + 1 : length;
}

// Keeps text for a later page. What does not fit is counted, and screen_end says so behind it.
static void hold(const char *text, size_t length)
{
    if (length > HELD_SIZE - pager.end) {
        pager.lost += length;
        return;
    }
    memcpy(&held[pager.end], text, length);
    pager.end += length;
}

// Line by line, because a page may end in the middle of text. A client that is no terminal gets its lines as they are.
void screen_write(const char *text, size_t length)
{
    if (monitor_client_now()->write != NULL) {
        uint64_t counted = telemetry_stop_clock(); // what it takes is no exit's time, as in console_write

        monitor_client_now()->write(text, length);
        telemetry_start_clock(counted);
        return;
    }
    while (length > 0) {
        size_t line = line_length(text, length);

        if (pager.paging && pager.lines >= screen.rows - 1u) {
            hold(text, line);
        } else {
            console_write(text, line);
            pager.lines += text[line - 1] == '\n';
        }
        text += line;
        length -= line;
    }
}

// Sends up to count of the lines that wait.
static void send_lines(unsigned int count)
{
    for (; count > 0 && pager.first < pager.end; count--) {
        size_t line = line_length(&held[pager.first], pager.end - pager.first);

        console_write(&held[pager.first], line);
        pager.first += line;
    }
}

// Goes to the last line, which says whether the command succeeded.
static void skip_to_last_line(void)
{
    size_t at = pager.end - 1;

    while (at > pager.first && held[at - 1] != '\n')
        at--;
    pager.first = at;
}

// The reply is complete. True when a part of it waits for the pager's keys.
bool screen_end(void)
{
    pager.paging = false;
    if (pager.lost > 0) {
        char text[] = "(more than the pager holds: 'set pager off' shows all)\n";

        pager.lost = 0;
        if (sizeof(text) <= HELD_SIZE - pager.end)
            hold(text, sizeof(text) - 1);
    }
    return pager.first < pager.end;
}

// A key while the pager waits: Space shows a page, Enter a line, a the rest; q drops all but the last line. Other keys
// do nothing. True while something still waits.
bool screen_key(int byte)
{
    if (pager.first == pager.end)
        return false;
    switch (byte) {
    case ' ':
    case 'f':
        send_lines(screen.rows > 1 ? screen.rows - 1u : 1);
        break;
    case '\r':
    case '\n':
    case 'j':
        send_lines(1);
        break;
    case 'q':
    case 'Q':
    case KEY_INTERRUPT:
        skip_to_last_line();
        send_lines(1);
        break;
    case 'a':
    case 'c':
        send_lines(UINT32_MAX);
        break;
    default:
        break;
    }
    return pager.first < pager.end;
}

const char *screen_prompt(void)
{
    return "--more-- (Space: page, Enter: line, a: all, q: no more) ";
}
