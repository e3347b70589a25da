// SPDX-License-Identifier: Apache-2.0
// The driver of the guest in virtio_world.h, and the devices that it drives: a disk, a network device and a source of
// random bytes.
#pragma once

#include "virtio_world.h"

#define DATA (RAM + 0x100000)

#define W VIRTQ_DESC_F_WRITE
#define N VIRTQ_DESC_F_NEXT

#define VIRTIO_BLK_T_IN      0
#define VIRTIO_BLK_T_OUT     1
#define VIRTIO_BLK_T_FLUSH   4
#define VIRTIO_BLK_T_DISCARD 11

#define DISK 3u
#define NIC  4u
#define RNG  5u

static inline void *at(uint64_t ipa)
{
    return memory + (ipa - RAM);
}

static inline void put_desc(unsigned int q, unsigned int index, struct virtq_desc desc)
{
    memcpy((struct virtq_desc *)at(DESC(q)) + index, &desc, sizeof(desc));
}

// Offers head as the driver does, without a notification.
static inline void offer(unsigned int q, uint16_t head)
{
    uint16_t *ring = at(AVAIL(q));

    ring[2 + ring[1] % QUEUE_SIZE] = head;
    ring[1]++;
}

static inline uint16_t used_index(unsigned int q)
{
    return ((uint16_t *)at(USED(q)))[1];
}

static inline struct virtq_used_elem used(unsigned int q, unsigned int index)
{
    return ((struct virtq_used_elem *)at(USED(q) + 4))[index % QUEUE_SIZE];
}

// What the device has, taken in order.
static inline uint16_t taken(unsigned int n, unsigned int q)
{
    uint16_t head = 0;

    assert_true(fake_virtio_take(n, q, &head));
    return head;
}

static inline void nothing_to_take(unsigned int n, unsigned int q)
{
    uint16_t head;

    assert_false(fake_virtio_take(n, q, &head));
}

static inline uint64_t pa_of(uint64_t ipa)
{
    return (uintptr_t)at(ipa);
}

static inline int devices(void **state)
{
    setup(state);
    (void)add_device(DISK, VIRTIO_ID_BLOCK, BIT64(9) | VIRTIO_F_EVENT_IDX, 1);
    memcpy(add_device(NIC, VIRTIO_ID_NET, BIT64(5), 2)->config, "\x52\x54\0\x12\x34\x56", 6);
    (void)add_device(RNG, VIRTIO_ID_ENTROPY, 0, 1);
    virtio_probe(&vm);
    memset(&record, 0, sizeof(record));
    return 0;
}

// A block request in descriptors 0, 1, 2: header, data, status.
static inline void put_block(uint32_t type, uint64_t sector, uint32_t length, bool to_guest)
{
    memcpy(at(DATA), (uint32_t[]){type, 0, (uint32_t)sector, (uint32_t)(sector >> 32)}, 16);
    *(uint8_t *)at(DATA + 0x100) = 0xee;
    put_desc(0, 0, (struct virtq_desc){DATA, 16, N, length != 0 ? 1 : 2});
    put_desc(0, 1, (struct virtq_desc){DATA + 0x1000, length, (uint16_t)(N | (to_guest ? W : 0)), 2});
    put_desc(0, 2, (struct virtq_desc){DATA + 0x100, 1, W, 0});
}

static inline void assert_desc(unsigned int n, uint16_t head, unsigned int index, uint64_t pa, uint32_t length,
                               bool writes)
{
    const struct virtq_desc *desc = fake_virtio_desc(n, 0, head, index);

    assert_non_null(desc);
    if (pa != 0)
        assert_int_equal(desc->addr, pa);
    assert_int_equal(desc->len, length);
    assert_int_equal((desc->flags & W) != 0, writes);
}

static inline const uint8_t *shown(unsigned int n, unsigned int queue, uint16_t head, unsigned int index)
{
    return (const uint8_t *)(uintptr_t)fake_virtio_desc(n, queue, head, index)->addr;
}

static inline uint8_t guest_status(void)
{
    return *(uint8_t *)at(DATA + 0x100);
}
