// SPDX-License-Identifier: Apache-2.0
// How fast a virtio disk is, and how many exits its requests cost: an arm64 Image of its own, so that the same file
// runs under ariel and on the bare machine. tools/bench_virtio.py boots it. It reads and writes the first virtio-blk
// device, whose contents are lost, and has no caches, no file system and no scheduler between.
//
// Prints a line `# disk <what> depth <d> requests <n> bytes <n> ns <n> interrupts <n> errors <n>` for each job. Before
// and after job n it executes a marker, at which a plugin of QEMU's translator writes down its counters
// (tools/plugin/exits.c). The word `rounds` of the Image's header says how many MiB the sequential jobs move.
#include "bench/bench.h"

#include "lib/gic.h"
#include "lib/print.h"
#include "lib/registers.h"
#include "lib/virtio.h"

#include <hv/memory_map.h>

#define PSCI_OFF   0x84000008
#define DEPTH_MAX  32
#define BUFFERS    (GUEST_RAM_IPA + 0x10000000) // DEPTH_MAX of BUFFER_MAX bytes
#define BUFFER_MAX 0x20000
#define SECTOR     512
#define IN         0
#define OUT        1
#define MIB_(n)    ((uint64_t)(n) << 20)

struct job {
    char name[20]; // no pointer: nothing relocates the Image
    uint32_t type;
    uint32_t bytes; // of a request
    unsigned int depth;
    bool random;
};

static const struct job jobs[] = {
    {"sequential-read", IN, BUFFER_MAX, 8, false},
    {"sequential-write", OUT, BUFFER_MAX, 8, false},
    {"random-read", IN, 4096, 1, true},
    {"random-read", IN, 4096, DEPTH_MAX, true},
    {"random-write", OUT, 4096, 1, true},
    {"random-write", OUT, 4096, DEPTH_MAX, true},
};

// The header of a request (5.2.6), and where the device says how it ended.
static struct {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector;
} headers[DEPTH_MAX];
static volatile uint8_t statuses[DEPTH_MAX];
static _Alignas(4096) uint8_t ring_memory[VIRTIO_RING_BYTES];

static struct virtio_device disk;
static struct virtio_ring ring;
static uint64_t sectors;
static uint64_t random_state;

void bench_main(uint64_t entered, uint64_t rounds);

// MOVZ XZR, #n, LSL #48 does nothing but for the plugin.
#define MARK(n) __asm__ volatile(".inst 0xd2e0001f | (" #n ") << 5" ::: "memory")

// The instruction has its number in itself.
static void mark(unsigned int n)
{
    // clang-format off
    switch (n) {
    case 0: MARK(0); break;
    case 1: MARK(1); break;
    case 2: MARK(2); break;
    case 3: MARK(3); break;
    case 4: MARK(4); break;
    case 5: MARK(5); break;
    case 6: MARK(6); break;
    case 7: MARK(7); break;
    case 8: MARK(8); break;
    case 9: MARK(9); break;
    case 10: MARK(10); break;
    case 11: MARK(11); break;
    default: break;
    }
    // clang-format on
}

// Request n of DEPTH_MAX has descriptors 3 n to 3 n + 2: header, data, status.
static void submit(unsigned int n, const struct job *job, uint64_t sector)
{
    struct virtq_desc *desc = &ring.desc[3 * n];

    headers[n].type = job->type;
    headers[n].sector = sector;
    statuses[n] = 0xff;
    desc[0] = (struct virtq_desc){(uintptr_t)&headers[n], sizeof(headers[n]), VIRTQ_DESC_F_NEXT, (uint16_t)(3 * n + 1)};
    desc[1] =
        (struct virtq_desc){BUFFERS + n * (uint64_t)BUFFER_MAX, job->bytes,
                            VIRTQ_DESC_F_NEXT | (job->type == IN ? VIRTQ_DESC_F_WRITE : 0), (uint16_t)(3 * n + 2)};
    desc[2] = (struct virtq_desc){(uintptr_t)&statuses[n], 1, VIRTQ_DESC_F_WRITE, 0};
    virtio_put(&ring, (uint16_t)(3 * n));
}

// Waits until the disk has used all that was put, and takes it; returns how many interrupts came. The interrupt is
// asked for behind the last request. It stays masked: WFI ends all the same, and the acknowledge takes it.
static unsigned int wait_all(unsigned int *errors)
{
    struct virtq_used_elem used;
    unsigned int interrupts = 0;

    for (;;) {
        while (virtio_take(&ring, &used))
            *errors += used.id >= 3 * DEPTH_MAX || used.id % 3 != 0 || statuses[used.id / 3] != 0;
        if (ring.used_next == ring.avail_next)
            return interrupts;
        virtio_ask_interrupt(&ring, (uint16_t)(ring.avail_next - 1));
        if (virtio_used_index(&ring) != ring.used_next)
            continue;
        __asm__ volatile("wfi");
        unsigned int intid = gic_acknowledge();
        if (intid >= GIC_INTID_SPECIAL)
            continue;
        virtio_take_interrupt(&disk);
        gic_end(intid);
        interrupts++;
    }
}

static uint64_t next_sector(const struct job *job, uint64_t number)
{
    uint64_t each = job->bytes / SECTOR, places = sectors / each;

    if (!job->random)
        return number % places * each;
    random_state = random_state * 6364136223846793005 + 1442695040888963407; // MMIX by Donald Knuth
    return (random_state >> 33) % places * each;
}

static void run(unsigned int number, uint64_t mib)
{
    const struct job *job = &jobs[number];
    uint64_t requests = job->random ? mib * 8 : MIB_(mib) / job->bytes;
    unsigned int interrupts = 0, errors = 0;

    requests -= requests % job->depth;
    uint64_t start = bench_now();
    mark(2 * number);
    for (uint64_t done = 0; done < requests; done += job->depth) {
        for (unsigned int n = 0; n < job->depth; n++)
            submit(n, job, next_sector(job, done + n));
        virtio_notify(&disk, &ring);
        interrupts += wait_all(&errors);
    }
    mark(2 * number + 1);
    uint64_t ns = (bench_now() - start) * 1000 / (READ_REG(cntfrq_el0) / 1000000);
    print("# disk %s depth %u requests %lu bytes %lu ns %lu interrupts %u errors %u\n", job->name, job->depth, requests,
          requests * job->bytes, ns, interrupts, errors);
}

static bool start_disk(void)
{
    if (!virtio_find(VIRTIO_ID_BLOCK, 0, &disk) || !virtio_begin(&disk, VIRTIO_F_EVENT_IDX) ||
        !virtio_add_queue(&disk, &ring, 0, 128, ring_memory))
        return false;
    virtio_run(&disk);
    sectors = *(volatile uint32_t *)(disk.base + VIRTIO_MMIO_CONFIG) |
              (uint64_t)*(volatile uint32_t *)(disk.base + VIRTIO_MMIO_CONFIG + 4) << 32;
    gic_init_distributor();
    gic_init_cpu();
    gic_enable(disk.intid, BENCH_PRIORITY);
    return sectors * SECTOR >= MIB_(1);
}

void bench_main(uint64_t entered, uint64_t rounds)
{
    (void)entered;
    if (start_disk())
        for (unsigned int number = 0; number < sizeof(jobs) / sizeof(jobs[0]); number++)
            run(number, rounds);
    else
        print("# disk: no virtio disk of 1 MiB or more\n");
    print("# disk end\n");
    bench_call(PSCI_OFF, 0, 0, 0);
}
