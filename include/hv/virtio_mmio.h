// SPDX-License-Identifier: Apache-2.0
// A virtio-mmio transport of the board (VIRTIO 1.2, 4.2), as hardware that EL2 drives. Only the modern interface,
// version 2. Who owns a device calls these; callers keep each other out (one owner, or the owner's lock).
#pragma once

#include <hv/status.h>
#include <hv/types.h>

struct virtqueue;

struct virtio_mmio {
    uint64_t base;      // PA of its registers
    uint32_t intid;     // its SPI
    uint32_t device_id; // VIRTIO_ID_*
};

// Looks at transport number n of the board (0 .. platform.virtio.count - 1). HV_ERR_BOUNDS: there is no such transport;
// HV_ERR_NOT_FOUND: it has no device (or nothing answers there); HV_ERR_UNSUPPORTED: it has one behind the legacy
// interface (QEMU: -global virtio-mmio.force-legacy=false), *device is filled in for a record. After stage1_enable.
enum hv_status virtio_mmio_probe(unsigned int n, struct virtio_mmio *device);

// Resets the device and waits, 100 ms at most, until it says that it has: then it has forgotten all addresses and does
// no DMA. HV_ERR_STATE: it does not answer.
enum hv_status virtio_mmio_reset(const struct virtio_mmio *device);
uint32_t virtio_mmio_status(const struct virtio_mmio *device);
// The status bits that are set with this write, those before included. Not 0: that is virtio_mmio_reset.
void virtio_mmio_set_status(const struct virtio_mmio *device, uint32_t status);
uint64_t virtio_mmio_features(const struct virtio_mmio *device);
void virtio_mmio_set_features(const struct virtio_mmio *device, uint64_t features);

// The largest size of queue `queue`, 0 when the device has no such queue.
uint32_t virtio_mmio_queue_max(const struct virtio_mmio *device, unsigned int queue);
// Gives the device a queue (virtqueue_init has been called) and makes it ready.
void virtio_mmio_set_queue(const struct virtio_mmio *device, unsigned int queue, const struct virtqueue *virtqueue);
void virtio_mmio_notify(const struct virtio_mmio *device, unsigned int queue);
// InterruptStatus, of which all bits are acknowledged: VIRTIO_MMIO_INT_*.
uint32_t virtio_mmio_take_interrupt(const struct virtio_mmio *device);

// The configuration space: size 1, 2, 4 or 8 bytes, offset a multiple of it, from its start. 8 bytes are two accesses.
uint64_t virtio_mmio_read_config(const struct virtio_mmio *device, uint32_t offset, unsigned int size);
void virtio_mmio_write_config(const struct virtio_mmio *device, uint32_t offset, unsigned int size, uint64_t value);
uint32_t virtio_mmio_generation(const struct virtio_mmio *device);
