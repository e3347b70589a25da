// SPDX-License-Identifier: Apache-2.0
// The virtio-mmio transports as a guest sees them (VIRTIO 1.2, 4.2.2): registers, the configuration space, and the
// status by which a driver brings a device up (2.1, 3.1).
//
//     0 -> ACKNOWLEDGE -> DRIVER -> features -> FEATURES_OK -> queues -> DRIVER_OK -> at work
//                                                                                 -> DEVICE_NEEDS_RESET
//
// A driver only adds bits to the status, and a write of 0 is a reset. FEATURES_OK is the one bit that a device may
// refuse, and a driver reads it back. A driver that does things out of order harms itself alone: what would have no
// meaning is ignored, and recorded.
//
// A transport without a device identifies itself, DeviceID is 0, all else reads as zero and writes do nothing. So do
// QEMU's, down to what accesses of other sizes than 4 bytes get.
#include "virtio_internal.h"

#include <hv/arch/barrier.h>
#include <hv/device_ops.h>
#include <hv/memory_map.h>
#include <hv/spinlock.h>

#define VENDOR_ID 0x554d4551u // "QEMU"

// The bits of the status that a driver sets. DEVICE_NEEDS_RESET is the device's.
#define STATUS_OF_DRIVER                                                                                               \
    (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_DRIVER_OK | VIRTIO_STATUS_FEATURES_OK |          \
     VIRTIO_STATUS_FAILED)

static uint64_t set_half(uint64_t whole, unsigned int half, uint32_t value)
{
    uint64_t mask = UINT64_C(0xffffffff) << 32 * half;

    return (whole & ~mask) | (uint64_t)value << 32 * half;
}

// The queue that QueueSel names, or NULL.
static struct virtio_device_queue *selected_queue(const struct virtio_device *device)
{
    if (device->queue_sel >= device->queue_count)
        return NULL;
    return &device->queues[bounded_index(device->queue_sel, VIRTIO_DEVICE_QUEUES)];
}

// ---- Status

// The registers at reset. A device that does not answer is one that is not there (is_present).
static void reset(struct virtio_device *device)
{
    (void)virtio_mediator_reset(device);
    device->counters.resets++;
    device->status = 0;
    device->driver_features = 0;
    device->features_beyond = false;
    device->device_features_sel = device->driver_features_sel = device->queue_sel = 0;
    virtio_mediator_acknowledge(device, UINT32_MAX);
}

// Whether what the driver has accepted is agreed on (3.1.1, steps 4 to 6): only what was offered, with VERSION_1 among
// it, and the real device wants it as well.
static bool agree(struct virtio_device *device)
{
    uint64_t wanted = device->driver_features;

    if (device->features_beyond || (wanted & ~device->offered) != 0 || !(wanted & VIRTIO_F_VERSION_1))
        return false;
    if (virtio_mediator_set_features(device))
        return true;
    (void)virtio_mediator_reset(device);
    return false;
}

// One write may set several bits. They are taken in the order in which a driver sets them.
static void write_status(struct virtio_device *device, uint32_t value)
{
    uint32_t new = ~device->status & value & STATUS_OF_DRIVER;

    if (value == 0) {
        reset(device);
        return;
    }
    device->status |= new & ~(VIRTIO_STATUS_FEATURES_OK | VIRTIO_STATUS_DRIVER_OK);
    if (device->status & VIRTIO_STATUS_DEVICE_NEEDS_RESET)
        return;
    if (new &VIRTIO_STATUS_FEATURES_OK) {
        if (agree(device))
            device->status |= VIRTIO_STATUS_FEATURES_OK;
        else
            virtio_record_ignored(device, "features-refused", device->driver_features);
    }
    if (!(new &VIRTIO_STATUS_DRIVER_OK))
        return;
    if (device->status & VIRTIO_STATUS_FEATURES_OK) {
        device->status |= VIRTIO_STATUS_DRIVER_OK;
        virtio_mediator_start(device);
    } else {
        virtio_record_ignored(device, "driver-ok-without-features", value);
    }
}

// What is written after FEATURES_OK has no effect: the two sides have agreed.
static void write_features(struct virtio_device *device, uint32_t value)
{
    if (device->status & VIRTIO_STATUS_FEATURES_OK)
        virtio_record_ignored(device, "features-after-ok", value);
    else if (device->driver_features_sel < 2)
        device->driver_features = set_half(device->driver_features, device->driver_features_sel, value);
    else if (value != 0)
        device->features_beyond = true;
}

static uint32_t read_features(const struct virtio_device *device)
{
    return device->device_features_sel < 2 ? (uint32_t)(device->offered >> 32 * device->device_features_sel) : 0;
}

// ---- Queues

static void make_ready(struct virtio_device *device, struct virtio_device_queue *queue)
{
    struct virtio_fault fault;

    if (!(device->status & VIRTIO_STATUS_FEATURES_OK)) {
        virtio_record_ignored(device, "queue-before-features", device->queue_sel);
        return;
    }
    if (!virtio_queue_enable(&queue->guest, &device->vm->space, virtio_has_feature(device, VIRTIO_F_EVENT_IDX), &fault))
        virtio_mediator_fail(device, device->queue_sel, &fault);
    else if (device->status & VIRTIO_STATUS_DRIVER_OK)
        virtio_mediator_start_queue(device, device->queue_sel);
}

static void write_ready(struct virtio_device *device, struct virtio_device_queue *queue, uint32_t value)
{
    bool ready = value & 1;

    if (ready == queue->guest.ready)
        return;
    if (ready)
        make_ready(device, queue);
    else
        virtio_mediator_stop_queue(device, device->queue_sel);
}

// The registers that describe the queue that QueueSel names. While it is ready they do not change.
static void write_queue(struct virtio_device *device, uint32_t offset, uint32_t value)
{
    struct virtio_device_queue *selected = selected_queue(device);

    if (selected == NULL || (device->status & VIRTIO_STATUS_DEVICE_NEEDS_RESET))
        return;
    struct virtio_queue *queue = &selected->guest;
    if (offset == VIRTIO_MMIO_QUEUE_READY) {
        write_ready(device, selected, value);
        return;
    }
    if (queue->ready) {
        virtio_record_ignored(device, "queue-is-ready", offset);
        return;
    }
    switch (offset) {
    case VIRTIO_MMIO_QUEUE_NUM:
        queue->size = value;
        break;
    case VIRTIO_MMIO_QUEUE_DESC_LOW:
    case VIRTIO_MMIO_QUEUE_DESC_HIGH:
        queue->desc = set_half(queue->desc, offset == VIRTIO_MMIO_QUEUE_DESC_HIGH, value);
        break;
    case VIRTIO_MMIO_QUEUE_DRIVER_LOW:
    case VIRTIO_MMIO_QUEUE_DRIVER_HIGH:
        queue->avail = set_half(queue->avail, offset == VIRTIO_MMIO_QUEUE_DRIVER_HIGH, value);
        break;
    default:
        queue->used = set_half(queue->used, offset == VIRTIO_MMIO_QUEUE_DEVICE_HIGH, value);
        break;
    }
}

// A queue that was notified before DRIVER_OK is looked at when that comes (virtio_mediator_start).
static void notify(struct virtio_device *device, uint32_t value)
{
    device->counters.notifications++;
    if (value >= device->queue_count) {
        virtio_record_ignored(device, "notify-no-queue", value);
        return;
    }
    unsigned int queue = (unsigned int)bounded_index(value, VIRTIO_DEVICE_QUEUES);
    if (!device->queues[queue].guest.ready)
        virtio_record_ignored(device, "notify-not-ready", queue);
    else if (virtio_is_at_work(device))
        virtio_mediator_read(device, queue);
}

// ---- Registers

// A device with an ID of 0 is none (4.2.2).
static uint32_t read_absent(const struct virtio_device *device, uint32_t offset)
{
    switch (offset) {
    case VIRTIO_MMIO_MAGIC_VALUE:
        return VIRTIO_MMIO_MAGIC;
    case VIRTIO_MMIO_VERSION:
        return device->version;
    case VIRTIO_MMIO_VENDOR_ID:
        return VENDOR_ID;
    default:
        return 0;
    }
}

// There are no shared memory regions, so their length and base are all ones (4.2.2). Registers that can only be written
// read as zero.
static uint32_t read_register(const struct virtio_device *device, uint32_t offset)
{
    const struct virtio_device_queue *queue = selected_queue(device);

    switch (offset) {
    case VIRTIO_MMIO_DEVICE_ID:
        return device->type->id;
    case VIRTIO_MMIO_DEVICE_FEATURES:
        return read_features(device);
    case VIRTIO_MMIO_QUEUE_NUM_MAX:
        return queue != NULL ? virtio_queue_max(queue) : 0;
    case VIRTIO_MMIO_QUEUE_READY:
        return queue != NULL && queue->guest.ready;
    case VIRTIO_MMIO_INTERRUPT_STATUS:
        return device->interrupt_status;
    case VIRTIO_MMIO_STATUS:
        return device->status;
    case VIRTIO_MMIO_SHM_LEN_LOW:
    case VIRTIO_MMIO_SHM_LEN_HIGH:
    case VIRTIO_MMIO_SHM_BASE_LOW:
    case VIRTIO_MMIO_SHM_BASE_HIGH:
        return UINT32_MAX;
    case VIRTIO_MMIO_CONFIG_GENERATION:
        return virtio_mmio_generation(&device->real);
    default:
        return read_absent(device, offset);
    }
}

static void write_register(struct virtio_device *device, uint32_t offset, uint32_t value)
{
    switch (offset) {
    case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
        device->device_features_sel = value;
        break;
    case VIRTIO_MMIO_DRIVER_FEATURES:
        write_features(device, value);
        break;
    case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
        device->driver_features_sel = value;
        break;
    case VIRTIO_MMIO_QUEUE_SEL:
        device->queue_sel = value;
        break;
    case VIRTIO_MMIO_QUEUE_NOTIFY:
        notify(device, value);
        break;
    case VIRTIO_MMIO_INTERRUPT_ACK:
        virtio_mediator_acknowledge(device, value);
        break;
    case VIRTIO_MMIO_STATUS:
        write_status(device, value);
        break;
    case VIRTIO_MMIO_QUEUE_NUM:
    case VIRTIO_MMIO_QUEUE_READY:
    case VIRTIO_MMIO_QUEUE_DESC_LOW:
    case VIRTIO_MMIO_QUEUE_DESC_HIGH:
    case VIRTIO_MMIO_QUEUE_DRIVER_LOW:
    case VIRTIO_MMIO_QUEUE_DRIVER_HIGH:
    case VIRTIO_MMIO_QUEUE_DEVICE_LOW:
    case VIRTIO_MMIO_QUEUE_DEVICE_HIGH:
        write_queue(device, offset, value);
        break;
    default:
        break;
    }
}

// ---- Accesses

static uint64_t read_config(const struct virtio_device *device, uint32_t offset, unsigned int size)
{
    const uint32_t word = offset & ~3u;

    if (device->type->config == NULL)
        return virtio_mmio_read_config(&device->real, offset, size);
    uint32_t whole = (uint32_t)virtio_mmio_read_config(&device->real, word, 4);
    return mmio_read_part(4, device->type->config(device, word, whole), offset, size);
}

// Of 1, 2 or 4 bytes. The configuration space is the real device's but for what its type says, read only: no type has a
// field there that a driver of the offered features writes. A driver that reads more than one word of it compares
// ConfigGeneration, which is the real device's as well (4.2.2.2). Registers are read and written by 4 bytes, and other
// sizes do nothing.
static void access_part(struct virtio_device *device, uint32_t offset, unsigned int access, uint64_t *value)
{
    unsigned int size = mmio_size(access);

    if (access & MMIO_WRITE) {
        if (size == 4 && offset < VIRTIO_MMIO_CONFIG)
            write_register(device, offset, (uint32_t)*value);
        return;
    }
    if (offset >= VIRTIO_MMIO_CONFIG)
        *value = read_config(device, offset - VIRTIO_MMIO_CONFIG, size);
    else
        *value = size == 4 ? read_register(device, offset) : 0;
}

static void access_absent(const struct virtio_device *device, uint32_t offset, unsigned int access, uint64_t *value)
{
    if (!(access & MMIO_WRITE))
        *value = mmio_read_part(4, read_absent(device, offset), 0, mmio_size(access));
}

static void access_any(struct virtio_device *device, uint32_t offset, unsigned int access, uint64_t *value)
{
    if (device->type == NULL || device->dead)
        access_absent(device, offset, access, value);
    else
        access_part(device, offset, access, value);
}

// QEMU's bus makes two accesses of 4 bytes of one of 8.
static void access_double(struct virtio_device *device, uint32_t offset, unsigned int access, uint64_t *value)
{
    unsigned int half = 4 | (access & MMIO_WRITE);
    uint64_t high = *value >> 32;

    access_any(device, offset, half, value);
    access_any(device, offset + 4, half, &high);
    *value = (uint32_t)*value | high << 32;
}

static enum mmio_result virtio_mmio_access(struct vcpu *vcpu, uint32_t offset, unsigned int access, uint64_t *value)
{
    struct virtio_device *device = &vcpu->vm->virtio->devices[offset / GUEST_VIRTIO_STRIDE % VIRTIO_TRANSPORTS];

    offset %= GUEST_VIRTIO_STRIDE;
    spinlock_acquire(&device->lock);
    if (mmio_size(access) <= 4)
        access_any(device, offset, access, value);
    else
        access_double(device, offset, access, value);
    spinlock_release(&device->lock);
    return MMIO_DONE;
}

// Transports without devices, as the legacy interface of QEMU's virt has them: until virtio_probe finds others.
static void virtio_mmio_reset_all(struct vm *vm)
{
    for (unsigned int n = 0; n < VIRTIO_TRANSPORTS; n++) {
        struct virtio_device *device = &vm->virtio->devices[n];

        spinlock_init(&device->lock, LOCK_VIRTIO);
        device->type = NULL;
        device->version = VIRTIO_MMIO_VERSION_LEGACY;
    }
    vm->virtio->queues_taken = 0;
}

const struct device_ops device_virtio_mmio = {.access = virtio_mmio_access, .reset = virtio_mmio_reset_all};
