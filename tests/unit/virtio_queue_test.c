// SPDX-License-Identifier: Apache-2.0
// The rings of a guest as EL2 reads them: what is a queue, that each value is read once, and that neither side misses
// the other's entries. Chains: virtio_queue_chain_test.c.
#include "virtio_queue_world.h"

// ---- What a queue is ------------------------------------------------------------------------------------------------

static void sizes_are_powers_of_two(void **state)
{
    (void)state;
    for (uint32_t size = 0; size < 1100; size++) {
        bool good = size == 1 || size == 2 || size == 4 || size == 8 || size == 16 || size == 32 || size == 64 ||
                    size == 128 || size == 256;

        queue.size = size;
        assert_int_equal(virtio_queue_enable(&queue, &space, false, &fault), good);
        assert_int_equal(queue.ready, good);
        if (!good)
            assert_fault("queue-size", size, 256);
    }
    queue.size = 0x80000000;
    assert_false(virtio_queue_enable(&queue, &space, false, &fault));
}

static void rings_are_aligned_apart_and_in_ram(void **state)
{
    // The sizes of a queue of 8 entries: 128, 22 and 70 bytes.
    static const struct {
        uint64_t desc, avail, used;
        const char *reason; // NULL: a queue
        uint64_t value, bound;
    } rows[] = {
        {DESC, AVAIL, USED, NULL, 0, 0},
        {RAM, RAM + 128, RAM + 152, NULL, 0, 0}, // close together
        {END - 128, AVAIL, USED, NULL, 0, 0},    // the last bytes of RAM
        {DESC, END - 22, USED, NULL, 0, 0},
        {DESC, AVAIL, END - 72, NULL, 0, 0},
        {READ_ONLY, READ_ONLY + 128, USED, NULL, 0, 0}, // EL2 only reads these two
        {DESC + 8, AVAIL, USED, "ring-alignment", DESC + 8, 16},
        {DESC, AVAIL + 1, USED, "ring-alignment", AVAIL + 1, 2},
        {DESC, AVAIL, USED + 2, "ring-alignment", USED + 2, 4},
        {DESC, DESC, USED, "rings-overlap", DESC, DESC},
        {RAM, RAM + 126, USED, "rings-overlap", RAM, RAM + 126},
        {DESC, AVAIL, AVAIL + 20, "rings-overlap", AVAIL, AVAIL + 20},
        {USED + 64, AVAIL, USED, "rings-overlap", USED, USED + 64},
        {DESC, USED + 68, USED, "rings-overlap", USED + 68, USED},
        {0, AVAIL, USED, "ring-not-ram", 0, 128},
        {RAM - 16, AVAIL, USED, "ring-not-ram", RAM - 16, 128},
        {END - 112, AVAIL, USED, "ring-not-ram", END - 112, 128}, // straddles the end
        {DESC, END - 20, USED, "ring-not-ram", END - 20, 22},
        {DESC, AVAIL, END - 68, "ring-not-ram", END - 68, 70},
        {DESC, AVAIL, END, "ring-not-ram", END, 70},
        {UINT64_C(0xfffffffffffffff0), AVAIL, USED, "ring-not-ram", UINT64_C(0xfffffffffffffff0), 128}, // wraps
        {UINT64_C(0x0a000000), AVAIL, USED, "ring-not-ram", UINT64_C(0x0a000000), 128},                 // a device
        {RAM | BIT64(39), AVAIL, USED, "ring-not-ram", RAM | BIT64(39), 128},
        {DESC, AVAIL, READ_ONLY, "ring-not-ram", READ_ONLY, 70},
        {DESC, HOLE, USED, "ring-not-ram", HOLE, 22},
        {HOLE - 16, AVAIL, USED, "ring-not-ram", HOLE - 16, 128},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        queue = (struct virtio_queue){.desc = rows[i].desc, .avail = rows[i].avail, .used = rows[i].used, .size = 8};
        assert_int_equal(virtio_queue_enable(&queue, &space, false, &fault), rows[i].reason == NULL);
        if (rows[i].reason != NULL)
            assert_fault(rows[i].reason, rows[i].value, rows[i].bound);
        assert_int_equal(queue.ready, rows[i].reason == NULL);
        assert_int_equal(next(), VIRTIO_NEXT_NONE);
    }
}

static void a_queue_that_is_not_ready_does_nothing(void **state)
{
    (void)state;
    enable(8, false);
    offer(0);
    virtio_queue_disable(&queue);
    assert_false(queue.ready);
    assert_true(queue.desc == 0 && queue.avail == 0 && queue.used == 0 && queue.size == 0);
    assert_int_equal(next(), VIRTIO_NEXT_NONE);
    virtio_queue_complete(&queue, 0, 0);
    assert_false(virtio_queue_publish(&queue));
    assert_false(virtio_queue_set_notify(&queue, true));
    for (unsigned int i = 0; i < 70; i++)
        assert_int_equal(*(uint8_t *)at(USED + i), 0);
}

static void enabling_begins_anew(void **state)
{
    (void)state;
    enable(8, false);
    put_desc(DESC, 3, (struct virtq_desc){DATA, 1, 0, 0});
    offer(3);
    assert_int_equal(next(), VIRTIO_NEXT_CHAIN);
    virtio_queue_complete(&queue, 3, 0);
    memset(at(AVAIL), 0, 64);
    enable(4, false);
    assert_int_equal(next(), VIRTIO_NEXT_NONE);
    offer(3);
    assert_int_equal(next(), VIRTIO_NEXT_CHAIN);
    virtio_queue_complete(&queue, 3, 9);
    assert_true(virtio_queue_publish(&queue));
    assert_int_equal(((uint16_t *)at(USED))[1], 1);
}

// ---- Another vCPU, meanwhile ----------------------------------------------------------------------------------------

// At each lock that EL2 takes, which it does to translate, the guest makes of every descriptor one of EL2's memory.
static void change_all(enum fake_operation operation)
{
    if (operation != FAKE_LOCK_ACQUIRE)
        return;
    for (unsigned int i = 0; i < 8; i++)
        put_desc(DESC, i, (struct virtq_desc){0, 4096, N | W, 0xffff});
}

static void a_descriptor_is_read_once(void **state)
{
    (void)state;
    enable(8, false);
    put_desc(DESC, 0, (struct virtq_desc){DATA, 16, 0, 0});
    offer(0);
    fake_trace_hook = change_all;
    assert_int_equal(next(), VIRTIO_NEXT_CHAIN);
    assert_int_equal(chain.count, 1);
    assert_buffer(0, DATA, 16, false);
    fake_trace_hook = NULL;
    // the one after it is read when its turn comes
    put_desc(DESC, 0, (struct virtq_desc){DATA, 16, N, 1});
    put_desc(DESC, 1, (struct virtq_desc){DATA, 16, 0, 0});
    offer(0);
    fake_trace_hook = change_all;
    refused("buffer-not-ram", 0, 4096);
}

static void change_table(enum fake_operation operation)
{
    if (operation != FAKE_LOCK_ACQUIRE)
        return;
    put_desc(DESC, 0, (struct virtq_desc){0, 16000, I | N, 0});
}

static void an_indirect_descriptor_is_read_once(void **state)
{
    (void)state;
    enable(8, false);
    put_desc(INDIRECT, 0, (struct virtq_desc){DATA, 16, N, 2}); // within a length of 16,000, not of 32
    put_desc(DESC, 0, (struct virtq_desc){INDIRECT, 32, I, 0});
    offer(0);
    fake_trace_hook = change_table;
    refused("next-out-of-range", 2, 2);
}

// At the barrier between the index and the entry the guest changes the index; and later the entry.
static void change_index(enum fake_operation operation)
{
    if (operation == FAKE_DMB_ISH)
        *avail_idx() = 0x4000;
    if (operation == FAKE_LOCK_ACQUIRE)
        ((uint16_t *)at(AVAIL))[2] = 0xffff;
}

static void index_and_entry_are_read_once(void **state)
{
    (void)state;
    enable(8, false);
    put_desc(DESC, 3, (struct virtq_desc){DATA, 16, 0, 0});
    offer(3);
    fake_trace_hook = change_index;
    assert_int_equal(next(), VIRTIO_NEXT_CHAIN);
    assert_int_equal(chain.head, 3);
    fake_trace_hook = NULL;
    refused("avail-index", 0x4000, 9);
}

static void a_chain_that_is_put_back_is_read_anew(void **state)
{
    (void)state;
    enable(8, false);
    put_desc(DESC, 0, (struct virtq_desc){DATA, 16, 0, 0});
    offer(0);
    assert_int_equal(next(), VIRTIO_NEXT_CHAIN);
    virtio_queue_put_back(&queue);
    put_desc(DESC, 0, (struct virtq_desc){0, 16, 0, 0});
    refused("buffer-not-ram", 0, 16);
    put_desc(DESC, 0, (struct virtq_desc){DATA + 4, 6, 0, 0});
    assert_int_equal(next(), VIRTIO_NEXT_CHAIN);
    assert_buffer(0, DATA + 4, 6, false);
    assert_int_equal(next(), VIRTIO_NEXT_NONE);
}

// ---- The rings ------------------------------------------------------------------------------------------------------

static void an_index_is_at_most_a_queue_ahead(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < 8; i++)
        put_desc(DESC, i, (struct virtq_desc){DATA, 16, 0, 0});
    enable(8, false);
    *avail_idx() = 8;
    for (unsigned int i = 0; i < 8; i++)
        assert_int_equal(next(), VIRTIO_NEXT_CHAIN);
    assert_int_equal(next(), VIRTIO_NEXT_NONE);
    *avail_idx() = 17;
    refused("avail-index", 17, 16);
    *avail_idx() = 7; // behind: 65,535 ahead
    refused("avail-index", 7, 16);
}

static void indices_wrap_at_65536(void **state)
{
    unsigned int done = 0;

    (void)state;
    enable(8, true);
    for (unsigned int i = 0; i < 8; i++)
        put_desc(DESC, i, (struct virtq_desc){DATA + i, 1, 0, 0});
    for (unsigned int round = 0; round < 3 * 65536 / 5; round++) {
        for (unsigned int i = 0; i < 5; i++)
            offer((uint16_t)((done + i) % 8));
        for (unsigned int i = 0; i < 5; i++, done++) {
            assert_int_equal(virtio_queue_next(&queue, &space, true, &chain, &fault), VIRTIO_NEXT_CHAIN);
            assert_int_equal(chain.head, done % 8);
            virtio_queue_complete(&queue, chain.head, done);
            assert_int_equal(((struct virtq_used_elem *)at(USED + 4))[done % 8].len, done);
        }
        // The guest wants an interrupt at the third of these five: at 65,534 and the like as well.
        ((uint16_t *)at(AVAIL))[2 + 8] = (uint16_t)(done - 3);
        assert_int_equal(((uint16_t *)at(USED))[1], (uint16_t)(done - 5));
        assert_true(virtio_queue_publish(&queue));
        assert_int_equal(((uint16_t *)at(USED))[1], (uint16_t)done);
        assert_false(virtio_queue_publish(&queue));
        assert_false(virtio_queue_set_notify(&queue, true));
        assert_int_equal(((uint16_t *)at(USED))[2 + 4 * 8], (uint16_t)done);
    }
}

static void used_entries_are_in_order_of_completion(void **state)
{
    const struct virtq_used_elem *used = at(USED + 4);

    (void)state;
    enable(4, false);
    for (unsigned int i = 0; i < 4; i++) {
        put_desc(DESC, i, (struct virtq_desc){DATA, 16, 0, 0});
        offer((uint16_t)i);
        assert_int_equal(next(), VIRTIO_NEXT_CHAIN);
    }
    virtio_queue_complete(&queue, 2, 100);
    virtio_queue_complete(&queue, 0, UINT32_MAX);
    virtio_queue_complete(&queue, 3, 0);
    assert_true(used[0].id == 2 && used[0].len == 100);
    assert_true(used[1].id == 0 && used[1].len == UINT32_MAX);
    assert_true(used[2].id == 3 && used[2].len == 0);
    assert_int_equal(((uint16_t *)at(USED))[1], 0);
    assert_true(virtio_queue_publish(&queue));
    assert_int_equal(((uint16_t *)at(USED))[1], 3);
    assert_int_equal(((uint16_t *)at(USED))[0], 0);
}

// ---- Barriers -------------------------------------------------------------------------------------------------------

static void entries_are_read_after_the_index(void **state)
{
    (void)state;
    enable(8, false);
    put_desc(DESC, 1, (struct virtq_desc){DATA, 16, 0, 0});
    *avail_idx() = 1;
    ((uint16_t *)at(AVAIL))[2] = 1;
    assert_int_equal(next(), VIRTIO_NEXT_CHAIN);
    assert_int_equal(fake_trace[0].operation, FAKE_DMB_ISH); // before any look at stage 2
    assert_int_equal(fake_trace[1].operation, FAKE_LOCK_ACQUIRE);
    assert_int_equal(fake_trace_count_of(FAKE_DMB_ISH), 1);
}

static void an_entry_is_visible_before_the_index(void **state)
{
    (void)state;
    enable(8, false);
    fake_trace_watch(at(USED));
    virtio_queue_complete(&queue, 5, 7);
    assert_int_equal(fake_trace_count, 0);
    assert_true(virtio_queue_publish(&queue));
    assert_int_equal(fake_trace_count, 2);
    assert_int_equal(fake_trace[0].operation, FAKE_DMB_ISHST);
    assert_int_equal(fake_trace[0].watched, UINT64_C(5) << 32); // the entry's id, and an index of 0
    assert_int_equal(((uint16_t *)at(USED))[1], 1);
}

static void the_index_is_visible_before_the_wish_is_read(void **state)
{
    (void)state;
    enable(8, false);
    virtio_queue_complete(&queue, 0, 0);
    fake_trace_reset();
    assert_true(virtio_queue_publish(&queue));
    assert_int_equal(fake_trace_count, 2);
    assert_int_equal(fake_trace[1].operation, FAKE_DMB_ISH);
}

// ---- Interrupts and notifications -----------------------------------------------------------------------------------

static void set_no_interrupt(enum fake_operation operation)
{
    if (operation == FAKE_DMB_ISH)
        *(uint16_t *)at(AVAIL) = VIRTQ_AVAIL_F_NO_INTERRUPT;
}

static void without_event_idx_a_flag_says_who_is_told(void **state)
{
    (void)state;
    enable(8, false);
    ((uint16_t *)at(AVAIL))[2 + 8] = 0x7777;    // used_event, which says nothing
    assert_false(virtio_queue_publish(&queue)); // for nothing
    virtio_queue_complete(&queue, 0, 0);
    assert_true(virtio_queue_publish(&queue));
    assert_false(virtio_queue_publish(&queue));
    virtio_queue_complete(&queue, 0, 0);
    fake_trace_hook = set_no_interrupt; // said at the last moment, it counts
    assert_false(virtio_queue_publish(&queue));
    fake_trace_hook = NULL;

    assert_false(virtio_queue_set_notify(&queue, false));
    assert_int_equal(*(uint16_t *)at(USED), VIRTQ_USED_F_NO_NOTIFY);
    assert_false(virtio_queue_set_notify(&queue, true));
    assert_int_equal(*(uint16_t *)at(USED), 0);
    assert_int_equal(((uint16_t *)at(USED))[2 + 4 * 8], 0);
}

static void with_event_idx_an_index_says_when(void **state)
{
    uint16_t *used_event = (uint16_t *)at(AVAIL) + 2 + 8, *event = (uint16_t *)at(USED) + 2 + 4 * 8;

    (void)state;
    enable(8, true);
    *(uint16_t *)at(AVAIL) = VIRTQ_AVAIL_F_NO_INTERRUPT; // which says nothing
    *used_event = 1;
    virtio_queue_complete(&queue, 0, 0);
    assert_false(virtio_queue_publish(&queue));
    virtio_queue_complete(&queue, 0, 0);
    assert_true(virtio_queue_publish(&queue));
    virtio_queue_complete(&queue, 0, 0);
    assert_false(virtio_queue_publish(&queue));

    assert_false(virtio_queue_set_notify(&queue, false));
    assert_int_equal(*(uint16_t *)at(USED), 0); // the flag stays 0 (2.7.10)
    put_desc(DESC, 0, (struct virtq_desc){DATA, 1, 0, 0});
    offer(0);
    assert_int_equal(next(), VIRTIO_NEXT_CHAIN);
    assert_int_equal(*event, 0);
    assert_false(virtio_queue_set_notify(&queue, true));
    assert_int_equal(*event, 1);
}

static void offer_meanwhile(enum fake_operation operation)
{
    if (operation == FAKE_DMB_ISH)
        offer(0);
}

// An entry that comes between the last look and the wish for a notification is found by the second look.
static void no_notification_is_lost(void **state)
{
    (void)state;
    for (unsigned int event_idx = 0; event_idx < 2; event_idx++) {
        memset(at(AVAIL), 0, 64);
        enable(8, event_idx != 0);
        assert_int_equal(next(), VIRTIO_NEXT_NONE);
        fake_trace_hook = offer_meanwhile;
        assert_true(virtio_queue_set_notify(&queue, true));
        fake_trace_hook = NULL;
        assert_int_equal(fake_trace_count, 1);
        put_desc(DESC, 0, (struct virtq_desc){DATA, 1, 0, 0});
        assert_int_equal(next(), VIRTIO_NEXT_CHAIN);
        assert_false(virtio_queue_set_notify(&queue, true));
        offer(0);
        assert_false(virtio_queue_set_notify(&queue, false)); // no more than a hint
    }
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sizes_are_powers_of_two),
        TEST(rings_are_aligned_apart_and_in_ram),
        TEST(a_queue_that_is_not_ready_does_nothing),
        TEST(enabling_begins_anew),
        TEST(a_descriptor_is_read_once),
        TEST(an_indirect_descriptor_is_read_once),
        TEST(index_and_entry_are_read_once),
        TEST(a_chain_that_is_put_back_is_read_anew),
        TEST(an_index_is_at_most_a_queue_ahead),
        TEST(indices_wrap_at_65536),
        TEST(used_entries_are_in_order_of_completion),
        TEST(entries_are_read_after_the_index),
        TEST(an_entry_is_visible_before_the_index),
        TEST(the_index_is_visible_before_the_wish_is_read),
        TEST(without_event_idx_a_flag_says_who_is_told),
        TEST(with_event_idx_an_index_says_when),
        TEST(no_notification_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
