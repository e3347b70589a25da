// SPDX-License-Identifier: Apache-2.0
// Links: trace/log_ring.c
// The log's ring as memory: whose it is, and what a reader sees who stops the machine at any moment.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fake_trace.h>

#include <hv/log_ring.h>

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

// What a reader of memory finds at the moments of the barriers: before the slot changes, and before it is a record.
static uint32_t length_at_barrier[2];
static char text_at_barrier[2][8];
static unsigned int barriers;

static void look(enum fake_operation operation)
{
    if (operation != FAKE_DMB_ISHST)
        return;
    assert_true(barriers < 2);
    length_at_barrier[barriers] = ring.slot[1][0].length;
    memcpy(text_at_barrier[barriers++], ring.slot[1][0].text, 8);
}

static void a_record_is_whole_before_its_length_says_so(void **state)
{
    (void)state;

    for (unsigned int i = 0; i < LOG_SLOTS; i++)
        log_ring_append(&ring, i == 0 ? 1 : 2, 9000 - i, "ABCDEFG", 7);
    memcpy(ring.slot[1][0].text, "ABCDEFG\n", 8);
    ring.slot[1][0].first = 0; // so that it is the one to go
    ring.slot[1][0].source = 2;
    ring.slot[1][0].sequence = 0;
    barriers = 0;
    fake_trace_hook = look;
    log_ring_append(&ring, 3, 9999, "abcdefg", 7);
    fake_trace_hook = NULL;
    assert_int_equal(barriers, 2);
    assert_int_equal(length_at_barrier[0], 0);               // no record any more,
    assert_memory_equal(text_at_barrier[0], "ABCDEFG\n", 8); // while its text is still the old one's
    assert_int_equal(length_at_barrier[1], 0);
    assert_memory_equal(text_at_barrier[1], "abcdefg\n", 8);
    assert_int_equal(ring.slot[1][0].length, 7);
    assert_int_equal(ring.slot[1][0].sequence, 9999);
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
        cmocka_unit_test_setup(a_record_is_whole_before_its_length_says_so, set_up),
        cmocka_unit_test_setup(the_magic_comes_last, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
