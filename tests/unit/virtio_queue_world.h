// SPDX-License-Identifier: Apache-2.0
// A guest's queue of 8 in 4 MiB of RAM behind real stage-2 tables, whose second block has a page that the guest may
// only read and a page that is not mapped.
// Links: vdev/virtio/queue.c mm/guest_mem.c mm/space.c mm/stage2.c mm/pool.c arch/aarch64/tlb.c arch/aarch64/s2_pte.c
// Links: lib/range.c
#pragma once

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

static inline void *at(uint64_t ipa)
{
    return memory + (ipa - RAM);
}

static inline pa_t pa_of(uint64_t ipa)
{
    return pa_make((uintptr_t)at(ipa));
}

static inline int setup(void **state)
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

static inline void enable(uint32_t size, bool event_idx)
{
    queue.size = size;
    assert_true(virtio_queue_enable(&queue, &space, event_idx, &fault));
    fake_trace_reset();
}

static inline void put_desc(uint64_t table, unsigned int index, struct virtq_desc desc)
{
    memcpy((struct virtq_desc *)at(table) + index, &desc, sizeof(desc));
}

static inline uint16_t *avail_idx(void)
{
    return (uint16_t *)at(AVAIL) + 1;
}

// Offers head as the driver does.
static inline void offer(uint16_t head)
{
    uint16_t *index = avail_idx();

    ((uint16_t *)at(AVAIL))[2 + *index % queue.size] = head;
    ++*index;
}

static inline enum virtio_next next(void)
{
    memset(&chain, 0xa5, sizeof(chain));
    return virtio_queue_next(&queue, &space, true, &chain, &fault);
}

static inline void assert_fault(const char *reason, uint64_t value, uint64_t bound)
{
    assert_string_equal(fault.reason, reason);
    assert_int_equal(fault.value, value);
    assert_int_equal(fault.bound, bound);
}

static inline void refused(const char *reason, uint64_t value, uint64_t bound)
{
    assert_int_equal(next(), VIRTIO_NEXT_FAULT);
    assert_fault(reason, value, bound);
}

static inline void assert_buffer(unsigned int number, uint64_t ipa, uint32_t length, bool writes)
{
    assert_true(number < chain.count);
    assert_int_equal(chain.buffers[number].pa.v, pa_of(ipa).v);
    assert_int_equal(chain.buffers[number].length, length);
    assert_int_equal((chain.buffers[number].flags & VIRTQ_DESC_F_WRITE) != 0, writes);
}
