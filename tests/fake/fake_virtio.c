// SPDX-License-Identifier: Apache-2.0
#include "fake_virtio.h"

#include <platform/virt.h>

#include <assert.h>
#include <string.h>

struct fake_virtio fake_virtio[32];

void fake_virtio_reset(void)
{
    memset(fake_virtio, 0, sizeof(fake_virtio));
}

static struct fake_virtio *of(const struct virtio_mmio *device)
{
    return &fake_virtio[(device->base - VIRTIO_PA) / VIRTIO_STRIDE];
}

enum hv_status virtio_mmio_probe(unsigned int n, struct virtio_mmio *device)
{
    *device = (struct virtio_mmio){VIRTIO_PA + n * (uint64_t)VIRTIO_STRIDE, VIRTIO_INTID + n, fake_virtio[n].id};
    if (fake_virtio[n].id == 0)
        return HV_ERR_NOT_FOUND;
    return fake_virtio[n].legacy ? HV_ERR_UNSUPPORTED : HV_OK;
}

enum hv_status virtio_mmio_reset(const struct virtio_mmio *device)
{
    struct fake_virtio *fake = of(device);

    fake->resets++;
    if (fake->silent)
        return HV_ERR_STATE;
    fake->status = fake->interrupt = 0;
    fake->accepted = 0;
    memset(fake->queues, 0, sizeof(fake->queues));
    memset(fake->taken, 0, sizeof(fake->taken));
    memset(fake->notified, 0, sizeof(fake->notified));
    return HV_OK;
}

uint32_t virtio_mmio_status(const struct virtio_mmio *device)
{
    return of(device)->status;
}

void virtio_mmio_set_status(const struct virtio_mmio *device, uint32_t status)
{
    assert((of(device)->status & ~status & ~VIRTIO_STATUS_FEATURES_OK) == 0); // a driver clears no bit
    of(device)->status = of(device)->refuses ? status & ~VIRTIO_STATUS_FEATURES_OK : status;
}

uint64_t virtio_mmio_features(const struct virtio_mmio *device)
{
    return of(device)->features;
}

void virtio_mmio_set_features(const struct virtio_mmio *device, uint64_t features)
{
    assert((of(device)->status & VIRTIO_STATUS_FEATURES_OK) == 0);
    of(device)->accepted = features;
}

uint32_t virtio_mmio_queue_max(const struct virtio_mmio *device, unsigned int queue)
{
    return queue < FAKE_VIRTIO_QUEUES ? of(device)->queue_max[queue] : 0;
}

void virtio_mmio_set_queue(const struct virtio_mmio *device, unsigned int queue, const struct virtqueue *virtqueue)
{
    assert(of(device)->queues[queue] == NULL);
    of(device)->queues[queue] = virtqueue;
}

void virtio_mmio_notify(const struct virtio_mmio *device, unsigned int queue)
{
    assert(of(device)->status & VIRTIO_STATUS_DRIVER_OK);
    of(device)->notified[queue]++;
}

uint32_t virtio_mmio_take_interrupt(const struct virtio_mmio *device)
{
    uint32_t status = of(device)->interrupt;

    of(device)->interrupt = 0;
    return status;
}

uint64_t virtio_mmio_read_config(const struct virtio_mmio *device, uint32_t offset, unsigned int size)
{
    uint64_t value = UINT64_MAX >> (64 - 8 * size);

    if (offset + size <= sizeof(of(device)->config)) {
        value = 0;
        memcpy(&value, of(device)->config + offset, size);
    }
    return value;
}

uint32_t virtio_mmio_generation(const struct virtio_mmio *device)
{
    return of(device)->generation;
}

bool fake_virtio_take(unsigned int transport, unsigned int queue, uint16_t *head)
{
    struct fake_virtio *fake = &fake_virtio[transport];
    const struct virtqueue *from = fake->queues[queue];

    if (from == NULL || fake->taken[queue] == from->avail.head.idx)
        return false;
    *head = from->avail.ring[fake->taken[queue]++ % from->size];
    return true;
}

const struct virtq_desc *fake_virtio_desc(unsigned int transport, unsigned int queue, uint16_t head, unsigned int n)
{
    const struct virtqueue *from = fake_virtio[transport].queues[queue];
    const struct virtq_desc *desc = &from->desc[head];

    for (; n > 0; n--) {
        if (!(desc->flags & VIRTQ_DESC_F_NEXT))
            return NULL;
        desc = &from->desc[desc->next];
    }
    return desc;
}

// The device writes the used ring, which for EL2 is constant in this fake's view.
void fake_virtio_use(unsigned int transport, unsigned int queue, uint32_t head, uint32_t written)
{
    struct virtqueue *to = (struct virtqueue *)(uintptr_t)fake_virtio[transport].queues[queue];

    to->used.ring[to->used.head.idx % to->size] = (struct virtq_used_elem){head, written};
    to->used.head.idx++;
    fake_virtio[transport].interrupt |= VIRTIO_MMIO_INT_VRING;
}
