// SPDX-License-Identifier: Apache-2.0
// The driver's half of a split virtqueue (VIRTIO 1.2, 2.7). It has three parts in memory. The descriptor table: each
// entry names a buffer, and a chain of them is one request. The available ring, which the driver writes: the heads of
// the chains that the device is to work on. The used ring, which the device writes: the heads of those that it is done
// with, in any order.
//
//     add      takes free descriptors, links them, and puts the head into the next entry of the available ring
//     publish  moves the ring's index over all that was added: from then on the device reads
//     take     reads the next entry of the used ring, and frees the chain's descriptors
//
// Both indices count modulo 65,536 and name the entry index % size, so that "full" and "empty" differ. For example,
// with 4 entries and a used ring at 65,534, the next three entries are 2, 3 and 0, and the index is then 1.
//
// The rule: a link between descriptors that EL2 follows stands in memory that the device does not have, and so does
// which chains are in flight. A device that writes nonsense into its used ring is found out, and costs its reset.
#include <hv/virtqueue.h>

#include <hv/arch/barrier.h>
#include <hv/string.h>

#define INDEX_HALF 0x8000u // half of all indices: an event that far ahead does not come for a long time

// The device reads and writes the rings while EL2 does: each index is one access.
static uint16_t load(const uint16_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static void store(uint16_t *word, uint16_t value)
{
    *(volatile uint16_t *)word = value;
}

static uint16_t slot(const struct virtqueue *queue, uint16_t index)
{
    return (uint16_t)(index & (queue->size - 1));
}

// The index behind which the device wants to be notified stands behind the last entry of the used ring (2.7.10). An
// entry has eight bytes and this word two: the lower half of the first four, in a little-endian ring.
static uint16_t avail_event(const struct virtqueue *queue)
{
    return (uint16_t)__atomic_load_n(&queue->used.ring[queue->size].id, __ATOMIC_RELAXED);
}

void virtqueue_init(struct virtqueue *queue, uint16_t size, bool event_idx)
{
    memset(&queue->avail.head, 0, sizeof(queue->avail.head));
    memset(&queue->used.head, 0, sizeof(queue->used.head));
    queue->avail.ring[size] = 0;
    queue->used.ring[size] = (struct virtq_used_elem){0};
    queue->size = size;
    queue->event_idx = event_idx;
    queue->avail_next = queue->avail_notified = queue->used_next = queue->forgotten = 0;
    queue->free_first = 0;
    queue->free_count = size;
    for (uint16_t i = 0; i < size; i++) {
        queue->next[i] = (uint16_t)(i + 1);
        queue->chain[i].length = 0;
    }
}

// A descriptor that the descriptor `next` follows. The buffer has the same layout: what stands behind the address is
// put together as one word (len, flags and next, from the lowest bit on), so that the compiler reads and writes words.
static inline void store_desc(struct virtq_desc *desc, const struct virtqueue_buffer *buffer, uint64_t next)
{
    const uint64_t kept = UINT32_MAX | (uint64_t)VIRTQ_DESC_F_WRITE << 32;
    uint64_t word = buffer->length | (uint64_t)buffer->flags << 32 | (uint64_t)buffer->rest << 48;

    word = (word & kept) | (uint64_t)VIRTQ_DESC_F_NEXT << 32 | next << 48;
    desc->addr = buffer->pa.v;
    desc->len = (uint32_t)word;
    desc->flags = (uint16_t)(word >> 32);
    desc->next = (uint16_t)(word >> 48);
}

// Free descriptors are linked by next[], and stay linked in this order as a chain.
inline enum hv_status virtqueue_add(struct virtqueue *queue, const struct virtqueue_buffer *buffers, unsigned int count,
                                    uint16_t *head)
{
    unsigned int first = queue->free_first, at = first, last = first;

    if (count == 0)
        return HV_ERR_EMPTY;
    if (count > queue->free_count)
        return count > queue->size ? HV_ERR_TOO_LONG : HV_ERR_NO_MEMORY;
    for (unsigned int i = 0; i < count; i++) {
        last = at;
        at = queue->next[last];
        store_desc(&queue->desc[last], &buffers[i], at);
    }
    queue->desc[last].flags &= (uint16_t)~VIRTQ_DESC_F_NEXT;
    queue->desc[last].next = 0;
    queue->free_first = (uint16_t)at;
    queue->free_count = (uint16_t)(queue->free_count - count);
    queue->chain[first].length = (uint16_t)count;
    queue->chain[first].last = (uint16_t)last;
    queue->avail.ring[slot(queue, queue->avail_next)] = (uint16_t)first;
    queue->avail_next++;
    *head = (uint16_t)first;
    return HV_OK;
}

// The order in which the two sides look is what keeps a notification from being lost (2.7.13.4). The driver moves the
// index and then reads whether the device wants to know; the device says that it wants to and then reads the index. So
// at least one of the two sees what the other has done.
bool virtqueue_publish(struct virtqueue *queue)
{
    uint16_t old = queue->avail_notified;
    uint16_t new = queue->avail_next;

    if (new == old)
        return false;
    barrier_device_stores(); // descriptors and ring entries before the index that shows them
    store(&queue->avail.head.idx, new);
    queue->avail_notified = new;
    barrier_device(); // the index before the device's wish is read: a store before a load
    if (queue->event_idx)
        return virtq_need_event(avail_event(queue), new, old);
    return !(load(&queue->used.head.flags) & VIRTQ_USED_F_NO_NOTIFY);
}

// Puts the chain's descriptors in front of those that are free.
static void free_chain(struct virtqueue *queue, uint16_t head)
{
    queue->next[queue->chain[head].last] = queue->free_first;
    queue->free_first = head;
    queue->free_count = (uint16_t)(queue->free_count + queue->chain[head].length);
    queue->chain[head].length = 0;
}

// The entry is read once: it lies in memory that the device writes.
inline enum hv_status virtqueue_take(struct virtqueue *queue, uint16_t *head, uint32_t *written)
{
    const struct virtq_used_elem *entry = &queue->used.ring[slot(queue, queue->used_next)];
    uint16_t ready = (uint16_t)(load(&queue->used.head.idx) - queue->used_next);

    if (ready == 0)
        return HV_ERR_NOT_FOUND;
    if (ready > (uint16_t)(queue->avail_notified - queue->forgotten - queue->used_next)) // more than it was shown
        return HV_ERR_INVALID;
    barrier_device_loads(); // the index before the entry that it shows
    uint32_t id = __atomic_load_n(&entry->id, __ATOMIC_RELAXED);
    if (id >= queue->size || queue->chain[id].length == 0)
        return HV_ERR_INVALID;
    *head = (uint16_t)id;
    *written = __atomic_load_n(&entry->len, __ATOMIC_RELAXED);
    free_chain(queue, *head);
    queue->used_next++;
    return HV_OK;
}

void virtqueue_forget(struct virtqueue *queue, uint16_t head)
{
    free_chain(queue, head);
    queue->forgotten++;
}

// With VIRTIO_F_EVENT_IDX the driver names the index whose entry is to interrupt, behind the last entry of the
// available ring, and the flag stays 0 (2.7.7.1). No interrupt is one for an entry that is far ahead.
bool virtqueue_set_interrupt(struct virtqueue *queue, bool on)
{
    if (queue->event_idx)
        store(&queue->avail.ring[queue->size], (uint16_t)(queue->used_next + (on ? 0 : INDEX_HALF)));
    else
        store(&queue->avail.head.flags, on ? 0 : VIRTQ_AVAIL_F_NO_INTERRUPT);
    if (!on)
        return false;
    barrier_device(); // the wish before the index is read: a store before a load, as in virtqueue_publish
    return load(&queue->used.head.idx) != queue->used_next;
}

unsigned int virtqueue_in_flight(const struct virtqueue *queue)
{
    return (uint16_t)(queue->avail_next - queue->forgotten - queue->used_next);
}
