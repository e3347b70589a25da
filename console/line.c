// SPDX-License-Identifier: Apache-2.0
// The one writer of the serial line. What guests print (channel.c), the log's records and the monitor's words all come
// here, and no line of one of them may stand within a line of another.
//
// `line_open` says whether the cursor stands behind text that somebody may still go on with. A record ends such a line
// first, and stands on a line of its own. The line that a person is typing is a special case: a record wipes it from
// the screen, and draws it again below itself. What a guest prints passes terminal_filter.h just before it leaves, so
// the filter knows at any time what stands on the screen.
#include <hv/console.h>

#include "line_parts.h"

#include <hv/log.h>
#include <hv/pl011.h>
#include <hv/spinlock.h>
#include <hv/string.h>
#include <hv/telemetry.h>
#include <hv/terminal_filter.h>

struct spinlock console_lock = SPINLOCK(LOCK_CONSOLE);

static struct {
    struct terminal_filter filter;
    bool line_open;                // text stands on the line and its end was not sent yet
    char input[CONSOLE_INPUT_MAX]; // the line that is being typed, prompt included
    size_t input_length;
    size_t input_cursor;
} console GUARDED_BY(console_lock);

// Sends bytes past all bookkeeping of the line.
static void put_raw(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        pl011_put((uint8_t)text[i]);
}

// A line of a panic's report. No lock is taken and the state of the line is not looked at: the CPU that panicked may
// have been in the middle of either. So the first one ends whatever stands on the line and makes the terminal readable.
void console_panic_line(const char *text, size_t length)
{
    static bool begun;

    if (!begun)
        put_raw(TERMINAL_RESET "\r\n", sizeof(TERMINAL_RESET "\r\n") - 1);
    begun = true;
    put_raw(text, length);
    put_raw("\r\n", 2);
}

// The lock is not taken: the MMU is still off, and no other CPU runs.
void console_init(bool raw) NO_THREAD_ANALYSIS
{
    static const struct log_sink sink = {console_line, console_panic_line, NULL};

    put_raw("\r\n" TERMINAL_RESET "\r\n", sizeof("\r\n" TERMINAL_RESET "\r\n") - 1); // what a guest was printing ends
    console.filter.raw = raw;
    log_set_sink(&sink);
}

// Sends a byte and notes whether the line is open. A carriage return leaves it as it was: the text still stands there.
static void put(uint8_t byte) REQUIRES(console_lock)
{
    pl011_put(byte);
    if (byte != '\r')
        console.line_open = byte != '\n';
}

// Sends a text whose lines end with LF. A terminal needs CR LF.
static void put_text(const char *text, size_t length) REQUIRES(console_lock)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n')
            put('\r');
        put((uint8_t)text[i]);
    }
}

static void put_string(const char *text) REQUIRES(console_lock)
{
    put_text(text, strlen(text));
}

// Draws the line that is being typed and moves the cursor back to where the person has it.
static void draw_input(void) REQUIRES(console_lock)
{
    put_text(console.input, console.input_length);
    for (size_t i = console.input_cursor; i < console.input_length; i++)
        put('\b');
}

// EL2 is about to print: the terminal is put into a state in which that can be read.
static void begin_own(void) REQUIRES(console_lock)
{
    uint8_t bytes[TERMINAL_OUT_MAX];
    size_t length = terminal_filter_own(&console.filter, bytes);

    //@ loop unroll 1;
    for (size_t i = 0; i < length; i++)
        put(bytes[i]);
}

// Makes the cursor stand at the start of a line. A line being typed is wiped from the screen and the cursor moved up
// and down again: the screen keeps no trace, and in a captured stream an end of line stands right before what follows.
static void end_line(void) REQUIRES(console_lock)
{
    if (!console.line_open)
        return;
    if (console.input_length > 0)
        put_string("\r\033[K\033[A");
    else
        put('\r');
    put('\n');
}

// A byte that is no plain text, or belongs to a sequence: the filter says what is printed for it.
static void filter_byte(uint8_t byte) REQUIRES(console_lock)
{
    uint8_t bytes[TERMINAL_OUT_MAX];
    size_t length = terminal_filter_byte(&console.filter, byte, bytes);

    //@ loop unroll 1;
    for (size_t i = 0; i < length; i++)
        put(bytes[i]);
}

bool line_put_text(uint8_t byte)
{
    if (!terminal_filter_is_text(&console.filter, byte) || !pl011_try_put(byte))
        return false;
    console.line_open = true;
    return true;
}

// Sends a byte of a guest, whatever it is.
void line_put_guest(uint8_t byte)
{
    if (terminal_filter_is_plain(&console.filter, byte))
        put(byte);
    else
        filter_byte(byte);
}

// The order is what keeps a record readable: first the terminal is made fit to show it, then whatever stands on the
// line is ended, then it is printed, and the filter is told that it must not be erased.
void console_line(const char *line, size_t length)
{
    spinlock_acquire(&console_lock);
    begin_own();
    end_line();
    put_text(line, length);
    put('\r');
    put('\n');
    terminal_filter_protect(&console.filter);
    draw_input();
    spinlock_release(&console_lock);
}

// Sends a part of a line, or several lines, of the monitor's. It does not end what stands on the line. The time counts
// for no exit.
void console_write(const char *text, size_t length)
{
    uint64_t counted = telemetry_stop_clock();

    spinlock_acquire(&console_lock);
    put_text(text, length);
    spinlock_release(&console_lock);
    telemetry_start_clock(counted);
}

// Whether the new line is the drawn one with one byte more at its end, where the cursor stands: then that byte is all
// that needs to be sent.
static bool is_typed_at_end(const char *text, size_t length, size_t cursor) REQUIRES(console_lock)
{
    size_t old = console.input_length;

    return old > 0 && length == old + 1 && cursor == length && console.input_cursor == old &&
           memcmp(console.input, text, old) == 0;
}

// Shows text as the line that is being typed, with the cursor at `cursor`, in the place of the one shown before. With
// length 0 there is no such line any more, and what stood on the screen stays.
void console_show_input(const char *text, size_t length, size_t cursor)
{
    bool typed_at_end;

    if (length > CONSOLE_INPUT_MAX)
        length = CONSOLE_INPUT_MAX;
    if (cursor > length)
        cursor = length;
    spinlock_acquire(&console_lock);
    if (length > 0 && console.input_length == 0)
        begin_own();
    typed_at_end = is_typed_at_end(text, length, cursor);
    if (typed_at_end)
        put((uint8_t)text[length - 1]);
    else if (length > 0)
        put_string(console.input_length > 0 ? "\r\033[K" : console.line_open ? "\n" : "");
    memcpy(console.input, text, length);
    console.input_length = length;
    console.input_cursor = cursor;
    if (!typed_at_end)
        draw_input();
    spinlock_release(&console_lock);
}

bool line_is_open(void)
{
    return console.line_open;
}

// The line that is being typed is given up: it ends where it stands, and no record draws it again.
void line_drop_input(void)
{
    if (console.input_length == 0)
        return;
    end_line();
    console.input_length = 0;
}

// Called once a second. A UART that loses bytes cannot show a record about it, so the record is for the ring above all.
// One record is written when the loss begins, and the next one only after a second without loss.
void console_check_uart(void)
{
    static uint64_t known;
    static bool silent;
    uint64_t lost = pl011_dropped() - known;

    if (lost != 0 && !silent)
        log_record(LOG_ERROR, LOG_MONITOR, "uart-silent", "bytes=%lu", lost);
    silent = lost != 0;
    known = pl011_dropped();
}
