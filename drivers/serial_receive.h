// SPDX-License-Identifier: Apache-2.0
// What comes from the host on one queue of the serial device: a few small buffers that the device fills. Private to
// drivers/; the device's lock is held.
#pragma once

#include <hv/types.h>
#include <hv/virtio_mmio.h>
#include <hv/virtqueue.h>

#define SERIAL_RECEIVE_MAX 64 // entries of such a queue

// Buffers of a size, one behind the other.
struct serial_buffers {
    uint8_t *bytes;
    unsigned int count;
    uint32_t size; // of each of them
};

struct serial_receive {
    const struct virtio_mmio *device;
    unsigned int queue_number;
    struct serial_buffers buffers;
    struct virtqueue ring;
    uint8_t buffer_of[SERIAL_RECEIVE_MAX]; // which of them a chain is, by its head
};

// Gives the device all buffers, as queue number queue_number, whose ring has been made.
void serial_receive_start(struct serial_receive *queue, const struct virtio_mmio *device, unsigned int queue_number,
                          struct serial_buffers buffers);
// Copies the next filled buffer to `to` (buffers.size bytes) and gives it back to the device. *length: the number of
// bytes, 0 when there is no filled buffer. False: the device is broken.
bool serial_receive_take(struct serial_receive *queue, uint8_t *to, uint32_t *length);
