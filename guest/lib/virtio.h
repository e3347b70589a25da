// SPDX-License-Identifier: Apache-2.0
// A guest's driver for virtio devices behind virtio-mmio (VIRTIO 1.2, 4.2, the modern interface), with split virtqueues
// in memory that the caller gives. It does what a good driver does; its parts are open, so that a bad one can be made
// of them.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <hv/virtio.h>

#define VIRTIO_TRANSPORTS      32
#define VIRTIO_TRANSPORT_BASE  0x0a000000
#define VIRTIO_TRANSPORT_SIZE  0x200
#define VIRTIO_TRANSPORT_INTID 48
// Memory of a queue: descriptors, available ring and used ring, each on a page of its own.
#define VIRTIO_RING_SIZE_MAX 256
#define VIRTIO_RING_BYTES    0x3000

struct virtio_device {
    uint64_t base;      // of its registers
    unsigned int intid; // its SPI
    uint64_t features;  // those that were negotiated
};

struct virtio_ring {
    unsigned int queue; // which of its device's
    uint16_t size;
    bool event_idx; // VIRTIO_F_EVENT_IDX was negotiated
    struct virtq_desc *desc;
    struct virtq_ring *avail;
    struct virtq_ring *used;
    uint16_t avail_next;     // index of the next entry of the available ring
    uint16_t avail_notified; // the same when the device was last asked whether it wants a notification
    uint16_t used_next;      // index of the next entry of the used ring
};

// The transport of the n-th device of this type, counted from 0 in the order of transports. False: there are not so
// many, or it has the legacy interface.
bool virtio_find(uint32_t device_id, unsigned int n, struct virtio_device *device);
// Resets the device and negotiates those of wanted that it offers, and VIRTIO_F_VERSION_1. False: it refuses them.
bool virtio_begin(struct virtio_device *device, uint64_t wanted);
// Gives the device queue number `queue` with size entries in memory, VIRTIO_RING_BYTES aligned to 4096. False: it has
// no such queue, or none of that size.
bool virtio_add_queue(struct virtio_device *device, struct virtio_ring *ring, unsigned int queue, uint16_t size,
                      void *memory);
// The device may run: DRIVER_OK.
void virtio_run(struct virtio_device *device);

// Makes the chain that begins at descriptor head available; the device is told by virtio_notify.
void virtio_put(struct virtio_ring *ring, uint16_t head);
// Tells the device what was put, if it wants to be told.
void virtio_notify(struct virtio_device *device, struct virtio_ring *ring);
// The next chain that the device has used. False: there is none now.
bool virtio_take(struct virtio_ring *ring, struct virtq_used_elem *used);
// Asks for an interrupt when the device has used the entry with this index; without VIRTIO_F_EVENT_IDX at each.
void virtio_ask_interrupt(struct virtio_ring *ring, uint16_t index);
// What the device has to say: VIRTIO_MMIO_INT_*, acknowledged.
uint32_t virtio_take_interrupt(struct virtio_device *device);

// The index of each ring as the device sees or shows it.
static inline uint16_t virtio_used_index(const struct virtio_ring *ring)
{
    return __atomic_load_n(&ring->used->idx, __ATOMIC_ACQUIRE);
}
