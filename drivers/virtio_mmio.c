// SPDX-License-Identifier: Apache-2.0
// A real virtio-mmio transport (VIRTIO 1.2, 4.2): 512 bytes of registers by which a driver finds out what device there
// is, agrees with it on features, and names the memory of its queues. EL2 drives two kinds of them: its own serial
// device, and the devices that it shows to guests in its own words (vdev/virtio).
//
// The rule: nothing of the device is believed that EL2 relies on. A transport that does not answer costs a bounded wait
// and an error, and never the boot. Registers are 32 bits wide; the configuration space is read and written by the
// width of each field (4.2.2.2).
#include <hv/virtio_mmio.h>

#include <hv/arch/barrier.h>
#include <hv/arch/guarded.h>
#include <hv/arch/io.h>
#include <hv/arch/registers.h>
#include <hv/platform.h>
#include <hv/virtio.h>
#include <hv/virtqueue.h>

#define RESETS_A_SECOND 10u // a device has 1 / RESETS_A_SECOND s for its reset: 100 ms

static uint32_t read_register(const struct virtio_mmio *device, uint32_t offset)
{
    return io_read32(device->base + offset);
}

static void write_register(const struct virtio_mmio *device, uint32_t offset, uint32_t value)
{
    io_write32(device->base + offset, value);
}

// The first access is guarded, because a board's table may name transports that the machine was built without.
enum hv_status virtio_mmio_probe(unsigned int n, struct virtio_mmio *device)
{
    uint64_t magic;

    if (n >= platform.virtio.count)
        return HV_ERR_BOUNDS;
    *device = (struct virtio_mmio){
        .base = platform.virtio.base + (uint64_t)n * platform.virtio.stride,
        .intid = platform.virtio.intid + n,
    };
    if (!guarded_device_read(pa_make(device->base + VIRTIO_MMIO_MAGIC_VALUE), 4, &magic) || magic != VIRTIO_MMIO_MAGIC)
        return HV_ERR_NOT_FOUND;
    device->device_id = read_register(device, VIRTIO_MMIO_DEVICE_ID);
    if (device->device_id == 0)
        return HV_ERR_NOT_FOUND;
    if (read_register(device, VIRTIO_MMIO_VERSION) != VIRTIO_MMIO_VERSION_MODERN)
        return HV_ERR_UNSUPPORTED;
    return HV_OK;
}

// A reset is a write of 0, and it is over when 0 is read (4.2.3.1.1). The counter may be read early, which lengthens
// the wait by nothing that matters.
enum hv_status virtio_mmio_reset(const struct virtio_mmio *device)
{
    uint64_t start = READ_SYSREG(CNTPCT_EL0);
    uint64_t wait = READ_SYSREG(CNTFRQ_EL0) / RESETS_A_SECOND;

    write_register(device, VIRTIO_MMIO_STATUS, 0);
    while (virtio_mmio_status(device) != 0) {
        if (READ_SYSREG(CNTPCT_EL0) - start > wait)
            return HV_ERR_STATE;
        cpu_yield();
    }
    return HV_OK;
}

uint32_t virtio_mmio_status(const struct virtio_mmio *device)
{
    return read_register(device, VIRTIO_MMIO_STATUS);
}

void virtio_mmio_set_status(const struct virtio_mmio *device, uint32_t status)
{
    write_register(device, VIRTIO_MMIO_STATUS, status);
}

// 64 feature bits are seen through a window of 32: the "Sel" register says which half.
uint64_t virtio_mmio_features(const struct virtio_mmio *device)
{
    write_register(device, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
    uint64_t high = read_register(device, VIRTIO_MMIO_DEVICE_FEATURES);
    write_register(device, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
    return high << 32 | read_register(device, VIRTIO_MMIO_DEVICE_FEATURES);
}

void virtio_mmio_set_features(const struct virtio_mmio *device, uint64_t features)
{
    write_register(device, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
    write_register(device, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32));
    write_register(device, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
    write_register(device, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)features);
}

uint32_t virtio_mmio_queue_max(const struct virtio_mmio *device, unsigned int queue)
{
    write_register(device, VIRTIO_MMIO_QUEUE_SEL, queue);
    return read_register(device, VIRTIO_MMIO_QUEUE_NUM_MAX);
}

// EL2's memory is mapped one to one, so that a pointer is a PA. low is the register of the low half; that of the high
// half stands behind it.
static void write_address(const struct virtio_mmio *device, uint32_t low, const void *part)
{
    uint64_t address = (uintptr_t)part;

    write_register(device, low, (uint32_t)address);
    write_register(device, low + 4, (uint32_t)(address >> 32));
}

void virtio_mmio_set_queue(const struct virtio_mmio *device, unsigned int queue, const struct virtqueue *virtqueue)
{
    write_register(device, VIRTIO_MMIO_QUEUE_SEL, queue);
    write_register(device, VIRTIO_MMIO_QUEUE_NUM, virtqueue->size);
    write_address(device, VIRTIO_MMIO_QUEUE_DESC_LOW, virtqueue->desc);
    write_address(device, VIRTIO_MMIO_QUEUE_DRIVER_LOW, &virtqueue->avail);
    write_address(device, VIRTIO_MMIO_QUEUE_DEVICE_LOW, &virtqueue->used);
    barrier_device_stores(); // the empty rings are in memory before the device may look at them
    write_register(device, VIRTIO_MMIO_QUEUE_READY, 1);
}

void virtio_mmio_notify(const struct virtio_mmio *device, unsigned int queue)
{
    barrier_device_stores(); // what the device is to read is in memory before it is told
    write_register(device, VIRTIO_MMIO_QUEUE_NOTIFY, queue);
}

// Acknowledged before the caller looks at the rings: an entry that is used after this look interrupts again.
uint32_t virtio_mmio_take_interrupt(const struct virtio_mmio *device)
{
    uint32_t status = read_register(device, VIRTIO_MMIO_INTERRUPT_STATUS);

    if (status != 0)
        write_register(device, VIRTIO_MMIO_INTERRUPT_ACK, status);
    return status;
}

uint64_t virtio_mmio_read_config(const struct virtio_mmio *device, uint32_t offset, unsigned int size)
{
    uint64_t address = device->base + VIRTIO_MMIO_CONFIG + offset;

    switch (size) {
    case 1:
        return io_read8(address);
    case 2:
        return io_read16(address);
    case 4:
        return io_read32(address);
    default:
        return io_read32(address) | (uint64_t)io_read32(address + 4) << 32;
    }
}

void virtio_mmio_write_config(const struct virtio_mmio *device, uint32_t offset, unsigned int size, uint64_t value)
{
    uint64_t address = device->base + VIRTIO_MMIO_CONFIG + offset;

    switch (size) {
    case 1:
        io_write8(address, (uint8_t)value);
        break;
    case 2:
        io_write16(address, (uint16_t)value);
        break;
    default:
        io_write32(address, (uint32_t)value);
        if (size == 8)
            io_write32(address + 4, (uint32_t)(value >> 32));
    }
}

uint32_t virtio_mmio_generation(const struct virtio_mmio *device)
{
    return read_register(device, VIRTIO_MMIO_CONFIG_GENERATION);
}
