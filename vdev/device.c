// SPDX-License-Identifier: Apache-2.0
// Which code stands behind the key of a device.

#include <hv/device.h>

#include <hv/event_key.h>
#include <hv/vgic.h>
#include <hv/vm.h>
#include <hv/vpl011.h>

#define DEVICE_BASE(id, name, base, ...) [KEY_DEVICE_##id - KEY_DEVICE_FIRST] = (base),

static uint64_t device_base(unsigned int key)
{
    static const uint64_t bases[] = {DEVICE_TABLE(DEVICE_BASE)};
    return key < KEY_DEVICE_NONE ? bases[key - KEY_DEVICE_FIRST] : 0;
}

enum trap_result device_emulate(struct vcpu *vcpu, unsigned int key, uint64_t ipa, struct mmio_access *access)
{
    access->offset = ipa - device_base(key);
    switch (key) {
    case KEY_DEVICE_GICD:
        return vgic_distributor_access(vcpu, access);
    case KEY_DEVICE_GICR:
        return vgic_redistributor_access(vcpu, access);
    case KEY_DEVICE_PL011:
        return vpl011_access(vcpu, access);
    default:
        return TRAP_INJECT_ABORT;
    }
}
