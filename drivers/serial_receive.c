// SPDX-License-Identifier: Apache-2.0
// Bytes from the host to EL2. The device has all buffers but the one that is being looked at. A buffer is copied out
// and goes back at once, so that whoever works on the bytes keeps nothing from the device.
#include "serial_receive.h"

#include <hv/string.h>

static void post(struct serial_receive *queue, uint8_t buffer)
{
    struct virtqueue_buffer piece = {.pa = pa_make((uintptr_t)&queue->buffers.bytes[buffer * queue->buffers.size]),
                                     .length = queue->buffers.size,
                                     .flags = VIRTQ_DESC_F_WRITE};
    uint16_t head;

    if (virtqueue_add(&queue->ring, &piece, 1, &head) == HV_OK)
        queue->buffer_of[head] = buffer;
}

static void publish(struct serial_receive *queue)
{
    if (virtqueue_publish(&queue->ring))
        virtio_mmio_notify(queue->device, queue->queue_number);
}

void serial_receive_start(struct serial_receive *queue, const struct virtio_mmio *device, unsigned int queue_number,
                          struct serial_buffers buffers)
{
    queue->device = device;
    queue->queue_number = queue_number;
    queue->buffers = buffers;
    for (unsigned int i = 0; i < buffers.count && i < queue->ring.size; i++)
        post(queue, (uint8_t)i);
    publish(queue);
}

bool serial_receive_take(struct serial_receive *queue, uint8_t *to, uint32_t *length)
{
    uint16_t head;
    enum hv_status status = virtqueue_take(&queue->ring, &head, length);

    if (status != HV_OK) {
        *length = 0;
        return status != HV_ERR_INVALID;
    }
    *length = *length < queue->buffers.size ? *length : queue->buffers.size;
    memcpy(to, &queue->buffers.bytes[queue->buffer_of[head] * queue->buffers.size], *length);
    post(queue, queue->buffer_of[head]);
    publish(queue);
    return true;
}
