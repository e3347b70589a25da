// SPDX-License-Identifier: Apache-2.0
// Records of requests to virtio devices: what they cite, one limit for each row, what is held back is told, and counts.
// Links: trace/log.c trace/log_start.c trace/log_held.c trace/log_panic.c trace/log_read.c trace/log_budget.c
// Links: trace/log_ring.c trace/log_verdict.c trace/log_counters.c trace/log_virtio.c trace/log_names.c
// Links: trace/telemetry.c trace/event_name.c arch/aarch64/esr_fields.c policy/policy_virtio.c lib/rate.c
// Links: lib/printf.c lib/siphash.c tests/fake/fake_trace_text.c
#include "log_world.h"

#include <hv/log_virtio.h>
#include <hv/virtio.h>

// Rows 1 to 3 of the policy have log: 10 a second, 1 a second, and all of them; row 0, the default, has none.
static const struct policy_virtio virtio_rows[] = {
    {.row = 1, .action = POLICY_DENY, .flags = POLICY_VIRTIO_LOG | POLICY_VIRTIO_PART},
    {.row = 2, .action = POLICY_EMULATE, .flags = POLICY_VIRTIO_LOG},
    {.row = 3, .action = POLICY_EMULATE, .flags = POLICY_VIRTIO_LOG},
    {.row = 4, .action = POLICY_EMULATE, .flags = POLICY_VIRTIO_LOG},
    {.row = 0, .action = POLICY_EMULATE},
};
static const struct policy virtio_policy = {
    .rows = rows, .row_count = ARRAY_COUNT(rows), .virtio = virtio_rows, .virtio_count = ARRAY_COUNT(virtio_rows)};

static int begin(void **state)
{
    int result = set_up(state);

    vm.policy = &virtio_policy;
    log_virtio_reset(&vm);
    return result;
}

static void request(unsigned int row, unsigned int device_id, enum virtio_request op)
{
    const struct policy_virtio_access access = {3, device_id, op, 2048, 8};

    log_virtio_request(&vm, &virtio_rows[row], &access, 4096, row == 0 ? "refused" : "ok");
}

static void a_record_names_the_request_and_cites_its_row(void **state)
{
    (void)state;
    request(0, VIRTIO_ID_BLOCK, VIRTIO_REQUEST_WRITE);
    assert_true(has(last_line(),
                    "level=warn class=policy event=virtio-blk device=block transport=3 op=write sector=2048 "
                    "bytes=4096 status=refused row=1 at=policy/test.toml:17 why=\"no \\\"counters\\\" here\" "
                    "tag="));
    request(1, VIRTIO_ID_NET, VIRTIO_REQUEST_TX);
    assert_true(has(last_line(), "level=info class=policy event=virtio-net device=net transport=3 op=tx bytes=4096 "
                                 "status=ok row=2 at=policy/test.toml:40000 why=quiet tag="));
    request(2, VIRTIO_ID_9P, VIRTIO_REQUEST_ANY);
    assert_true(has(last_line(), "level=info class=policy event=virtio-io device=9p transport=3 bytes=4096 status=ok "
                                 "row=3 at=policy/test.toml:60 why=all tag="));
}

static void a_row_without_log_writes_nothing(void **state)
{
    unsigned int before = console_count;
    const struct policy_virtio foreign = {.flags = POLICY_VIRTIO_LOG};
    const struct policy_virtio_access access = {0};

    (void)state;
    request(4, VIRTIO_ID_BLOCK, VIRTIO_REQUEST_READ);
    log_virtio_request(&vm, &foreign, &access, 0, "ok"); // no row of the policy's
    assert_int_equal(console_count, before);
    assert_int_equal(log_virtio_count(&vm, 0), 1);
}

static void no_record_is_cut(void **state)
{
    const struct policy_virtio_access access = {31, VIRTIO_ID_BLOCK, VIRTIO_REQUEST_SECURE_ERASE, UINT64_MAX,
                                                UINT64_MAX};

    (void)state;
    log_ring_half(&ring, false)->sequence = 999999999999999;
    log_virtio_request(&vm, &virtio_rows[3], &access, UINT64_MAX, "unsupported");
    assert_true(has(last_line(), " row=4 at=\"" LONGEST_PLACE "\" why=\"" LONGEST_WHY "\" tag="));
    assert_false(has(last_line(), "cut="));
}

static void each_row_has_a_limit_of_its_own(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < 1000; i++) {
        request(0, VIRTIO_ID_BLOCK, i % 2 ? VIRTIO_REQUEST_WRITE : VIRTIO_REQUEST_DISCARD);
        request(1, VIRTIO_ID_NET, VIRTIO_REQUEST_TX);
    }
    assert_int_equal(count_events("event=virtio-blk"), 10);
    assert_int_equal(count_events("event=virtio-net"), 1);
    assert_int_equal(log_suppressed_of_row(&vm, 1), 990);
    assert_int_equal(log_suppressed_of_row(&vm, 2), 999);
    assert_int_equal(log_virtio_count(&vm, 1), 1000);
    assert_int_equal(log_virtio_count(&vm, 2), 1000);
}

static void what_was_held_back_is_told(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < 20; i++)
        request(0, VIRTIO_ID_BLOCK, VIRTIO_REQUEST_WRITE);
    set_time(now + HZ);
    request(0, VIRTIO_ID_BLOCK, VIRTIO_REQUEST_WRITE);
    assert_true(has(console[(console_count - 2) % 4096],
                    "event=suppressed row=1 at=policy/test.toml:17 count=10 of=virtio tag="));
    for (unsigned int i = 0; i < 12; i++)
        request(0, VIRTIO_ID_BLOCK, VIRTIO_REQUEST_WRITE);
    set_time(now + 2 * HZ);
    log_tick();
    assert_true(has(last_line(), "event=suppressed row=1 at=policy/test.toml:17 count=3 of=virtio tag="));
}

static void counts_are_told_with_the_rows(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < 7; i++)
        request(4, VIRTIO_ID_BLOCK, VIRTIO_REQUEST_READ);
    request(2, VIRTIO_ID_CONSOLE, VIRTIO_REQUEST_ANY);
    log_counters(&vm);
    assert_int_equal(count_events("event=row row=0 at=policy/test.toml:1 count=7 logged=0 suppressed=0 what=default"),
                     1);
    assert_int_equal(
        count_events("event=row row=3 at=policy/test.toml:60 count=1 logged=1 suppressed=0 what=\"sysreg ID\""), 1);
    log_virtio_reset(&vm);
    assert_int_equal(log_virtio_count(&vm, 0) + log_virtio_count(&vm, 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_record_names_the_request_and_cites_its_row, begin),
        cmocka_unit_test_setup(a_row_without_log_writes_nothing, begin),
        cmocka_unit_test_setup(no_record_is_cut, begin),
        cmocka_unit_test_setup(each_row_has_a_limit_of_its_own, begin),
        cmocka_unit_test_setup(what_was_held_back_is_told, begin),
        cmocka_unit_test_setup(counts_are_told_with_the_rows, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
