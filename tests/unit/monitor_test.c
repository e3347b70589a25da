// SPDX-License-Identifier: Apache-2.0
// The monitor as a person or a script meets it: every line gets a reply that ends in "ok" or "err ...", with -j the
// rows are JSON, keys and Tab do what docs/MONITOR.md says, and no bytes at all, typed or as a command, do any harm.
// Links: monitor/*.c monitor/cmds/*.c policy/event_key.c policy/event_name.c policy/policy.c console/terminal_input.c
// Links: trace/telemetry.c arch/aarch64/esr_fields.c arch/aarch64/el1_regs.c mm/guest_walk.c mm/kernel_tables.c
// Links: lib/parse.c lib/printf.c lib/status.c
#include <hv/arch/inject.h>
#include <hv/arch/registers.h>
#include <hv/arch/step.h>
#include <hv/arch/sysreg.h>
#include <hv/arch/vcpu_registers.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/guest_mem.h>
#include <hv/guest_words.h>
#include <hv/log.h>
#include <hv/monitor.h>
#include <hv/monitor_commands.h>
#include <hv/monitor_out.h>
#include <hv/monitor_reply.h>
#include <hv/monitor_run.h>
#include <hv/pl011.h>
#include <hv/policy.h>
#include <hv/selftest.h>
#include <hv/telemetry.h>
#include <hv/trap.h>
#include <hv/vm.h>
#include <hv/vtimer.h>
#include <policy_tables.c>

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MEMORY_SIZE 0x4000u // of guest RAM that the test has; addresses wrap in it
#define PROMPT      "ariel> "

struct vm vm0;

static struct trap_frame frames[2];
static uint8_t memory[MEMORY_SIZE];
static char sent[1 << 20];
static size_t sent_count;
static char shown[CONSOLE_INPUT_MAX + 1]; // the line being typed
static enum log_level level, quiet;       // of the console; what is held back besides
static unsigned int dumps;
static bool held;
static char given[64]; // bytes for the guest
static const char *burst;
static jmp_buf machine_ended;
static unsigned int injected, stepped, records;

// ---- What stands around the monitor

static void append(const char *text, size_t length)
{
    if (sent_count + length >= sizeof(sent))
        sent_count = 0;
    memcpy(&sent[sent_count], text, length);
    sent_count += length;
    sent[sent_count] = '\0';
}

void console_write(const char *text, size_t length)
{
    append(text, length);
}

void console_line(const char *line, size_t length)
{
    append(line, length);
    append("\n", 1);
}

void console_show_input(const char *text, size_t length, size_t cursor)
{
    assert_true(length <= CONSOLE_INPUT_MAX && cursor <= length);
    memcpy(shown, text, length);
    shown[length] = '\0';
}

uint64_t console_hold_guest(bool hold)
{
    held = hold;
    return 0;
}

static bool transparent;

void console_guest_break(void)
{
    console_guest_input(0xbb);
}

void console_set_transparent(bool on)
{
    transparent = on;
}

bool console_is_transparent(void)
{
    return transparent;
}

void console_guest_input(uint8_t byte)
{
    size_t length = strlen(given);

    if (length + 1 < sizeof(given)) {
        given[length] = (char)byte;
        given[length + 1] = '\0';
    }
}

const char *guest_words(void)
{
    return "BUG: \"x\"";
}

uint64_t console_dropped(void)
{
    return 0;
}

uint64_t console_input_dropped(void)
{
    return 0;
}

int pl011_get(void)
{
    return burst != NULL && *burst != '\0' ? *burst++ : PL011_EMPTY;
}

uint64_t pl011_dropped(void)
{
    return 0;
}

unsigned int cpu_id(void)
{
    return 0;
}

unsigned int cpu_count(void)
{
    return vm0.vcpu_count;
}

bool cpu_call(unsigned int cpu, void (*function)(void *argument), void *argument)
{
    assert_true(cpu < cpu_count());
    function(argument);
    return true;
}

bool cpu_call_all(void (*function)(void *argument), void *argument)
{
    for (unsigned int cpu = 0; cpu < cpu_count(); cpu++)
        function(argument);
    return true;
}

enum hv_status guest_mem_check(struct vm *vm, ipa_t ipa, uint64_t size, uint32_t permissions)
{
    (void)vm, (void)permissions;
    if (size == 0)
        return HV_ERR_EMPTY;
    if (ipa.v + size < ipa.v)
        return HV_ERR_WRAP;
    return ipa.v >= GUEST_RAM_IPA && ipa.v + size <= GUEST_RAM_IPA + GUEST_RAM_SIZE ? HV_OK : HV_ERR_BOUNDS;
}

enum hv_status guest_mem_read(struct vm *vm, ipa_t ipa, void *buffer, size_t size)
{
    enum hv_status status = guest_mem_check(vm, ipa, size, 0);

    for (size_t i = 0; status == HV_OK && i < size; i++)
        ((uint8_t *)buffer)[i] = memory[(ipa.v + i) % MEMORY_SIZE];
    return status;
}

enum hv_status guest_mem_write(struct vm *vm, ipa_t ipa, const void *buffer, size_t size)
{
    enum hv_status status = guest_mem_check(vm, ipa, size, 0);

    for (size_t i = 0; status == HV_OK && i < size; i++)
        memory[(ipa.v + i) % MEMORY_SIZE] = ((const uint8_t *)buffer)[i];
    return status;
}

enum hv_status stage2_query(struct stage2 *s2, ipa_t ipa, struct stage2_entry *entry)
{
    (void)s2;
    *entry = (struct stage2_entry){.level = 2, .size = 0x200000, .valid = ipa.v - GUEST_RAM_IPA < GUEST_RAM_SIZE};
    entry->pa = pa_make(ipa.v + 0x2000000);
    return HV_OK;
}

void inject_undef(struct vcpu *vcpu)
{
    (void)vcpu;
    injected++;
}

void inject_abort(struct vcpu *vcpu, gva_t far, bool instruction_fetch, bool write)
{
    (void)vcpu, (void)far, (void)instruction_fetch, (void)write;
    injected++;
}

void inject_serror(struct vcpu *vcpu)
{
    (void)vcpu;
    injected++;
}

void vcpu_moved(struct vcpu *vcpu)
{
    (void)vcpu;
}

void step_start(struct vcpu *vcpu, uint32_t count)
{
    (void)vcpu;
    stepped += count;
}

enum hv_status sysreg_read(unsigned int key, uint64_t *value)
{
    *value = key;
    return HV_OK;
}

enum hv_status sysreg_write(unsigned int key, uint64_t value)
{
    (void)key, (void)value;
    return HV_ERR_UNSUPPORTED;
}

void sysreg_encoded_name(uint32_t syndrome, char *buffer, size_t size)
{
    (void)snprintf(buffer, size, "S3_0_C0_C0_%u", syndrome % 8);
}

const struct vcpu_register vcpu_registers[VCPU_REGISTER_COUNT];

unsigned int vcpu_register_find(const char *name)
{
    return strcmp(name, "TPIDR2_EL0") == 0 ? VCPU_REGISTER_TPIDR2_EL0 : VCPU_REGISTER_COUNT;
}

bool vcpu_register_read(unsigned int number, uint64_t *value)
{
    *value = number;
    return true;
}

bool vcpu_register_write(unsigned int number, uint64_t value)
{
    (void)number, (void)value;
    return false;
}

unsigned int aarch32_register_key(uint32_t syndrome, bool *upper)
{
    *upper = false;
    return (syndrome & 0x3ff) == 0x2b ? KEY_PMCR_EL0 : KEY_SYSREG_UNKNOWN;
}

const char *selftest_memory(void)
{
    return NULL;
}

bool vgic_query(struct vcpu *vcpu, unsigned int intid, struct vgic_interrupt *interrupt)
{
    (void)vcpu;
    *interrupt = (struct vgic_interrupt){.intid = (uint16_t)intid, .enabled = intid % 100 == 0};
    return true;
}

enum hv_status vgic_set_pending(struct vm *vm, unsigned int vcpu_id, unsigned int intid)
{
    (void)vm, (void)vcpu_id;
    return intid < 512 ? HV_OK : HV_ERR_BOUNDS;
}

void vgic_snapshot(struct vcpu *vcpu, struct vgic_snapshot *snapshot)
{
    (void)vcpu;
    *snapshot = (struct vgic_snapshot){.lr_count = 4, .lr = {1}};
}

void vtimer_snapshot(struct vcpu *vcpu, struct vtimer_snapshot *snapshot)
{
    (void)vcpu;
    *snapshot = (struct vtimer_snapshot){.frequency = 62500000, .physical_count = 1000, .virtual_count = 500};
    snapshot->late[0] = 3;
    snapshot->late[14] = 20;
    snapshot->late[VTIMER_LATE_BUCKETS - 1] = 1;
}

enum hv_status vm_pause(struct vm *vm)
{
    if (vm->state != VM_RUNNING)
        return HV_ERR_STATE;
    vm->state = VM_PAUSED;
    return HV_OK;
}

enum hv_status vm_resume(struct vm *vm)
{
    if (vm->state != VM_PAUSED)
        return HV_ERR_STATE;
    vm->state = VM_RUNNING;
    return HV_OK;
}

_Noreturn void vm_reset(struct vm *vm)
{
    (void)vm;
    longjmp(machine_ended, 1);
}

_Noreturn void vm_power_off(struct vm *vm)
{
    (void)vm;
    longjmp(machine_ended, 1);
}

// ---- The log: three records, some with what JSON must escape

static const char *const names[] = {"debug", "info", "warn", "error"};

const char *log_level_name(unsigned int of)
{
    return of < LOG_LEVEL_COUNT ? names[of] : "?";
}

const char *log_class_name(unsigned int of)
{
    static const char *const classes[] = {"boot", "cpu", "policy", "psci"};
    return of < 4 ? classes[of] : "x";
}

enum log_level log_level_find(const char *name)
{
    unsigned int i = 0;

    while (i < LOG_LEVEL_COUNT && strcmp(names[i], name) != 0)
        i++;
    return (enum log_level)i;
}

enum log_class log_class_find(const char *name)
{
    return strcmp(name, "boot") == 0 ? LOG_BOOT : LOG_CLASS_COUNT;
}

enum log_level log_get_level(void)
{
    return level;
}

enum log_level log_set_level(enum log_level new_level)
{
    enum log_level old = level;

    assert_true(new_level < LOG_LEVEL_COUNT);
    level = new_level;
    return old;
}

void log_quieten(enum log_level least)
{
    quiet = least;
}

void log_dump(void)
{
    dumps++;
}

unsigned int log_for_each(unsigned int count, enum log_class class, log_callback callback, void *argument)
{
    static const char text[] = "seq=1 why=\"a \\\\ and a \x01\"";

    (void)class;
    for (unsigned int i = 0; i < count && i < 3; i++)
        callback(text, sizeof(text) - 1, argument);
    return 3;
}

unsigned int log_previous_for_each(unsigned int count, enum log_class class, log_callback callback, void *argument)
{
    return log_for_each(count, class, callback, argument);
}

void log_record(enum log_level of, enum log_class class, const char *event, const char *format, ...)
{
    (void)of, (void)class, (void)event, (void)format;
    records++;
}

void log_clear(void)
{
}

void log_counters(void)
{
}

void log_flush(void)
{
}

uint64_t log_sequence(void)
{
    return 3;
}

uint64_t log_suppressed(void)
{
    return 0;
}

// ---- Looking at replies

static int set_up(void **state)
{
    (void)state;
    static struct pool pool = {.count = 64};
    memset(&vm0, 0, sizeof(vm0));
    monitor_init(&vm0);
    vm0.stage2.pool = &pool;
    vm0.vcpu_count = 2;
    vm0.guest_name = "a \"guest\"";
    for (unsigned int i = 0; i < 2; i++) {
        vm0.vcpus[i] = (struct vcpu){.vm = &vm0, .id = i, .frame = &frames[i], .telemetry = &telemetry_cpu[i]};
        frames[i].elr_el2 = 0x40000000;
    }
    telemetry_cpu[0].sequence = 5;
    for (unsigned int i = 0; i < 5; i++)
        telemetry_cpu[0].last[i] =
            (struct event){.sequence = i, .entry = i, .syndrome = 0x93810006, .key = (uint16_t)(i * 9)};
    telemetry_cpu[0].stat[KEY_CAUSE_IRQ][TELEMETRY_BUCKETS - 1 - 3] = 7;
    level = LOG_INFO;
    burst = NULL;
    memset(given, 0, sizeof(given));
    fake_sysreg_reset();
    fake_sysreg_set("CNTFRQ_EL0", 62500000);
    if (monitor_is_open()) {
        monitor_open_for_person("the test");
        monitor_input(0x03);
        monitor_input(MONITOR_ATTENTION);
    }
    assert_false(monitor_is_open());
    assert_int_equal(quiet, LOG_DEBUG);
    dumps = 0;
    sent_count = 0;
    sent[0] = '\0';
    return 0;
}

// Runs line; returns the last line of the reply, "" when there is none. The rows are before it in sent.
static const char *run(const char *line)
{
    char *last;

    sent_count = 0;
    sent[0] = '\0';
    if (setjmp(machine_ended) == 0)
        monitor_run(line);
    if (monitor_reply_deferred())
        monitor_end_reply("deferred");
    (void)monitor_close_asked();
    if (sent_count == 0)
        return "";
    assert_int_equal(sent[sent_count - 1], '\n');
    sent[--sent_count] = '\0';
    last = strrchr(sent, '\n');
    return last == NULL ? sent : last + 1;
}

static bool is_end(const char *last)
{
    return strcmp(last, "ok") == 0 || (strncmp(last, "err ", 4) == 0 && last[4] != '\0');
}

static void assert_reply_ends(const char *line)
{
    const char *last = run(line);

    if (!is_end(last))
        fail_msg("'%s' ended with '%s'", line, last);
}

// One JSON value of what the monitor writes; what follows it, or NULL.
static const char *json_value(const char *at)
{
    if (*at == '"') {
        for (at++; *at != '"'; at++) {
            if (*at < 0x20 || *at > 0x7e)
                return NULL;
            if (*at == '\\' && (at++, strchr("\"\\u", *at) == NULL))
                return NULL;
        }
        return at + 1;
    }
    if (*at == '[' || *at == '{') {
        char end = *at == '[' ? ']' : '}';

        do {
            at++;
            if (end == '}' && (*at != '"' || (at = json_value(at)) == NULL || *at++ != ':'))
                return NULL;
            at = json_value(at);
        } while (at != NULL && *at == ',');
        return at != NULL && *at == end ? at + 1 : NULL;
    }
    if (strncmp(at, "true", 4) == 0 || strncmp(at, "false", 5) == 0)
        return at + (*at == 't' ? 4 : 5);
    if (!isdigit((unsigned char)*at))
        return NULL;
    return at + strspn(at, "0123456789");
}

static void assert_json(const char *line)
{
    char *row = sent;
    char *end;

    for (; (end = strchr(row, '\n')) != NULL; row = end + 1) {
        const char *after;

        *end = '\0';
        after = *row == '{' ? json_value(row) : NULL;
        if (after == NULL || *after != '\0')
            fail_msg("'%s' gives '%s'", line, row);
    }
}

// ---- Commands

static const char *const good[] = {
    "help",
    "help mem",
    "? cont",
    "status",
    "info",
    "info registers",
    "info status",
    "version",
    "log",
    "log -n 2",
    "log -n 2 -c boot",
    "log level",
    "log level info",
    "log clear",
    "log previous",
    "exc",
    "exc top",
    "exc top 3",
    "exc top row",
    "exc top class 2",
    "exc last",
    "exc last 3",
    "exc log",
    "exc reset",
    "explain 2",
    "explain 2 0",
    "explain esr 0x93810006",
    "explain esr 0x6230001f",
    "explain esr 0xffffffffffffffff",
    "mem read 0x40000000",
    "mem read 0x40000003 3 1",
    "mem write 0x40000000 0x12345678",
    "mem write 0x40001000 255 1",
    "mem find 0x40000000 4096 0x12345678",
    "mem crc 0x40000000 64",
    "xp /4xw 0x40000000",
    "x/4xw 0x40000000",
    "x 0x40000000",
    "x/2g 0x40000000",
    "vm walk 0x40000000",
    "regs",
    "r 1",
    "sr SCTLR_EL1",
    "sr x30",
    "sr x0 5 1",
    "p $pc",
    "sr PC 0x40000000",
    "sr SPSR_EL2 0x3c5",
    "sr PSTATE",
    "sr pstate 0x3c5 1",
    "p $cpsr",
    "sr ID_AA64MMFR0_EL1",
    "policy show",
    "policy stat",
    "policy test 0x09000000",
    "policy test read hvc-pause",
    "policy test write SCTLR_EL1",
    "gic",
    "gic 1",
    "timer",
    "timer 1",
    "inject undef",
    "inject abort 1",
    "inject serror",
    "inject irq 40",
    "inject irq 8 1",
    "hv selftest",
    "pause",
    "cont",
    "quit",
    "reset",
    "halt",
};

// The format's check by the compiler is for the caller of out(); here the row is the input.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
static void assert_row(bool json, const char *row, const char *expected)
{
    sent_count = 0;
    out_begin(json);
    out(row, 1u, "two", 3ul);
    out_end(NULL);
    sent[sent_count] = '\0';
    assert_string_equal(sent, expected);
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
    for (unsigned int i = 0; i < ARRAY_COUNT(good); i++) {
        const char *last = run(good[i]);

        // The counter stands still here, which selftest is right to refuse.
        if (strcmp(last, "ok") != 0 && strcmp(good[i], "hv selftest") != 0)
            fail_msg("'%s' ended with '%s'", good[i], last);
    }
    for (unsigned int i = 0; i < ARRAY_COUNT(good); i++) {
        (void)snprintf(line, sizeof(line), i % 2 == 0 ? "%s -j" : "-j %s", good[i]);
        if (!is_end(run(line)))
            fail_msg("'%s' has no end", line);
        assert_json(line);
    }
}

static void wrong_counts_of_words_get_the_usage(void **state)
{
    static const struct {
        const char *line; // a command, and the word that chooses an alternative
        unsigned int min, max;
        const char *usage;
    } rows[] = {
        {"close", 0, 0, "close "},
        {"exc", 0, 3, "exc [top [class|call|device|register|row] [n]] | last [n] | log | reset"},
        {"exc last", 0, 1, "exc last [n]"},
        {"exc reset", 0, 0, "exc reset"},
        {"explain", 1, 2, "explain <seq> [cpu] | esr <value>"},
        {"explain esr", 1, 1, "explain esr <value>"},
        {"gic", 0, 1, "gic [vcpu]"},
        {"halt", 0, 0, "halt "},
        {"help", 0, 1, "help [command]"},
        {"hv", 1, 1, "hv selftest"},
        {"inject", 1, 2, "inject undef|abort|serror [vcpu] | irq <n> [vcpu] | break"},
        {"inject irq", 1, 2, "inject irq <n> [vcpu]"},
        {"log", 0, 4, "log [-n N] [-c class] | level [name] | clear | previous"},
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
        {"policy", 1, 1, "policy show | stat | test [read|write] <register|device|call|ipa>"},
        {"policy stat", 0, 0, "policy stat"},
        {"policy test", 1, 2, "policy test [read|write] <register|device|call|ipa>"},
        {"regs", 0, 1, "regs [vcpu]"},
        {"reset", 0, 0, "reset "},
        {"resume", 0, 0, "resume "},
        {"sr", 1, 3, "sr <name> [value [vcpu]]"},
        {"status", 0, 0, "status "},
        {"step", 0, 2, "step [n [vcpu]]"},
        {"timer", 0, 1, "timer [vcpu]"},
        {"version", 0, 0, "version "},
        {"vm", 2, 6, "vm walk [-k] [-t <table>] <va> [vcpu]"},
        {"vcpu", 0, 1, "vcpu [n]"},
        {"set", 0, 2, "set [pager|width|color <number|off|on>]"},
        {"print", 1, MONITOR_WORDS_MAX, "print [/x|a|d|u|o|t|c] <expression> ... | <register> [value [vcpu]]"},
        {"x", 1, MONITOR_WORDS_MAX, "x [/<count><x|a|d|u|o|t|c|s><b|h|w|g>] [-k] <address> ... [bytes [width]]"},
        {"xp", 1, MONITOR_WORDS_MAX, "xp [/<count><x|a|d|u|o|t|c|s><b|h|w|g>] <ipa> ... [bytes [width]]"},
    };

    (void)state;
    for (unsigned int i = 0; i < ARRAY_COUNT(rows); i++) {
        char expected[200], line[200];

        (void)snprintf(expected, sizeof(expected), "err usage: %s", rows[i].usage);
        (void)snprintf(line, sizeof(line), "%s", rows[i].line);
        for (unsigned int count = 0; count < MONITOR_WORDS_MAX - 1; count++, (void)strcat(line, " 0")) {
            bool fits = count >= rows[i].min && count <= rows[i].max;

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
    assert_non_null(strstr(sent, "late_below_us=1 interrupts=3\nlate_below_us=263 interrupts=20\n"
                                 "late_from_us=67108 interrupts=1\nok"));
}

// As the log names it, so that a person finds the record by what explain says and the other way round.
static void an_unknown_register_is_named_by_its_encoding(void **state)
{
    (void)state;
    telemetry_cpu[0].last[4] = (struct event){.sequence = 4, .syndrome = 0x62000003, .key = KEY_SYSREG_UNKNOWN};
    assert_string_equal(run("explain 4 0"), "ok");
    assert_non_null(strstr(sent, "key=S3_0_C0_C0_3"));
    assert_null(strstr(sent, "unknown"));
    assert_string_equal(run("exc last 1"), "ok");
    assert_non_null(strstr(sent, "S3_0_C0_C0_3"));
    telemetry_cpu[0].last[4].key = KEY_CNTP_CTL_EL0;
    assert_string_equal(run("explain 4 0"), "ok");
    assert_non_null(strstr(sent, "key=CNTP_CTL_EL0"));
}

static void writes_are_done_and_recorded(void **state)
{
    (void)state;
    records = injected = 0;
    assert_string_equal(run("mem write 0x40000010 0x11223344"), "ok");
    assert_int_equal(memory[0x10], 0x44);
    assert_int_equal(memory[0x13], 0x11);
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
    assert_int_equal(injected, 1);
    assert_int_equal(records, 7);
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

// ---- Keys

static void type(const char *keys)
{
    while (*keys != '\0')
        monitor_input((uint8_t)*keys++);
}

static void attention_takes_one_key(void **state)
{
    static const char keys[] = "hdqtmP+-*";

    (void)state;
    for (const char *key = keys; *key != '\0'; key++) {
        sent_count = 0;
        monitor_input(MONITOR_ATTENTION);
        assert_true(held);
        monitor_input(*key);
        assert_false(monitor_is_open());
        assert_false(held);
        assert_non_null(strstr(sent, "ok\n"));
    }
    type("\x1d\x1d");
    assert_string_equal(given, "\x1d");
    type("\x1d\x03\x1d\x7f");
    assert_string_equal(given, "\x1d");
    assert_false(monitor_is_open());
}

static void anything_else_opens_the_prompt(void **state)
{
    (void)state;
    type("\x1d\r");
    assert_string_equal(shown, PROMPT);
    type("\x1d");
    assert_false(monitor_is_open());
    type("\x1dsta");
    assert_string_equal(shown, PROMPT "sta");
    type("\x03\x04");
    assert_false(monitor_is_open());
    monitor_input(MONITOR_ATTENTION);
    burst = "e"; // a script's line, not a key
    monitor_input('h');
    assert_string_equal(shown, PROMPT "he");
    type("\x15quit\r");
    assert_false(monitor_is_open());
    assert_non_null(strstr(sent, "ok\n-- guest console"));
}

static void the_prompt_lets_only_errors_through_unless_told(void **state)
{
    (void)state;
    type("\x1d\r");
    assert_int_equal(quiet, LOG_ERROR);
    type("\x1d");
    assert_int_equal(quiet, LOG_DEBUG);
    type("\x1d\rlog level\r");
    assert_non_null(strstr(sent, "level=info prompt=error"));
    type("log level warn\rlog level\r");
    assert_non_null(strstr(sent, "level=warn prompt=warn"));
    type("\x1d");
    assert_int_equal(level, LOG_WARN);
    type("\x1d\r");
    assert_int_equal(quiet, LOG_WARN);
    type("log level error\r\x1d");
    assert_int_equal(level, LOG_ERROR);
}

// ---- A guest can have the monitor open, and a terminal answer it, with nobody there

#define HINTED PROMPT "(Enter alone: prompt) "

static void it_is_not_quiet_until_a_person_asks_for_the_prompt(void **state)
{
    (void)state;
    monitor_open("the guest panics");
    assert_string_equal(shown, HINTED);
    type("rm -rf /tmp/x");
    assert_int_equal(quiet, LOG_DEBUG);
    monitor_open("again");
    type("\r\n");
    assert_int_equal(quiet, LOG_DEBUG);
    assert_string_equal(shown, HINTED);
    type("\r");
    assert_int_equal(quiet, LOG_ERROR);
    assert_string_equal(shown, PROMPT);
    monitor_open("once more");
    assert_string_equal(shown, PROMPT);
    type("\nstatus");
    assert_string_equal(shown, PROMPT "status");
}

static void what_was_typed_for_the_guest_is_not_run(void **state)
{
    (void)state;
    monitor_open("the guest panics");
    if (setjmp(machine_ended) != 0)
        fail_msg("the rest of a line for the guest ended the machine");
    type("halt\rreset\rmem write 0x40000000 1\r");
    assert_null(strstr(sent, "ok\n"));
    assert_string_equal(given, "");
}

static void attention_is_heard_where_nobody_was_there(void **state)
{
    (void)state;
    monitor_open("the guest panics");
    type("half a line\x1dq");
    assert_non_null(strstr(sent, "vm="));
    assert_false(monitor_is_open());
    monitor_open("the guest panics");
    type("\x1b]half a string\x1d\r");
    assert_string_equal(shown, PROMPT);
}

static void a_break_is_a_person(void **state)
{
    (void)state;
    monitor_open("the guest panics");
    monitor_open_for_person("break");
    assert_string_equal(shown, PROMPT);
    type("x");
    assert_int_equal(quiet, LOG_ERROR);
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
        assert_int_equal(quiet, LOG_DEBUG);
        assert_string_equal(shown, HINTED);
        type("\r"); // it was not the beginning of a line either
        if (strcmp(shown, PROMPT) != 0)
            fail_msg("answer %u: Enter behind it is not alone", i);
        type(answers[i]);
        assert_string_equal(shown, PROMPT);
        type("\x1d\x1d");
        assert_string_equal(shown, PROMPT "(a key: h lists them; Enter: prompt) ");
        type(answers[i]);
        assert_string_equal(shown, PROMPT "(a key: h lists them; Enter: prompt) ");
        type("\x03");
    }
}

static void a_break_can_reach_the_guest(void **state)
{
    (void)state;
    given[0] = '\0';
    monitor_input(MONITOR_ATTENTION);
    monitor_input('b');
    assert_string_equal(given, "\xbb");
    assert_false(monitor_is_open());
    monitor_break(); // one opens the monitor, a second one is the guest's
    assert_true(monitor_is_open());
    assert_string_equal(given, "\xbb");
    monitor_break();
    assert_false(monitor_is_open());
    assert_string_equal(given, "\xbb\xbb");
    monitor_break();
    type("x");
    monitor_break(); // not in a row
    assert_true(monitor_is_open());
    assert_string_equal(given, "\xbb\xbb");
    type("\x15inject break\r");
    assert_string_equal(given, "\xbb\xbb\xbb");
    type("console transparent on\r");
    assert_true(transparent);
    type("console transparent\r");
    type("console transparent 1\r");
    assert_true(transparent);
    type("console transparent off\r");
    assert_false(transparent);
    type("quit\r");
}

static void keys_that_send_sequences_still_work(void **state)
{
    (void)state;
    type("\x1d\rstatux\x1b[D\x1b[3~s\x1bOH\x1b[1;5Cx\x1b[F!");
    assert_string_equal(shown, PROMPT "sxtatus!");
    type("\x1b[[A\x1b[15~\x1b[1;2P\x1bOP?");
    assert_string_equal(shown, PROMPT "sxtatus!?");
    type("\x1b]a key with Alt, then a line\rstatus");
    assert_string_equal(shown, PROMPT "status");
}

static void the_guests_wish_for_the_log_waits_for_the_end(void **state)
{
    (void)state;
    monitor_dump_log();
    assert_int_equal(dumps, 1);
    type("\x1d\r");
    monitor_dump_log();
    monitor_dump_log();
    assert_int_equal(dumps, 1);
    type("\x1d");
    assert_int_equal(dumps, 2);
    type("\x1d\r\x1d");
    assert_int_equal(dumps, 2);
    monitor_open("the guest panics");
    monitor_dump_log();
    monitor_release_guest(); // the machine ends with the monitor open
    assert_int_equal(dumps, 3);
}

static void tab_completes(void **state)
{
    static const char *const rows[][2] = {
        {"he\t", "help "},
        {"HE\t", "help "},
        {"re\t", "re"},
        {"reg\t", "regs "},
        {"help mo\t", "help mo"},
        {"help ver\t", "help version "},
        {"mem r\t", "mem read "},
        {"exc top d\t", "exc top device "},
        {"log level w\t", "log level warn "},
        {"log -c po\t", "log -c policy "},
        {"sr sctlr\t", "sr SCTLR_EL1 "},
        {"p elr\t", "p ELR_EL1 "},
        {"policy test read hvc-pa\t", "policy test read hvc-pause "},
        {"hv \t", "hv selftest "},
        {"nonsense x\t", "nonsense x"},
        {"zzz\t", "zzz"},
        {"vm walk \t", "vm walk "},
        {"sta 0\x01\x06\x06\x06\t", "status  0"},
    };

    (void)state;
    type("\x1d\r");
    for (unsigned int i = 0; i < ARRAY_COUNT(rows); i++) {
        type(rows[i][0]);
        if (strcmp(shown + strlen(PROMPT), rows[i][1]) != 0)
            fail_msg("Tab makes '%s' of '%s'", shown, rows[i][0]);
        type("\x05\x15");
    }
    sent_count = 0;
    type("re\t");
    assert_string_equal(sent, "regs reset resume \n");
    type("\x15sr \t");
    assert_non_null(strstr(sent, "...\n"));
}

static void step_answers_when_the_steps_are_done(void **state)
{
    (void)state;
    stepped = 0;
    type("\x1d\rpause\r");
    sent_count = 0;
    type("step 3\r");
    assert_int_equal(stepped, 3);
    assert_null(strstr(sent, "ok\n"));
    type("status\r"); // waits for the steps
    vm0.state = VM_PAUSED;
    monitor_open("step");
    assert_non_null(strstr(sent, "vcpu=0 pc=0x40000000\nvcpu=1 pc=0x40000000\nok\n"));
    type("\r");
    assert_int_equal(stepped, 6);
    type("\x03");
    assert_non_null(strstr(sent, "err the guest still steps"));
    vm0.state = VM_PAUSED;
    type("version\r\r");
    assert_int_equal(stepped, 6);
}

static void who_leaves_while_it_steps_finds_a_prompt_again(void **state)
{
    (void)state;
    type("\x1d\rpause\rstep 3\r");
    sent_count = 0;
    type("\x1d");
    assert_false(monitor_is_open());
    assert_non_null(strstr(sent, "err the guest still steps"));
    vm0.state = VM_PAUSED;
    monitor_open("step");
    type("\rsta");
    assert_string_equal(shown, PROMPT "sta");
}

static void it_opens_by_itself_and_says_why(void **state)
{
    (void)state;
    vm0.state = VM_STOPPED;
    monitor_open("a policy row says stop");
    assert_non_null(strstr(sent, "-- monitor: a policy row says stop; guest stopped"));
    assert_string_equal(shown, HINTED);
    assert_string_equal(run("resume"), "err the guest is stopped for good: only reset starts it again");
    assert_string_equal(run("pause"), "err the guest is stopped");
}

// ---- Whatever comes

static uint32_t seed = 1;

static uint32_t random_below(uint32_t limit)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % limit;
}

static const char *random_word(void)
{
    static const char *const words[] = {"0",
                                        "1",
                                        "0x40000000",
                                        "4096",
                                        "-j",
                                        "esr",
                                        "0xffffffffffffffff",
                                        "read",
                                        "write",
                                        "-n",
                                        "-c",
                                        "level",
                                        "irq",
                                        "undef",
                                        "row",
                                        "test",
                                        "show",
                                        "/4xw",
                                        "/",
                                        "\"a b",
                                        "\"\"",
                                        "$pc",
                                        "x0",
                                        "SPSR_EL2",
                                        "error",
                                        "1G",
                                        "walk",
                                        "selftest",
                                        "find",
                                        "99999999999999999999",
                                        "-",
                                        "crc"};

    if (random_below(4) == 0)
        return monitor_commands[random_below(monitor_command_count)].name;
    return words[random_below(ARRAY_COUNT(words))];
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

static void random_bytes_do_no_harm(void **state)
{
    static unsigned int count;

    (void)state;
    (void)setjmp(machine_ended); // reset and halt come back here
    while (count++ < 300000) {
        uint32_t kind = random_below(10);

        if (kind == 0)
            monitor_input('\r');
        else if (kind == 1)
            type(random_word());
        else if (kind == 2)
            monitor_input(random_below(40) == 0 ? MONITOR_ATTENTION : '\t');
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
        cmocka_unit_test_setup(it_is_not_quiet_until_a_person_asks_for_the_prompt, set_up),
        cmocka_unit_test_setup(what_was_typed_for_the_guest_is_not_run, set_up),
        cmocka_unit_test_setup(attention_is_heard_where_nobody_was_there, set_up),
        cmocka_unit_test_setup(a_break_is_a_person, set_up),
        cmocka_unit_test_setup(what_a_terminal_answers_is_no_key, set_up),
        cmocka_unit_test_setup(a_break_can_reach_the_guest, set_up),
        cmocka_unit_test_setup(keys_that_send_sequences_still_work, set_up),
        cmocka_unit_test_setup(the_guests_wish_for_the_log_waits_for_the_end, set_up),
        cmocka_unit_test_setup(the_prompt_lets_only_errors_through_unless_told, set_up),
        cmocka_unit_test_setup(no_row_moves_an_argument_to_another_conversion, set_up),
        cmocka_unit_test_setup(good_lines_end_in_ok_and_give_json, set_up),
        cmocka_unit_test_setup(a_refused_machine_has_no_vcpu, set_up),
        cmocka_unit_test_setup(timer_says_how_late_interrupts_came, set_up),
        cmocka_unit_test_setup(wrong_counts_of_words_get_the_usage, set_up),
        cmocka_unit_test_setup(bad_words_are_named, set_up),
        cmocka_unit_test_setup(an_unknown_register_is_named_by_its_encoding, set_up),
        cmocka_unit_test_setup(writes_are_done_and_recorded, set_up),
        cmocka_unit_test_setup(pstate_is_what_el2_returns_with, set_up),
        cmocka_unit_test_setup(tab_completes, set_up),
        cmocka_unit_test_setup(step_answers_when_the_steps_are_done, set_up),
        cmocka_unit_test_setup(who_leaves_while_it_steps_finds_a_prompt_again, set_up),
        cmocka_unit_test_setup(it_opens_by_itself_and_says_why, set_up),
        cmocka_unit_test_setup(random_lines_get_a_reply, set_up),
        cmocka_unit_test_setup(random_bytes_do_no_harm, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
