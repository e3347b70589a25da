// SPDX-License-Identifier: Apache-2.0
// Which of the board's virtio devices a guest has. At boot EL2 looks at each transport of the board, resets the device
// that it finds, and gives it to the guest when ariel knows its type, policy lets the guest have it, and EL2 has memory
// for its queues. Every device that is there has a record, which says what became of it. The monitor's view of the
// devices is here as well.
//
// A device that no guest gets is reset too. A firmware or a loader that ran before ariel may have driven it, and a
// device at work goes on writing to the memory that it was given then, which is now EL2's or a guest's.
//
// A device behind the legacy interface (version 1) cannot be mediated: it names memory by pages of a size that the
// driver chooses, and has no FEATURES_OK. QEMU has all its transports one way or the other.
#include "virtio_internal.h"

#include <hv/arch/guarded.h>
#include <hv/log.h>
#include <hv/memory_map.h>
#include <hv/platform.h>
#include <hv/spinlock.h>

#define VIRTIO_BLK_F_RO BIT64(5)

_Static_assert(VIRTIO_TRANSPORTS == GUEST_VIRTIO_COUNT, "include/hv/memory_map.h");

// What a record says of a device; its state is "guest" when the guest has it.
static void record(const struct virtio_device *device, const char *state)
{
    log_routine(LOG_VIRTIO, "virtio-device", "device=%s transport=%u id=%u intid=%u queues=%u features=0x%lx state=%s",
                policy_virtio_type_name(device->real.device_id), device->number, device->real.device_id,
                device->real.intid, device->queue_count, device->offered, state);
}

static uint32_t version_of(unsigned int n)
{
    uint64_t base = platform.virtio.base + (uint64_t)n * platform.virtio.stride, version;

    if (!guarded_device_read(pa_make(base + VIRTIO_MMIO_VERSION), 4, &version))
        return VIRTIO_MMIO_VERSION_LEGACY;
    return (uint32_t)version;
}

// The largest power of two that the device takes and EL2 has room for; 0 when the device has no such queue.
static uint32_t shadow_size(uint32_t max)
{
    uint32_t size = VIRTQUEUE_SIZE_MAX;

    while (size > max)
        size /= 2;
    return size;
}

// Takes memory for the queues that both the device and its type have. False: there is none left.
static bool take_queues(struct virtio_device *device, const struct virtio_type *type)
{
    struct virtio *virtio = device->vm->virtio;

    device->queues = &virtio->queues[virtio->queues_taken];
    device->queue_count = 0;
    if (type->queues > VIRTIO_QUEUES - virtio->queues_taken)
        return false;
    for (unsigned int i = 0; i < type->queues; i++) {
        uint32_t size = shadow_size(virtio_mmio_queue_max(&device->real, i));
        if (size <= VIRTIO_BUFFERS_ADDED)
            break;
        device->queues[i].shadow_size = size;
        device->queues[i].rates = (struct policy_virtio_rates){0};
        device->queue_count++;
    }
    virtio->queues_taken += device->queue_count;
    return true;
}

// INDIRECT_DESC and EVENT_IDX are between the guest and EL2, whatever the device has.
static void offer_features(struct virtio_device *device, const struct virtio_type *type)
{
    uint64_t features = virtio_mmio_features(&device->real);

    device->real_features = features & (type->features | VIRTIO_F_EVENT_IDX);
    device->offered = (features & type->features) | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1;
    if (type->id == VIRTIO_ID_BLOCK && (device->policy->flags & POLICY_VIRTIO_READ_ONLY))
        device->offered |= VIRTIO_BLK_F_RO;
}

// The address that policy may pin (5.1.4), read between two equal generations.
static void read_mac(struct virtio_device *device)
{
    for (unsigned int tries = 0; tries < 4; tries++) {
        uint32_t generation = virtio_mmio_generation(&device->real);

        for (uint32_t i = 0; i < sizeof(device->mac); i++)
            device->mac[i] = (uint8_t)virtio_mmio_read_config(&device->real, i, 1);
        if (generation == virtio_mmio_generation(&device->real))
            return;
    }
}

// Why the guest does not get the device; NULL: it does.
static const char *adopt(struct virtio_device *device)
{
    const struct virtio_type *type = virtio_type_find(device->real.device_id);

    if (virtio_mmio_reset(&device->real) != HV_OK)
        return "silent";
    if (type == NULL)
        return "unknown";
    device->policy = policy_virtio_device(device->vm->policy, device->number, type->id);
    if (device->policy->action != POLICY_EMULATE)
        return "denied";
    device->policy_decides_all = policy_virtio_allows_all(device->vm->policy, device->number, type->id);
    if (!(virtio_mmio_features(&device->real) & VIRTIO_F_VERSION_1))
        return "legacy";
    if (!take_queues(device, type))
        return "no-memory";
    offer_features(device, type);
    if (type->id == VIRTIO_ID_NET)
        read_mac(device);
    virtio_mediator_init(device);
    device->type = type;
    return NULL;
}

// All that probing does not fill in is as at reset. chain is left as it is: it is written before it is read.
static void clear(struct virtio_device *device, struct vm *vm, unsigned int n)
{
    device->type = NULL;
    device->vm = vm;
    device->number = n;
    device->version = version_of(n);
    device->offered = device->real_features = 0;
    device->dead = device->features_beyond = device->line = false;
    device->driver_features = 0;
    device->device_features_sel = device->driver_features_sel = device->queue_sel = 0;
    device->status = device->interrupt_status = 0;
    device->queue_count = 0;
    device->counters = (struct virtio_counters){0};
}

// EL2 keeps the last transport of the board for itself when it is a console (drivers/virtio_serial.c).
static bool is_own(unsigned int n, const struct virtio_mmio *real)
{
    return n == platform.virtio.count - 1 && real->device_id == VIRTIO_ID_CONSOLE;
}

static void probe(struct virtio_device *device)
{
    switch (virtio_mmio_probe(device->number, &device->real)) {
    case HV_OK:
        break;
    case HV_ERR_UNSUPPORTED:
        log_routine(LOG_VIRTIO, "virtio-legacy", "device=%s transport=%u id=%u reason=%pQ",
                    policy_virtio_type_name(device->real.device_id), device->number, device->real.device_id,
                    "no guest gets it: give QEMU -global virtio-mmio.force-legacy=false");
        (void)virtio_mmio_reset(&device->real); // its status is where a modern one's is (4.2.4)
        return;
    default:
        return;
    }
    if (is_own(device->number, &device->real))
        return;
    const char *refused = adopt(device);
    record(device, refused != NULL ? refused : "guest");
}

void virtio_probe(struct vm *vm)
{
    for (unsigned int n = 0; n < platform.virtio.count && n < VIRTIO_TRANSPORTS; n++) {
        struct virtio_device *device = &vm->virtio->devices[n];

        spinlock_acquire(&device->lock);
        clear(device, vm, n);
        probe(device);
        spinlock_release(&device->lock);
    }
}

// ---- For the monitor

static void copy_queue(const struct virtio_device_queue *queue, struct virtio_queue_snapshot *copy)
{
    copy->size = queue->guest.size;
    copy->size_max = virtio_queue_max(queue);
    copy->ready = queue->guest.ready;
    copy->wait = queue->wait;
    copy->in_flight = queue->given ? virtqueue_in_flight(&queue->shadow) : 0;
    copy->avail_next = queue->guest.avail_next;
    copy->used_next = queue->guest.used_next;
}

static void copy_device(const struct virtio_device *device, struct virtio_snapshot *copy)
{
    copy->name = policy_virtio_type_name(device->type->id);
    copy->device_id = device->type->id;
    copy->intid = GUEST_VIRTIO_INTID + device->number;
    copy->dead = device->dead;
    copy->status = device->status;
    copy->interrupt_status = device->interrupt_status;
    copy->offered = device->offered;
    copy->negotiated = virtio_has_feature(device, UINT64_MAX) ? device->driver_features : 0;
    copy->queue_count = device->queue_count;
    for (unsigned int i = 0; i < device->queue_count; i++)
        copy_queue(&device->queues[i], &copy->queues[i]);
    copy->counters = device->counters;
    copy->row = device->policy->row;
}

bool virtio_snapshot(struct vm *vm, unsigned int number, struct virtio_snapshot *snapshot)
{
    if (number >= VIRTIO_TRANSPORTS)
        return false;
    struct virtio_device *device = &vm->virtio->devices[number];

    spinlock_acquire(&device->lock);
    bool found = device->type != NULL;
    if (found)
        copy_device(device, snapshot);
    spinlock_release(&device->lock);
    return found;
}
