// SPDX-License-Identifier: Apache-2.0
// Reads a disk behind a modern virtio-mmio transport, by the driver of guest/lib. Sector n of the disk begins with n as
// 8 bytes. Four rounds of ROUND requests of 4 KiB: one at a time and 32 at once, each by chains of descriptors and by
// indirect tables.

#include "bare.h"

#include "lib/gic.h"
#include "lib/virtio.h"

volatile bool aborted;

#define GICD_ICFGR 0x08000c00ul

#define QUEUE_SIZE 128
#define BATCH      32
#define ROUND      512
#define SECTORS    8 // of a request

static _Alignas(4096) uint8_t ring_memory[VIRTIO_RING_BYTES];

// A request's own memory, by its place in a batch.
static volatile struct request {
    struct virtq_desc indirect[3];
    uint32_t type, reserved;
    uint64_t sector;
    uint8_t status;
    uint64_t data[SECTORS * 64] __attribute__((aligned(512)));
} requests[BATCH];

static struct virtio_device disk;
static struct virtio_ring ring;

static void end(const char *text)
{
    print(text);
    psci(PSCI_SYSTEM_OFF);
}

static void start_disk(void)
{
    if (!virtio_find(VIRTIO_ID_BLOCK, 0, &disk))
        end("no disk\n");
    if (!virtio_begin(&disk, VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX) ||
        !(disk.features & VIRTIO_F_INDIRECT_DESC) || !(disk.features & VIRTIO_F_EVENT_IDX))
        end("features refused\n");
    if (!virtio_add_queue(&disk, &ring, 0, QUEUE_SIZE, ring_memory))
        end("no queue\n");
    virtio_run(&disk);
    gic_init_distributor();
    gic_init_cpu();
    store(GICD_ICFGR + disk.intid / 16 * 4, 4, 2u << disk.intid % 16 * 2); // edge, as Linux has it
    gic_enable(disk.intid, 0x80);
}

// Waits for the disk's interrupt and ends it, as a driver's handler does. The interrupt stays masked: WFI ends all the
// same.
static void take_interrupt(void)
{
    while (gic_acknowledge() != disk.intid)
        __asm__ volatile("wfi");
    virtio_take_interrupt(&disk);
    gic_end(disk.intid);
}

static void offer(unsigned int n, uint64_t sector, bool indirect)
{
    volatile struct request *request = &requests[n];
    volatile struct virtq_desc *desc = indirect ? request->indirect : &ring.desc[3 * n];
    uint16_t first = indirect ? 0 : (uint16_t)(3 * n);

    request->type = 0;
    request->sector = sector;
    request->status = 0xff;
    desc[0] = (struct virtq_desc){(uintptr_t)&request->type, 16, VIRTQ_DESC_F_NEXT, (uint16_t)(first + 1)};
    desc[1] = (struct virtq_desc){(uintptr_t)request->data, 512 * SECTORS, VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE,
                                  (uint16_t)(first + 2)};
    desc[2] = (struct virtq_desc){(uintptr_t)&request->status, 1, VIRTQ_DESC_F_WRITE, 0};
    if (indirect)
        ring.desc[n] = (struct virtq_desc){(uintptr_t)desc, sizeof(request->indirect), VIRTQ_DESC_F_INDIRECT, 0};
    virtio_put(&ring, indirect ? (uint16_t)n : first);
}

// Requests of count at once, and what they have read.
static void read_some(uint64_t sector, unsigned int count, bool indirect)
{
    struct virtq_used_elem used;

    for (unsigned int n = 0; n < count; n++)
        offer(n, sector + n * SECTORS, indirect);
    virtio_notify(&disk, &ring);
    while (ring.used_next != ring.avail_next) {
        virtio_ask_interrupt(&ring, ring.used_next);
        if (virtio_used_index(&ring) == ring.used_next)
            take_interrupt();
        while (virtio_take(&ring, &used))
            ;
    }
    for (unsigned int n = 0; n < count; n++) {
        if (requests[n].status != 0)
            end("a request failed\n");
        for (unsigned int s = 0; s < SECTORS; s++)
            if (requests[n].data[64 * s] != sector + n * SECTORS + s)
                end("wrong data\n");
    }
}

static void round_of(unsigned int count, bool indirect)
{
    for (unsigned int done = 0; done < ROUND; done += count)
        read_some(done % 64 * SECTORS, count, indirect);
}

void main(void);
void main(void)
{
    start_disk();
    round_of(1, false);
    round_of(1, true);
    round_of(BATCH, false);
    round_of(BATCH, true);
    end("all read\n");
}
