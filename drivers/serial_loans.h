// SPDX-License-Identifier: Apache-2.0
// Memory that the serial device reads where it lies, on its way from EL2 to one port. Private to drivers/; the device's
// lock is held.
#pragma once

#include <hv/types.h>
#include <hv/virtio_mmio.h>
#include <hv/virtqueue.h>

#define SERIAL_LOANS_MAX 128u // pieces of memory that the device has at once

struct serial_loans {
    const struct virtio_mmio *device;
    unsigned int queue_number;
    struct virtqueue *queue;
    uint32_t count;                   // that the device has
    void *token[SERIAL_LOANS_MAX];    // whose the memory is, by the head of its chain
    bool lent[SERIAL_LOANS_MAX];      // whether the device has a chain of that head
    uint32_t order[SERIAL_LOANS_MAX]; // its number in the order of lending, modulo 2^32
    uint32_t next;                    // number of the piece that is lent next
    uint32_t unread;                  // pieces with numbers before this one come back unread
    struct virtqueue_buffer first;    // of all connections, never changed; length 0: none has begun
};

// Whose memory it was is told of each piece that the device has done with: token as serial_loans_lend was given it, and
// whether the host has read it. Where token is NULL nobody is told.
typedef void (*serial_loan_returned)(void *token, bool read);

// Nothing is lent, on queue number queue_number of device. queue: its virtqueue, of SERIAL_LOANS_MAX entries at most,
// which has been made and is used for nothing else from now on.
void serial_loans_init(struct serial_loans *loans, const struct virtio_mmio *device, unsigned int queue_number,
                       struct virtqueue *queue);
// Shows the device count pieces (1 or 2) as one request. False, and nothing done: its queue has no room.
bool serial_loans_lend(struct serial_loans *loans, const struct virtqueue_buffer *pieces, unsigned int count,
                       void *token);
// Takes back what the device has read, and calls returned for each (NULL: nobody is told). While the device has
// anything after that, it interrupts as soon as it has read some of it. False: the device is broken.
bool serial_loans_reclaim(struct serial_loans *loans, serial_loan_returned returned);
// The host's side has closed: what the device has comes back, unread. False: the device is broken.
bool serial_loans_close(struct serial_loans *loans, serial_loan_returned returned);
// The device was reset, and has forgotten all addresses: everything comes back.
void serial_loans_return_all(struct serial_loans *loans, serial_loan_returned returned);
