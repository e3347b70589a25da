// SPDX-License-Identifier: Apache-2.0
// The virtio devices of a guest (VIRTIO 1.2, 4.2): what EL2 keeps of each, and what the rest of EL2 asks of them.
//
// EL2 owns the board's device and its queues, the shadow queues. The guest sees a transport and queues of its own. A
// request goes from the guest's queue to the shadow queue and back (vdev/virtio/mediator.c), so that nothing that the
// device reads as an address was ever in the guest's hands.
#pragma once

#include <hv/bits.h>
#include <hv/lock.h>
#include <hv/policy_virtio.h>
#include <hv/status.h>
#include <hv/types.h>
#include <hv/virtio.h>
#include <hv/virtio_mmio.h>
#include <hv/virtio_queue.h>
#include <hv/virtqueue.h>

struct virtio_type;
struct vm;

#define VIRTIO_TRANSPORTS    32 // that a guest sees
#define VIRTIO_QUEUES        32 // of all devices of a guest
#define VIRTIO_DEVICE_QUEUES 2  // of one device, at most
#define VIRTIO_COPY_MAX      32 // bytes of a request that EL2 reads in the device's place

// A request that the device has, or that is on its way there. By the guest's number for it, the head of its chain. Its
// size is a power of two, by which a number is quickly a place.
struct virtio_slot {
    // In the place of the first `copied` bytes of the request the device reads this copy of them: what policy decided
    // about is what the device does.
    _Alignas(128) uint64_t copy[VIRTIO_COPY_MAX / 8];
    uint32_t copied;
    // Of a block request: in the place of its last byte the device writes this one, which EL2 copies to status_pa.
    uint8_t status;
    uint8_t answer; // with VIRTIO_SLOT_ANSWERED: what the guest gets without the device
    uint8_t flags;  // VIRTIO_SLOT_*
    pa_t status_pa;
    uint32_t writable; // how many bytes the device may say that it has written
    uint64_t bytes;    // of data, which limits and records count
    uint64_t paid;     // under a rate: the bytes that it has paid for, before the device has it
    struct policy_virtio_access access;
    const struct policy_virtio *row; // that decided
    uint64_t taken;                  // CNTPCT_EL0 when it was read from the guest's queue
};

#define VIRTIO_SLOT_ANSWERED 0x01u // a request that no device knows: the answer is ariel's own

// Why a queue is not read on though there may be requests.
enum virtio_wait {
    VIRTIO_WAIT_NONE,
    VIRTIO_WAIT_ROOM, // the shadow queue is full: until the device has done something
    VIRTIO_WAIT_TIME, // the rate of a policy row, or there were too many at once: until EL2's timer
    VIRTIO_WAIT_VM,   // the VM does not run: until it does
};

// What every request uses comes first: small offsets are short code.
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding)
struct virtio_device_queue {
    struct virtio_queue guest; // vdev/virtio/queue.c
    uint32_t shadow_size;      // 0: the device has no such queue
    unsigned int number;       // of the device's queues
    bool given;                // the device has the shadow queue: until its reset
    bool late;                 // the request that is next has been counted as delayed
    enum virtio_wait wait;
    bool in_flight[VIRTIO_QUEUE_SIZE_MAX]; // whether the device has the request, by the guest's head
    uint16_t head[VIRTQUEUE_SIZE_MAX];     // the guest's head, by the shadow queue's
    struct virtio_slot slots[VIRTIO_QUEUE_SIZE_MAX];
    struct virtqueue shadow; // drivers/virtqueue.c
    struct policy_virtio_rates rates;
};

// Since boot, whatever the guest resets. Bytes are all that requests move: headers and status are among them.
struct virtio_counters {
    uint64_t notifications; // that the guest has sent
    uint64_t interrupts;    // that the device has sent
    uint64_t requests;      // that the device has done
    uint64_t bytes_read;    // that the device gave
    uint64_t bytes_written; // that it got
    uint64_t refused;       // by policy
    uint64_t delayed;       // by a rate
    uint64_t faults;        // of the guest or of the device, that ended in DEVICE_NEEDS_RESET
    uint64_t resets;        // by the guest
};

struct virtio_device {
    struct spinlock lock;           // guards all below but for what is constant after virtio_probe
    struct vm *vm;                  // constant, as number, version, type, real and policy
    const struct virtio_type *type; // NULL: a transport without a device
    unsigned int number;            // of the transport
    uint32_t version;               // of the interface, as the real transport has it
    struct virtio_mmio real;
    const struct policy_virtio *policy; // the row that gave it to the guest
    bool policy_decides_all;            // and lets all of its requests pass at once
    uint64_t real_features;             // of those that the type knows, what the real device has
    uint64_t offered;                   // to the guest
    bool dead;                          // it did not answer a reset: the guest sees a transport without a device
    // The guest's registers
    uint64_t driver_features; // as written
    bool features_beyond;     // a bit above 63 was written
    uint32_t device_features_sel;
    uint32_t driver_features_sel;
    uint32_t queue_sel;
    uint32_t status;
    uint32_t interrupt_status;
    bool line; // of the guest's SPI
    unsigned int queue_count;
    struct virtio_device_queue *queues;
    uint8_t mac[6]; // of a net device
    struct virtio_counters counters;
    struct virtio_chain chain; // the request that is being looked at
};

// All of a VM. In memory that boot does not clear.
struct virtio {
    struct virtio_device devices[VIRTIO_TRANSPORTS];
    struct virtio_device_queue queues[VIRTIO_QUEUES];
    unsigned int queues_taken;
};

// Gives vm the board's devices: its transport n is the board's transport n, for as many as there are. What there is,
// and what the guest does not get, is recorded. Once, on the boot CPU, after vm_build, before vm runs.
void virtio_probe(struct vm *vm);

// The VM runs again: reads what the guest made available while it did not. Any CPU, no locks held.
void virtio_go_on(struct vm *vm);

// For the monitor: a device as it is now. False when transport number (any) has none. Any CPU, no locks held.
struct virtio_queue_snapshot {
    uint32_t size; // that the guest chose
    uint32_t size_max;
    bool ready;
    enum virtio_wait wait;
    unsigned int in_flight;
    uint16_t avail_next, used_next;
};

struct virtio_snapshot {
    const char *name;
    uint32_t device_id;
    unsigned int intid;
    bool dead;
    uint32_t status, interrupt_status;
    uint64_t offered, negotiated; // negotiated: 0 before FEATURES_OK
    unsigned int queue_count;
    struct virtio_queue_snapshot queues[VIRTIO_DEVICE_QUEUES];
    struct virtio_counters counters;
    unsigned int row; // of the policy, that gave it to the guest
};

bool virtio_snapshot(struct vm *vm, unsigned int number, struct virtio_snapshot *snapshot);
