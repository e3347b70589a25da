// SPDX-License-Identifier: Apache-2.0
#include "monitor_world.h"

#include <guest_ram.h>

#include <hv/arch/descriptor.h>
#include <hv/plan.h>
#include <hv/trace.h>
#include <hv/trace_filter.h>
#include <policy_tables.c>

#include <ctype.h>

struct vm vm0;
struct trap_frame frames[2];
struct telemetry telemetry_cpu[2];

// The plan has one VM, and the trace its memory; no CPU of this world takes an exception.
char vectors[1], vectors_traced[1];
static _Alignas(128) uint8_t trace_memory[TRACE_SIZE];
static uint8_t trace_filter[KEY_COUNT][2];

struct vm *plan_vm(unsigned int n)
{
    return n == 0 ? &vm0 : NULL;
}

unsigned int plan_vm_count(void)
{
    return 1;
}

const char *const good_lines[] = {
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
    "exc top cause",
    "exc top irq 2",
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
    "policy request 0 block write 0 8",
    "trace",
    "trace filter",
    "trace filter all",
    "trace filter class device key wfi row 1 vm 0",
    "trace filter vm 0",
    "trace on",
    "trace last",
    "trace last 3",
    "trace off",
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
const unsigned int good_line_count = ARRAY_COUNT(good_lines);

int set_up(void **state)
{
    static struct pool pool = {.count = 64};

    (void)state;
    memset(&vm0, 0, sizeof(vm0));
    monitor_init(&vm0);
    vm0.space.stage2.pool = &pool;
    fake_guest_ram(&vm0.space);
    vm0.policy = &policy_built;
    vm0.vcpu_count = fake_cpu_count = 2;
    vm0.guest_name = "a \"guest\"";
    for (unsigned int i = 0; i < 2; i++) {
        vm0.vcpus[i] =
            (struct vcpu){.vm = &vm0, .id = i, .cpu = i, .frame = &frames[i], .telemetry = &telemetry_cpu[i]};
        frames[i].elr_el2 = 0x40000000;
    }
    vm0.trace_filter = &trace_filter[0][0];
    trace_filter_clear(&vm0);
    trace_init(trace_memory, 1);
    for (unsigned int i = 0; i < 2; i++)
        trace_init_vcpu(&vm0.vcpus[i]);
    telemetry_cpu[0].sequence = 5;
    for (unsigned int i = 0; i < 5; i++)
        telemetry_cpu[0].last[i] =
            (struct event){.sequence = i, .entry = i, .syndrome = 0x93810006, .key = (uint16_t)(i * 9)};
    telemetry_cpu[0].stat[KEY_CAUSE_IRQ][TELEMETRY_BUCKETS - 1 - 3] = 7;
    fake_log.level = LOG_INFO;
    fake_console.uart_input = NULL;
    memset(fake_console.guest_input, 0, sizeof(fake_console.guest_input));
    fake_sysreg_reset();
    fake_sysreg_set("CNTFRQ_EL0", 62500000);
    fake_sysreg_set("TPIDR_EL2", (uintptr_t)&vm0.vcpus[0]);
    if (monitor_is_open()) {
        monitor_open_for_person("the test");
        monitor_input(0x03);
        monitor_input(CHANNEL_ATTENTION);
    }
    assert_false(monitor_is_open());
    assert_int_equal(fake_log.quiet, LOG_DEBUG);
    fake_log.dumps = 0;
    fake_console_clear();
    return 0;
}

int set_up_screen(void **state)
{
    screen = (struct screen_settings){.columns = SCREEN_COLUMNS_DEFAULT};
    return set_up(state);
}

const char *run(const char *line)
{
    char *last;

    fake_console_clear();
    if (setjmp(fake_machine_ended) == 0)
        monitor_run(line);
    if (monitor_reply_deferred())
        monitor_end_reply("deferred");
    (void)monitor_close_asked();
    if (fake_console.length == 0)
        return "";
    assert_int_equal(fake_console.text[fake_console.length - 1], '\n');
    fake_console.text[--fake_console.length] = '\0';
    last = strrchr(fake_console.text, '\n');
    return last == NULL ? fake_console.text : last + 1;
}

bool is_end(const char *last)
{
    return strcmp(last, "ok") == 0 || (strncmp(last, "err ", 4) == 0 && last[4] != '\0');
}

void assert_reply_ends(const char *line)
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

void assert_json(const char *line)
{
    char *row = fake_console.text;
    char *end;

    for (; (end = strchr(row, '\n')) != NULL; row = end + 1) {
        const char *after;

        *end = '\0';
        after = *row == '{' ? json_value(row) : NULL;
        if (after == NULL || *after != '\0')
            fail_msg("'%s' gives '%s'", line, row);
    }
}

void refused(const char *line, const char *words)
{
    const char *last = run(line);

    if (strncmp(last, words, strlen(words)) != 0)
        fail_msg("'%s' ended with '%s', not '%s'", line, last, words);
}

void says(const char *line, const char *words)
{
    const char *last = run(line);

    if (strcmp(last, "ok") != 0 || strstr(fake_console.text, words) == NULL)
        fail_msg("'%s' says '%s', not '%s'", line, fake_console.text, words);
}

void type(const char *keys)
{
    while (*keys != '\0')
        monitor_input((uint8_t)*keys++);
}

void monitor_world_entry(unsigned int table, unsigned int index, uint64_t descriptor)
{
    memcpy(&fake_guest_memory[table + index * 8], &descriptor, sizeof(descriptor));
}

// 4 KiB granule, two halves of 39 bits; a block of 1 GiB gives RAM at 1 GiB in each.
void make_tables(void)
{
    uint64_t block = GUEST_RAM_IPA | DESC_VALID | DESC_AF;

    memset(fake_guest_memory, 0, sizeof(fake_guest_memory));
    monitor_world_entry(KERNEL, 1, block);
    monitor_world_entry(PROGRAM, 2, block | S1_DESC_AP_EL0);
    fake_sysreg_set("SCTLR_EL1", SCTLR_ELX_M);
    fake_sysreg_set("TCR_EL1", FIELD_PREP(TCR_EL1_T0SZ, 25) | FIELD_PREP(TCR_EL1_T1SZ, 25) |
                                   FIELD_PREP(TCR_EL1_TG1, 2) | FIELD_PREP(TCR_EL1_IPS, 5));
    fake_sysreg_set("TTBR0_EL1", GUEST_RAM_IPA + PROGRAM);
    fake_sysreg_set("TTBR1_EL1", GUEST_RAM_IPA + KERNEL);
    frames[0].sp_el1 = frames[1].sp_el1 = KERNEL_VA + 0x40000800;
    frames[0].sp_el0 = 0x80000040;
    frames[0].spsr_el2 = frames[1].spsr_el2 = 0x3c5;
}

static uint32_t seed = 1;

uint32_t random_below(uint32_t limit)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % limit;
}

const char *random_word(void)
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
