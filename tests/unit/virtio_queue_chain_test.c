// SPDX-License-Identifier: Apache-2.0
// Chains of descriptors and indirect tables as EL2 reads them: what is a request, what is refused by which name.
#include "virtio_queue_world.h"

// ---- Chains ---------------------------------------------------------------------------------------------------------

static void a_chain_is_translated_in_its_order(void **state)
{
    (void)state;
    enable(8, false);
    assert_int_equal(next(), VIRTIO_NEXT_NONE);
    put_desc(DESC, 5, (struct virtq_desc){DATA, 16, N, 2});
    put_desc(DESC, 2, (struct virtq_desc){DATA + 0x101, 700, N, 7});
    put_desc(DESC, 7, (struct virtq_desc){RAM + MIB(2) - 8, 8, N | W, 0}); // to the last byte of a block
    put_desc(DESC, 0, (struct virtq_desc){END - 1, 1, W, 0});
    offer(5);
    assert_int_equal(next(), VIRTIO_NEXT_CHAIN);
    assert_int_equal(chain.head, 5);
    assert_int_equal(chain.count, 4);
    assert_int_equal(chain.readable, 716);
    assert_int_equal(chain.writable, 9);
    assert_buffer(0, DATA, 16, false);
    assert_buffer(1, DATA + 0x101, 700, false);
    assert_buffer(2, RAM + MIB(2) - 8, 8, true);
    assert_buffer(3, END - 1, 1, true);
    assert_int_equal(next(), VIRTIO_NEXT_NONE);
}

static void a_chain_may_have_as_many_as_the_queue(void **state)
{
    (void)state;
    enable(256, false);
    for (unsigned int i = 0; i < 256; i++)
        put_desc(DESC, i, (struct virtq_desc){DATA + i, 1, i < 255 ? N : 0, (uint16_t)(i + 1)});
    offer(0);
    assert_int_equal(next(), VIRTIO_NEXT_CHAIN);
    assert_int_equal(chain.count, 256);
    assert_int_equal(chain.readable, 256);
    assert_buffer(255, DATA + 255, 1, false);
}

static void loops_end(void **state)
{
    (void)state;
    enable(8, false);
    put_desc(DESC, 0, (struct virtq_desc){DATA, 4, N, 0});
    offer(0);
    refused("chain-loop", 8, 8);
    for (unsigned int i = 0; i < 8; i++)
        put_desc(DESC, i, (struct virtq_desc){DATA, 4, N, (uint16_t)((i + 3) % 8)});
    refused("chain-loop", 8, 8);
    // and those of no bytes
    for (unsigned int i = 0; i < 8; i++)
        put_desc(DESC, i, (struct virtq_desc){DATA, 0, N, (uint16_t)((i + 3) % 8)});
    refused("chain-loop", 8, 8);
}

static void numbers_out_of_range_are_refused(void **state)
{
    static const uint16_t bad[] = {8, 9, 255, 256, 0x7fff, 0x8000, 0xffff};

    (void)state;
    enable(8, false);
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        enable(8, false);
        *avail_idx() = 0;
        offer(bad[i]);
        refused("head-out-of-range", bad[i], 8);
        enable(8, false);
        put_desc(DESC, 1, (struct virtq_desc){DATA, 4, N, bad[i]});
        *avail_idx() = 0;
        offer(1);
        refused("next-out-of-range", bad[i], 8);
        put_desc(DESC, 1, (struct virtq_desc){DATA, 4, 0, bad[i]}); // next says nothing without NEXT
        assert_int_equal(next(), VIRTIO_NEXT_CHAIN);
    }
}

static void what_the_device_reads_comes_first(void **state)
{
    (void)state;
    enable(8, false);
    put_desc(DESC, 0, (struct virtq_desc){DATA, 4, N | W, 1});
    put_desc(DESC, 1, (struct virtq_desc){DATA + 8, 4, 0, 0});
    offer(0);
    refused("readable-after-write", 1, 4);
}

static void buffers_lie_in_ram_whole(void **state)
{
    static const struct {
        uint64_t address;
        uint32_t length;
        uint16_t flags;
        bool good;
    } rows[] = {
        {RAM, 1, 0, true},
        {END - 1, 1, W, true},
        {END, 1, W, false},
        {END, 0, 0, false},
        {END - 1, 2, W, false},
        {RAM - 1, 1, 0, false},
        {RAM - 1, 2, 0, false},
        {0, 1, W, false},
        {0, 0, 0, false},
        {UINT64_C(0x41e00000) + RAM_SIZE, 4096, W, false}, // where EL2's own memory might be
        {UINT64_MAX, 1, W, false},
        {UINT64_MAX, 0, W, false},
        {UINT64_MAX - 15, 16, W, false},
        {UINT64_MAX - 0xfff, UINT32_MAX, W, false},
        {RAM | BIT64(63), 4, W, false},
        {RAM | BIT64(39), 4, 0, false},
        {RAM | BIT64(32), 4, 0, false},
        {RAM, UINT32_MAX, W, false},
        {RAM, (uint32_t)RAM_SIZE + 1, 0, false},
        {RAM + MIB(1), (uint32_t)MIB(1), W, true},
        {RAM + MIB(1), (uint32_t)MIB(1) + 4096, 0, true}, // across a block's end into a page
        {RAM + MIB(1), (uint32_t)MIB(1) + 4096, W, false},
        {RAM + MIB(1), (uint32_t)MIB(1) + 4097, 0, false}, // into the hole
        {READ_ONLY, 4096, 0, true},
        {READ_ONLY, 1, W, false},
        {READ_ONLY, 0, W, false},
        {HOLE, 1, 0, false},
        {HOLE, 0, 0, false},
        {DESC, 4096, W, true}, // over the rings: the guest's own harm
        {RAM, 0, W, true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        enable(8, false);
        *avail_idx() = 0;
        put_desc(DESC, 0, (struct virtq_desc){rows[i].address, rows[i].length, rows[i].flags, 0});
        offer(0);
        if (!rows[i].good) {
            refused("buffer-not-ram", rows[i].address, rows[i].length);
        } else {
            assert_int_equal(next(), VIRTIO_NEXT_CHAIN);
            assert_int_equal(chain.count, rows[i].length != 0);
            if (rows[i].length != 0)
                assert_buffer(0, rows[i].address, rows[i].length, (rows[i].flags & W) != 0);
        }
    }
}

static void a_length_of_4_gib_costs_no_look(void **state)
{
    (void)state;
    enable(8, false);
    put_desc(DESC, 0, (struct virtq_desc){RAM, UINT32_MAX, W, 0});
    offer(0);
    refused("buffer-not-ram", RAM, UINT32_MAX);
    assert_int_equal(fake_trace_count_of(FAKE_LOCK_ACQUIRE), 0);
}

static void empty_buffers_are_left_out(void **state)
{
    (void)state;
    enable(8, false);
    put_desc(DESC, 0, (struct virtq_desc){DATA, 0, N | W, 1});
    put_desc(DESC, 1, (struct virtq_desc){DATA + 8, 4, N, 2});
    put_desc(DESC, 2, (struct virtq_desc){DATA + 16, 0, N, 3});
    put_desc(DESC, 3, (struct virtq_desc){DATA + 24, 5, W, 0});
    offer(0);
    assert_int_equal(next(), VIRTIO_NEXT_CHAIN);
    assert_int_equal(chain.count, 2);
    assert_buffer(0, DATA + 8, 4, false);
    assert_buffer(1, DATA + 24, 5, true);
    put_desc(DESC, 4, (struct virtq_desc){DATA, 0, 0, 0});
    offer(4);
    assert_int_equal(next(), VIRTIO_NEXT_CHAIN);
    assert_int_equal(chain.count, 0);
    assert_int_equal(chain.readable + chain.writable, 0);
}

// 1,024 times 4 MiB are 4 GiB, which is the most; no chain has more than 1,023 buffers. So there is RAM of 8 MiB here,
// of which stage 2 has nothing to say but yes.
static void the_bytes_of_a_chain_are_bounded(void **state)
{
    uint8_t *more = aligned_alloc(MIB(2), MIB(8));
    struct ipa_range range = {{UINT64_C(0x80000000)}, MIB(8)}, ram = {{RAM}, RAM_SIZE};
    unsigned int count = 513;

    (void)state;
    assert_non_null(more);
    space_init(&space, root, &pool, 1); // with nothing split, so that looks are no bound
    assert_int_equal(space_add_ram(&space, &ram, pa_make((uintptr_t)memory)), HV_OK);
    assert_int_equal(space_add_ram(&space, &range, pa_make((uintptr_t)more)), HV_OK);
    enable(8, false);
    for (unsigned int i = 0; i < count; i++)
        put_desc(INDIRECT, i, (struct virtq_desc){range.base.v, (uint32_t)MIB(8), W | N, (uint16_t)(i + 1)});
    put_desc(INDIRECT, 511, (struct virtq_desc){range.base.v, (uint32_t)MIB(8), W, 0});
    put_desc(DESC, 0, (struct virtq_desc){INDIRECT, 16 * count, I, 0});
    offer(0);
    assert_int_equal(next(), VIRTIO_NEXT_CHAIN);
    assert_int_equal(chain.writable, BIT64(32));
    put_desc(INDIRECT, 511, (struct virtq_desc){range.base.v, (uint32_t)MIB(8), W | N, 512});
    put_desc(INDIRECT, 512, (struct virtq_desc){range.base.v, 1, W, 0});
    offer(0);
    refused("chain-bytes", BIT64(32) + 1, BIT64(32));
    free(more);
}

// A chain of buffers of a MiB each, in a block that is split to pages.
static void offer_split(unsigned int count)
{
    for (unsigned int i = 0; i < count; i++)
        put_desc(INDIRECT, i, (struct virtq_desc){HOLE + KIB(4), (uint32_t)MIB(1), W | N, (uint16_t)(i + 1)});
    put_desc(INDIRECT, count - 1, (struct virtq_desc){HOLE + KIB(4), (uint32_t)MIB(1), W, 0});
    put_desc(DESC, 0, (struct virtq_desc){INDIRECT, 16 * count, I, 0});
    offer(0);
    fake_trace_reset();
}

// Each look at stage 2 takes its lock and releases it: two steps. 127 MiB and the table need 256 for each buffer and
// one; the buffer over the bound is refused before anybody looks at it.
static void the_looks_of_a_chain_are_bounded(void **state)
{
    (void)state;
    enable(8, false);
    offer_split(127);
    assert_int_equal(next(), VIRTIO_NEXT_CHAIN);
    assert_int_equal(chain.looks, 127 * 258);
    assert_int_equal(fake_trace_count_of(FAKE_DMB_ISH), 1);
    assert_in_range(fake_trace_count, 2 * 127 * 256, 2 * 127 * 256 + 8);
    offer_split(128);
    refused("chain-looks", 128 * 258, VIRTIO_CHAIN_LOOKS);
    assert_in_range(fake_trace_count, 2 * 127 * 256, 2 * 127 * 256 + 8);
}

// ---- Indirect tables ------------------------------------------------------------------------------------------------

static void an_indirect_table_is_a_chain(void **state)
{
    (void)state;
    enable(8, false);
    put_desc(INDIRECT, 0, (struct virtq_desc){DATA, 16, N, 2});
    put_desc(INDIRECT, 2, (struct virtq_desc){DATA + 64, 512, N | W, 1});
    put_desc(INDIRECT, 1, (struct virtq_desc){DATA + 1024, 1, W, 0});
    put_desc(DESC, 6, (struct virtq_desc){INDIRECT, 48, I | W, 99}); // WRITE says nothing here
    offer(6);
    assert_int_equal(next(), VIRTIO_NEXT_CHAIN);
    assert_int_equal(chain.head, 6);
    assert_int_equal(chain.count, 3);
    assert_int_equal(chain.readable, 16);
    assert_int_equal(chain.writable, 513);
    assert_buffer(0, DATA, 16, false);
    assert_buffer(1, DATA + 64, 512, true);
    assert_buffer(2, DATA + 1024, 1, true);
}

// 2.7.5.3.2: a device handles descriptors that are followed by one of an indirect table.
static void an_indirect_table_may_end_a_chain(void **state)
{
    (void)state;
    enable(8, false);
    put_desc(DESC, 0, (struct virtq_desc){DATA, 16, N, 1});
    put_desc(DESC, 1, (struct virtq_desc){INDIRECT, 16, I, 0});
    put_desc(INDIRECT, 0, (struct virtq_desc){DATA + 64, 512, W, 0});
    offer(0);
    assert_int_equal(next(), VIRTIO_NEXT_CHAIN);
    assert_int_equal(chain.count, 2);
    assert_buffer(0, DATA, 16, false);
    assert_buffer(1, DATA + 64, 512, true);
    put_desc(DESC, 0, (struct virtq_desc){DATA, 16, N | W, 1}); // order holds across both
    put_desc(INDIRECT, 0, (struct virtq_desc){DATA + 64, 512, 0, 0});
    offer(0);
    refused("readable-after-write", 1, 16);
}

static void bad_indirect_tables_are_refused(void **state)
{
    static const struct {
        uint64_t address;
        uint32_t length;
        uint16_t flags;
        const char *reason;
        uint64_t bound;
    } rows[] = {
        {INDIRECT, 0, I, "indirect-length", 16368},
        {INDIRECT, 15, I, "indirect-length", 16368},
        {INDIRECT, 17, I, "indirect-length", 16368},
        {INDIRECT, 16384, I, "indirect-length", 16368},
        {INDIRECT, 0xfffffff0, I, "indirect-length", 16368},
        {INDIRECT, 16, I | N, "indirect-with-next", 3},
        {INDIRECT + 4, 16, I, "ring-alignment", 8},
        {RAM - 16, 32, I, "indirect-not-ram", 32},
        {END - 16, 32, I, "indirect-not-ram", 32},
        {END, 16, I, "indirect-not-ram", 16},
        {HOLE, 16, I, "indirect-not-ram", 16},
        {UINT64_C(0xfffffffffffffff0), 16, I, "indirect-not-ram", 16},
        {UINT64_C(0x0a000000), 16, I, "indirect-not-ram", 16},
    };

    (void)state;
    put_desc(INDIRECT, 0, (struct virtq_desc){DATA, 16, 0, 0});
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        bool about_length = strcmp(rows[i].reason, "indirect-length") == 0;

        enable(8, false);
        *avail_idx() = 0;
        put_desc(DESC, 0, (struct virtq_desc){rows[i].address, rows[i].length, rows[i].flags, 3});
        offer(0);
        refused(rows[i].reason, about_length ? rows[i].length : rows[i].address, rows[i].bound);
    }
}

static void an_indirect_table_is_for_those_who_asked(void **state)
{
    (void)state;
    enable(8, false);
    put_desc(INDIRECT, 0, (struct virtq_desc){DATA, 16, 0, 0});
    put_desc(DESC, 0, (struct virtq_desc){INDIRECT, 16, I, 0});
    offer(0);
    assert_int_equal(virtio_queue_next(&queue, &space, false, &chain, &fault), VIRTIO_NEXT_FAULT);
    assert_fault("indirect-unasked", INDIRECT, 0);
}

static void an_indirect_table_names_none(void **state)
{
    (void)state;
    enable(8, false);
    put_desc(INDIRECT, 0, (struct virtq_desc){DATA, 16, N, 1});
    put_desc(INDIRECT, 1, (struct virtq_desc){INDIRECT + 64, 16, I, 0});
    put_desc(INDIRECT + 64, 0, (struct virtq_desc){DATA, 16, 0, 0});
    put_desc(DESC, 0, (struct virtq_desc){INDIRECT, 32, I, 0});
    offer(0);
    refused("indirect-in-indirect", INDIRECT + 64, 0);
}

static void a_walk_stays_in_its_indirect_table(void **state)
{
    (void)state;
    enable(8, false);
    put_desc(INDIRECT, 0, (struct virtq_desc){DATA, 16, N, 2});
    put_desc(INDIRECT, 2, (struct virtq_desc){DATA, 16, 0, 0});
    put_desc(DESC, 0, (struct virtq_desc){INDIRECT, 32, I, 0});
    offer(0);
    refused("next-out-of-range", 2, 2);
    put_desc(INDIRECT, 0, (struct virtq_desc){DATA, 16, N, 1});
    put_desc(INDIRECT, 1, (struct virtq_desc){DATA, 16, N, 0});
    refused("chain-loop", 2, 2);
}

static void chains_have_at_most_1023_buffers(void **state)
{
    (void)state;
    enable(8, false);
    for (unsigned int i = 0; i < 1023; i++)
        put_desc(INDIRECT, i, (struct virtq_desc){DATA + i, 1, i < 1022 ? N : 0, (uint16_t)(i + 1)});
    put_desc(DESC, 1, (struct virtq_desc){INDIRECT, 1023 * 16, I, 0});
    offer(1);
    assert_int_equal(next(), VIRTIO_NEXT_CHAIN);
    assert_int_equal(chain.count, 1023);
    assert_buffer(1022, DATA + 1022, 1, false);
    put_desc(DESC, 0, (struct virtq_desc){DATA, 1, N, 1});
    offer(0);
    refused("chain-too-long", 1024, 1023);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_chain_is_translated_in_its_order),
        TEST(a_chain_may_have_as_many_as_the_queue),
        TEST(loops_end),
        TEST(numbers_out_of_range_are_refused),
        TEST(what_the_device_reads_comes_first),
        TEST(buffers_lie_in_ram_whole),
        TEST(a_length_of_4_gib_costs_no_look),
        TEST(empty_buffers_are_left_out),
        TEST(the_bytes_of_a_chain_are_bounded),
        TEST(the_looks_of_a_chain_are_bounded),
        TEST(an_indirect_table_is_a_chain),
        TEST(an_indirect_table_may_end_a_chain),
        TEST(bad_indirect_tables_are_refused),
        TEST(an_indirect_table_is_for_those_who_asked),
        TEST(an_indirect_table_names_none),
        TEST(a_walk_stays_in_its_indirect_table),
        TEST(chains_have_at_most_1023_buffers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
