// SPDX-License-Identifier: Apache-2.0
// The text that a trace begins with: whole, escaped, and within its chunk whatever the policy says. That its words are
// JSON which the tools read is seen by tests/qemu/test_trace.py.
//
// Links: trace/trace_meta.c trace/trace_virtio.c trace/trace.c policy/event_key.c policy/policy.c
// Links: policy/policy_virtio.c lib/printf.c lib/rate.c platform/platform.c tests/fake/fake_log.c

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <fake_log.h>

#include <hv/arch/registers.h>
#include <hv/machine.h>
#include <hv/policy.h>
#include <hv/trace.h>
#include <hv/trace_meta.h>

static _Alignas(128) uint8_t memory[TRACE_SIZE];
static struct policy policy = {.name = "a \"policy\"\\"};
static struct policy_row rows[POLICY_ROW_MAX];
static struct vm vm = {.policy = &policy, .vcpu_count = 4, .guest_name = "Linux \n Image"};

static const struct trace_chunk *make(unsigned int row_count)
{
    fake_sysreg_reset();
    fake_sysreg_set("CNTFRQ_EL0", 62500000);
    fake_sysreg_set("CNTPCT_EL0", 99);
    fake_sysreg_set("MIDR_EL1", 0x411fd070);
    trace_init(memory, 5);
    policy.rows = rows;
    policy.row_count = row_count;
    vm.space.ram_count = 2;
    vm.space.ram[0].range = (struct ipa_range){{0x40000000}, 0x30000000};
    vm.space.ram[1].range = (struct ipa_range){{0x80000000}, 0x1000};
    return trace_meta_make(&(struct trace_machine){"0.0", 4, &vm, 1});
}

static bool has(const struct trace_chunk *chunk, const char *text)
{
    static char copy[TRACE_CHUNK_SIZE];

    memcpy(copy, chunk + 1, chunk->bytes);
    copy[chunk->bytes] = '\0';
    return strstr(copy, text) != NULL;
}

// The text ends where bytes says, the last slot is filled with zeros, and no byte of it is a control character.
static void check(const struct trace_chunk *chunk)
{
    const uint8_t *text = (const uint8_t *)(chunk + 1);

    assert_int_equal(chunk->magic, TRACE_MAGIC);
    assert_int_equal(chunk->kind, TRACE_KIND_META);
    assert_int_equal(chunk->boot, 5);
    assert_int_equal(chunk->closed, 99);
    assert_true(chunk->bytes <= TRACE_CHUNK_SIZE - 128);
    assert_int_equal(chunk->count, (chunk->bytes + 127) / 128);
    assert_memory_equal(&text[chunk->bytes - 2], "}\n", 2);
    for (uint32_t i = 0; i + 1 < chunk->bytes; i++)
        assert_in_range(text[i], ' ', '~');
    for (uint32_t i = chunk->bytes; i < 128 * chunk->count; i++)
        assert_int_equal(text[i], 0);
}

static void the_machine_and_all_names_are_there(void **state)
{
    (void)state;
    rows[0] = (struct policy_row){"policy/x.toml:1", "default", "nobody \"foresaw\" it", .action = POLICY_DENY};
    const struct trace_chunk *chunk = make(1);
    check(chunk);
    assert_true(has(chunk, "{\"format\":\"ariel-trace\",\"version\":1,\"ariel\":\"0.0\",\"hz\":62500000,"));
    assert_true(
        has(chunk, "\"board\":\"virt\",\"cpus\":4,\"midr\":\"0x411fd070\",\"policy\":\"a \\\"policy\\\"\\\\\","));
    assert_true(has(chunk, "\"record\":[[\"sequence\",\"u64\",0],[\"entry\",\"u64\",8],"));
    assert_true(has(chunk, "[\"x\",\"u64x4\",64],"));
    assert_true(has(chunk, "\"verdicts\":[\"allow\",\"emulate\",\"raz-wi\",\"deny\",\"pause\",\"stop\"],"));
    assert_true(has(chunk, "\"types\":[\"\",\"exit\",\"text\",\"virtio\"],"));
    assert_true(has(chunk,
                    "\"vms\":[{\"name\":\"vm0\",\"vcpus\":4,\"guest\":\"Linux \\n Image\",\"ram\":[[\"0x40000000\","
                    "\"0x30000000\"],[\"0x80000000\",\"0x1000\"]]}],"));
    assert_true(has(chunk, "{\"name\":\"pl011\",\"base\":\"0x9000000\",\"size\":\"0x1000\"}"));
    assert_true(has(
        chunk, "\"rows\":[{\"place\":\"policy/x.toml:1\",\"text\":\"default\",\"why\":\"nobody \\\"foresaw\\\" it\","
               "\"action\":\"deny\"}],\"rows_missing\":0}"));
}

// 128 rows of the longest that the compiler makes fit; of a policy with more, those do that have room.
static void a_full_policy_fits(void **state)
{
    static char place[POLICY_PLACE_MAX + 1], why[POLICY_WHY_MAX + 1], text[65];
    (void)state;

    memset(place, 'p', POLICY_PLACE_MAX);
    memset(why, 'w', POLICY_WHY_MAX);
    memset(text, 't', 64);
    for (unsigned int i = 0; i < 128; i++)
        rows[i] = (struct policy_row){place, text, why, .action = POLICY_EMULATE};
    const struct trace_chunk *chunk = make(128);
    check(chunk);
    assert_true(has(chunk, "\"rows_missing\":0}"));
}

// Text that is longer than any which the compiler makes is left out by whole rows.
static void what_does_not_fit_is_counted(void **state)
{
    static char text[2001];
    char wanted[64];
    unsigned int count = 0;
    (void)state;

    memset(text, '"', 2000);
    for (unsigned int i = 0; i < POLICY_ROW_MAX; i++)
        rows[i] = (struct policy_row){"", text, "", .action = POLICY_EMULATE};
    const struct trace_chunk *chunk = make(POLICY_ROW_MAX);
    check(chunk);
    for (const char *at = (const char *)(chunk + 1); (at = strstr(at, "\"place\"")) != NULL; at++)
        count++;
    assert_in_range(count, 5, 20);
    (void)snprintf(wanted, sizeof(wanted), "\"action\":\"emulate\"}],\"rows_missing\":%u}\n", POLICY_ROW_MAX - count);
    assert_true(has(chunk, wanted));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_machine_and_all_names_are_there),
        cmocka_unit_test(a_full_policy_fits),
        cmocka_unit_test(what_does_not_fit_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
