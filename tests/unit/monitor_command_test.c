// SPDX-License-Identifier: Apache-2.0
// Commands: every line gets a reply that ends in "ok" or "err ...", with -j the rows are JSON, and nothing that was
// typed is ignored, cut, or said in another base.
#include "monitor_world.h"

#include <hv/monitor_line.h>
#include <hv/monitor_out.h>

// The format's check by the compiler is for the caller of out(); here the row is the input.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
static void assert_row(bool json, const char *row, const char *expected)
{
    fake_console.length = 0;
    out_begin(json);
    out(row, 1u, "two", 3ul);
    out_end(NULL);
    fake_console.text[fake_console.length] = '\0';
    assert_string_equal(fake_console.text, expected);
}
#pragma GCC diagnostic pop

static void no_row_moves_an_argument_to_another_conversion(void **state)
{
    char row[3000];

    (void)state;
    assert_row(false, "a=%u b:%s c=0x%lx 100%%\n", "a=1 two c=0x3 100%\nok\n");
    assert_row(true, "a=%u b:%s c=0x%lx 100%%\n", "{\"a\":1,\"b\":\"two\",\"c\":\"0x3\"}\nok\n");
    assert_row(false, "table=TTBR%u b=%s c=%lu\n", "table=TTBR1 b=two c=3\nok\n");
    assert_row(true, "table=TTBR%u b=%s c=%lu\n", "{\"unnamed\":1,\"b\":\"two\",\"c\":3}\nok\n");
    assert_row(true, "%u, %s and c=%lu\n", "{\"unnamed\":1,\"unnamed\":\"two\",\"c\":3}\nok\n");
    assert_row(true, "a=%u b=%c c=%s\n", "{\"a\":1}\nok\n"); // what a row cannot have: no further argument
    assert_row(true, "a=%u b=%.*s c=%s\n", "{\"a\":1}\nok\n");
    assert_row(true, "a=%u b=%", "{\"a\":1}\nok\n");
    assert_row(true, "a=%u b=%l", "{\"a\":1}\nok\n");
    memset(row, 'x', sizeof(row)); // longer than the format may be
    row[sizeof(row) - 1] = '\0';
    assert_row(true, row, "ok\n");
    memcpy(&row[sizeof(row) - 4], "=%u", 4);
    assert_row(true, row, "{\"unnamed\":1}\nok\n");
}

static void good_lines_end_in_ok_and_give_json(void **state)
{
    char line[200];

    (void)state;
    fake_sysreg_set("SCTLR_EL2", SCTLR_ELX_M | SCTLR_ELX_C | SCTLR_ELX_I | SCTLR_ELX_WXN);
    for (unsigned int i = 0; i < good_line_count; i++) {
        const char *last = run(good_lines[i]);

        // The counter stands still here, which selftest is right to refuse.
        if (strcmp(last, "ok") != 0 && strcmp(good_lines[i], "hv selftest") != 0)
            fail_msg("'%s' ended with '%s'", good_lines[i], last);
    }
    for (unsigned int i = 0; i < good_line_count; i++) {
        (void)snprintf(line, sizeof(line), i % 2 == 0 ? "%s -j" : "-j %s", good_lines[i]);
        if (!is_end(run(line)))
            fail_msg("'%s' has no end", line);
        assert_json(line);
    }
}

static const struct {
    const char *line; // a command, and the word that chooses an alternative
    unsigned int min, max;
    const char *usage;
} usages[] = {
    {"close", 0, 0, "close "},
    {"exc", 0, 3, "exc [top [class|cause|call|device|register|row|<class>] [n]] | last [n] | log | reset"},
    {"exc last", 0, 1, "exc last [n]"},
    {"exc reset", 0, 0, "exc reset"},
    {"explain", 1, 2, "explain <seq> [vcpu] | esr <value>"},
    {"explain esr", 1, 1, "explain esr <value>"},
    {"gic", 0, 1, "gic [vcpu]"},
    {"halt", 0, 0, "halt "},
    {"help", 0, 1, "help [command]"},
    {"hv", 1, 1, "hv selftest"},
    {"inject", 1, 2, "inject undef|abort|serror [vcpu] | irq <n> [vcpu] | break"},
    {"inject irq", 1, 2, "inject irq <n> [vcpu]"},
    {"log", 0, 4, "log [-n N] [-c class] | level [name] | clear | previous | follow on|off"},
    {"log level", 0, 1, "log level [name]"},
    {"log clear", 0, 0, "log clear"},
    {"log previous", 0, 0, "log previous"},
    {"mem", 2, 6,
     "mem read [-v|-k] <address> [bytes [width [vcpu]]] | write <ipa> <value> [width] | "
     "find <ipa> <bytes> <value|text> [width] | "
     "crc <ipa> <bytes>"},
    {"mem read", 1, 5, "mem read [-v|-k] <address> [bytes [width [vcpu]]]"},
    {"mem write", 2, 3, "mem write <ipa> <value> [width]"},
    {"mem find", 3, 4, "mem find <ipa> <bytes> <value|text> [width]"},
    {"mem crc", 2, 2, "mem crc <ipa> <bytes>"},
    {"pause", 0, 0, "pause "},
    {"policy", 1, 1,
     "policy show | stat | test [read|write] <register|device|call|ipa> | "
     "set <register|device|call> [read|write] allow|emulate|deny|pause | "
     "request <transport> <device> <request> [sector [sectors]]"},
    {"policy request", 3, 5, "policy request <transport> <device> <request> [sector [sectors]]"},
    {"policy stat", 0, 0, "policy stat"},
    {"policy test", 1, 2, "policy test [read|write] <register|device|call|ipa>"},
    {"regs", 0, 1, "regs [vcpu]"},
    {"reset", 0, 0, "reset "},
    {"resume", 0, 0, "resume "},
    {"sr", 1, 3, "sr <name> [value [vcpu]]"},
    {"status", 0, 0, "status "},
    {"step", 0, 2, "step [n [vcpu]]"},
    {"sym", 0, 1, "sym [<address|name>]"},
    {"timer", 0, 1, "timer [vcpu]"},
    {"version", 0, 0, "version "},
    {"virtio", 0, 0, "virtio "},
    {"vm", 2, 6, "vm walk [-k] [-t <table>] <va> [vcpu]"},
    {"vcpu", 0, 1, "vcpu [n]"},
    {"set", 0, 2, "set [pager|width|color|json <number|off|on>]"},
    {"print", 1, MONITOR_WORDS_MAX, "print [/x|a|d|u|o|t|c] <expression> ... | <register> [value [vcpu]]"},
    {"x", 1, MONITOR_WORDS_MAX, "x [/<count><x|a|d|u|o|t|c|s><b|h|w|g>] [-k] <address> ... [bytes [width]]"},
    {"xp", 1, MONITOR_WORDS_MAX, "xp [/<count><x|a|d|u|o|t|c|s><b|h|w|g>] <ipa> ... [bytes [width]]"},
};

static void wrong_counts_of_words_get_the_usage(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < ARRAY_COUNT(usages); i++) {
        char expected[256], line[200];

        (void)snprintf(expected, sizeof(expected), "err usage: %s", usages[i].usage);
        (void)snprintf(line, sizeof(line), "%s", usages[i].line);
        for (unsigned int count = 0; count < MONITOR_WORDS_MAX - 1; count++, (void)strcat(line, " 0")) {
            bool fits = count >= usages[i].min && count <= usages[i].max;

            if (fits)
                assert_reply_ends(line);
            else
                assert_string_equal(run(line), expected);
        }
    }
    assert_string_equal(run("a b c d e f g h i j k l m n o p q"), "err more than 16 words");
    assert_string_equal(run("nonsense"), "err no command 'nonsense' (help lists them)");
    assert_string_equal(run("-j"), "err usage: <command> -j");
    assert_string_equal(run(""), "");
    assert_string_equal(run("   "), "");
}

static void bad_words_are_named(void **state)
{
    static const char *const rows[][2] = {
        {"mem read x", "err ipa 'x' is not a number"},
        {"mem read 0 1 3", "err width '3' is none of"},
        {"mem read 0x90000000", "err 0x90000000 + 64"},
        {"mem read 0x40000000 0x1001", "err bytes 0x1001 is outside 0x1..0x1000"},
        {"mem write 0x40000000 0x100 1", "err value 0x100 is outside 0x0..0xff"},
        {"mem find 0x40000000 64 \"\"", "err nothing to look for"},
        {"mem find 0x40000000 1G 1", "err bytes 1G is more than 1M at once"},
        {"mem crc 0x40000000 0", "err 0x40000000 + 0 (empty)"},
        {"xp /4i 0", "err format '/4i' is not"},
        {"xp /x4w 0x40000000", "err format '/x4w' is not"},
        {"x/0xw 0x40000000", "err 0 bytes is outside 1..4096"},
        {"x/xw 0x40000000 4", "err '4' is one word too many"},
        {"xp 0x40000000 4 4 4", "err '4' is one word too many"},
        {"x/4xw", "err va is missing"},
        {"regs 2", "err vcpu 2 is outside 0..1"},
        {"sr nope", "err no register 'nope'"},
        {"sr x31", "err no register 'x31'"},
        {"sr SPSR_EL2 0x3c9", "err SPSR_EL2.M may be"}, // EL2
        {"sr PSTATE 0x3cd", "err SPSR_EL2.M may be"},   // EL3
        {"sr pstate 0x10", "err SPSR_EL2.M may be"},    // AArch32
        {"sr cpsr 0x3d3", "err SPSR_EL2.M may be"},
        {"p $cpsr 0x3d5", "err SPSR_EL2.M may be"},
        {"sr ID_AA64MMFR0_EL1 1", "err ID_AA64MMFR0_EL1: "},
        {"policy test maybe pl011", "err 'maybe' is none of read, write"},
        {"policy test 0x40000000", "err 0x40000000 is guest RAM"},
        {"policy drop", "err policy 'drop' is none of"},
        {"policy request 32 block read", "err '32' is no transport from 0 to 31"},
        {"policy request x block read", "err 'x' is no transport from 0 to 31"},
        {"policy request 0 blok read", "err 'blok' is none of net, block"},
        {"policy request 0 block tx", "err 'tx' is no request of block"},
        {"policy request 0 rng read", "err 'read' is no request of rng"},
        {"policy request 0 block read 1z", "err '1z' is no number"},
        {"policy request 0 block read 1 2z", "err '2z' is no number"},
        {"inject irq 1020", "err irq 1020 is outside 0..1019"},
        {"inject irq 600", "err irq 600: "},
        {"inject pain", "err inject 'pain' is none of"},
        {"explain 99", "err event 99 is not kept"},
        {"exc last 0", "err n 0 is outside 1.."},
        {"exc top most", "err 'most' is none of"},
        {"log -n", "err N '' is not a number"},
        {"log fast", "err 'fast' is none of -n, -c, level"},
        {"log -c what", "err no class 'what'"},
        {"log level loud", "err level 'loud' is none of"},
        {"step", "err the guest is running: pause it first"},
        {"resume", "err the guest is running"},
        {"hv crash", "err hv 'crash' is not selftest"},
        {"vm fly 0", "err vm 'fly' is not walk"},
        {"info nothing", "err no command 'nothing'"},
    };

    (void)state;
    for (unsigned int i = 0; i < ARRAY_COUNT(rows); i++) {
        const char *last = run(rows[i][0]);

        if (strncmp(last, rows[i][1], strlen(rows[i][1])) != 0)
            fail_msg("'%s' ended with '%s'", rows[i][0], last);
    }
}

static void a_refused_machine_has_no_vcpu(void **state)
{
    static const char *const lines[] = {"regs",
                                        "regs 1",
                                        "gic",
                                        "timer",
                                        "step",
                                        "sr x0",
                                        "vm walk 0",
                                        "inject undef",
                                        "inject irq 33",
                                        "mem read 0x40000000",
                                        "mem write 0x40000000 0",
                                        "mem crc 0x40000000 4",
                                        "mem find 0x40000000 4 0",
                                        "hv selftest"};

    (void)state;
    vm0.vcpu_count = 0;
    for (unsigned int i = 0; i < ARRAY_COUNT(lines); i++)
        assert_string_equal(run(lines[i]), "err the machine was refused: there is no guest");
}

static void timer_says_how_late_interrupts_came(void **state)
{
    (void)state;
    fake_sysreg_set("CNTFRQ_EL0", 62500000);
    assert_string_equal(run("timer"), "ok");
    assert_non_null(strstr(fake_console.text, "late_below_us=1 interrupts=3\nlate_below_us=263 interrupts=20\n"
                                              "late_from_us=67108 interrupts=1\nok"));
}

static void virtio_shows_device_queues_and_counters(void **state)
{
    (void)state;
    assert_string_equal(run("virtio"), "ok");
    assert_non_null(strstr(fake_console.text, "transport=1 device=net intid=49 state=works"));
    assert_string_equal(run("info virtio -j"), "ok");
    assert_non_null(strstr(
        fake_console.text,
        "{\"transport\":1,\"device\":\"net\",\"intid\":49,\"state\":\"works\",\"status\":\"0xf\",\"interrupt\":\"0x1\","
        "\"offered\":\"0x130000020\",\"negotiated\":\"0x100000020\",\"row\":7}\n"
        "{\"transport\":1,\"queue\":0,\"ready\":true,\"size\":128,\"size_max\":256,\"in_flight\":5,\"avail\":7,"
        "\"used\":2,\"waits_for\":\"rate\"}\n"));
    assert_non_null(
        strstr(fake_console.text,
               "{\"transport\":1,\"requests\":11,\"bytes_read\":12,\"bytes_written\":13,\"refused\":14,\"delayed\":15,"
               "\"notifications\":16,\"interrupts\":17,\"faults\":18,\"resets\":19}\nok"));
}

// As the log names it, so that a person finds the record by what explain says and the other way round.
static void an_unknown_register_is_named_by_its_encoding(void **state)
{
    (void)state;
    telemetry_cpu[0].last[4] = (struct event){.sequence = 4, .syndrome = 0x62300003, .key = KEY_SYSREG_UNKNOWN};
    assert_string_equal(run("explain 4 0"), "ok");
    assert_non_null(strstr(fake_console.text, "key=S3_0_C0_C1_0"));
    assert_null(strstr(fake_console.text, "unknown"));
    assert_string_equal(run("exc last 1"), "ok");
    assert_non_null(strstr(fake_console.text, "S3_0_C0_C1_0"));
    telemetry_cpu[0].last[4].key = KEY_CNTP_CTL_EL0;
    assert_string_equal(run("explain 4 0"), "ok");
    assert_non_null(strstr(fake_console.text, "key=CNTP_CTL_EL0"));
}

// An event and the records around it are laid side by side, so all times count from the begin of the log.
static void times_count_from_the_begin_of_the_log(void **state)
{
    (void)state;
    fake_sysreg_set("CNTFRQ_EL0", 1000000);
    fake_sysreg_set("CNTPCT_EL0", 7000900);
    telemetry_cpu[0].last[4] = (struct event){.sequence = 4, .entry = 7000500};
    fake_log.start = 7000000;
    says("status", "up_us=900");
    says("explain 4 0", "us=500\n");
    says("exc last 1", "         500 0");
    fake_log.start = 0;
}

// No row of the policy is named for what none decides.
static void an_interrupt_has_no_row(void **state)
{
    (void)state;
    telemetry_cpu[0].last[4] = (struct event){.sequence = 4, .key = KEY_CAUSE_IRQ, .row = POLICY_ROW_NONE};
    says("explain 4 0", "by none none no row decides about it");
    says("exc last 1", " none\n");
}

static void writes_are_done_and_recorded(void **state)
{
    (void)state;
    fake_log.records = fake_injected = 0;
    assert_string_equal(run("mem write 0x40000010 0x11223344"), "ok");
    assert_int_equal(fake_guest_memory[0x10], 0x44);
    assert_int_equal(fake_guest_memory[0x13], 0x11);
    assert_string_equal(run("sr sp_el0 0x1234 1"), "ok");
    assert_int_equal(frames[1].sp_el0, 0x1234);
    frames[1].spsr_el2 = 0x3c5; // EL1h
    assert_string_equal(run("p $sp 0x5678 1"), "ok");
    assert_int_equal(frames[1].sp_el1, 0x5678);
    frames[1].spsr_el2 = 0x3c4; // EL1t
    assert_string_equal(run("sr SP 0x9abc 1"), "ok");
    assert_int_equal(frames[1].sp_el0, 0x9abc);
    assert_string_equal(run("sr X3 7"), "ok");
    assert_int_equal(frames[0].x[3], 7);
    assert_string_equal(run("inject serror 1"), "ok");
    assert_string_equal(run("inject irq 33"), "ok");
    assert_int_equal(fake_injected, 1);
    assert_int_equal(fake_log.records, 7);
}

static void pstate_is_what_el2_returns_with(void **state)
{
    static const char *const spellings[] = {"PSTATE", "pstate", "cpsr", "$cpsr", "SPSR_EL2"};
    static const char *const allowed[] = {"0x3c5", "0x345", "0x80000004", "0x0"};
    static const char *const refused[] = {"0x10", "0x3c8", "0x3c9", "0x3cd", "0x3d5", "0x3df", "0xffffffffffffffff"};
    char line[64];

    (void)state;
    for (unsigned int spelling = 0; spelling < ARRAY_COUNT(spellings); spelling++) {
        for (unsigned int i = 0; i < ARRAY_COUNT(allowed); i++) {
            snprintf(line, sizeof(line), "sr %s %s 1", spellings[spelling], allowed[i]);
            assert_string_equal(run(line), "ok");
            assert_int_equal(frames[1].spsr_el2, strtoull(allowed[i], NULL, 0));
        }
        for (unsigned int i = 0; i < ARRAY_COUNT(refused); i++) {
            snprintf(line, sizeof(line), "sr %s %s 1", spellings[spelling], refused[i]);
            assert_memory_equal(run(line), "err ", 4);
            assert_int_equal(frames[1].spsr_el2, 0);
        }
    }
    // A program of 32 bits that is there already may have other flags, but no other mode.
    frames[1].spsr_el2 = 0x10;
    assert_string_equal(run("sr PSTATE 0x60000030 1"), "ok");
    assert_int_equal(frames[1].spsr_el2, 0x60000030);
    assert_memory_equal(run("sr PSTATE 0x13 1"), "err ", 4);
    assert_int_equal(frames[1].spsr_el2, 0x60000030);
}

static void a_word_too_many_is_never_ignored(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < good_line_count; i++) {
        char line[200];

        (void)snprintf(line, sizeof(line), "%s zzz", good_lines[i]);
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
    first = strstr(fake_console.text, " 700 ");
    assert_non_null(first);
    assert_non_null(strstr(first, " 60 "));
    assert_null(strstr(fake_console.text, "          5 "));
    assert_string_equal(run("exc top row 3"), "ok");
    assert_null(strstr(fake_console.text, "more"));
}

// diag.toml, with which the tests are built, gives a guest all devices.
static void a_request_is_judged_without_being_made(void **state)
{
    (void)state;
    says("policy request 0 block write 8 8 -j", "\"device\":\"block\",\"transport\":0,\"request\":\"write\","
                                                "\"verdict\":\"emulate\",\"at\":\"policy/diag.toml:");
    says("policy request 31 rng any", "emulate");
    says("policy request 3 net tx", "virtio *");
}

static void suppressed_records_have_a_column(void **state)
{
    (void)state;
    memset(telemetry_cpu, 0, sizeof(telemetry_cpu));
    telemetry_cpu[0].stat[KEY_CAUSE_WFI][3] = 2;
    fake_log.suppressed_of_key[KEY_CAUSE_WFI] = 990;
    fake_log.suppressed_row = 1;
    fake_log.suppressed_of_row = 77;
    says("exc", "%   990 ");
    says("exc -j", "\"suppressed\":990");
    says("policy stat -j", "\"row\":1,\"count\":0,\"logged\":0,\"suppressed\":77,");
    fake_log.virtio_count = 5;
    says("policy stat -j", "\"row\":1,\"count\":5,\"logged\":0,\"suppressed\":77,");
    assert_string_equal(run("exc reset"), "ok");
    says("policy stat -j", "\"row\":1,\"count\":0,\"logged\":0,\"suppressed\":77,");
    fake_log.suppressed_of_key[KEY_CAUSE_WFI] = fake_log.suppressed_of_row = 0;
}

// Three ways to add up all exits: by key, by class, by row and none.
static void the_sums_agree(void **state)
{
    (void)state;
    memset(telemetry_cpu, 0, sizeof(telemetry_cpu));
    telemetry_cpu[0].stat[KEY_CAUSE_IRQ][TELEMETRY_BUCKETS - 1 - 2] = 100;
    telemetry_cpu[0].stat[KEY_CAUSE_IRQ][TELEMETRY_BUCKETS] = 250;
    telemetry_cpu[0].stat[KEY_PSCI_VERSION][3] = 40;
    telemetry_cpu[1].stat[KEY_PSCI_VERSION][3] = 2;
    telemetry_cpu[1].smc_count[KEY_PSCI_VERSION - KEY_HVC_FIRST] = 2;
    telemetry_cpu[1].stat[KEY_DEVICE_PL011][3] = 7;
    telemetry_cpu[1].stat[KEY_CTR_EL0][3] = 1;
    telemetry_cpu[0].row_count[1] = 40;
    telemetry_cpu[1].row_count[0] = 10;
    telemetry_cpu[0].row_count[POLICY_ROW_NONE] = 100;
    fake_log.virtio_count = 3;
    says("exc", "150 exits: 100 cause, 42 call, 7 device, 1 register\n");
    says("exc top cause", "irq                           100  66%     0  32ns  48ns  48ns  48ns |@       |\n");
    says("exc top class",
         "class              count share keys\nirq                  100   66%    1  a physical interrupt");
    says("exc top class", "\nsmc                    2    1%    1  ");
    says("exc top class", "\nhvc                   40   26%    1  ");
    says("exc top class", "150 exits: the sum of all classes\n");
    says("exc top hvc", "150 exits, 40 in hvc\n");
    says("exc top hvc", "psci-version                   40  26%");
    says("exc top smc", "psci-version                    2   1%");
    says("exc top class -j", "{\"class\":\"dabt\",\"count\":7,\"percent\":4,\"keys\":1}");
    says("exc top dabt -j", "{\"exits\":150,\"listed\":7,\"class\":\"dabt\"}");
    says("exc top irq -j", "\"min_ns\":32,\"p50_ns\":48,\"p99_ns\":48,\"max_ns\":48,\"buckets\":[0,0,100,0,");
    says("exc top row", "150 exits: 50 decided by rows, 100 by none; ");
    says("exc top row -j", "{\"exits\":150,\"decided\":50,\"none\":100,\"requests\":");
    fake_log.virtio_count = 0;
}

// An exit that is longer than the histogram counts is said to be just that, and never to have taken no time.
static void a_long_exit_is_not_said_to_be_short(void **state)
{
    (void)state;
    memset(telemetry_cpu, 0, sizeof(telemetry_cpu));
    telemetry_cpu[0].stat[KEY_CAUSE_WFI][0] = 2;
    telemetry_cpu[0].stat[KEY_CAUSE_WFI][TELEMETRY_BUCKETS] = UINT64_C(3) << 29;
    says("exc", "wfi                             2 100%     0  8.5s >8.5s >8.5s >8.5s |       @|");
    telemetry_cpu[0].stat[KEY_CAUSE_WFI][0] = 0;
    telemetry_cpu[0].stat[KEY_CAUSE_WFI][TELEMETRY_BUCKETS - 1] = 2;
    telemetry_cpu[0].stat[KEY_CAUSE_WFI][TELEMETRY_BUCKETS] = 0;
    says("exc", "wfi                             2 100%     0     0     0     0     0 |@       |");
}

static void a_list_that_is_cut_says_so(void **state)
{
    (void)state;
    says("log -n 1", "2 older records are not shown: 'log -n 3'");
    assert_string_equal(run("log -n 3"), "ok");
    assert_null(strstr(fake_console.text, "older"));
    says("exc last 1", "older ones are kept: 'exc last 510' shows all");
    assert_string_equal(run("exc last 510"), "ok");
    assert_null(strstr(fake_console.text, "older"));
    telemetry_cpu[0].stat[KEY_CAUSE_WFI][3] = 1;
    telemetry_cpu[1].stat[KEY_DEVICE_PL011][3] = 1;
    says("exc top class 1", "more: 'exc top class 1000' shows them");
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

static void random_lines_get_a_reply(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < 20000; i++) {
        char line[400];
        int used = snprintf(line, sizeof(line), "%s", monitor_commands[random_below(monitor_command_count)].name);
        const char *last;

        for (uint32_t n = random_below(6); n > 0; n--)
            used += snprintf(&line[used], sizeof(line) - (size_t)used, " %s", random_word());
        if (random_below(8) == 0)
            line[random_below((uint32_t)used)] = (char)(0x20 + random_below(0x5f));
        last = run(line);
        if (!is_end(last) && line[strspn(line, " ")] != '\0')
            fail_msg("'%s' ended with '%s'", line, last);
        if (strncmp(last, "ok", 2) == 0 && strstr(line, " -j") != NULL && strchr(line, '"') == NULL)
            assert_json(line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(no_row_moves_an_argument_to_another_conversion, set_up_screen),
        cmocka_unit_test_setup(good_lines_end_in_ok_and_give_json, set_up_screen),
        cmocka_unit_test_setup(wrong_counts_of_words_get_the_usage, set_up_screen),
        cmocka_unit_test_setup(bad_words_are_named, set_up_screen),
        cmocka_unit_test_setup(a_refused_machine_has_no_vcpu, set_up_screen),
        cmocka_unit_test_setup(virtio_shows_device_queues_and_counters, set_up_screen),
        cmocka_unit_test_setup(timer_says_how_late_interrupts_came, set_up_screen),
        cmocka_unit_test_setup(an_unknown_register_is_named_by_its_encoding, set_up_screen),
        cmocka_unit_test_setup(times_count_from_the_begin_of_the_log, set_up_screen),
        cmocka_unit_test_setup(an_interrupt_has_no_row, set_up_screen),
        cmocka_unit_test_setup(writes_are_done_and_recorded, set_up_screen),
        cmocka_unit_test_setup(pstate_is_what_el2_returns_with, set_up_screen),
        cmocka_unit_test_setup(a_word_too_many_is_never_ignored, set_up_screen),
        cmocka_unit_test_setup(numbers_are_said_in_the_base_in_which_they_were_typed, set_up_screen),
        cmocka_unit_test_setup(exc_top_row_sorts_counts_and_cuts, set_up_screen),
        cmocka_unit_test_setup(a_request_is_judged_without_being_made, set_up_screen),
        cmocka_unit_test_setup(suppressed_records_have_a_column, set_up_screen),
        cmocka_unit_test_setup(the_sums_agree, set_up_screen),
        cmocka_unit_test_setup(a_long_exit_is_not_said_to_be_short, set_up_screen),
        cmocka_unit_test_setup(a_list_that_is_cut_says_so, set_up_screen),
        cmocka_unit_test_setup(an_error_is_said_whole, set_up_screen),
        cmocka_unit_test_setup(random_lines_get_a_reply, set_up_screen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
