// SPDX-License-Identifier: Apache-2.0
// The virtio-mmio transports without devices (virtio 1.2, 4.2.2 and 4.2.4): they identify themselves, DeviceID is 0,
// all else reads as zero and writes do nothing. That is what QEMU's virt shows where no device was added, down to what
// accesses of other sizes than 4 bytes get, so firmware that looks at their fixed addresses goes on as it would there.
// Nothing of the real transports is touched: a device that the person added to QEMU stays unseen.

#include <hv/device_ops.h>

#define TRANSPORT_SIZE 0x200

#define MAGIC_VALUE 0x000
#define VERSION     0x004
#define VENDOR_ID   0x00c

// QEMU virt has 32 transports of 0x200 bytes, one behind the other; all of them look the same here.
static uint32_t read_register(uint32_t offset)
{
    switch (offset % TRANSPORT_SIZE) {
    case MAGIC_VALUE:
        return 0x74726976; // "virt"
    case VERSION:
        return 1; // the legacy interface, as QEMU has it unless virtio-mmio.force-legacy is false
    case VENDOR_ID:
        return 0x554d4551; // "QEMU"
    default:
        return 0;
    }
}

static enum mmio_result virtio_mmio_access(struct vcpu *vcpu, uint32_t offset, unsigned int access, uint64_t *value)
{
    (void)vcpu;
    if (access & MMIO_WRITE)
        return MMIO_DONE;
    *value = read_register(offset);
    if (mmio_size(access) == 8) // QEMU's bus makes two accesses of 4 bytes of it
        *value |= (uint64_t)read_register(offset + 4) << 32;
    else
        *value = mmio_read_part(4, *value, 0, access);
    return MMIO_DONE;
}

const struct device_ops device_virtio_mmio = {.access = virtio_mmio_access};
