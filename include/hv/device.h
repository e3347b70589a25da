// SPDX-License-Identifier: Apache-2.0
// The devices of a guest, by the key of their row in device_table.h. What each of them does: device_ops.h.
#pragma once

#include <hv/bits.h>
#include <hv/device_ops.h>
#include <hv/device_table.h>
#include <hv/event_key.h>
#include <hv/mmio.h>
#include <hv/types.h>

struct vcpu;
struct vm;

struct device {
    uint64_t base; // IPA
    const struct device_ops *ops;
};

// The device that key names, KEY_DEVICE_FIRST .. KEY_DEVICE_NONE.
const struct device *device_of(unsigned int key);

// Performs an access (mmio.h) at ipa, which lies in device. MMIO_FAULT for what the device refuses, and for every
// device that ariel does not emulate.
static inline enum mmio_result device_emulate(const struct device *device, struct vcpu *vcpu, uint64_t ipa,
                                              unsigned int access, uint64_t *value)
{
    return device->ops->access(vcpu, (uint32_t)(ipa - device->base), access, value);
}

// Puts every device of vm into its state at reset. Once for each VM, on the boot CPU, before its vCPUs run.
void device_reset_all(struct vm *vm);

// The kinds of device_table.h: bit 0, reads may be passed on to the real device; bit 1, writes.
enum { DEVICE_OWNED = 0, DEVICE_MASTER = 0, DEVICE_LASTING = 1, DEVICE_PLAIN = 3 };

#define DEVICE_PASSES_READ(id, name, base, size, kind, ...)                                                            \
    | BIT64(KEY_DEVICE_##id - KEY_DEVICE_FIRST) * (DEVICE_##kind & 1)
#define DEVICE_PASSES_WRITE(id, name, base, size, kind, ...)                                                           \
    | BIT64(KEY_DEVICE_##id - KEY_DEVICE_FIRST) * (DEVICE_##kind >> 1)

// Whether the real device key may be given to a guest in this direction. What a policy says is checked when it is
// compiled; this is asked once more before stage 2 maps a device and before EL2 passes an access on, so that no table,
// however made, lets a guest write what the machine boots from or use a device that writes memory.
static inline bool device_may_pass(unsigned int key, bool write)
{
    const uint64_t reads = 0 DEVICE_TABLE(DEVICE_PASSES_READ), writes = 0 DEVICE_TABLE(DEVICE_PASSES_WRITE);
    unsigned int device = key - KEY_DEVICE_FIRST;

    return device < 64 && ((write ? writes : reads) >> device & 1);
}
