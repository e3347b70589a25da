// SPDX-License-Identifier: Apache-2.0
// Stands in for the emulated devices of vdev/: each takes any access, and says which it was. With vdev/device.c in a
// test's "Links:" line, whatever reaches a device by its key or its IPA gets to the right one at the right offset.
#pragma once

#include <hv/device_ops.h>

static struct fake_devices {
    unsigned int count;              // accesses since it was zeroed
    const struct device_ops *device; // that had the last one
    uint32_t offset;                 // of the last one
    unsigned int access;
    uint64_t written;        // by the last write
    uint64_t value;          // what a read gives
    enum mmio_result answer; // what each access gives; MMIO_FAULT: and neither writes nor reads
} fake_devices;

static inline enum mmio_result fake_device_access(const struct device_ops *device, uint32_t offset, unsigned int access,
                                                  uint64_t *value)
{
    fake_devices.count++;
    fake_devices.device = device;
    fake_devices.offset = offset;
    fake_devices.access = access;
    if (fake_devices.answer != MMIO_DONE)
        return fake_devices.answer;
    if (access & MMIO_WRITE)
        fake_devices.written = *value;
    else
        *value = fake_devices.value;
    return MMIO_DONE;
}

#define FAKE_DEVICE(name)                                                                                              \
    static enum mmio_result fake_##name##_access(struct vcpu *vcpu, uint32_t offset, unsigned int access,              \
                                                 uint64_t *value)                                                      \
    {                                                                                                                  \
        (void)vcpu;                                                                                                    \
        return fake_device_access(&device_##name, offset, access, value);                                              \
    }                                                                                                                  \
    const struct device_ops device_##name = {.access = fake_##name##_access};

FAKE_DEVICE(gicd)
FAKE_DEVICE(gicr)
FAKE_DEVICE(pl011)
FAKE_DEVICE(pl031)
FAKE_DEVICE(virtio_mmio)
