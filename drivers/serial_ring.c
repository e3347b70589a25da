// SPDX-License-Identifier: Apache-2.0
// Bytes from EL2 to the host. What is written is copied into a ring of bytes, through which three marks move: `done`
// (the device has read up to here) <= `sent` (the device was told up to here) <= `end`. Each time that the device is
// told, all that has gathered since is one request, so a device that is slow gets few and long ones. A host that does
// not read lets `done` stand still; whoever writes looks at serial_ring_room first, and nobody waits.
#include "serial_ring.h"

#include <hv/string.h>

void serial_ring_init(struct serial_ring *ring, const struct virtio_mmio *device, unsigned int queue_number)
{
    memset(ring, 0, offsetof(struct serial_ring, queue));
    ring->device = device;
    ring->queue_number = queue_number;
    (void)virtqueue_set_interrupt(&ring->queue, false);
}

uint32_t serial_ring_room(const struct serial_ring *ring)
{
    return SERIAL_RING_SIZE - (ring->end - ring->done);
}

// How much of length bytes lies before the end of the memory, when they begin at mark `from`.
static uint32_t before_end(uint32_t from, uint32_t length)
{
    uint32_t left = SERIAL_RING_SIZE - from % SERIAL_RING_SIZE;

    return length < left ? length : left;
}

void serial_ring_put(struct serial_ring *ring, const void *bytes, size_t length)
{
    uint32_t first = before_end(ring->end, (uint32_t)length);

    memcpy(&ring->bytes[ring->end % SERIAL_RING_SIZE], bytes, first);
    memcpy(ring->bytes, (const uint8_t *)bytes + first, length - first);
    ring->end += (uint32_t)length;
}

// Moves `done` over the chain that has come back. QEMU works on one chain after the other, and when the host's side
// leaves it drops the one that it is sending and never gives it back. So chains before one that has come back are read
// no more, and their descriptors are free again.
static void take_back(struct serial_ring *ring, uint16_t head)
{
    bool found = false;

    while (!found && ring->chain_count > 0) {
        uint32_t at = ring->chain_first;

        found = ring->chains[at].head == head;
        if (!found)
            virtqueue_forget(&ring->queue, ring->chains[at].head);
        ring->done += ring->chains[at].length;
        ring->chain_first = (at + 1) % SERIAL_RING_CHAINS;
        ring->chain_count--;
    }
}

static bool reclaim(struct serial_ring *ring)
{
    enum hv_status status;
    uint32_t length;
    uint16_t head;

    while ((status = virtqueue_take(&ring->queue, &head, &length)) == HV_OK)
        take_back(ring, head);
    return status != HV_ERR_INVALID;
}

// Shows the device what it was not told of yet: one piece, or two where it goes over the end of the memory. When its
// queue is full, that waits until it has read something.
static void submit(struct serial_ring *ring)
{
    uint32_t length = ring->end - ring->sent;
    uint32_t first = before_end(ring->sent, length);
    struct virtqueue_buffer pieces[] = {
        {.pa = pa_make((uintptr_t)&ring->bytes[ring->sent % SERIAL_RING_SIZE]), .length = first},
        {.pa = pa_make((uintptr_t)ring->bytes), .length = length - first},
    };
    uint32_t at = (ring->chain_first + ring->chain_count) % SERIAL_RING_CHAINS;
    uint16_t head;

    if (length == 0 || ring->chain_count == SERIAL_RING_CHAINS ||
        virtqueue_add(&ring->queue, pieces, first < length ? 2 : 1, &head) != HV_OK)
        return;
    ring->chains[at].head = head;
    ring->chains[at].length = length;
    ring->chain_count++;
    ring->sent = ring->end;
    if (virtqueue_publish(&ring->queue))
        virtio_mmio_notify(ring->device, ring->queue_number);
}

// The device's interrupt is asked for while something waits for it, and only then.
bool serial_ring_pump(struct serial_ring *ring)
{
    bool missed;

    do {
        if (!reclaim(ring))
            return false;
        submit(ring);
        missed = virtqueue_set_interrupt(&ring->queue, ring->sent != ring->end);
    } while (missed && ring->sent != ring->end);
    return true;
}

uint32_t serial_ring_drop(struct serial_ring *ring)
{
    uint32_t dropped = ring->end - ring->sent;

    ring->end = ring->sent;
    return dropped;
}
