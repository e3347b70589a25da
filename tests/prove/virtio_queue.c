// SPDX-License-Identifier: Apache-2.0
// Proof of vdev/virtio/queue.c by abstract interpretation (Eva): whatever a guest has in its memory, which is something
// else at each load, every walk makes no run-time error (indices of rings, tables and of the chain, arithmetic), and
// what it hands on is within its bounds. mm/guest_mem.c, which says what is the guest's RAM, is proved by itself.
#include <hv/arch/barrier.h>
#include <hv/guest_mem.h>

extern volatile uint64_t any;

// In the place of compiler builtins and assembly, which Frama-C does not know. A load looks whether there is something
// to read, and returns anything.
#define __atomic_load_n(from, order)       (*(from) ^ any)
#define __atomic_store_n(to, value, order) (*(to) = (value))
#define bounded_index                      prove_bounded_index
#define barrier_order()                    ((void)0)
#define barrier_order_stores()             ((void)0)

static uint64_t prove_bounded_index(uint64_t index, uint64_t count)
{
    (void)count;
    return index;
}

#define guest_mem_place prove_guest_mem_place

static bool prove_guest_mem_place(const struct space_ram *ram, ipa_t ipa, uint64_t size, pa_t *pa)
{
    (void)ram, (void)ipa, (void)size;
    pa->v = any;
    return any % 2;
}

#include "../../vdev/virtio/queue.c"

// The guest's memory: as much as the largest queue and the largest indirect table have.
static struct virtq_desc descriptors[VIRTIO_CHAIN_MAX];
static uint16_t avail[2 + VIRTIO_QUEUE_SIZE_MAX + 1];
static uint32_t used[1 + 2 * VIRTIO_QUEUE_SIZE_MAX + 1];
static struct virtio_chain chain;

bool guest_mem_is_ram(const struct space *space, ipa_t ipa, uint64_t size)
{
    (void)space, (void)ipa;
    //@ assert a_length: 1 <= size < BIT64(32);
    return any % 2;
}

enum hv_status guest_mem_translate(struct space *space, ipa_t ipa, uint64_t size, uint32_t permissions, pa_t *pa)
{
    (void)space, (void)ipa;
    //@ assert a_length_of_a_descriptor: 1 <= size < BIT64(32);
    //@ assert read_or_write: permissions == STAGE2_READ || permissions == STAGE2_WRITE;
    pa->v = any;
    return any % HV_STATUS_COUNT;
}

enum hv_status guest_mem_share(struct space *space, ipa_t ipa, uint64_t size, uint32_t permissions, void **pointer)
{
    (void)space, (void)ipa, (void)permissions;
    //@ assert a_table: sizeof(struct virtq_desc) <= size <= sizeof(descriptors);
    *pointer = descriptors;
    return any % HV_STATUS_COUNT;
}

static void read_one(uint32_t size)
{
    struct space space = {.stage2.memory_changed = any % 2};
    struct virtio_fault fault = {0};
    struct virtio_queue queue = {
        .size = size,
        .ready = true,
        .event_idx = any % 2,
        .avail_next = (uint16_t)any,
        .used_next = (uint16_t)any,
        .used_published = (uint16_t)any,
        .ram = {.range = {.base = {any}, .size = any}, .pa = {any}},
        .desc_table = descriptors,
        .avail_ring = (const struct virtq_ring *)avail,
        .used_ring = (struct virtq_ring *)used,
    };
    enum virtio_next next = virtio_queue_next(&queue, &space, any % 2, &chain, &fault);

    if (next == VIRTIO_NEXT_CHAIN) {
        //@ assert head_is_a_descriptor: chain.head < size;
        //@ assert buffers_fit: chain.count <= VIRTIO_CHAIN_MAX;
        virtio_queue_complete(&queue, chain.head, (uint32_t)any);
    }
    (void)virtio_queue_publish(&queue);
    (void)virtio_queue_set_notify(&queue, any % 2);
}

void prove_virtio_queue(void)
{
    read_one(1);
    read_one(16);
    read_one(VIRTIO_QUEUE_SIZE_MAX);
}
