// SPDX-License-Identifier: Apache-2.0
// The monitor for programs at the port ariel.monitor, beside the one of a person at the serial line.
#include "monitor_world.h"

#include <fake_port.h>
#include <hv/monitor_client.h>
#include <hv/monitor_line.h>
#include <hv/monitor_subject.h>

static int connect(void **state)
{
    set_up_screen(state);
    memset(fake_port.open, 0, sizeof(fake_port.open));
    fake_port.full = false;
    fake_port_clear();
    fake_sysreg_set("CNTPCT_EL0", 0);
    fake_port_open(SERIAL_MONITOR, false);
    fake_port_open(SERIAL_MONITOR, true);
    assert_memory_equal(fake_port.text, "event {\"event\":\"hello\",\"ariel\":\"", 32);
    fake_port_clear();
    return 0;
}

static void send(const char *text)
{
    fake_port_clear();
    fake_port_type(SERIAL_MONITOR, text);
}

// Behind what it got before.
static void send_more(const char *text)
{
    fake_port_type(SERIAL_MONITOR, text);
}

static void assert_got(const char *text)
{
    assert_string_equal(fake_port.text, text);
}

static void a_line_gets_a_reply_in_json(void **state)
{
    (void)state;
    send("vcpu 1\n");
    assert_got("{\"vcpu\":1}\nok\n");
    send("vcpu 9\r\n");
    assert_got("err vcpu 9 is outside 0..1\n");
    send("vcpu -j\nvc");
    assert_got("{\"vcpu\":1}\nok\n");
    send("pu\n\n");
    assert_got("{\"vcpu\":1}\nok\n"); // an empty line is none
    send("set json off\nvcpu\nset json on\n");
    assert_got("ok\nvcpu=1\nok\nok\n");
    assert_int_equal(fake_console.length, 0);
    assert_false(monitor_is_open());
}

static void a_long_row_is_not_folded(void **state)
{
    (void)state;
    send("set json off\nhelp\n");
    assert_non_null(strstr(fake_port.text, "\nmem      guest memory: IPA, -v virtual, -k the kernel's\n"));
    assert_null(strchr(fake_port.text, '\033'));
}

static void what_is_no_line_is_refused(void **state)
{
    char text[LINE_LENGTH_MAX + 3];
    (void)state;

    memset(text, 'x', sizeof(text));
    memcpy(&text[LINE_LENGTH_MAX + 1], "\n", 2);
    send(text);
    assert_got("err the line is longer than 160 bytes\n");
    send("sta\x01tus\n");
    assert_got("err the line has a byte that is not printable ASCII\n");
    send("sta\x01\x15vcpu\n"); // Ctrl-U begins again
    assert_got("{\"vcpu\":0}\nok\n");
    send("vcpu\n");
    assert_got("{\"vcpu\":0}\nok\n");
}

static void a_connection_begins_anew(void **state)
{
    (void)state;
    send("vcpu 1\nset json off\nlog follow on\nres");
    assert_true(fake_port.following);
    fake_port_open(SERIAL_MONITOR, false);
    assert_false(fake_port.following);
    fake_port_open(SERIAL_MONITOR, true);
    send("vcpu\n");
    assert_got("{\"vcpu\":0}\nok\n");
}

static void both_sessions_choose_for_themselves(void **state)
{
    (void)state;
    type("\x1d\rvcpu 1\r");
    send("vcpu\n");
    assert_got("{\"vcpu\":0}\nok\n");
    fake_console.length = 0;
    type("vcpu\r");
    assert_non_null(strstr(fake_console.text, "vcpu=1\nok\n"));
    send("resume\nclose\n"); // the prompt on the serial line stays
    assert_true(monitor_is_open());
    type("quit\r");
}

static void follow_is_for_programs(void **state)
{
    (void)state;
    send("log follow maybe\n");
    assert_got("err follow 'maybe' is none of on, off\n");
    send("log follow on\nlog follow off\n");
    assert_got("ok\nok\n");
    assert_false(fake_port.following);
    refused("log follow on", "err records are on the console");
}

static void a_step_is_answered_to_who_asked(void **state)
{
    (void)state;
    vm0.state = VM_PAUSED;
    vm0.vcpus[0].power = VCPU_ON;
    send("step 3\n");
    assert_got("");
    refused("step", "err the guest is running: pause it first");
    vm0.state = VM_PAUSED;
    refused("step", "err steps of another session are under way");
    assert_got(""); // the other session's commands do not end it
    fake_console.length = 0;
    fake_notify_listener(NOTIFY_STEP, &vm0.vcpus[0]);
    assert_memory_equal(fake_port.text, "{\"vcpu\":0,\"pc\":\"0x40000000\"}\n", 29);
    assert_non_null(strstr(fake_port.text, "\nok\n"));
    assert_false(monitor_is_open());
    assert_int_equal(fake_console.length, 0);
    // One that does not wait.
    send("step\n");
    send("vcpu\n");
    assert_got("err the guest still steps: pause stops it\n{\"vcpu\":0}\nok\n");
    vm0.state = VM_PAUSED;
    // One that goes.
    send("step\n");
    fake_port_open(SERIAL_MONITOR, false);
    vm0.state = VM_PAUSED;
    fake_notify_listener(NOTIFY_STEP, &vm0.vcpus[0]);
    assert_true(monitor_is_open()); // a person finds the guest paused
    type("\r\rquit\r");
}

static void events_go_to_the_program(void **state)
{
    (void)state;
    vm0.state = VM_PAUSED;
    fake_notify_listener(NOTIFY_GUEST_PANIC, &vm0.vcpus[1]);
    assert_got("event {\"event\":\"notify\",\"what\":\"guest panic\",\"guest\":\"a \\\"guest\\\"\",\"vcpu\":1}\n");
    assert_string_equal(fake_console.text, "-- guest panic: a program has the monitor (Ctrl-] opens it here)\n");
    assert_false(monitor_is_open());
    fake_port_open(SERIAL_MONITOR, false);
    fake_notify_listener(NOTIFY_GUEST_PANIC, &vm0.vcpus[1]);
    assert_true(monitor_is_open());
    type("\r\rquit\r");
}

static void time_passes(void)
{
    fake_sysreg_set("CNTPCT_EL0", fake_sysreg_get("CNTPCT_EL0") + 1000000);
}

// The reply ends with an error that says what is missing, and the client that does not read costs one wait.
static void who_does_not_read_loses_rows_and_is_told(void **state)
{
    uint64_t waited;
    (void)state;

    fake_yield = time_passes;
    fake_port_clear();
    fake_port.length = sizeof(fake_port.text) - 4200; // room for the last line, and little more
    send_more("help\n");
    assert_non_null(strstr(&fake_port.text[sizeof(fake_port.text) - 4200], "\nerr the client does not read: "));
    waited = fake_sysreg_get("CNTPCT_EL0");
    assert_in_range(waited, 62500000 / 5, 62500000 / 4);
    send_more("help\n");
    assert_in_range(fake_sysreg_get("CNTPCT_EL0") - waited, 0, 1000000);
    fake_yield = NULL;
    send("vcpu\n");
    assert_got("{\"vcpu\":0}\nok\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_line_gets_a_reply_in_json, connect),
        cmocka_unit_test_setup(a_long_row_is_not_folded, connect),
        cmocka_unit_test_setup(what_is_no_line_is_refused, connect),
        cmocka_unit_test_setup(a_connection_begins_anew, connect),
        cmocka_unit_test_setup(both_sessions_choose_for_themselves, connect),
        cmocka_unit_test_setup(follow_is_for_programs, connect),
        cmocka_unit_test_setup(a_step_is_answered_to_who_asked, connect),
        cmocka_unit_test_setup(events_go_to_the_program, connect),
        cmocka_unit_test_setup(who_does_not_read_loses_rows_and_is_told, connect),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
