// SPDX-License-Identifier: Apache-2.0
// Bytes from EL2 to the host without a copy. Who has a large piece of memory to send, as a chunk of the trace, lends it
// to the device: a descriptor names it where it lies, and its owner leaves it alone until the device has read it. Many
// pieces, of several owners, can be under way at once. Nobody waits for them: a host that does not read keeps what it
// was lent, and its owners see that they have less and less.
//
// The device's interrupt is asked for only while it has something. QEMU writes to a file within the notification, so
// there everything is back before anybody could ask, and no interrupt comes.
#include "serial_loans.h"

void serial_loans_init(struct serial_loans *loans, const struct virtio_mmio *device, unsigned int queue_number,
                       struct virtqueue *queue)
{
    loans->device = device;
    loans->queue_number = queue_number;
    loans->queue = queue;
    loans->count = 0;
    for (unsigned int head = 0; head < SERIAL_LOANS_MAX; head++)
        loans->lent[head] = false;
    (void)virtqueue_set_interrupt(queue, false);
}

bool serial_loans_lend(struct serial_loans *loans, const struct virtqueue_buffer *pieces, unsigned int count,
                       void *token)
{
    uint16_t head;

    if (virtqueue_add(loans->queue, pieces, count, &head) != HV_OK)
        return false;
    loans->token[head] = token;
    loans->lent[head] = true;
    loans->count++;
    if (virtqueue_publish(loans->queue))
        virtio_mmio_notify(loans->device, loans->queue_number);
    return true;
}

static void return_one(struct serial_loans *loans, uint16_t head, serial_loan_returned returned)
{
    loans->lent[head] = false;
    loans->count--;
    if (returned != NULL && loans->token[head] != NULL)
        returned(loans->token[head]);
}

bool serial_loans_reclaim(struct serial_loans *loans, serial_loan_returned returned)
{
    enum hv_status status;
    uint32_t length;
    uint16_t head;

    do {
        while ((status = virtqueue_take(loans->queue, &head, &length)) == HV_OK)
            return_one(loans, head, returned);
        if (status == HV_ERR_INVALID)
            return false;
    } while (virtqueue_set_interrupt(loans->queue, loans->count > 0));
    return true;
}

void serial_loans_return_all(struct serial_loans *loans, serial_loan_returned returned)
{
    for (uint16_t head = 0; head < SERIAL_LOANS_MAX; head++)
        if (loans->lent[head])
            return_one(loans, head, returned);
}
