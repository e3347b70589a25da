// SPDX-License-Identifier: Apache-2.0
// What the files of vdev/virtio share. Every function with a struct virtio_device is called with its lock held, unless
// it says otherwise.
//
//   transport.c  the guest's registers and the status of a device
//   mediator.c   requests across and back
//   device_types.c  which device types there are
//   block.c, net.c  what EL2 looks at in their requests
//   chain.c      the first and the last bytes of a request, copied
//   record.c     records
#pragma once

#include <hv/machine.h>
#include <hv/virtio_device.h>

// A device type that guests may have.
struct virtio_type {
    uint32_t id;
    unsigned int queues; // that are passed on: what a device has beyond them no guest sees
    uint64_t features;   // that are passed on when the device has them
    // What EL2 knows of a request: fills in slot, from device->chain. It may replace parts of the chain by EL2's copies
    // (chain.c). False: *fault says why the request can be none. NULL: the type's requests are all alike.
    bool (*look)(struct virtio_device *device, unsigned int queue, struct virtio_slot *slot,
                 struct virtio_fault *fault);
    // What the guest reads of the real device's configuration space, where that promises more than EL2 passes on: whole
    // is the device's word of 4 bytes at offset, a multiple of 4. NULL: all of it is as the device has it.
    uint32_t (*config)(const struct virtio_device *device, uint32_t offset, uint32_t whole);
    // Whether a request that policy allows may go on, for a reason of the type's own. NULL: it may.
    bool (*may_pass)(struct virtio_device *device, const struct virtio_slot *slot);
    // Ends a request that the device does not get. Returns how many bytes were written for the guest. NULL: none.
    uint32_t (*refuse)(struct virtio_slot *slot);
    // The device has done a request, of which the guest is told next. written: the bytes that it has written. Returns
    // how it ended, in a word for the record, and adds to slot->bytes what was not known before. NULL: nothing is left
    // to do, it ended well, and written are its bytes.
    const char *(*done)(struct virtio_slot *slot, uint32_t written);
};

// ---- device_types.c: the row of a device type, or NULL. No lock.
const struct virtio_type *virtio_type_find(uint32_t id);

// ---- block.c, net.c
extern const struct virtio_type virtio_type_block;
extern const struct virtio_type virtio_type_net;

// ---- chain.c
// Copies the first size bytes (1 .. VIRTIO_COPY_MAX) of what the device would read into slot->copy, and puts that copy
// in their place in the chain. False, and nothing done: the chain has fewer, or has no room for one buffer more.
bool virtio_chain_take_front(struct virtio_chain *chain, struct virtio_slot *slot, uint32_t size);
// Puts slot->status in the place of the last byte that the device would write, whose place slot->status_pa is then.
// False, and nothing done: it writes nothing, or the chain has no room for one buffer more.
bool virtio_chain_take_status(struct virtio_chain *chain, struct virtio_slot *slot);

// ---- record.c
// A request has ended: "ok", "error", "unsupported", "refused", "dropped" by a reset.
void virtio_record_request(const struct virtio_device *device, const struct virtio_slot *slot, const char *status);
// The device could not do what policy lets the guest ask of it: the host's file is full, say. The record is written
// even where the row asks for no records of requests.
void virtio_record_error(const struct virtio_slot *slot);
void virtio_record_fault(const struct virtio_device *device, unsigned int queue, const struct virtio_fault *fault);
// The driver did something that has no effect: reason and value say what.
void virtio_record_ignored(const struct virtio_device *device, const char *reason, uint64_t value);

// ---- mediator.c
// The real device is reset, and EL2 and the device forget all queues and requests. The guest's status and its other
// registers are untouched. False: it does not answer; then it is dead.
bool virtio_mediator_reset(struct virtio_device *device);
// Agrees with the real device on what the guest has accepted. False: the device does not want it.
bool virtio_mediator_set_features(struct virtio_device *device);
// DRIVER_OK: the device works from now on, with the queues that are ready.
void virtio_mediator_start(struct virtio_device *device);
// A queue became ready after that.
void virtio_mediator_start_queue(struct virtio_device *device, unsigned int index);
// The guest takes a queue back.
void virtio_mediator_stop_queue(struct virtio_device *device, unsigned int index);
// There may be requests: reads them.
void virtio_mediator_read(struct virtio_device *device, unsigned int index);
// The guest's or the device's fault: DMA ends, and the guest's device needs a reset.
void virtio_mediator_fail(struct virtio_device *device, unsigned int queue, const struct virtio_fault *fault);
// The guest's interrupt has causes more (VIRTIO_MMIO_INT_*), or fewer.
void virtio_mediator_interrupt(struct virtio_device *device, uint32_t causes);
void virtio_mediator_acknowledge(struct virtio_device *device, uint32_t causes);
// The queues' state as at boot, and the real device's interrupt; real, number and queue_count have been filled in.
void virtio_mediator_init(struct virtio_device *device);

// Room in a shadow queue for buffers of EL2's own, beside those of a chain: chain.c puts one at each end.
#define VIRTIO_BUFFERS_ADDED 2

// QueueNumMax: so large that a chain of as many buffers as the guest's queue has, with EL2's, fits the shadow queue.
static inline uint32_t virtio_queue_max(const struct virtio_device_queue *queue)
{
    uint32_t size = VIRTIO_QUEUE_SIZE_MAX;

    while (size != 0 && size + VIRTIO_BUFFERS_ADDED > queue->shadow_size)
        size /= 2;
    return size;
}

// Whether the guest has accepted a feature.
static inline bool virtio_has_feature(const struct virtio_device *device, uint64_t feature)
{
    return (device->status & VIRTIO_STATUS_FEATURES_OK) != 0 && (device->driver_features & feature) != 0;
}

// Whether the driver has said that it is ready, and the device has not failed since.
static inline bool virtio_is_at_work(const struct virtio_device *device)
{
    return (device->status & (VIRTIO_STATUS_DRIVER_OK | VIRTIO_STATUS_DEVICE_NEEDS_RESET)) == VIRTIO_STATUS_DRIVER_OK;
}
