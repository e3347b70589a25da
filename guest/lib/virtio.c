// SPDX-License-Identifier: Apache-2.0
// A guest's driver for virtio-mmio. Section numbers are those of VIRTIO 1.2.
#include "lib/virtio.h"

#include "lib/mmio.h"

static uint32_t read(const struct virtio_device *device, uint32_t offset)
{
    return mmio_read32(device->base + offset);
}

static void write(const struct virtio_device *device, uint32_t offset, uint32_t value)
{
    mmio_write32(device->base + offset, value);
}

bool virtio_find(uint32_t device_id, unsigned int n, struct virtio_device *device)
{
    for (unsigned int transport = 0; transport < VIRTIO_TRANSPORTS; transport++) {
        device->base = VIRTIO_TRANSPORT_BASE + VIRTIO_TRANSPORT_SIZE * (uint64_t)transport;
        device->intid = VIRTIO_TRANSPORT_INTID + transport;
        if (read(device, VIRTIO_MMIO_MAGIC_VALUE) != VIRTIO_MMIO_MAGIC ||
            read(device, VIRTIO_MMIO_DEVICE_ID) != device_id || n-- > 0)
            continue;
        return read(device, VIRTIO_MMIO_VERSION) == VIRTIO_MMIO_VERSION_MODERN;
    }
    return false;
}

static void add_status(const struct virtio_device *device, uint32_t bits)
{
    write(device, VIRTIO_MMIO_STATUS, read(device, VIRTIO_MMIO_STATUS) | bits);
}

static uint64_t offered(const struct virtio_device *device)
{
    write(device, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
    uint64_t features = (uint64_t)read(device, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
    write(device, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
    return features | read(device, VIRTIO_MMIO_DEVICE_FEATURES);
}

// The order of 3.1.1: reset, ACKNOWLEDGE, DRIVER, features, FEATURES_OK, and a look whether the device agrees.
bool virtio_begin(struct virtio_device *device, uint64_t wanted)
{
    write(device, VIRTIO_MMIO_STATUS, 0);
    while (read(device, VIRTIO_MMIO_STATUS) != 0)
        ;
    add_status(device, VIRTIO_STATUS_ACKNOWLEDGE);
    add_status(device, VIRTIO_STATUS_DRIVER);
    device->features = offered(device) & (wanted | VIRTIO_F_VERSION_1);
    write(device, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
    write(device, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)device->features);
    write(device, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
    write(device, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(device->features >> 32));
    add_status(device, VIRTIO_STATUS_FEATURES_OK);
    return read(device, VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_FEATURES_OK;
}

static void write_address(const struct virtio_device *device, uint32_t low, const void *address)
{
    write(device, low, (uint32_t)(uintptr_t)address);
    write(device, low + 4, (uint32_t)((uintptr_t)address >> 32));
}

bool virtio_add_queue(struct virtio_device *device, struct virtio_ring *ring, unsigned int queue, uint16_t size,
                      void *memory)
{
    uint64_t *words = memory;

    for (unsigned int i = 0; i < VIRTIO_RING_BYTES / sizeof(*words); i++)
        words[i] = 0;
    *ring = (struct virtio_ring){.queue = queue, .size = size, .event_idx = device->features & VIRTIO_F_EVENT_IDX};
    ring->desc = memory;
    ring->avail = (struct virtq_ring *)((uint8_t *)memory + 0x1000);
    ring->used = (struct virtq_ring *)((uint8_t *)memory + 0x2000);
    write(device, VIRTIO_MMIO_QUEUE_SEL, queue);
    if (read(device, VIRTIO_MMIO_QUEUE_READY) != 0 || read(device, VIRTIO_MMIO_QUEUE_NUM_MAX) < size)
        return false;
    write(device, VIRTIO_MMIO_QUEUE_NUM, size);
    write_address(device, VIRTIO_MMIO_QUEUE_DESC_LOW, ring->desc);
    write_address(device, VIRTIO_MMIO_QUEUE_DRIVER_LOW, ring->avail);
    write_address(device, VIRTIO_MMIO_QUEUE_DEVICE_LOW, ring->used);
    write(device, VIRTIO_MMIO_QUEUE_READY, 1);
    return read(device, VIRTIO_MMIO_QUEUE_READY) == 1;
}

void virtio_run(struct virtio_device *device)
{
    add_status(device, VIRTIO_STATUS_DRIVER_OK);
}

// The entries stand behind the head of a ring; used_event behind the last of the available ring's, avail_event behind
// the last of the used ring's (2.7.7, 2.7.10).
static volatile uint16_t *avail_entry(const struct virtio_ring *ring, unsigned int n)
{
    return (volatile uint16_t *)(ring->avail + 1) + n;
}

static volatile struct virtq_used_elem *used_entry(const struct virtio_ring *ring, unsigned int n)
{
    return (volatile struct virtq_used_elem *)(ring->used + 1) + n;
}

void virtio_put(struct virtio_ring *ring, uint16_t head)
{
    *avail_entry(ring, ring->avail_next % ring->size) = head;
    ring->avail_next++;
    __atomic_store_n(&ring->avail->idx, ring->avail_next, __ATOMIC_RELEASE);
}

void virtio_notify(struct virtio_device *device, struct virtio_ring *ring)
{
    uint16_t old = ring->avail_notified;
    bool wanted;

    ring->avail_notified = ring->avail_next;
    __atomic_thread_fence(__ATOMIC_SEQ_CST); // the index is seen before the wish is read
    if (ring->event_idx)
        wanted = virtq_need_event(*(volatile uint16_t *)used_entry(ring, ring->size), ring->avail_next, old);
    else
        wanted = !(__atomic_load_n(&ring->used->flags, __ATOMIC_RELAXED) & VIRTQ_USED_F_NO_NOTIFY);
    if (wanted)
        write(device, VIRTIO_MMIO_QUEUE_NOTIFY, ring->queue);
}

bool virtio_take(struct virtio_ring *ring, struct virtq_used_elem *used)
{
    if (virtio_used_index(ring) == ring->used_next)
        return false;
    volatile struct virtq_used_elem *entry = used_entry(ring, ring->used_next % ring->size);
    used->id = entry->id;
    used->len = entry->len;
    ring->used_next++;
    return true;
}

void virtio_ask_interrupt(struct virtio_ring *ring, uint16_t index)
{
    if (ring->event_idx)
        *avail_entry(ring, ring->size) = index;
    __atomic_thread_fence(__ATOMIC_SEQ_CST); // the wish is seen before the used index is read again
}

uint32_t virtio_take_interrupt(struct virtio_device *device)
{
    uint32_t status = read(device, VIRTIO_MMIO_INTERRUPT_STATUS);

    write(device, VIRTIO_MMIO_INTERRUPT_ACK, status);
    return status;
}
