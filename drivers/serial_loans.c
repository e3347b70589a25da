// SPDX-License-Identifier: Apache-2.0
// Bytes from EL2 to the host without a copy. Who has a large piece of memory to send, as a chunk of the trace, lends it
// to the device: a descriptor names it where it lies, and its owner leaves it alone until the device has read it. Many
// pieces, of several owners, can be under way at once. Nobody waits for them: a host that does not read keeps what it
// was lent, and its owners see that they have less and less.
//
// What becomes of pieces when the host's side closes, in QEMU (virtio_serial_close): the piece that it is sending is
// dropped without a word, and never comes back; those behind it come back as if they had been sent. It works on one
// piece after the other. So when a later piece comes back before an earlier one, the device has dropped the earlier
// one, reads it no more, and the later ones of that connection were not sent either. That some piece follows is certain
// since each close shows the device one more: the first piece of all connections, which does no harm if somebody has
// connected again meanwhile.
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
    loans->next = loans->unread = 0;
    loans->first = (struct virtqueue_buffer){.length = 0};
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
    loans->order[head] = loans->next++;
    loans->count++;
    if (virtqueue_publish(loans->queue))
        virtio_mmio_notify(loans->device, loans->queue_number);
    return true;
}

static void return_one(struct serial_loans *loans, uint16_t head, bool read, serial_loan_returned returned)
{
    loans->lent[head] = false;
    loans->count--;
    if (returned != NULL && loans->token[head] != NULL)
        returned(loans->token[head], read);
}

static bool is_before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

// Those that were lent before piece number order and are not back are what the device has dropped.
static void return_dropped(struct serial_loans *loans, uint32_t order, serial_loan_returned returned)
{
    for (uint16_t head = 0; head < SERIAL_LOANS_MAX; head++) {
        if (!loans->lent[head] || !is_before(loans->order[head], order))
            continue;
        if (!is_before(loans->order[head], loans->unread))
            loans->unread = loans->next;
        virtqueue_forget(loans->queue, head);
        return_one(loans, head, false, returned);
    }
}

bool serial_loans_reclaim(struct serial_loans *loans, serial_loan_returned returned)
{
    enum hv_status status;
    uint32_t length;
    uint16_t head;

    do {
        while ((status = virtqueue_take(loans->queue, &head, &length)) == HV_OK) {
            uint32_t order = loans->order[head];
            return_dropped(loans, order, returned);
            return_one(loans, head, !is_before(order, loans->unread), returned);
        }
        if (status == HV_ERR_INVALID)
            return false;
    } while (virtqueue_set_interrupt(loans->queue, loans->count > 0));
    return true;
}

bool serial_loans_close(struct serial_loans *loans, serial_loan_returned returned)
{
    if (!serial_loans_reclaim(loans, returned))
        return false;
    loans->unread = loans->next;
    if (loans->first.length == 0)
        return true;
    (void)serial_loans_lend(loans, &loans->first, 1, NULL); // a full queue has pieces enough
    return serial_loans_reclaim(loans, returned);
}

void serial_loans_return_all(struct serial_loans *loans, serial_loan_returned returned)
{
    for (uint16_t head = 0; head < SERIAL_LOANS_MAX; head++)
        if (loans->lent[head])
            return_one(loans, head, false, returned);
}
