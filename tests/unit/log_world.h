// SPDX-License-Identifier: Apache-2.0
// The world around the log under test: a sink that keeps its lines, a ring, a clock that the test moves, a policy of
// five rows.
#pragma once

#include <hv/guest_loop.h>
#include <hv/log_budget.h>

#include <hv/arch/cpu.h>
#include <hv/machine.h>
#include <hv/policy.h>
#include <hv/siphash.h>
#include <hv/telemetry.h>

#include <hv/arch/registers.h>
#include <hv/arch/sysreg.h>

#include <hv/log_ring.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fake_panic.h>

#define HZ     1000000u
#define BUDGET 100

static struct log_ring ring;
static char console[4096][LOG_LINE_MAX + 1];
static unsigned int console_count;
static char uart[8192];
static size_t uart_length;
static void (*while_printing)(void); // called while the sink has a record; NULL: nothing is
static uint64_t now;
static bool in_loop;

// ---- What the log calls ----

// The sink: what the serial line gets, and what it gets from a panic.
static void take_line(const char *line, size_t length)
{
    assert_true(length < LOG_LINE_MAX);
    memcpy(console[console_count % 4096], line, length);
    console[console_count++ % 4096][length] = '\0';
    if (while_printing != NULL)
        while_printing();
}

static unsigned int urgent_count;

static void take_urgent_line(const char *line, size_t length)
{
    urgent_count++;
    take_line(line, length);
}

static void take_panic_line(const char *line, size_t length)
{
    assert_true(uart_length + length + 1 < sizeof(uart));
    memcpy(&uart[uart_length], line, length);
    uart_length += length;
    uart[uart_length++] = '\n';
    uart[uart_length] = '\0';
}

unsigned int cpu_id(void)
{
    return 3;
}

bool guest_loop_has(const struct telemetry *telemetry, const struct event *event)
{
    (void)telemetry;
    (void)event;
    return in_loop;
}

const char *event_key_name(unsigned int key)
{
    return key == KEY_CAUSE_WFI ? "wfi" : key == KEY_DC_CISW ? "DC_CISW" : key == KEY_CTR_EL0 ? "CTR_EL0" : "pl031";
}

// What the policy compiler lets through at most: with the quotes of %pQ, POLICY_PLACE_MAX and POLICY_WHY_MAX bytes.
#define TEN           "0 2 4 6 8 "
#define LONGEST_PLACE TEN TEN TEN TEN "a.t:65"
#define LONGEST_WHY   TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
_Static_assert(sizeof(LONGEST_PLACE) + 1 == POLICY_PLACE_MAX && sizeof(LONGEST_WHY) + 1 == POLICY_WHY_MAX);

static const struct policy_row rows[] = {
    {"policy/test.toml:1", "default", "", 0, POLICY_DENY},
    {"policy/test.toml:17", "sysreg PMU", "no \"counters\" here", 10, POLICY_DENY},
    {"policy/test.toml:40000", "mmio pl031", "quiet", 1, POLICY_ALLOW},
    {"policy/test.toml:60", "sysreg ID", "all", POLICY_LOG_UNLIMITED, POLICY_ALLOW},
    {LONGEST_PLACE, "sysreg ID", LONGEST_WHY, POLICY_LOG_UNLIMITED, POLICY_ALLOW},
};
static const struct policy policy = {.rows = rows, .row_count = ARRAY_COUNT(rows)};
static struct telemetry counters[2];
static struct vm vm = {
    .policy = &policy,
    .vcpu_count = 2,
    .vcpus = {{.vm = &vm, .telemetry = &counters[0]}, {.vm = &vm, .id = 1, .telemetry = &counters[1]}},
};

const char *policy_action_name(unsigned int action)
{
    static const char *const names[] = {"allow", "emulate", "raz-wi", "deny", "pause", "stop"};
    return names[action];
}

// ---- Help ----

static inline void set_time(uint64_t ticks)
{
    now = ticks;
    fake_sysreg_set("CNTPCT_EL0", ticks);
}

static inline const char *last_line(void)
{
    return console_count == 0 ? "" : console[(console_count - 1) % 4096];
}

static const struct log_sink sink = {take_line, take_panic_line, take_urgent_line};

static inline void boot(void)
{
    console_count = urgent_count = 0;
    uart_length = 0;
    uart[0] = '\0';
    while_printing = NULL;
    log_set_sink(&sink);
    log_set_level(LOG_INFO);
    log_init_at(&ring);
    (void)log_budget_open(BUDGET);
}

static inline int set_up(void **state)
{
    (void)state;
    memset(&ring, 0, sizeof(ring));
    memset(counters, 0, sizeof(counters));
    fake_sysreg_reset();
    fake_sysreg_set("CNTFRQ_EL0", HZ);
    set_time(now + 1000000 * (uint64_t)HZ); // buckets of an earlier test are full again

    boot();
    log_flush();
    memset(&ring, 0, sizeof(ring));
    boot();
    return 0;
}

struct collected {
    unsigned int count;
    char first[LOG_LINE_MAX];
    char last[LOG_LINE_MAX];
};

static inline void collect(const char *line, size_t length, void *argument)
{
    struct collected *collected = argument;

    assert_int_equal(length, strlen(line));
    if (collected->count++ == 0) {
        strcpy(collected->first, line);
    }
    strcpy(collected->last, line);
}

static inline bool has(const char *line, const char *part)
{
    return strstr(line, part) != NULL;
}

static inline struct event verdict_event(uint16_t row)
{
    return (struct event){.pc = 0x40001000,
                          .address = 0x9010000,
                          .value = 0x55,
                          .syndrome = 0x93800006,
                          .key = KEY_DEVICE_PL031,
                          .row = row,
                          .verdict = POLICY_DENY,
                          .write = 1};
}

static inline unsigned int count_events(const char *part)
{
    unsigned int count = 0;

    for (unsigned int i = 0; i < console_count && i < 4096; i++) {
        count += has(console[i], part);
    }
    return count;
}
