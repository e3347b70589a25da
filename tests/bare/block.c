// SPDX-License-Identifier: Apache-2.0
// Reads a disk behind a modern virtio-mmio transport, and counts. Sector n of the disk begins with n as 8 bytes. Four
// rounds of ROUND requests of 4 KiB: one at a time and 32 at once, each by chains of descriptors and by indirect
// tables. Before and after each round stands a marker for tools/plugin/exits.c: MOVZ XZR, #n, LSL #48.

#include "bare.h"

volatile bool aborted;

#define GICD   0x08000000ul
#define GICR   0x080a0000ul
#define VIRTIO 0x0a000000ul

#define QUEUE_SIZE 128
#define BATCH      32
#define ROUND      512
#define SECTORS    8 // of a request

#define F_NEXT     1
#define F_WRITE    2
#define F_INDIRECT 4

// Bits 28, 29 and 32
#define INDIRECT_DESC 0x10000000u
#define EVENT_IDX     0x20000000u

struct desc {
    uint64_t addr;
    uint32_t len;
    uint16_t flags, next;
};

static volatile struct desc table[QUEUE_SIZE] __attribute__((aligned(16)));
static volatile struct {
    uint16_t flags, idx, ring[QUEUE_SIZE], event;
} avail;
static volatile struct {
    uint16_t flags, idx;
    struct {
        uint32_t id, len;
    } ring[QUEUE_SIZE];
    uint16_t event;
} used __attribute__((aligned(4)));

// A request's own memory, by its place in a batch.
static volatile struct request {
    struct desc indirect[3];
    uint32_t type, reserved;
    uint64_t sector;
    uint8_t status;
    uint64_t data[SECTORS * 64] __attribute__((aligned(512)));
} requests[BATCH];

static uint64_t base; // of the transport
static unsigned int intid;
static uint16_t last_used;

static uint32_t rd(uint32_t offset)
{
    return (uint32_t)load(base + offset, 4);
}

static void wr(uint32_t offset, uint64_t value)
{
    store(base + offset, 4, (uint32_t)value);
}

static void wr_address(uint32_t offset, const volatile void *address)
{
    wr(offset, (uintptr_t)address);
    wr(offset + 4, (uintptr_t)address >> 32);
}

static void end(const char *text)
{
    print(text);
    psci(PSCI_SYSTEM_OFF);
}

static void find_disk(void)
{
    for (unsigned int n = 0; n < 32; n++) {
        base = VIRTIO + 0x200 * n;
        intid = 48 + n;
        if (rd(4) == 2 && rd(8) == 2)
            return;
    }
    end("no disk\n");
}

static void start_disk(void)
{
    wr(0x70, 0);
    wr(0x70, 3);
    wr(0x24, 0);
    wr(0x20, INDIRECT_DESC | EVENT_IDX);
    wr(0x24, 1);
    wr(0x20, 1);
    wr(0x70, 11);
    if (rd(0x70) != 11)
        end("features refused\n");
    wr(0x30, 0);
    wr(0x38, QUEUE_SIZE);
    wr_address(0x80, table);
    wr_address(0x90, &avail);
    wr_address(0xa0, &used);
    wr(0x44, 1);
    wr(0x70, 15);
}

static void prepare_interrupts(void)
{
    uint32_t bit = 1u << intid % 32;

    store(GICD, 4, 0x12); // ARE, Group 1
    store(GICR + 0x14, 4, 0);
    while (load(GICR + 0x14, 4) & 4) // GICR_WAKER.ChildrenAsleep
        ;
    store(GICD + 0x80 + intid / 32 * 4, 4, bit);                   // GICD_IGROUPR
    store(GICD + 0x400 + intid, 1, 0x80);                          // GICD_IPRIORITYR
    store(GICD + 0x6000 + 8 * intid, 8, 0);                        // GICD_IROUTER
    store(GICD + 0xc00 + intid / 16 * 4, 4, 2u << intid % 16 * 2); // GICD_ICFGR: edge, as Linux has it
    store(GICD + 0x100 + intid / 32 * 4, 4, bit);                  // GICD_ISENABLER
    __asm__ volatile("msr S3_0_C12_C12_5, %0\n isb" : : "r"(7ul)); // ICC_SRE_EL1
    __asm__ volatile("msr S3_0_C4_C6_0, %0" : : "r"(0xf0ul));      // ICC_PMR_EL1
    __asm__ volatile("msr S3_0_C12_C12_7, %0\n isb" : : "r"(1ul)); // ICC_IGRPEN1_EL1
}

// Waits for the disk's interrupt and ends it, as a driver's handler does.
static void take_interrupt(void)
{
    uint64_t got;

    for (;;) {
        __asm__ volatile("mrs %0, S3_0_C12_C12_0\n dsb sy" : "=r"(got)); // ICC_IAR1_EL1
        if (got == intid)
            break;
        __asm__ volatile("wfi");
    }
    wr(0x64, rd(0x60));
    __asm__ volatile("msr S3_0_C12_C12_1, %0" : : "r"(got)); // ICC_EOIR1_EL1
}

static void offer(unsigned int n, uint64_t sector, bool indirect)
{
    volatile struct request *request = &requests[n];
    volatile struct desc *desc = indirect ? request->indirect : &table[3 * n];
    uint16_t first = indirect ? 0 : (uint16_t)(3 * n);

    request->type = 0;
    request->sector = sector;
    request->status = 0xff;
    desc[0] = (struct desc){(uintptr_t)&request->type, 16, F_NEXT, (uint16_t)(first + 1)};
    desc[1] = (struct desc){(uintptr_t)request->data, 512 * SECTORS, F_NEXT | F_WRITE, (uint16_t)(first + 2)};
    desc[2] = (struct desc){(uintptr_t)&request->status, 1, F_WRITE, 0};
    if (indirect)
        table[n] = (struct desc){(uintptr_t)desc, sizeof(request->indirect), F_INDIRECT, 0};
    avail.ring[avail.idx % QUEUE_SIZE] = indirect ? (uint16_t)n : first;
    __asm__ volatile("dmb ish" ::: "memory");
    avail.idx++;
}

// Requests of count at once, and what they have read.
static void read_some(uint64_t sector, unsigned int count, bool indirect)
{
    for (unsigned int n = 0; n < count; n++)
        offer(n, sector + n * SECTORS, indirect);
    __asm__ volatile("dmb sy" ::: "memory");
    wr(0x50, 0);
    while (last_used != avail.idx) {
        avail.event = last_used;
        __asm__ volatile("dmb sy" ::: "memory");
        if (used.idx == last_used)
            take_interrupt();
        last_used = used.idx;
    }
    for (unsigned int n = 0; n < count; n++) {
        if (requests[n].status != 0)
            end("a request failed\n");
        for (unsigned int s = 0; s < SECTORS; s++)
            if (requests[n].data[64 * s] != sector + n * SECTORS + s)
                end("wrong data\n");
    }
}

#define MARK(n) __asm__ volatile(".inst 0xd2e0001f | " #n " << 5" ::: "memory")

static void round_of(unsigned int count, bool indirect)
{
    for (unsigned int done = 0; done < ROUND; done += count)
        read_some(done % 64 * SECTORS, count, indirect);
}

void main(void);
void main(void)
{
    find_disk();
    prepare_interrupts();
    start_disk();
    round_of(BATCH, true); // what happens once has happened
    MARK(1);
    round_of(1, false);
    MARK(2);
    round_of(1, true);
    MARK(3);
    round_of(BATCH, false);
    MARK(4);
    round_of(BATCH, true);
    MARK(5);
    end("all read\n");
}
