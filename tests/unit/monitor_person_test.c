// SPDX-License-Identifier: Apache-2.0
// The monitor for a person at a terminal: gdb's spellings, virtual addresses, 80 columns, the pager, colours; and that
// nothing is cut, ignored or said in another base. The world is monitor_test.c's.
// Links: monitor/*.c monitor/cmds/*.c policy/event_key.c policy/event_name.c policy/policy.c console/terminal_input.c
// Links: trace/telemetry.c arch/aarch64/esr_fields.c arch/aarch64/el1_regs.c mm/guest_walk.c mm/kernel_tables.c
// Links: lib/parse.c lib/printf.c lib/status.c
#define main unit_main
#include "monitor_test.c"
#undef main

#include <hv/arch/descriptor.h>
#include <hv/boot_options.h>
#include <hv/kernel_tables.h>
#include <hv/monitor_line.h>
#include <hv/monitor_screen.h>

#define ESCAPE "\033["

static int set_up_screen(void **state)
{
    screen = (struct screen_settings){.columns = SCREEN_COLUMNS_DEFAULT};
    return set_up(state);
}

// Runs line, which must be refused with words that begin so.
static void refused(const char *line, const char *words)
{
    const char *last = run(line);

    if (strncmp(last, words, strlen(words)) != 0)
        fail_msg("'%s' ended with '%s', not '%s'", line, last, words);
}

// Runs line, which must succeed and say words.
static void says(const char *line, const char *words)
{
    const char *last = run(line);

    if (strcmp(last, "ok") != 0 || strstr(sent, words) == NULL)
        fail_msg("'%s' says '%s', not '%s'", line, sent, words);
}

// ---- Words

static void a_word_too_many_is_never_ignored(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < ARRAY_COUNT(good); i++) {
        char line[200];

        (void)snprintf(line, sizeof(line), "%s zzz", good[i]);
        vm0.state = VM_RUNNING;
        if (strncmp(run(line), "err ", 4) != 0)
            fail_msg("'%s' is taken", line);
    }
    refused("exc top row call", "err n 'call' is not a number");
    refused("exc top 5 row", "err '5' is none of");
    refused("exc top class 2 3", "err usage: exc ");
    refused("log -n 2 -n 3", "err '-n' is none of");
    refused("mem read 0x40000000 16 4 0", "err '0' is one word too many");
    refused("sr \"x0", "err \"x0 has no second \"");
    refused("set pager", "err usage: set");
    refused("set color", "err usage: set");
    refused("set tabs 4", "err set 'tabs' is none of");
    refused("vm walk -k -t 0 0", "err usage: vm walk");
    refused("vm walk -q 0", "err '-q' is none of");
}

static void numbers_are_said_in_the_base_in_which_they_were_typed(void **state)
{
    (void)state;
    refused("gic 9", "err vcpu 9 is outside 0..1");
    refused("gic 0x9", "err vcpu 0x9 is outside 0x0..0x1");
    refused("inject irq 1020", "err irq 1020 is outside 0..1019");
    refused("inject irq 0x3fc", "err irq 0x3fc is outside 0x0..0x3fb");
    refused("inject irq 0x258", "err irq 0x258: ");
    refused("explain 99", "err event 99 is not kept");
    refused("explain 0x63", "err event 0x63 is not kept");
    refused("mem read 0x40000000 8K", "err bytes 8K is outside 1..4096");
    refused("mem read 1 4", "err 1 + 4 (");
    refused("mem find 0x40000000 65M 1", "err bytes 65M is more than 1M at once");
    refused("policy test 1073741824", "err 1073741824 is guest RAM");
    refused("set pager 3", "err pager 3 is outside 5..500");
}

static void exc_top_row_sorts_counts_and_cuts(void **state)
{
    char *first;

    (void)state;
    memset(telemetry_cpu[0].row_count, 0, sizeof(telemetry_cpu[0].row_count));
    telemetry_cpu[0].row_count[1] = 5;
    telemetry_cpu[0].row_count[2] = 700;
    telemetry_cpu[1].row_count[3] = 60;
    says("exc top row 2", "1 more: 'exc top row 1000' shows them");
    first = strstr(sent, " 700 ");
    assert_non_null(first);
    assert_non_null(strstr(first, " 60 "));
    assert_null(strstr(sent, "          5 "));
    assert_string_equal(run("exc top row 3"), "ok");
    assert_null(strstr(sent, "more"));
}

static void a_list_that_is_cut_says_so(void **state)
{
    (void)state;
    says("log -n 1", "2 older records are not shown: 'log -n 3'");
    assert_string_equal(run("log -n 3"), "ok");
    assert_null(strstr(sent, "older"));
    says("exc last 1", "older ones are kept: 'exc last 512' shows all");
    assert_string_equal(run("exc last 512"), "ok");
    assert_null(strstr(sent, "older"));
    telemetry_cpu[0].stat[KEY_CAUSE_WFI][3] = 1;
    says("exc top class 1", "more: 'exc top class 1000' shows them");
}

// ---- Nothing is cut

static void a_reason_is_said_whole(void **state)
{
    char reason[301];

    (void)state;
    memset(reason, 'r', sizeof(reason) - 1);
    reason[sizeof(reason) - 1] = '\0';
    monitor_open(reason);
    assert_non_null(strstr(sent, "-- monitor: "));
    assert_non_null(strstr(sent, reason));
    assert_non_null(strstr(sent, "; guest running\n-- help: commands; quit: back to the guest's console\n"));
}

static void an_error_is_said_whole(void **state)
{
    static const char *const begins[] = {"",
                                         "sr ",
                                         "log -c ",
                                         "log ",
                                         "exc top ",
                                         "mem read ",
                                         "policy test ",
                                         "gic ",
                                         "x ",
                                         "p/x ",
                                         "mem find 0x40000000 1 1 ",
                                         "exc ",
                                         "inject ",
                                         "explain ",
                                         "set pager ",
                                         "vm walk ",
                                         "help ",
                                         "hv ",
                                         "log level "};

    (void)state;
    for (unsigned int i = 0; i < ARRAY_COUNT(begins); i++) {
        char line[LINE_LENGTH_MAX + 1];
        const char *word = &line[strlen(begins[i])];

        memset(line, 'z', LINE_LENGTH_MAX);
        line[LINE_LENGTH_MAX] = '\0';
        memcpy(line, begins[i], strlen(begins[i]));
        const char *last = run(line);
        if (strncmp(last, "err ", 4) != 0 || strstr(last, word) == NULL || strstr(last, word)[strlen(word)] == '\0')
            fail_msg("'%s' ended with '%s'", line, last);
    }
}

// ---- gdb's spellings

static void print_and_examine_are_gdbs(void **state)
{
    (void)state;
    frames[0].x[0] = 0x1234;
    frames[0].x[30] = 0x40000100;
    frames[0].sp_el1 = 0x40000020;
    frames[0].spsr_el2 = 0x3c5;
    says("p/x $pc", "0x40000000\nok");
    says("p $x0", "x0             0x0000000000001234\n");
    says("print $x0", "0x0000000000001234\n");
    says("print/d $x0", "4660\n");
    says("p $x0+0x10", "0x1244\n");
    says("p/x $x0 - 4", "0x1230\n");
    says("p/x $lr + $x0 - 0x34", "0x40001300\n");
    says("p/d -1", "-1\n");
    says("p/u -1", "18446744073709551615\n");
    says("p/t 10", "1010\n");
    says("p/o 8", "010\n");
    says("p/c 0x41", "65 'A'\n");
    says("p/x 16", "0x10\n");
    says("p 0x7fffffffffffffff + 0x7fffffffffffffff + 3", "0x1\n");
    says("p/x $x0 -j", "{\"value\":\"0x1234\"}\n");
    says("i r", "PC             0x0000000040000000");
    says("info registers", "PC  ");
    says("i r pc", "pc             0x0000000040000000\n");
    says("info r $sp", "sp             0x0000000040000020\n");
    says("i r 1", "vcpu 1 is");
    says("info threads", "vcpu=1 power=on");
    says("i", "vm=running");
    memcpy(&memory[0x20], "hello\0\xff\x01", 9);
    says("x/s $sp", "0x40000020 \"hello\"\n");
    says("x/2s $sp", "0x40000026 \"\\xff\\x01\"\n");
    says("x/s $sp -j", "{\"va\":\"0x40000020\",\"string\":\"hello\"}\n");
    says("x/2xg $sp", "0x40000020 01ff006f6c6c6568 ");
    says("x/1xg $sp + 8", "0x40000028 ");
    says("x/2xb $sp", "0x40000020 68 65 ");
    says("x/2db $sp", "0x40000020 104\n0x40000021 101\n");
    says("x/1db 0x40000026", "0x40000026 -1\n");
    says("-j x/1xw 0x40000020", "\"data\":\"6c6c6568\"");
    refused("p", "err usage: print");
    refused("p/s 1", "err format '/s' is none of");
    refused("p/x", "err value is missing");
    refused("p/x main", "err value 'main' is not a number");
    refused("p/x $x0 +", "err an operator needs");
    refused("p/x $nope", "err no register 'nope'");
    refused("p/x 1 2", "err '2' does not belong to the expression");
    refused("x/2i $pc", "err format '/2i' is not");
    refused("x/s", "err va is missing");
    refused("bt", "err no command 'bt'");
}

static void the_vcpu_can_be_chosen(void **state)
{
    (void)state;
    frames[0].x[5] = 0x50;
    frames[1].x[5] = 0x51;
    says("vcpu", "vcpu=0\n");
    says("p/x $x5", "0x50\n");
    says("vcpu 1", "vcpu=1\n");
    says("p/x $x5", "0x51\n");
    says("regs", "vcpu 1 is");
    says("regs 0", "vcpu 0 is");
    says("thread 0", "vcpu=0\n");
    refused("vcpu 2", "err vcpu 2 is outside 0..1");
}

// ---- Virtual addresses

#define KERNEL_VA UINT64_C(0xffffff8000000000) // of 39 bits
#define KERNEL    0x1000u                      // in memory[]: level 1 table of the kernel
#define PROGRAM   0x2000u                      // of a program
#define VECTORS   0x3000u                      // of a trampoline, which has nothing of the kernel

static void put_entry(unsigned int table, unsigned int index, uint64_t descriptor)
{
    memcpy(&memory[table + index * 8], &descriptor, sizeof(descriptor));
}

// 4 KiB granule, two halves of 39 bits; a block of 1 GiB gives RAM at 1 GiB in each.
static void make_tables(void)
{
    uint64_t block = GUEST_RAM_IPA | DESC_VALID | DESC_AF;

    memset(memory, 0, sizeof(memory));
    put_entry(KERNEL, 1, block);
    put_entry(PROGRAM, 2, block | S1_DESC_AP_EL0);
    fake_sysreg_set("SCTLR_EL1", SCTLR_ELX_M);
    fake_sysreg_set("TCR_EL1", FIELD_PREP(TCR_EL1_T0SZ, 25) | FIELD_PREP(TCR_EL1_T1SZ, 25) |
                                   FIELD_PREP(TCR_EL1_TG1, 2) | FIELD_PREP(TCR_EL1_IPS, 5));
    fake_sysreg_set("TTBR0_EL1", GUEST_RAM_IPA + PROGRAM);
    fake_sysreg_set("TTBR1_EL1", GUEST_RAM_IPA + KERNEL);
    frames[0].sp_el1 = frames[1].sp_el1 = KERNEL_VA + 0x40000800;
    frames[0].sp_el0 = 0x80000040;
    frames[0].spsr_el2 = frames[1].spsr_el2 = 0x3c5;
}

// What Linux leaves in TTBR1_EL1 under KPTI while a program runs.
static void enter_program(void)
{
    fake_sysreg_set("TTBR1_EL1", GUEST_RAM_IPA + VECTORS);
    frames[0].spsr_el2 = 0;
}

static void virtual_addresses_go_through_stage_1(void **state)
{
    (void)state;
    make_tables();
    memcpy(&memory[0x800], "kernel words", 12);
    memcpy(&memory[0x40], "program words", 13);
    says("mem read -v 0xffffff8040000800 12", "0xffffff8040000800 6e72656b 77206c65 7364726f ");
    says("x/3xw $sp", "0xffffff8040000800 6e72656b 77206c65 7364726f ");
    says("mem read -v $sp 12 4 1", "0xffffff8040000800 6e72656b");
    says("mem read -v $sp 12 -j", "\"va\":\"0xffffff8040000800\"");
    enter_program();
    says("x/2xw $sp", "0x80000040 676f7270 206d6172 ");
    says("xp/2xw 0x40000040", "0x40000040 676f7270 206d6172 ");
    refused("mem read -v 0 4", "err va 0x0: stage 1: invalid descriptor, level 1");
    refused("x 0xbffffff0", "err va 0xbffffff0 is ipa 0x7ffffff0, which is not all in guest RAM");
    // The first page is there, the next one is not: what is there is shown.
    put_entry(PROGRAM, 0, 0);
    refused("mem read -v 0x7ffffff8 16", "err va 0x7ffffff8: ");
    fake_sysreg_set("SCTLR_EL1", 0);
    says("x/1xw 0x40000040", "0x40000040 676f7270 ");
}

static void a_trampoline_is_told_from_the_kernels_tables(void **state)
{
    (void)state;
    make_tables();
    says("vm walk 0xffffff8040000000", "el=1 table=TTBR1_EL1 value=0x40001000 from=now\n");
    enter_program();
    refused("vm walk 0xffffff8040000000",
            "err stage 1: invalid descriptor, level 1; TTBR1_EL1 lacks the kernel's stack");
    assert_non_null(strstr(sent, "el=0 table=TTBR1_EL1 value=0x40003000 from=now\n"));
    refused("x/1xw 0xffffff8040000000", "err va 0xffffff8040000000: stage 1: invalid descriptor, level 1; TTBR1_EL1");
    refused("vm walk -k 0xffffff8040000000", "err no tables in which vCPU 0's kernel has its stack");
    says("vm walk -t 0x40001000 0xffffff8040000000", "value=0x40001000 from=-t\n");
    refused("vm walk -t 0x40003000 0xffffff8040000000", "err stage 1: invalid descriptor, level 1");
    // Seen once a second: not while a program runs, but while the kernel does.
    kernel_tables_look(&vm0.vcpus[0]);
    assert_int_equal(vm0.vcpus[0].kernel_ttbr1, 0);
    fake_sysreg_set("TTBR1_EL1", GUEST_RAM_IPA + KERNEL);
    kernel_tables_look(&vm0.vcpus[0]);
    enter_program();
    kernel_tables_look(&vm0.vcpus[0]);
    assert_int_equal(vm0.vcpus[0].kernel_ttbr1, GUEST_RAM_IPA + KERNEL);
    says("vm walk -k 0xffffff8040000000", "value=0x40001000 from=seen before\n");
    says("mem read -k 0xffffff8040000000 4", "0xffffff8040000000 00000000 ");
    says("x/1xw -k 0xffffff8040000000", "0xffffff8040000000 00000000 ");
    says("vm walk -k 0x80000000", "table=TTBR0_EL1 value=0x40002000 from=now\n");
    // What was seen is looked at again: a kernel that has moved is not found where it was.
    put_entry(KERNEL, 1, 0);
    refused("vm walk -k 0xffffff8040000000", "err no tables in which");
    put_entry(KERNEL, 1, GUEST_RAM_IPA | DESC_VALID | DESC_AF);
    vm0.vcpus[0].kernel_ttbr1 = 0;
    vm0.vcpus[1].kernel_ttbr1 = GUEST_RAM_IPA + KERNEL;
    says("vm walk -k 0xffffff8040000000", "value=0x40001000 from=another vCPU\n");
}

// ---- 80 columns

static void assert_fits(const char *line, size_t columns)
{
    for (const char *row = sent; *row != '\0';) {
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
    for (unsigned int row = 0; row < policy_row_count; row++)
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
        for (unsigned int i = 0; i < ARRAY_COUNT(good); i++) {
            (void)run(good[i]);
            if (strncmp(good[i], "log", 3) != 0) // a record stays one line
                assert_fits(good[i], columns);
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
    assert_null(strstr(sent, "\n    "));
    says("set width 60", "ok");
    says("set", "pager=off width=60 color=off");
    assert_string_equal(run("vm walk 0x40000000 -j"), "ok");
    assert_json("vm walk 0x40000000 -j");
}

// ---- The pager

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

    for (const char *c = sent; *c != '\0'; c++)
        lines += *c == '\n';
    return lines;
}

static void start_reply(void)
{
    sent_count = 0;
    sent[0] = '\0';
}

static void pages_wait_for_a_key(void **state)
{
    (void)state;
    type("\x1d\r");
    screen.rows = 10;
    start_reply();
    type_slowly("help\r");
    assert_true(strncmp(shown, "--more--", 8) == 0);
    assert_int_equal(lines_sent(), 1 + 9); // the end of the typed line, and one less than the terminal has
    assert_null(strstr(sent, "ok\n"));
    start_reply();
    type_slowly("\r");
    assert_int_equal(lines_sent(), 1 + 1); // the pager's own line is wiped
    start_reply();
    type_slowly(" ");
    assert_int_equal(lines_sent(), 1 + 9);
    start_reply();
    type_slowly("q");
    assert_non_null(strstr(sent, "ok\n"));
    assert_int_equal(lines_sent(), 1 + 1);
    assert_string_equal(shown, PROMPT);
    type_slowly("help\ra");
    assert_string_equal(shown, PROMPT);
    assert_non_null(strstr(sent, "xp       "));
    type_slowly("help\r\x03");
    assert_string_equal(shown, PROMPT);
    type_slowly("help\r\x1d");
    assert_false(monitor_is_open());
    type("\x1d\r");
    assert_string_equal(shown, PROMPT);
}

static void a_script_is_not_paged_unless_it_asks(void **state)
{
    (void)state;
    type("\x1d\r");
    screen.rows = 10; // as the run script says of a terminal
    type("help\r");
    assert_string_equal(shown, PROMPT);
    type_slowly("help -j\r");
    assert_string_equal(shown, PROMPT);
    type_slowly("help\r");
    assert_true(strncmp(shown, "--more--", 8) == 0);
    type("q");
    type("help\r");
    assert_string_equal(shown, PROMPT);
    type("set pager 10\rhelp\r");
    assert_true(strncmp(shown, "--more--", 8) == 0);
    type("qset pager off\rhelp\r");
    assert_string_equal(shown, PROMPT);
    type_slowly("help\r");
    assert_string_equal(shown, PROMPT);
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
    assert_true(strncmp(shown, "--more--", 8) == 0);
}

static void a_page_of_records_that_come_between_is_no_line_of_it(void **state)
{
    (void)state;
    type("\x1d\r");
    screen.rows = 10;
    type_slowly("help\r");
    monitor_open("again");
    assert_true(strncmp(shown, "--more--", 8) == 0);
    type_slowly("q");
    assert_string_equal(shown, PROMPT);
}

// ---- Colours

static void colours_are_for_terminals_that_have_them(void **state)
{
    (void)state;
    (void)run("exc");
    assert_null(strstr(sent, ESCAPE));
    screen_init(BOOT_OPTIONS_MAGIC << 32 | BOOT_OPTIONS_COLOR | FIELD_PREP(BOOT_OPTIONS_ROWS, 24) |
                FIELD_PREP(BOOT_OPTIONS_COLUMNS, 100));
    says("set", "pager=24 width=100 color=on");
    says("exc", ESCAPE "1mgroup ");
    refused("regs 7", "err " ESCAPE "31mvcpu 7 is outside 0..1" ESCAPE "0m");
    assert_string_equal(run("exc -j"), "ok");
    assert_null(strstr(sent, ESCAPE));
    says("set color off", "ok");
    (void)run("exc");
    assert_null(strstr(sent, ESCAPE));
    refused("set color red", "err color 'red' is none of on, off");
    screen = (struct screen_settings){.columns = SCREEN_COLUMNS_DEFAULT};
    screen_init(0);
    says("set", "pager=off width=80 color=off");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_word_too_many_is_never_ignored, set_up_screen),
        cmocka_unit_test_setup(numbers_are_said_in_the_base_in_which_they_were_typed, set_up_screen),
        cmocka_unit_test_setup(exc_top_row_sorts_counts_and_cuts, set_up_screen),
        cmocka_unit_test_setup(a_list_that_is_cut_says_so, set_up_screen),
        cmocka_unit_test_setup(a_reason_is_said_whole, set_up_screen),
        cmocka_unit_test_setup(an_error_is_said_whole, set_up_screen),
        cmocka_unit_test_setup(print_and_examine_are_gdbs, set_up_screen),
        cmocka_unit_test_setup(the_vcpu_can_be_chosen, set_up_screen),
        cmocka_unit_test_setup(virtual_addresses_go_through_stage_1, set_up_screen),
        cmocka_unit_test_setup(a_trampoline_is_told_from_the_kernels_tables, set_up_screen),
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
