// SPDX-License-Identifier: Apache-2.0
// Links: core/log_ring.c
// The log's ring as memory: whose it is, and what a reader sees who stops the machine at any moment.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fake_trace.h>

#include "../../core/log_ring.h"

static struct log_ring ring;

static int set_up(void **state)
{
    (void)state;
    memset(&ring, 0, sizeof(ring));
    fake_trace_reset();
    log_ring_start(&ring, false);
    return 0;
}

static void each_field_of_the_header_is_looked_at(void **state)
{
    uint32_t *const fields[] = {(uint32_t *)&ring.magic, &ring.version, &ring.size, &ring.header_size, &ring.half_size};
    (void)state;

    assert_true(log_ring_is_valid(&ring));
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        *fields[i] ^= 1;
        assert_false(log_ring_is_valid(&ring));
        *fields[i] ^= 1;
    }
    ring.boots = 0;
    assert_false(log_ring_is_valid(&ring));
    ring.boots = UINT32_MAX; // the next boot's number would be 0
    assert_false(log_ring_is_valid(&ring));
}

// What a reader of memory finds at the moment of the barrier that stands between the text and the head.
static uint64_t head_at_barrier;
static char text_at_barrier[8];

static void look(enum fake_operation operation)
{
    if (operation != FAKE_DMB_ISHST)
        return;
    head_at_barrier = ring.half[1].head;
    memcpy(text_at_barrier, ring.text[1], sizeof(text_at_barrier));
}

static void a_line_is_whole_before_the_head_says_so(void **state)
{
    (void)state;

    head_at_barrier = UINT64_MAX;
    fake_trace_hook = look;
    log_ring_append(&ring, "abcdefg", 7);
    assert_int_equal(head_at_barrier, 0);
    assert_memory_equal(text_at_barrier, "abcdefg\n", 8);
    assert_int_equal(ring.half[1].head, 8);
}

static void the_magic_comes_last(void **state)
{
    (void)state;

    memset(&ring, 0, sizeof(ring));
    fake_trace_reset();
    fake_trace_watch(&ring.magic);
    log_ring_start(&ring, false);
    assert_int_equal(fake_trace_count, 1);
    assert_int_equal(fake_trace[0].operation, FAKE_DMB_ISHST);
    assert_int_equal(fake_trace[0].watched, 0);
    assert_true(log_ring_is_valid(&ring));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_field_of_the_header_is_looked_at, set_up),
        cmocka_unit_test_setup(a_line_is_whole_before_the_head_says_so, set_up),
        cmocka_unit_test_setup(the_magic_comes_last, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
