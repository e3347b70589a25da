// SPDX-License-Identifier: Apache-2.0
// Which code stands behind the key of a device.

#include <hv/device.h>

#include <hv/event_key.h>
#include <hv/vgic.h>
#include <hv/virtio_mmio.h>
#include <hv/vm.h>
#include <hv/vpl011.h>
#include <hv/vpl031.h>

// A device lies alone in the aligned 64 KiB or more around its base.
enum trap_result device_emulate(struct vcpu *vcpu, uint64_t ipa, unsigned int access, uint64_t *value, unsigned int key)
{
    switch (key) {
    case KEY_DEVICE_GICD:
        return vgic_distributor_access(vcpu, (uint32_t)ipa & (GICD_SIZE - 1), access, value);
    case KEY_DEVICE_GICR:
        return vgic_redistributor_access(vcpu, (uint32_t)ipa - GICR_IPA, access, value);
    case KEY_DEVICE_PL011:
        return vpl011_access(vcpu, (uint32_t)ipa & (KIB(64) - 1), access, value);
    case KEY_DEVICE_PL031:
        return vpl031_access(vcpu, (uint32_t)ipa & (KIB(64) - 1), access, value);
    case KEY_DEVICE_VIRTIO_MMIO:
        return virtio_mmio_access((uint32_t)ipa & (KIB(64) - 1), access, value);
    default:
        return TRAP_INJECT_ABORT;
    }
}
