// SPDX-License-Identifier: Apache-2.0
// The rings of a guest as EL2 reads them: what is a queue, what is a chain, what is refused by which name, that each
// value is read once, and that neither side misses the other's entries.
// Links: vdev/virtio/queue.c mm/guest_mem.c mm/space.c mm/stage2.c mm/pool.c arch/aarch64/tlb.c arch/aarch64/s2_pte.c
// Links: lib/range.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <fake_trace.h>
#include <hv/pool.h>
#include <hv/virtio_queue.h>

#define RAM      UINT64_C(0x40000000)
#define RAM_SIZE MIB(4) // two blocks of 2 MiB
#define END      (RAM + RAM_SIZE)

// Where the parts of the queue are; data and indirect tables are elsewhere.
#define DESC      (RAM + 0x1000)
#define AVAIL     (RAM + 0x3000)
#define USED      (RAM + 0x4000)
#define DATA      (RAM + 0x10000)
#define INDIRECT  (RAM + 0x20000)
#define READ_ONLY (RAM + MIB(2))          // a page that the guest may only read
#define HOLE      (RAM + MIB(2) + KIB(4)) // a page that stage 2 does not map

#define W VIRTQ_DESC_F_WRITE
#define N VIRTQ_DESC_F_NEXT
#define I VIRTQ_DESC_F_INDIRECT

static uint8_t *memory;
static _Alignas(4096) uint64_t root[512];
static _Alignas(4096) uint8_t pages[8][4096];
static struct pool pool;
static struct space space;
static struct virtio_queue queue;
static struct virtio_chain chain;
static struct virtio_fault fault;

static void *at(uint64_t ipa)
{
    return memory + (ipa - RAM);
}

static pa_t pa_of(uint64_t ipa)
{
    return pa_make((uintptr_t)at(ipa));
}

static int setup(void **state)
{
    struct ipa_range ram = {{RAM}, RAM_SIZE}, read_only = {{READ_ONLY}, KIB(4)}, hole = {{HOLE}, KIB(4)};

    (void)state;
    if (memory == NULL)
        memory = aligned_alloc(MIB(2), RAM_SIZE);
    assert_non_null(memory);
    memset(memory, 0, RAM_SIZE);
    pool_init(&pool, pages, ARRAY_COUNT(pages));
    space_init(&space, root, &pool, 1);
    assert_int_equal(space_add_ram(&space, &ram, pa_make((uintptr_t)memory)), HV_OK);
    assert_int_equal(stage2_protect(&space.stage2, &read_only, STAGE2_READ), HV_OK);
    assert_int_equal(stage2_unmap(&space.stage2, &hole), HV_OK);
    queue = (struct virtio_queue){.desc = DESC, .avail = AVAIL, .used = USED, .size = 8};
    memset(&fault, 0, sizeof(fault));
    fake_trace_reset();
    return 0;
}

static void enable(uint32_t size, bool event_idx)
{
    queue.size = size;
    assert_true(virtio_queue_enable(&queue, &space, event_idx, &fault));
    fake_trace_reset();
}

static void put_desc(uint64_t table, unsigned int index, struct virtq_desc desc)
{
    memcpy((struct virtq_desc *)at(table) + index, &desc, sizeof(desc));
}

static uint16_t *avail_idx(void)
{
    return (uint16_t *)at(AVAIL) + 1;
}

// Offers head as the driver does.
static void offer(uint16_t head)
{
    uint16_t *index = avail_idx();

    ((uint16_t *)at(AVAIL))[2 + *index % queue.size] = head;
    ++*index;
}

static enum virtio_next next(void)
{
    memset(&chain, 0xa5, sizeof(chain));
    return virtio_queue_next(&queue, &space, true, &chain, &fault);
}

static void assert_fault(const char *reason, uint64_t value, uint64_t bound)
{
    assert_string_equal(fault.reason, reason);
    assert_int_equal(fault.value, value);
    assert_int_equal(fault.bound, bound);
}

static void refused(const char *reason, uint64_t value, uint64_t bound)
{
    assert_int_equal(next(), VIRTIO_NEXT_FAULT);
    assert_fault(reason, value, bound);
}

static void assert_buffer(unsigned int number, uint64_t ipa, uint32_t length, bool writes)
{
    assert_true(number < chain.count);
    assert_int_equal(chain.buffers[number].pa.v, pa_of(ipa).v);
    assert_int_equal(chain.buffers[number].length, length);
    assert_int_equal(chain.buffers[number].device_writes, writes);
}

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
    assert_false(virtio_queue_wants_interrupt(&queue));
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
    assert_int_equal(((uint16_t *)at(USED))[1], 1);
}

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
    struct ipa_range range = {{UINT64_C(0x80000000)}, MIB(8)};
    unsigned int count = 513;

    (void)state;
    assert_non_null(more);
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
            assert_int_equal(((uint16_t *)at(USED))[1], (uint16_t)(done + 1));
            assert_int_equal(((struct virtq_used_elem *)at(USED + 4))[done % 8].len, done);
        }
        // The guest wants an interrupt at the third of these five: at 65,534 and the like as well.
        ((uint16_t *)at(AVAIL))[2 + 8] = (uint16_t)(done - 3);
        assert_true(virtio_queue_wants_interrupt(&queue));
        assert_false(virtio_queue_wants_interrupt(&queue));
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
    assert_int_equal(fake_trace_count, 1);
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
    assert_true(virtio_queue_wants_interrupt(&queue));
    assert_int_equal(fake_trace_count, 1);
    assert_int_equal(fake_trace[0].operation, FAKE_DMB_ISH);
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
    ((uint16_t *)at(AVAIL))[2 + 8] = 0x7777;            // used_event, which says nothing
    assert_false(virtio_queue_wants_interrupt(&queue)); // for nothing
    virtio_queue_complete(&queue, 0, 0);
    assert_true(virtio_queue_wants_interrupt(&queue));
    assert_false(virtio_queue_wants_interrupt(&queue));
    virtio_queue_complete(&queue, 0, 0);
    fake_trace_hook = set_no_interrupt; // said at the last moment, it counts
    assert_false(virtio_queue_wants_interrupt(&queue));
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
    assert_false(virtio_queue_wants_interrupt(&queue));
    virtio_queue_complete(&queue, 0, 0);
    assert_true(virtio_queue_wants_interrupt(&queue));
    virtio_queue_complete(&queue, 0, 0);
    assert_false(virtio_queue_wants_interrupt(&queue));

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
        TEST(a_chain_is_translated_in_its_order),
        TEST(a_chain_may_have_as_many_as_the_queue),
        TEST(loops_end),
        TEST(numbers_out_of_range_are_refused),
        TEST(what_the_device_reads_comes_first),
        TEST(buffers_lie_in_ram_whole),
        TEST(a_length_of_4_gib_costs_no_look),
        TEST(empty_buffers_are_left_out),
        TEST(the_bytes_of_a_chain_are_bounded),
        TEST(an_indirect_table_is_a_chain),
        TEST(an_indirect_table_may_end_a_chain),
        TEST(bad_indirect_tables_are_refused),
        TEST(an_indirect_table_is_for_those_who_asked),
        TEST(an_indirect_table_names_none),
        TEST(a_walk_stays_in_its_indirect_table),
        TEST(chains_have_at_most_1023_buffers),
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
