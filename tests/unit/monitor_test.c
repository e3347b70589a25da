// SPDX-License-Identifier: Apache-2.0
// The monitor as a person meets it: keys and lines open it, close it and are run, a guest cannot have anything run or
// kept quiet by opening it, and no bytes at all do any harm.
#include "monitor_world.h"

#include <hv/monitor_subject.h>

static void attention_takes_one_key(void **state)
{
    static const char keys[] = "hdqtmP+-*";

    (void)state;
    for (const char *key = keys; *key != '\0'; key++) {
        fake_console.length = 0;
        monitor_input(CHANNEL_ATTENTION);
        assert_true(fake_console.hold);
        monitor_input(*key);
        assert_false(monitor_is_open());
        assert_false(fake_console.hold);
        assert_non_null(strstr(fake_console.text, "ok\n"));
    }
    type("\x1d\x1d");
    assert_string_equal(fake_console.guest_input, "\x1d");
    type("\x1d\x03\x1d\x7f");
    assert_string_equal(fake_console.guest_input, "\x1d");
    assert_false(monitor_is_open());
}

static void anything_else_opens_the_prompt(void **state)
{
    (void)state;
    type("\x1d\r");
    assert_string_equal(fake_console.input, PROMPT);
    type("\x1d");
    assert_false(monitor_is_open());
    type("\x1dsta");
    assert_string_equal(fake_console.input, PROMPT "sta");
    type("\x03\x04");
    assert_false(monitor_is_open());
    monitor_input(CHANNEL_ATTENTION);
    fake_console.uart_input = "e"; // a script's line, not a key
    monitor_input('h');
    assert_string_equal(fake_console.input, PROMPT "he");
    type("\x15quit\r");
    assert_false(monitor_is_open());
    assert_non_null(strstr(fake_console.text, "ok\n-- guest console"));
}

static void the_prompt_lets_only_errors_through_unless_told(void **state)
{
    (void)state;
    type("\x1d\r");
    assert_int_equal(fake_log.quiet, LOG_ERROR);
    type("\x1d");
    assert_int_equal(fake_log.quiet, LOG_DEBUG);
    type("\x1d\rlog level\r");
    assert_non_null(strstr(fake_console.text, "level=info prompt=error"));
    type("log level warn\rlog level\r");
    assert_non_null(strstr(fake_console.text, "level=warn prompt=warn"));
    type("\x1d");
    assert_int_equal(fake_log.level, LOG_WARN);
    type("\x1d\r");
    assert_int_equal(fake_log.quiet, LOG_WARN);
    type("log level error\r\x1d");
    assert_int_equal(fake_log.level, LOG_ERROR);
}

static void it_is_not_quiet_until_a_person_asks_for_the_prompt(void **state)
{
    (void)state;
    monitor_open("the guest panics");
    assert_string_equal(fake_console.input, HINTED);
    type("rm -rf /tmp/x");
    assert_int_equal(fake_log.quiet, LOG_DEBUG);
    monitor_open("again");
    type("\r\n");
    assert_int_equal(fake_log.quiet, LOG_DEBUG);
    assert_string_equal(fake_console.input, HINTED);
    type("\r");
    assert_int_equal(fake_log.quiet, LOG_ERROR);
    assert_string_equal(fake_console.input, PROMPT);
    monitor_open("once more");
    assert_string_equal(fake_console.input, PROMPT);
    type("\nstatus");
    assert_string_equal(fake_console.input, PROMPT "status");
}

static void what_was_typed_for_the_guest_is_not_run(void **state)
{
    (void)state;
    monitor_open("the guest panics");
    if (setjmp(fake_machine_ended) != 0)
        fail_msg("the rest of a line for the guest ended the machine");
    type("halt\rreset\rmem write 0x40000000 1\r");
    assert_null(strstr(fake_console.text, "ok\n"));
    assert_string_equal(fake_console.guest_input, "");
}

static void attention_is_heard_where_nobody_was_there(void **state)
{
    (void)state;
    monitor_open("the guest panics");
    type("half a line\x1dq");
    assert_non_null(strstr(fake_console.text, "vm="));
    assert_false(monitor_is_open());
    monitor_open("the guest panics");
    type("\x1b]half a string\x1d\r");
    assert_string_equal(fake_console.input, PROMPT);
}

static void a_break_is_a_person(void **state)
{
    (void)state;
    monitor_open("the guest panics");
    monitor_open_for_person("break");
    assert_string_equal(fake_console.input, PROMPT);
    type("x");
    assert_int_equal(fake_log.quiet, LOG_ERROR);
}

// What terminals send by themselves: where the cursor is, device attributes, status, modes, colours, settings, names,
// focus, mouse (both forms), pastes, window sizes, and the same with 8-bit introducers.
static const char *const answers[] = {
    "\x1b[24;1R",
    "\x1b[?24;1R",
    "\x1b[?62;22c",
    "\x1b[>41;366;0c",
    "\x1b[0n",
    "\x1b[?2026;2$y",
    "\x1b]11;rgb:0000/0000/0000\x1b\\",
    "\x1b]52;c;aGFsdAo=\x07",
    "\x1bP1$r0m\x1b\\",
    "\x1bP>|tmux 3.3a\x1b\\",
    "\x1bP!|00000000\x1b\\",
    "\x1b_Gi=1;OK\x1b\\",
    "\x1b]lhalt\x1b\\",
    "\x1b[I",
    "\x1b[O",
    "\x1b[M !!",
    "\x1b[<0;10;10M",
    "\x1b[<0;10;10m",
    "\x1b[8;24;80t",
    "\x1b[200~",
    "\x1b[201~",
    "\x1b[?1u",
    "\x1b[2;1;1;112;112;1;0x",
    "\x9b"
    "24;1R",
    "\x9d"
    "11;rgb:0/0/0\x9c",
    "\x90"
    "1$r0m\x9c",
};

static void what_a_terminal_answers_is_no_key(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < ARRAY_COUNT(answers); i++) {
        (void)set_up(NULL);
        monitor_open("the guest panics");
        type(answers[i]);
        assert_int_equal(fake_log.quiet, LOG_DEBUG);
        assert_string_equal(fake_console.input, HINTED);
        type("\r"); // it was not the beginning of a line either
        if (strcmp(fake_console.input, PROMPT) != 0)
            fail_msg("answer %u: Enter behind it is not alone", i);
        type(answers[i]);
        assert_string_equal(fake_console.input, PROMPT);
        type("\x1d\x1d");
        assert_string_equal(fake_console.input, PROMPT "(a key: h lists them; Enter: prompt) ");
        type(answers[i]);
        assert_string_equal(fake_console.input, PROMPT "(a key: h lists them; Enter: prompt) ");
        type("\x03");
    }
}

static void a_break_can_reach_the_guest(void **state)
{
    (void)state;
    fake_console.guest_input[0] = '\0';
    monitor_input(CHANNEL_ATTENTION);
    monitor_input('b');
    assert_string_equal(fake_console.guest_input, "\xbb");
    assert_false(monitor_is_open());
    monitor_break(); // one opens the monitor, a second one is the guest's
    assert_true(monitor_is_open());
    assert_string_equal(fake_console.guest_input, "\xbb");
    monitor_break();
    assert_false(monitor_is_open());
    assert_string_equal(fake_console.guest_input, "\xbb\xbb");
    monitor_break();
    type("x");
    monitor_break(); // not in a row
    assert_true(monitor_is_open());
    assert_string_equal(fake_console.guest_input, "\xbb\xbb");
    type("\x15inject break\r");
    assert_string_equal(fake_console.guest_input, "\xbb\xbb\xbb");
    type("console transparent on\r");
    assert_true(fake_console.transparent);
    type("console transparent\r");
    type("console transparent 1\r");
    assert_true(fake_console.transparent);
    type("console transparent off\r");
    assert_false(fake_console.transparent);
    type("quit\r");
}

static void keys_that_send_sequences_still_work(void **state)
{
    (void)state;
    type("\x1d\rstatux\x1b[D\x1b[3~s\x1bOH\x1b[1;5Cx\x1b[F!");
    assert_string_equal(fake_console.input, PROMPT "sxtatus!");
    type("\x1b[[A\x1b[15~\x1b[1;2P\x1bOP?");
    assert_string_equal(fake_console.input, PROMPT "sxtatus!?");
    type("\x1b]a key with Alt, then a line\rstatus");
    assert_string_equal(fake_console.input, PROMPT "status");
}

static void the_guests_wish_for_the_log_waits_for_the_end(void **state)
{
    (void)state;
    console_dump_log();
    assert_int_equal(fake_log.dumps, 1);
    type("\x1d\r");
    console_dump_log();
    console_dump_log();
    assert_int_equal(fake_log.dumps, 1);
    type("\x1d");
    assert_int_equal(fake_log.dumps, 2);
    type("\x1d\r\x1d");
    assert_int_equal(fake_log.dumps, 2);
    monitor_open("the guest panics");
    console_dump_log();
    console_release(); // the machine ends with the monitor open
    assert_int_equal(fake_log.dumps, 3);
}

static void step_answers_when_the_steps_are_done(void **state)
{
    (void)state;
    fake_steps = 0;
    type("\x1d\rpause\r");
    fake_console.length = 0;
    type("step 3\r");
    assert_int_equal(fake_steps, 3);
    assert_null(strstr(fake_console.text, "ok\n"));
    type("status\r"); // waits for the steps
    vm0.state = VM_PAUSED;
    fake_notify_listener(NOTIFY_STEP, &vm0.vcpus[0]);
    assert_non_null(strstr(fake_console.text, "vcpu=0 pc=0x40000000\nvcpu=1 pc=0x40000000\nok\n"));
    type("\r");
    assert_int_equal(fake_steps, 6);
    type("\x03");
    assert_non_null(strstr(fake_console.text, "err the guest still steps"));
    vm0.state = VM_PAUSED;
    type("version\r\r");
    assert_int_equal(fake_steps, 6);
}

static void who_leaves_while_it_steps_finds_a_prompt_again(void **state)
{
    (void)state;
    type("\x1d\rpause\rstep 3\r");
    fake_console.length = 0;
    type("\x1d");
    assert_false(monitor_is_open());
    assert_non_null(strstr(fake_console.text, "err the guest still steps"));
    vm0.state = VM_PAUSED;
    fake_notify_listener(NOTIFY_STEP, &vm0.vcpus[0]);
    type("\rsta");
    assert_string_equal(fake_console.input, PROMPT "sta");
}

static void it_opens_by_itself_and_says_why(void **state)
{
    (void)state;
    vm0.state = VM_STOPPED;
    monitor_open("a policy row says stop");
    assert_non_null(strstr(fake_console.text, "-- monitor: a policy row says stop; guest stopped"));
    assert_string_equal(fake_console.input, HINTED);
    assert_string_equal(run("resume"), "err the guest is stopped for good: only reset starts it again");
    assert_string_equal(run("step"), "err the guest is stopped for good: only reset starts it again");
    assert_string_equal(run("pause"), "err the guest is stopped");
}

// Two VMs: an event chooses its VM only when no person works on another one, and ends the steps of its own only.
static void an_event_is_about_its_own_vm(void **state)
{
    static struct vm other;
    static struct trap_frame frame;

    (void)state;
    other = (struct vm){.state = VM_PAUSED, .policy = vm0.policy, .vcpu_count = 1};
    other.vcpus[0] = (struct vcpu){.vm = &other, .frame = &frame, .telemetry = vm0.vcpus[0].telemetry};
    type("\x1d\rpause\rstep 3\r");
    fake_console.length = 0;
    fake_notify_listener(NOTIFY_STEP, &other.vcpus[0]);
    assert_null(strstr(fake_console.text, "ok\n")); // vm0 steps still
    assert_ptr_equal(monitor_vm(), &vm0);
    vm0.state = VM_PAUSED;
    fake_notify_listener(NOTIFY_STEP, &vm0.vcpus[0]);
    assert_non_null(strstr(fake_console.text, "ok\n"));
    fake_notify_listener(NOTIFY_GUEST_PANIC, &other.vcpus[0]);
    assert_non_null(strstr(fake_console.text, "-- another VM: guest panic"));
    assert_ptr_equal(monitor_vm(), &vm0);
    type("quit\r");
    fake_notify_listener(NOTIFY_GUEST_PANIC, &other.vcpus[0]);
    assert_non_null(strstr(fake_console.text, "-- monitor: guest panic; guest paused"));
    assert_ptr_equal(monitor_vm(), &other);
    monitor_choose_vm(&vm0);
}

static void random_bytes_do_no_harm(void **state)
{
    static unsigned int count;

    (void)state;
    (void)setjmp(fake_machine_ended); // reset and halt come back here
    while (count++ < 300000) {
        uint32_t kind = random_below(10);

        if (kind == 0)
            monitor_input('\r');
        else if (kind == 1)
            type(random_word());
        else if (kind == 2)
            monitor_input(random_below(40) == 0 ? CHANNEL_ATTENTION : '\t');
        else if (kind == 3 && random_below(50) == 0)
            monitor_open("chance");
        else if (kind == 4)
            type(random_below(2) ? "\x1b[A" : " ");
        else
            monitor_input((int)random_below(256));
        if (vm0.state == VM_RUNNING && random_below(100) == 0)
            vm0.state = VM_PAUSED;
    }
    while (monitor_reply_deferred())
        type("\x03");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(attention_takes_one_key, set_up),
        cmocka_unit_test_setup(anything_else_opens_the_prompt, set_up),
        cmocka_unit_test_setup(the_prompt_lets_only_errors_through_unless_told, set_up),
        cmocka_unit_test_setup(it_is_not_quiet_until_a_person_asks_for_the_prompt, set_up),
        cmocka_unit_test_setup(what_was_typed_for_the_guest_is_not_run, set_up),
        cmocka_unit_test_setup(attention_is_heard_where_nobody_was_there, set_up),
        cmocka_unit_test_setup(a_break_is_a_person, set_up),
        cmocka_unit_test_setup(what_a_terminal_answers_is_no_key, set_up),
        cmocka_unit_test_setup(a_break_can_reach_the_guest, set_up),
        cmocka_unit_test_setup(keys_that_send_sequences_still_work, set_up),
        cmocka_unit_test_setup(the_guests_wish_for_the_log_waits_for_the_end, set_up),
        cmocka_unit_test_setup(step_answers_when_the_steps_are_done, set_up),
        cmocka_unit_test_setup(who_leaves_while_it_steps_finds_a_prompt_again, set_up),
        cmocka_unit_test_setup(it_opens_by_itself_and_says_why, set_up),
        cmocka_unit_test_setup(an_event_is_about_its_own_vm, set_up),
        cmocka_unit_test_setup(random_bytes_do_no_harm, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
