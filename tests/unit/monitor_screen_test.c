// SPDX-License-Identifier: Apache-2.0
// The terminal: 80 columns, the pager, colours; and that what does not fit is folded and not cut.
#include "monitor_world.h"

#include <hv/boot_options.h>

#define ESCAPE "\033["

static void a_reason_is_said_whole(void **state)
{
    char reason[301];

    (void)state;
    memset(reason, 'r', sizeof(reason) - 1);
    reason[sizeof(reason) - 1] = '\0';
    monitor_open(reason);
    assert_non_null(strstr(fake_console.text, "-- monitor: "));
    assert_non_null(strstr(fake_console.text, reason));
    assert_non_null(
        strstr(fake_console.text, "; guest running\n-- help: commands; quit: back to the guest's console\n"));
}

static void assert_fits(const char *line, size_t columns)
{
    for (const char *row = fake_console.text; *row != '\0';) {
        size_t length = strcspn(row, "\n");

        if (length > columns && strncmp(row, "err ", 4) != 0)
            fail_msg("'%s' gives a line of %zu: '%.*s'", line, length, (int)length, row);
        row += length + (row[length] == '\n');
    }
}

static void every_table_fits_the_terminal(void **state)
{
    (void)state;
    for (unsigned int key = 0; key < KEY_COUNT; key++)
        telemetry_cpu[0].stat[key][0] = telemetry_cpu[0].stat[key][TELEMETRY_BUCKETS - 1] = 4000000000;
    for (unsigned int row = 0; row < policy_built.row_count; row++)
        telemetry_cpu[0].row_count[row] = 9999999999;
    for (unsigned int i = 0; i < 5; i++)
        telemetry_cpu[0].last[i] = (struct event){.sequence = i,
                                                  .pc = UINT64_MAX,
                                                  .address = UINT64_MAX,
                                                  .value = UINT64_MAX,
                                                  .syndrome = 0x93810006,
                                                  .key = KEY_HVC_GUEST_CONSOLE_WRITE};
    make_tables();
    for (unsigned int columns = 40; columns <= 132; columns += 46 - (columns == 40) * 6) {
        screen.columns = (uint16_t)columns;
        for (unsigned int i = 0; i < good_line_count; i++) {
            (void)run(good_lines[i]);
            if (strncmp(good_lines[i], "log", 3) != 0) // a record stays one line
                assert_fits(good_lines[i], columns);
        }
        (void)run("exc top 1000");
        assert_fits("exc top 1000", columns);
        for (unsigned int i = 0; i < monitor_command_count; i++) {
            char line[40];

            (void)snprintf(line, sizeof(line), "help %s", monitor_commands[i].name);
            (void)run(line);
            assert_fits(line, columns);
        }
    }
}

static void lines_are_folded_between_words_unless_told(void **state)
{
    (void)state;
    screen.columns = 40;
    says("vm walk 0x40000000", "\n    ");
    says("set width off", "ok");
    assert_string_equal(run("vm walk 0x40000000"), "ok");
    assert_null(strstr(fake_console.text, "\n    "));
    says("set width 60", "ok");
    says("set", "pager=off width=60 color=off");
    assert_string_equal(run("vm walk 0x40000000 -j"), "ok");
    assert_json("vm walk 0x40000000 -j");
}

// As a person types: a key, and a while nothing.
static void type_slowly(const char *keys)
{
    static uint64_t now = 1;

    for (; *keys != '\0'; keys++) {
        now += 62500000 / 10;
        fake_sysreg_set("CNTPCT_EL0", now);
        monitor_input((uint8_t)*keys);
    }
}

static unsigned int lines_sent(void)
{
    unsigned int lines = 0;

    for (const char *c = fake_console.text; *c != '\0'; c++)
        lines += *c == '\n';
    return lines;
}

static void pages_wait_for_a_key(void **state)
{
    (void)state;
    type("\x1d\r");
    screen.rows = 10;
    fake_console_clear();
    type_slowly("help\r");
    assert_true(strncmp(fake_console.input, "--more--", 8) == 0);
    assert_int_equal(lines_sent(), 1 + 9); // the end of the typed line, and one less than the terminal has
    assert_null(strstr(fake_console.text, "ok\n"));
    fake_console_clear();
    type_slowly("\r");
    assert_int_equal(lines_sent(), 1 + 1); // the pager's own line is wiped
    fake_console_clear();
    type_slowly(" ");
    assert_int_equal(lines_sent(), 1 + 9);
    fake_console_clear();
    type_slowly("q");
    assert_non_null(strstr(fake_console.text, "ok\n"));
    assert_int_equal(lines_sent(), 1 + 1);
    assert_string_equal(fake_console.input, PROMPT);
    type_slowly("help\ra");
    assert_string_equal(fake_console.input, PROMPT);
    assert_non_null(strstr(fake_console.text, "xp       "));
    type_slowly("help\r\x03");
    assert_string_equal(fake_console.input, PROMPT);
    type_slowly("help\r\x1d");
    assert_false(monitor_is_open());
    type("\x1d\r");
    assert_string_equal(fake_console.input, PROMPT);
}

static void a_script_is_not_paged_unless_it_asks(void **state)
{
    (void)state;
    type("\x1d\r");
    screen.rows = 10; // as the run script says of a terminal
    type("help\r");
    assert_string_equal(fake_console.input, PROMPT);
    type_slowly("help -j\r");
    assert_string_equal(fake_console.input, PROMPT);
    type_slowly("help\r");
    assert_true(strncmp(fake_console.input, "--more--", 8) == 0);
    type("q");
    type("help\r");
    assert_string_equal(fake_console.input, PROMPT);
    type("set pager 10\rhelp\r");
    assert_true(strncmp(fake_console.input, "--more--", 8) == 0);
    type("qset pager off\rhelp\r");
    assert_string_equal(fake_console.input, PROMPT);
    type_slowly("help\r");
    assert_string_equal(fake_console.input, PROMPT);
}

static void the_arrow_keys_are_typed_by_hand(void **state)
{
    (void)state;
    type("\x1d\r");
    screen.rows = 10;
    type_slowly("help\rq");
    type_slowly("\x1b");
    type("[A"); // the rest of the key Up comes at once
    type_slowly("\r");
    assert_true(strncmp(fake_console.input, "--more--", 8) == 0);
}

static void a_page_of_records_that_come_between_is_no_line_of_it(void **state)
{
    (void)state;
    type("\x1d\r");
    screen.rows = 10;
    type_slowly("help\r");
    monitor_open("again");
    assert_true(strncmp(fake_console.input, "--more--", 8) == 0);
    type_slowly("q");
    assert_string_equal(fake_console.input, PROMPT);
}

static void colours_are_for_terminals_that_have_them(void **state)
{
    (void)state;
    (void)run("exc");
    assert_null(strstr(fake_console.text, ESCAPE));
    screen_init(BOOT_OPTIONS_MAGIC << 32 | BOOT_OPTIONS_COLOR | FIELD_PREP(BOOT_OPTIONS_ROWS, 24) |
                FIELD_PREP(BOOT_OPTIONS_COLUMNS, 100));
    says("set", "pager=24 width=100 color=on");
    says("exc", ESCAPE "1mkey ");
    refused("regs 7", "err " ESCAPE "31mvcpu 7 is outside 0..1" ESCAPE "0m");
    assert_string_equal(run("exc -j"), "ok");
    assert_null(strstr(fake_console.text, ESCAPE));
    says("set color off", "ok");
    (void)run("exc");
    assert_null(strstr(fake_console.text, ESCAPE));
    refused("set color red", "err color 'red' is none of on, off");
    screen = (struct screen_settings){.columns = SCREEN_COLUMNS_DEFAULT};
    screen_init(0);
    says("set", "pager=off width=80 color=off");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_reason_is_said_whole, set_up_screen),
        cmocka_unit_test_setup(every_table_fits_the_terminal, set_up_screen),
        cmocka_unit_test_setup(lines_are_folded_between_words_unless_told, set_up_screen),
        cmocka_unit_test_setup(pages_wait_for_a_key, set_up_screen),
        cmocka_unit_test_setup(a_script_is_not_paged_unless_it_asks, set_up_screen),
        cmocka_unit_test_setup(the_arrow_keys_are_typed_by_hand, set_up_screen),
        cmocka_unit_test_setup(a_page_of_records_that_come_between_is_no_line_of_it, set_up_screen),
        cmocka_unit_test_setup(colours_are_for_terminals_that_have_them, set_up_screen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
