// SPDX-License-Identifier: Apache-2.0
// The driver's half of a split virtqueue (VIRTIO 1.2, 2.7): EL2 hands buffers to a real device and takes them back. All
// of the queue lies in EL2's memory, so what the device reads is what EL2 wrote, and nothing else.
//
// One owner at a time: the caller has a lock. Indices count modulo 65,536, whatever the queue's size.
#pragma once

#include <hv/status.h>
#include <hv/types.h>
#include <hv/virtio.h>

#define VIRTQUEUE_SIZE_MAX 1024

// A piece of memory for the device, laid out as the descriptor that it becomes (struct virtq_desc), so that it is
// copied by words. Of flags VIRTQ_DESC_F_WRITE alone counts: the device writes it, or reads it. All else that stands in
// flags and rest means nothing.
struct virtqueue_buffer {
    pa_t pa;
    uint32_t length;
    uint16_t flags;
    uint16_t rest;
};

struct virtqueue {
    // What EL2 alone sees. It comes first, since small offsets are short code.
    uint16_t size; // a power of two, 1 .. VIRTQUEUE_SIZE_MAX
    bool event_idx;
    uint16_t free_first; // of the descriptors that are free, linked by next
    uint16_t free_count;
    uint16_t avail_next;     // index of the next entry of the available ring, published or not
    uint16_t avail_notified; // the index when the device was last asked about
    uint16_t used_next;      // index of the next entry of the used ring
    uint16_t forgotten;      // how many chains the device has dropped
    uint16_t next[VIRTQUEUE_SIZE_MAX];
    struct {
        uint16_t length;         // descriptors in flight; 0: no chain of the device begins here
        uint16_t last;           // descriptor of a chain in flight
    } chain[VIRTQUEUE_SIZE_MAX]; // by head
    // What the device sees.
    _Alignas(VIRTQ_DESC_ALIGN) struct virtq_desc desc[VIRTQUEUE_SIZE_MAX];
    struct {
        struct virtq_ring head;
        uint16_t ring[VIRTQUEUE_SIZE_MAX + 1]; // used_event is the entry behind the last
    } avail;
    struct {
        _Alignas(VIRTQ_USED_ALIGN) struct virtq_ring head;
        struct virtq_used_elem ring[VIRTQUEUE_SIZE_MAX + 1]; // avail_event is the first half of the one behind the last
    } used;
};

// An empty queue of size entries (a power of two, 1 .. VIRTQUEUE_SIZE_MAX), whatever was in it. event_idx:
// VIRTIO_F_EVENT_IDX was negotiated. The device must not know it (virtio_mmio_reset).
void virtqueue_init(struct virtqueue *queue, uint16_t size, bool event_idx);

// Adds count buffers, those that the device reads before those that it writes, as one chain; *head names it until
// virtqueue_take gives it back. The device sees it after virtqueue_publish. HV_ERR_EMPTY: count is 0; HV_ERR_NO_MEMORY:
// fewer than count descriptors are free, HV_ERR_TOO_LONG: so many there can never be. An error changes nothing.
enum hv_status virtqueue_add(struct virtqueue *queue, const struct virtqueue_buffer *buffers, unsigned int count,
                             uint16_t *head);
// Shows the device all that was added. Whether it wants to be notified of it (virtio_mmio_notify).
bool virtqueue_publish(struct virtqueue *queue);
// Takes back the next chain that the device has used, with the number of bytes that it says it has written (not more
// than fit its buffers: the caller bounds it). HV_ERR_NOT_FOUND: there is none now; HV_ERR_INVALID: the device names a
// chain that it does not have: it is broken, and must be reset.
enum hv_status virtqueue_take(struct virtqueue *queue, uint16_t *head, uint32_t *written);
// The device has dropped a chain that it had, and will never use it: its descriptors are free.
void virtqueue_forget(struct virtqueue *queue, uint16_t head);
// on: asks the device for an interrupt at its next used entry. True: it has used one meanwhile, for which there may be
// no interrupt: take again. off: asks for none (a hint).
bool virtqueue_set_interrupt(struct virtqueue *queue, bool on);
// How many chains the device has.
unsigned int virtqueue_in_flight(const struct virtqueue *queue);
