// SPDX-License-Identifier: Apache-2.0
// The device's half of a split virtqueue (VIRTIO 1.2, 2.7): the rings that a guest has in its own memory, and that EL2
// reads as the device would.
//
// The problem: the guest can change all of it at any time, from any CPU, and a real device writes wherever a descriptor
// says. The rule: each ring entry, descriptor and indirect table is read once, into EL2's memory, and only that copy is
// checked, translated and used; nothing that was checked is read again. The guest's data is not copied: it is named by
// PA, and lies wholly in the guest's own RAM, so what the guest changes there later harms the guest alone. That holds
// also for a buffer that lies over the rings themselves: what the device writes there the guest could have written, and
// it is checked when it is read.
//
// Locks: that of the device to which the queue belongs is held; stage 2's is taken.
#pragma once

#include <hv/guest_mem.h>
#include <hv/space.h>
#include <hv/types.h>
#include <hv/virtio.h>
#include <hv/virtqueue.h>

#define VIRTIO_QUEUE_SIZE_MAX 256       // QueueNumMax
#define VIRTIO_CHAIN_MAX      1023      // buffers of a chain: what a shadow queue can hold, one of EL2's own added
#define VIRTIO_CHAIN_BYTES    BIT64(32) // of all buffers of a chain, at most (2.7.5)
#define VIRTIO_CHAIN_LOOKS    32768     // at stage 2 for a chain, at most: 128 MiB of pages of 4 KiB

struct virtio_queue {
    // As the guest wrote them, while it is not ready. By IPA.
    uint64_t desc, avail, used;
    uint32_t size;
    bool ready;
    // From virtio_queue_enable on.
    bool event_idx;
    uint16_t avail_next;     // index of the next entry of the available ring
    uint16_t used_next;      // index of the next entry of the used ring
    uint16_t used_published; // the same, as the guest sees it
    struct space_ram ram;    // the piece of RAM with the descriptors, where most buffers lie as well
    // Where EL2 finds the three: guest RAM, checked.
    const struct virtq_desc *desc_table;
    const struct virtq_ring *avail_ring;
    struct virtq_ring *used_ring;
};

// What is wrong with what a guest has in its rings, for the record: a word, the number that is wrong, and what it was
// held to. vdev/virtio/queue.c has the list of them.
struct virtio_fault {
    const char *reason; // NULL: nothing
    uint64_t value;
    uint64_t bound;
};

// One request as EL2 has copied and checked it. Buffers of no bytes, which the format allows, are checked and left out,
// since QEMU's devices stop at them: so a chain of nothing else has a count of 0.
struct virtio_chain {
    uint16_t head; // the guest's number for it, below the queue's size
    uint16_t count;
    uint16_t descriptors; // that the guest has described it by, for who counts work
    uint32_t looks;       // at stage 2 that it took, at most: one for each page, where the guest's RAM is split
    uint64_t readable;    // bytes that the device reads: they come first
    uint64_t writable;    // bytes that it writes
    struct virtqueue_buffer buffers[VIRTIO_CHAIN_MAX];
};

enum virtio_next { VIRTIO_NEXT_NONE, VIRTIO_NEXT_CHAIN, VIRTIO_NEXT_FAULT };

// QueueReady = 1: checks size (a power of two, 1 .. VIRTIO_QUEUE_SIZE_MAX) and the three parts (aligned, apart, each
// whole in guest RAM with the permissions that it needs), and begins with empty rings. event_idx: VIRTIO_F_EVENT_IDX
// was negotiated. False: *fault says why, and the queue is not ready.
bool virtio_queue_enable(struct virtio_queue *queue, struct space *space, bool event_idx, struct virtio_fault *fault);
// Forgets all addresses, and that it was ready. desc, avail, used and size as at reset: 0.
void virtio_queue_disable(struct virtio_queue *queue);

// Reads the next request. indirect: VIRTIO_F_INDIRECT_DESC was negotiated. VIRTIO_NEXT_NONE: there is none now;
// VIRTIO_NEXT_FAULT: *fault says what is wrong; the queue must not be read on. Nothing may be used of *chain but after
// VIRTIO_NEXT_CHAIN. While nobody has changed how RAM is mapped (space_is_plain), a chain takes no look at stage 2;
// then it takes one for each page or block that its buffers have, and one that would take more than VIRTIO_CHAIN_LOOKS
// if all of them were pages is refused.
enum virtio_next virtio_queue_next(struct virtio_queue *queue, struct space *space, bool indirect,
                                   struct virtio_chain *chain, struct virtio_fault *fault);
// Puts back what virtio_queue_next has just read: the next call reads the same entry of the ring again, anew.
void virtio_queue_put_back(struct virtio_queue *queue);

// The request with this head is done: written bytes were written. The guest sees it after virtio_queue_publish, of
// which there is one at least for each 65,535 completions.
void virtio_queue_complete(struct virtio_queue *queue, uint16_t head, uint32_t written);
// Shows the guest all that was completed, and what EL2 wrote before. Whether it is to be interrupted for what it did
// not see before.
bool virtio_queue_publish(struct virtio_queue *queue);
// on: asks the guest to notify at its next entry. True: there is one already, for which there may be no notification:
// read again. off: asks for none (a hint), false.
bool virtio_queue_set_notify(struct virtio_queue *queue, bool on);
