// SPDX-License-Identifier: Apache-2.0
// The device that virtio.c and virtio_shapes.c attack, and where its rings and buffers are.
#pragma once

#include "hostile.h"

#include "lib/mmio.h"
#include "lib/virtio.h"

#define QUEUE_SIZE       64
#define SECTOR           512
#define VIRTIO_BLK_T_IN  0
#define VIRTIO_BLK_T_OUT 1
#define NET_HEADER       12
#define ETHERNET_MIN     60
#define RECEIVE_QUEUE    0
#define TRANSMIT_QUEUE   1

// In SCRATCH_IPA, beginning with what the other CPUs rewrite
#define RINGS     (SCRATCH_IPA + 0x0000) // of the queue that is attacked
#define INDIRECT  (SCRATCH_IPA + 0x4000)
#define HEADER    (SCRATCH_IPA + 0x8000)
#define RACED     0x9000
#define SPARE     (SCRATCH_IPA + 0x10000) // rings of the other queue
#define STATUS    (SCRATCH_IPA + 0x18000)
#define BUFFER    (SCRATCH_IPA + 0x20000)
#define FRAME     (SCRATCH_IPA + 0x1a000)
#define DMA_SPACE 0x800000 // where a device may be told to write, from SCRATCH_IPA
// What no guest has of the machine's RAM, by PA: the place of a table of symbols, of which this guest has none, and
// what is behind the guest's RAM. Of the first, the guest has the same IPAs, where it keeps nothing.
#define HV_FREE_PA 0x41900000
#define BEHIND_PA  0x74000000
#define WAIT_MS    20
#define GOOD_MS    5000

// The device under attack.
extern struct virtio_target {
    struct virtio_device device;
    struct virtio_ring ring;  // of the queue that is attacked
    struct virtio_ring other; // a network device's other queue
    bool is_disk;
    bool receives;        // the receive queue of a network device is attacked
    volatile bool racing; // the other CPUs may rewrite the rings
    volatile bool done;   // no more attacks: they may leave
} target;

static struct virtq_desc *const indirect = (struct virtq_desc *)INDIRECT;

static struct blk_header {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector;
} *const header = (struct blk_header *)HEADER;

static inline uint32_t get(uint32_t offset)
{
    return mmio_read32(target.device.base + offset);
}

static inline void set(uint32_t offset, uint32_t value)
{
    mmio_write32(target.device.base + offset, value);
}

// A way to attack. Each begins with a device that is reset, has its queues and runs, and a sound chain at descriptor 0.
struct virtio_shape {
    const char *name;
    void (*attack)(void);
    uint64_t features;
};

extern const struct virtio_shape virtio_shapes[];
extern const unsigned int virtio_shape_count;

// ---- virtio.c
// The device is reset, has its queues, and the features that both sides have agreed on. False: it does not answer so.
bool target_begin(uint64_t features);
// Offers the chain that begins at descriptor head, and notifies.
void target_submit(uint16_t head);
// Writes a sound chain of three descriptors.
void target_describe(struct virtq_desc *desc);
// An address that a device may be told to write: within the scratch, or none of the guest's RAM.
uint64_t target_hostile_address(void);
