// SPDX-License-Identifier: Apache-2.0
// In the place of drivers/virtio_mmio.c: the board's transports, with a device in those that a test gives one. The test
// is the device: it takes the chains that EL2 has shown it, and uses them.
#pragma once

#include <hv/virtio_mmio.h>
#include <hv/virtqueue.h>

#define FAKE_VIRTIO_QUEUES 4

struct fake_virtio {
    uint32_t id; // 0: no device
    bool legacy;
    bool silent;       // does not answer a reset
    bool refuses;      // does not set FEATURES_OK
    uint64_t features; // that it has
    uint64_t accepted; // by EL2
    uint32_t status;
    uint32_t queue_max[FAKE_VIRTIO_QUEUES];
    const struct virtqueue *queues[FAKE_VIRTIO_QUEUES]; // NULL: not ready
    uint16_t taken[FAKE_VIRTIO_QUEUES];                 // of the available ring
    unsigned int notified[FAKE_VIRTIO_QUEUES];
    unsigned int resets;
    uint32_t interrupt; // InterruptStatus
    uint32_t generation;
    uint8_t config[64];
};

extern struct fake_virtio fake_virtio[32]; // by transport

void fake_virtio_reset(void);
// The next chain of a queue that the device has not taken yet, as its head; false when there is none.
bool fake_virtio_take(unsigned int transport, unsigned int queue, uint16_t *head);
// Descriptor number n (0 ..) of a chain; NULL behind its end.
const struct virtq_desc *fake_virtio_desc(unsigned int transport, unsigned int queue, uint16_t head, unsigned int n);
// The device is done with it. Raises its interrupt, which the test delivers.
void fake_virtio_use(unsigned int transport, unsigned int queue, uint32_t head, uint32_t written);
