// SPDX-License-Identifier: Apache-2.0
// The serial line: lines of the guest, the log and the monitor stay apart, held output comes out whole or is counted,
// and typed bytes reach the guest or the monitor, none lost while the queue has room.
// Links: console/channel.c console/line.c console/guest_words.c console/terminal_filter.c platform/platform.c
// Links: trace/log_names.c tests/fake/fake_trace_text.c
#include <hv/channel.h>
#include <hv/console.h>
#include <hv/gicv3.h>
#include <hv/log.h>
#include <hv/machine.h>
#include <hv/pl011.h>
#include <hv/platform.h>
#include <hv/spinlock.h>
#include <hv/terminal_filter.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fake_irq.h>
#include <fake_notify.h>
#include <fake_panic.h>

#define HELD 0x20000 // bytes, as channel.c has it

static char sent[200000];
static size_t sent_count;
static int typed[64];
static size_t typed_count, typed_at;
static uint8_t given[0x11000];
static size_t given_count, guest_room;
static int monitor_bytes[64];
static size_t monitor_count;
static bool listening = true;
static struct channel *channel, *second;
static const char *open_reason;

static bool uart_full;

bool pl011_try_put(uint8_t byte)
{
    if (uart_full)
        return false;
    pl011_put(byte);
    return true;
}

void pl011_put(uint8_t byte)
{
    assert_true(sent_count < sizeof(sent));
    sent[sent_count++] = (char)byte;
}

void pl011_listen(bool on)
{
    listening = on;
}

int pl011_get(void)
{
    return typed_at < typed_count ? typed[typed_at++] : PL011_EMPTY;
}

// The guest's UART
static bool receive(void *argument, uint16_t data)
{
    assert_ptr_equal(argument, &guest_room);
    if (guest_room == 0)
        return false;
    guest_room--;
    given[given_count++] = data == CHANNEL_BREAK ? 0xbb : (uint8_t)data;
    return true;
}

// Of a second guest
static bool receive_nothing(void *argument, uint16_t data)
{
    (void)argument, (void)data;
    fail();
    return false;
}

unsigned int cpu_id(void)
{
    return 0;
}

static uint64_t lost; // bytes that the UART did not take
static const char *told;
static unsigned int told_count;

void gicv3_enable(unsigned int intid, unsigned int cpu)
{
    assert_int_equal(intid, platform.uarts[0].intid);
    assert_int_equal(cpu, 0);
}

uint64_t pl011_dropped(void)
{
    return lost;
}

void log_record(enum log_level level, enum log_class class, const char *event, const char *format, ...)
{
    (void)level, (void)class, (void)format;
    told = event;
    told_count++;
}

static const struct log_sink *sink;

void log_set_sink(const struct log_sink *of)
{
    sink = of;
}

static void take_break(void)
{
    open_reason = "break";
    (void)channel_hold(true);
}

static void take_key(int byte)
{
    monitor_bytes[monitor_count++] = byte;
}

static const struct channel_control control = {take_key, take_break};

// It takes the console's lock, as a record does: a spin lock of the tests that is held stops here.
void log_limited(struct log_limit limit, enum log_class class, const char *event, const char *format, ...)
{
    (void)limit, (void)class, (void)format;
    console_line(event, strlen(event));
}

static void expect_sent(const char *text)
{
    assert_int_equal(sent_count, strlen(text));
    assert_memory_equal(sent, text, sent_count);
    sent_count = 0;
}

static void guest(const char *text)
{
    while (*text != '\0')
        channel_put(channel, (uint8_t)*text++);
}

static void line(const char *text)
{
    console_line(text, strlen(text));
}

static void show(const char *text, size_t cursor)
{
    console_show_input(text, strlen(text), cursor);
}

static int set_up(void **state)
{
    (void)state;
    console_show_input("", 0, 0);
    (void)channel_hold(false);
    line("");
    guest_room = SIZE_MAX;
    channel_room(channel);
    sent_count = typed_count = typed_at = given_count = monitor_count = 0;
    return 0;
}

static void type(const int *bytes, size_t count)
{
    memcpy(typed, bytes, count * sizeof(*bytes));
    typed_count = count;
    typed_at = 0;
    channel_poll();
}

static void records_start_a_line(void **state)
{
    (void)state;
    guest("boot\r\n");
    line("one");
    guest("half");
    line("two");
    guest(" more\n\r");
    line("three");
    expect_sent("boot\r\none\r\nhalf\r\ntwo\r\n more\n\rthree\r\n");
}

// What the UART does not take at once is sent by the way that waits for it.
static void a_full_uart_loses_nothing(void **state)
{
    static struct vcpu vcpu;
    (void)state;
    fake_sysreg_set("TPIDR_EL2", (uint64_t)&vcpu);
    uart_full = true;
    guest("ab");
    uart_full = false;
    guest("c\r\n");
    uart_full = true;
    guest("\033[K[    1.5] Kernel panic - not syncing: no\n");
    uart_full = false;
    expect_sent("abc\r\n\033[K[    1.5] Kernel panic - not syncing: no\nguest-panic\r\n");
}

static void guest_text_is_marked_and_escaped(void **state)
{
    static const uint8_t text[] = "hi\nariel: seq=1\r\na\\b\tc\033[2J\xff\r!";

    (void)state;
    guest("open");
    channel_put_text(channel, text, sizeof(text) - 1);
    channel_put_text(channel, (const uint8_t *)"", 0);
    channel_put_text(channel, (const uint8_t *)"\n", 1);
    expect_sent("open\r\nguest: hi\r\nguest: ariel: seq=1\r\nguest: a\\\\b\\tc\\x1b[2J\\xff\\r!\r\nguest: \r\n");
}

static void held_output_waits_its_turn(void **state)
{
    (void)state;
    guest("before ");
    channel_hold(true);
    guest("after\n");
    channel_put_text(channel, (const uint8_t *)"text", 4);
    console_write("reply\n", 6);
    line("record");
    expect_sent("before reply\r\nrecord\r\n");
    assert_int_equal(channel_hold(false), 0);
    expect_sent("after\nguest: text\r\n");
    guest("now");
    expect_sent("now");
}

static void dropped_bytes_are_counted(void **state)
{
    uint64_t before = channel_output_dropped();

    (void)state;
    channel_hold(true);
    for (int i = 0; i < HELD + 5; i++)
        channel_put(channel, 'x');
    assert_int_equal(channel_output_dropped() - before, 5);
    assert_int_equal(channel_hold(false), 5);
    assert_int_equal(sent_count, HELD);
    channel_hold(true);
    assert_int_equal(channel_hold(false), 0);
}

static void a_typed_line_is_drawn_again(void **state)
{
    (void)state;
    guest("half");
    show("> ", 2);
    expect_sent("half\r\n> ");
    show("> a", 3);
    expect_sent("a");
    show("> ab", 4);
    expect_sent("b");
    line("record");
    // An end of line comes right before the record, and the screen keeps no copy of the prompt.
    expect_sent("\r\033[K\033[A\nrecord\r\n> ab");
    show("> ab", 3);
    expect_sent("\r\033[K> ab\b");
    line("again");
    expect_sent("\r\033[K\033[A\nagain\r\n> ab\b");
    show("> axb", 4);
    expect_sent("\r\033[K> axb\b");
    console_show_input("", 0, 0);
    console_write("\n", 1);
    line("free");
    expect_sent("\r\nfree\r\n");
}

static void a_long_line_is_cut(void **state)
{
    static char text[CONSOLE_INPUT_MAX * 2];

    (void)state;
    memset(text, 'x', sizeof(text));
    console_show_input(text, sizeof(text), sizeof(text));
    assert_int_equal(sent_count, CONSOLE_INPUT_MAX);
}

static void typed_bytes_find_their_reader(void **state)
{
    (void)state;
    type((const int[]){'a', 0, 0xff, CHANNEL_ATTENTION}, 4);
    assert_int_equal(given_count, 3);
    assert_int_equal(given[2], 0xff);
    assert_int_equal(monitor_count, 1);
    type((const int[]){PL011_BREAK, 'x'}, 2);
    assert_string_equal(open_reason, "break");
    assert_int_equal(monitor_count, 2);
    assert_int_equal(monitor_bytes[1], 'x');
    assert_int_equal(given_count, 3);
}

static void refused_bytes_are_offered_again_in_order(void **state)
{
    uint64_t dropped = channel_input_dropped();

    (void)state;
    guest_room = 1;
    for (unsigned int i = 0; i < 300; i++)
        channel_type((uint8_t)i);
    assert_int_equal(given_count, 1);
    guest_room = 100;
    channel_room(channel);
    assert_int_equal(given_count, 101);
    guest_room = 1000;
    channel_type(7);
    assert_int_equal(given_count, 301);
    for (unsigned int i = 0; i < 300; i++)
        assert_int_equal(given[i], (uint8_t)i);
    assert_int_equal(given[300], 7);
    assert_int_equal(channel_input_dropped(), dropped);
}

// Behind the bytes that were typed before it and before those typed after it; two that wait are one.
static void a_break_waits_in_its_place(void **state)
{
    (void)state;
    guest_room = 1;
    channel_type_break();
    assert_int_equal(given_count, 1);
    assert_int_equal(given[0], 0xbb);
    channel_type('a');
    channel_type_break();
    channel_type('b');
    channel_type_break();
    assert_int_equal(given_count, 1);
    guest_room = 10;
    channel_room(channel);
    assert_int_equal(given_count, 4);
    assert_memory_equal(given,
                        "\xbb"
                        "a\xbb"
                        "b",
                        4);
    guest_room = 0;
    channel_type_break();
    guest_room = 10;
    channel_room(channel); // nothing else waits
    assert_int_equal(given_count, 5);
}

static void transparent_input_is_all_the_guests(void **state)
{
    (void)state;
    channel_set_transparent(true);
    type((const int[]){CHANNEL_ATTENTION, 'a'}, 2);
    assert_int_equal(given_count, 2);
    assert_int_equal(given[0], CHANNEL_ATTENTION);
    type((const int[]){PL011_BREAK}, 1);
    assert_string_equal(open_reason, "break"); // the way back
    channel_set_transparent(false);
    type((const int[]){CHANNEL_ATTENTION}, 1);
    assert_int_equal(given_count, 2);
}

static void a_full_queue_drops_and_counts(void **state)
{
    uint64_t dropped = channel_input_dropped();

    (void)state;
    guest_room = 0;
    for (unsigned int i = 0; i < 0x10000 + 3; i++)
        channel_type((uint8_t)i);
    assert_int_equal(channel_input_dropped() - dropped, 3);
    guest_room = SIZE_MAX;
    channel_poll();
    assert_int_equal(given_count, 0x10000);
}

static void a_kernels_words_are_told_without_the_lock(void **state)
{
    (void)state;
    static struct vcpu vcpu;
    fake_sysreg_set("TPIDR_EL2", (uint64_t)&vcpu);
    guest("\n");
    sent_count = 0;
    guest("BUG: x\n");
    expect_sent("BUG: x\nguest-oops\r\n");
    channel_hold(true);
    guest("BUG: held\n");
    expect_sent("guest-oops\r\n");
    assert_string_equal(channel_words(), "BUG: held");
}

// Only the channel in front reaches the line; each has a buffer, counters and words of its own.
static void two_guests_do_not_see_each_other(void **state)
{
    uint64_t dropped = channel_output_dropped();
    (void)state;
    guest("first\n");
    for (unsigned int i = 0; i < HELD + 5; i++)
        channel_put(second, 'x');
    channel_put_text(second, (const uint8_t *)"\nBUG: second\n", 13);
    channel_room(second);
    expect_sent("first\n");
    assert_int_equal(channel_hold(true), 0);
    assert_int_equal(channel_hold(false), 0);
    assert_int_equal(sent_count, 0);
    assert_int_equal(channel_output_dropped(), dropped);
    assert_string_not_equal(channel_words(), "BUG: second");
    type((const int[]){'a'}, 1);
    assert_int_equal(given_count, 1);
}

static int open_channels(void **state)
{
    (void)state;
    channel = channel_open(receive, &guest_room);
    second = channel_open(receive_nothing, NULL);
    channel_set_control(&control);
    channel_listen();
    return 0;
}

static void a_channel_too_many_is_a_bug(void **state)
{
    (void)state;
    channel_open(receive, NULL);
    channel_open(receive, NULL);
    if (FAKE_PANIC_EXPECTED() == 0) {
        channel_open(receive, NULL);
        fail();
    }
    assert_string_equal(fake_panic_text, "channel: more than 4 are opened");
}

static void fill_queue(void)
{
    guest_room = 0;
    for (unsigned int i = 0; i < 0x10000; i++)
        channel_type((uint8_t)i);
}

static void a_full_queue_holds_the_line_off(void **state)
{
    uint64_t dropped = channel_input_dropped();

    (void)state;
    fill_queue();
    type((const int[]){1, 2, 3}, 3);
    assert_int_equal(typed_at, 0);
    assert_false(listening);
    guest_room = 0x7fff;
    channel_room(channel);
    assert_false(listening); // until half of it is free
    guest_room = SIZE_MAX;
    channel_room(channel);
    assert_true(listening);
    channel_poll();
    assert_int_equal(given_count, 0x10003);
    assert_int_equal(channel_input_dropped(), dropped);
}

static void a_guest_that_does_not_read_cannot_keep_the_monitor_away(void **state)
{
    uint64_t dropped = channel_input_dropped();

    (void)state;
    fill_queue();
    type((const int[]){1, 2, CHANNEL_ATTENTION}, 3);
    for (unsigned int i = 0; i < 10; i++)
        fake_tick_function();
    assert_false(listening);
    fake_tick_function();
    assert_true(listening);
    channel_poll();
    assert_int_equal(channel_input_dropped() - dropped, 2);
    assert_int_equal(monitor_count, 1);
    guest_room = 1;
    channel_room(channel); // it reads again: nothing more is dropped
    channel_type(0);
    type((const int[]){4}, 1);
    assert_int_equal(typed_at, 0);
    assert_int_equal(channel_input_dropped() - dropped, 2);
}

static void an_open_monitor_hears_though_the_queue_is_full(void **state)
{
    (void)state;
    fill_queue();
    type((const int[]){'x'}, 1);
    assert_false(listening);
    (void)channel_hold(true);
    assert_true(listening);
    channel_poll();
    assert_int_equal(monitor_count, 1);
}

// The report of a panic goes out whatever lock is held, and ends what stands on the line.
static void a_panic_takes_no_lock(void **state)
{
    (void)state;
    console_init(false);
    sent_count = 0;
    guest("half a li");
    sink->line("ariel: x", 8);
    expect_sent("half a li\r\nariel: x\r\n");
    sink->panic_line("ariel: panic", 12);
    sink->panic_line("ariel: more", 11);
    expect_sent(TERMINAL_RESET "\r\nariel: panic\r\nariel: more\r\n");
}

static void a_silent_uart_is_told_once(void **state)
{
    (void)state;
    told_count = 0;
    for (unsigned int i = 0; i < 5; i++) {
        lost += 7; // the record's bytes, and the guest's
        fake_tick_function();
        assert_string_equal(told, "uart-silent");
        assert_int_equal(told_count, 1);
    }
    fake_tick_function(); // it takes bytes again
    assert_int_equal(told_count, 1);
    lost++;
    fake_tick_function();
    assert_int_equal(told_count, 2);
    fake_tick_function();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(records_start_a_line, set_up),
        cmocka_unit_test_setup(a_full_uart_loses_nothing, set_up),
        cmocka_unit_test_setup(guest_text_is_marked_and_escaped, set_up),
        cmocka_unit_test_setup(held_output_waits_its_turn, set_up),
        cmocka_unit_test_setup(dropped_bytes_are_counted, set_up),
        cmocka_unit_test_setup(a_typed_line_is_drawn_again, set_up),
        cmocka_unit_test_setup(a_long_line_is_cut, set_up),
        cmocka_unit_test_setup(typed_bytes_find_their_reader, set_up),
        cmocka_unit_test_setup(refused_bytes_are_offered_again_in_order, set_up),
        cmocka_unit_test_setup(a_break_waits_in_its_place, set_up),
        cmocka_unit_test_setup(transparent_input_is_all_the_guests, set_up),
        cmocka_unit_test_setup(a_full_queue_drops_and_counts, set_up),
        cmocka_unit_test_setup(a_kernels_words_are_told_without_the_lock, set_up),
        cmocka_unit_test_setup(two_guests_do_not_see_each_other, set_up),
        cmocka_unit_test_setup(a_full_queue_holds_the_line_off, set_up),
        cmocka_unit_test_setup(a_guest_that_does_not_read_cannot_keep_the_monitor_away, set_up),
        cmocka_unit_test_setup(a_panic_takes_no_lock, set_up),
        cmocka_unit_test_setup(a_silent_uart_is_told_once, set_up),
        cmocka_unit_test_setup(an_open_monitor_hears_though_the_queue_is_full, set_up),
        cmocka_unit_test_setup(a_channel_too_many_is_a_bug, set_up),
    };

    return cmocka_run_group_tests(tests, open_channels, NULL);
}
