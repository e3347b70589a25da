// SPDX-License-Identifier: Apache-2.0
// What is on its way from EL2 to one port of the serial device. Private to drivers/; the device's lock is held.
#pragma once

#include <hv/types.h>
#include <hv/virtio_mmio.h>
#include <hv/virtqueue.h>

#define SERIAL_RING_SIZE   0x10000u // bytes; a power of two
#define SERIAL_RING_CHAINS 64u

struct serial_ring {
    const struct virtio_mmio *device;
    unsigned int queue_number;
    // Bytes, counted from the first one ever: the device has read those before done, and was told of those before sent.
    uint32_t done, sent, end;
    uint32_t chain_first, chain_count;
    // What the device was told, in order; it works on one after the other.
    struct {
        uint16_t head;
        uint32_t length;
    } chains[SERIAL_RING_CHAINS];
    struct virtqueue queue;
    uint8_t bytes[SERIAL_RING_SIZE];
};

// An empty ring for queue number queue_number of device, whose virtqueue has been made.
void serial_ring_init(struct serial_ring *ring, const struct virtio_mmio *device, unsigned int queue_number);
// How many bytes fit.
uint32_t serial_ring_room(const struct serial_ring *ring);
// Adds bytes, at most as many as fit; the device is told by serial_ring_pump.
void serial_ring_put(struct serial_ring *ring, const void *bytes, size_t length);
// Frees what the device has read and tells it of what has waited. False: the device is broken.
bool serial_ring_pump(struct serial_ring *ring);
// Forgets what the device was not told of; returns how many bytes that were.
uint32_t serial_ring_drop(struct serial_ring *ring);
