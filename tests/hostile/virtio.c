// SPDX-License-Identifier: Apache-2.0
// A driver that is out for the memory of others. A virtio device writes wherever a descriptor says; so each attack
// hands it one that says what it must not, or changes what was said while EL2 looks. CPU 0 drives the device; the other
// CPUs rewrite its rings all the time, as a driver on another vCPU could.
//
// What an attack may end in: the device does what is possible, or refuses the request in the protocol's own way, or
// wants to be reset (DEVICE_NEEDS_RESET). After each attack the device is reset, and a driver that behaves must find it
// working. Whether anything outside of the guest changed is looked at from outside (tests/qemu/test_hostile.py).
//
// The attacks spare this program itself: what a device is told to write lies in SCRATCH_IPA's 16 MiB, or is not the
// guest's. The disk is 4 MiB, so a transfer that is longer fails, and the reach of any one ends within the scratch.
#include "hostile.h"

#include "lib/mmio.h"
#include "lib/registers.h"
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
// What no guest has of the machine's RAM, by PA. Of the first, the guest has the same IPAs, where it keeps nothing.
#define HV_FREE_PA 0x41100000
#define BEHIND_PA  0x74000000
#define WAIT_MS    20
#define GOOD_MS    5000

// The device under attack.
static struct {
    struct virtio_device device;
    struct virtio_ring ring;  // of the queue that is attacked
    struct virtio_ring other; // a network device's other queue
    bool is_disk;
    bool receives;        // the receive queue of a network device is attacked
    volatile bool racing; // the other CPUs may rewrite the rings
    volatile bool done;   // no more attacks: they may leave
} target;

// How often each of the other CPUs has looked at target; CPU 0 waits on it until nobody writes any more.
static volatile uint64_t rounds[CPU_MAX];

static struct virtq_desc *const indirect = (struct virtq_desc *)INDIRECT;

static struct blk_header {
    uint32_t type;
    uint32_t reserved;
    uint64_t sector;
} *const header = (struct blk_header *)HEADER;

static uint32_t get(uint32_t offset)
{
    return mmio_read32(target.device.base + offset);
}

static void set(uint32_t offset, uint32_t value)
{
    mmio_write32(target.device.base + offset, value);
}

// An address that a device may be told to write: within the scratch, or none of the guest's RAM.
static uint64_t hostile_address(void)
{
    uint64_t address = random_hostile();

    if (address - GUEST_RAM_IPA < GUEST_RAM_SIZE || random_below(4) == 0)
        return SCRATCH_IPA + address % DMA_SPACE;
    return address;
}

static uint64_t outside_address(void)
{
    uint64_t address = random_hostile();

    return address - GUEST_RAM_IPA < GUEST_RAM_SIZE ? address + GUEST_RAM_SIZE : address;
}

// ---- A driver that behaves

static bool begin(uint64_t features)
{
    struct virtio_device *device = &target.device;
    unsigned int attacked = target.receives ? RECEIVE_QUEUE : TRANSMIT_QUEUE;

    if (!virtio_begin(device, features))
        return false;
    if (target.is_disk)
        return virtio_add_queue(device, &target.ring, 0, QUEUE_SIZE, (void *)RINGS);
    return virtio_add_queue(device, &target.ring, attacked, QUEUE_SIZE, (void *)RINGS) &&
           virtio_add_queue(device, &target.other, TRANSMIT_QUEUE - attacked, QUEUE_SIZE, (void *)SPARE);
}

static bool wait_used(struct virtio_ring *ring, uint64_t milliseconds)
{
    uint64_t end = READ_REG(cntvct_el0) + READ_REG(cntfrq_el0) / 1000 * milliseconds;
    struct virtq_used_elem used;

    do {
        if (virtio_take(ring, &used))
            return true;
        if (get(VIRTIO_MMIO_STATUS) & VIRTIO_STATUS_DEVICE_NEEDS_RESET)
            return false;
    } while (READ_REG(cntvct_el0) < end);
    return false;
}

// An ARP request for the gateway of QEMU's user network, which answers it, behind the header of a frame without
// offloads (5.1.6). It stands at FRAME, where no other CPU rewrites it.
static void make_frame(void)
{
    static const uint8_t request[] = {
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0x00, 0x12, 0x34, 0x56, 0x08, 0x06,
        0x00, 0x01, 0x08, 0x00, 0x06, 0x04, 0x00, 0x01, 0x52, 0x54, 0x00, 0x12, 0x34, 0x56,
        10,   0,    2,    15,   0,    0,    0,    0,    0,    0,    10,   0,    2,    2,
    };
    volatile uint8_t *frame = (volatile uint8_t *)FRAME;

    for (unsigned int i = 0; i < NET_HEADER + ETHERNET_MIN; i++)
        frame[i] = i < NET_HEADER || i - NET_HEADER >= sizeof(request) ? 0 : request[i - NET_HEADER];
}

// A chain of three descriptors, as the device's queue wants it: a sector read from the disk, a frame sent, or room for
// one.
static void describe(struct virtq_desc *desc)
{
    if (target.is_disk) {
        *header = (struct blk_header){VIRTIO_BLK_T_IN, 0, random_below(16)};
        desc[0] = (struct virtq_desc){HEADER, sizeof(*header), VIRTQ_DESC_F_NEXT, 1};
        desc[1] = (struct virtq_desc){BUFFER, SECTOR, VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE, 2};
        desc[2] = (struct virtq_desc){STATUS, 1, VIRTQ_DESC_F_WRITE, 0};
    } else if (target.receives) {
        desc[0] = (struct virtq_desc){BUFFER, NET_HEADER, VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE, 1};
        desc[1] = (struct virtq_desc){BUFFER + 0x100, 256, VIRTQ_DESC_F_NEXT | VIRTQ_DESC_F_WRITE, 2};
        desc[2] = (struct virtq_desc){BUFFER + 0x200, 2048, VIRTQ_DESC_F_WRITE, 0};
    } else {
        desc[0] = (struct virtq_desc){FRAME, NET_HEADER, VIRTQ_DESC_F_NEXT, 1};
        desc[1] = (struct virtq_desc){FRAME + NET_HEADER, 14, VIRTQ_DESC_F_NEXT, 2};
        desc[2] = (struct virtq_desc){FRAME + NET_HEADER + 14, ETHERNET_MIN - 14, 0, 0};
    }
}

// Has the network answer something, for the queue of received frames.
static void ask_network(void)
{
    target.other.desc[0] = (struct virtq_desc){FRAME, NET_HEADER + ETHERNET_MIN, 0, 0};
    virtio_put(&target.other, 0);
    set(VIRTIO_MMIO_QUEUE_NOTIFY, TRANSMIT_QUEUE);
}

static void submit(uint16_t head)
{
    virtio_put(&target.ring, head);
    set(VIRTIO_MMIO_QUEUE_NOTIFY, target.ring.queue);
    if (target.receives)
        ask_network();
}

// The device works: its first request ends as it should, with what the last attack left in the rings overwritten.
static bool works(void)
{
    *(volatile uint8_t *)STATUS = 0xff;
    if (!begin(0))
        return false;
    virtio_run(&target.device);
    describe(target.ring.desc);
    submit(0);
    return wait_used(&target.ring, GOOD_MS) && (!target.is_disk || *(volatile uint8_t *)STATUS == 0);
}

// ---- Shapes. Each begins with a device that is reset, has its queues and runs, and a sound chain at descriptor 0.

struct shape {
    const char *name;
    void (*attack)(void);
    uint64_t features;
};

// One of the chain's descriptors, and which of them may be attacked with an address for the device to write.
static struct virtq_desc *any_descriptor(void)
{
    return &target.ring.desc[random_below(3)];
}

static void outside_ram(void)
{
    any_descriptor()->addr = outside_address();
    submit(0);
}

static void at_el2(void)
{
    any_descriptor()->addr =
        random_below(2) ? HV_FREE_PA + random_below(0xc00000) : BEHIND_PA + random_below(0x8000000);
    submit(0);
}

static void straddling(void)
{
    struct virtq_desc *desc = any_descriptor();

    desc->addr = GUEST_RAM_IPA + GUEST_RAM_SIZE - random_below(desc->len);
    submit(0);
}

static void before_ram(void)
{
    struct virtq_desc *desc = any_descriptor();

    desc->addr = GUEST_RAM_IPA - 1 - random_below(desc->len);
    submit(0);
}

static void wrapping(void)
{
    struct virtq_desc *desc = any_descriptor();

    desc->addr = -(1 + random_below(desc->len));
    submit(0);
}

static void empty(void)
{
    any_descriptor()->len = 0;
    submit(0);
}

static void huge(void)
{
    any_descriptor()->len = 0xffffffff - (uint32_t)random_below(4096);
    submit(0);
}

static void loops(void)
{
    target.ring.desc[2].flags |= VIRTQ_DESC_F_NEXT;
    target.ring.desc[2].next = (uint16_t)random_below(3);
    submit(0);
}

static void too_long(void)
{
    for (uint16_t i = 0; i < QUEUE_SIZE; i++)
        target.ring.desc[i] = (struct virtq_desc){BUFFER, 16, VIRTQ_DESC_F_NEXT, (uint16_t)((i + 1) % QUEUE_SIZE)};
    submit(0);
}

static void next_outside(void)
{
    target.ring.desc[0].next = (uint16_t)(QUEUE_SIZE + random_below(65536 - QUEUE_SIZE));
    submit(0);
}

static void order(void)
{
    target.ring.desc[0].flags |= VIRTQ_DESC_F_WRITE;
    target.ring.desc[1].flags &= (uint16_t)~VIRTQ_DESC_F_WRITE;
    submit(0);
}

static void head_outside(void)
{
    submit((uint16_t)(QUEUE_SIZE + random_below(65536 - QUEUE_SIZE)));
}

static void index_ahead(void)
{
    target.ring.avail->idx = (uint16_t)(QUEUE_SIZE + 1 + random_below(60000));
    set(VIRTIO_MMIO_QUEUE_NOTIFY, target.ring.queue);
}

static void same_head(void)
{
    for (unsigned int i = 0; i < 8; i++)
        virtio_put(&target.ring, 0);
    set(VIRTIO_MMIO_QUEUE_NOTIFY, target.ring.queue);
}

// The chain in a table of its own, which descriptor 5 names.
static void use_table(uint32_t bytes, uint16_t more_flags)
{
    describe(indirect);
    target.ring.desc[5] =
        (struct virtq_desc){INDIRECT, bytes, (uint16_t)(VIRTQ_DESC_F_INDIRECT | more_flags), (uint16_t)random_below(4)};
}

static void nested_table(void)
{
    use_table(48, 0);
    indirect[random_below(3)].flags |= VIRTQ_DESC_F_INDIRECT;
    submit(5);
}

static void odd_table(void)
{
    static const uint32_t sizes[] = {0, 1, 15, 17, 47, 49, 0xffffffff, 0xfffffff0, 65536 * 16, 1024 * 16 + 16};

    use_table(sizes[random_below(sizeof(sizes) / sizeof(sizes[0]))], 0);
    submit(5);
}

static void table_with_next(void)
{
    use_table(48, random_below(2) ? VIRTQ_DESC_F_NEXT : VIRTQ_DESC_F_WRITE);
    submit(5);
}

static void table_outside(void)
{
    use_table(48, 0);
    target.ring.desc[5].addr = random_below(2) ? outside_address() : GUEST_RAM_IPA + GUEST_RAM_SIZE - 40;
    submit(5);
}

static void table_loops(void)
{
    use_table(48, 0);
    indirect[random_below(3)].next = (uint16_t)random_below(random_below(2) ? 3 : 65536);
    indirect[2].flags |= VIRTQ_DESC_F_NEXT;
    submit(5);
}

static void changes_behind(void)
{
    submit(0);
    for (unsigned int i = 0; i < 16; i++) {
        volatile uint64_t *words = (volatile uint64_t *)target.ring.desc;
        words[2 * random_below(3)] = hostile_address();
        header->type = (uint32_t)random_below(16);
        header->sector = random_next();
    }
    set(VIRTIO_MMIO_QUEUE_NOTIFY, target.ring.queue);
}

// A disk's header: any type, any sector; too short, in pieces, or none.
static void any_header(void)
{
    struct virtq_desc *desc = target.ring.desc;

    header->type = random_below(2) ? (uint32_t)random_below(20) : (uint32_t)random_next();
    header->sector = random_below(2) ? random_below(8192) : random_next();
    switch (random_below(4)) {
    case 0:
        desc[0].len = (uint32_t)random_below(20);
        break;
    case 1: // no place for the status
        desc[1].flags = 0;
        break;
    case 2:
        desc[1].flags = VIRTQ_DESC_F_NEXT;
        break;
    default:
        break;
    }
    submit(0);
}

static void live_registers(void)
{
    static const uint32_t registers[] = {
        VIRTIO_MMIO_QUEUE_NUM,         VIRTIO_MMIO_QUEUE_DESC_LOW,    VIRTIO_MMIO_QUEUE_DESC_HIGH,
        VIRTIO_MMIO_QUEUE_DRIVER_LOW,  VIRTIO_MMIO_QUEUE_DRIVER_HIGH, VIRTIO_MMIO_QUEUE_DEVICE_LOW,
        VIRTIO_MMIO_QUEUE_DEVICE_HIGH, VIRTIO_MMIO_QUEUE_READY,
    };

    submit(0);
    for (unsigned int i = 0; i < 8; i++)
        set(registers[random_below(sizeof(registers) / sizeof(registers[0]))], (uint32_t)random_hostile());
    set(VIRTIO_MMIO_QUEUE_NOTIFY, target.ring.queue);
}

static void features_late(void)
{
    set(VIRTIO_MMIO_DRIVER_FEATURES_SEL, (uint32_t)random_below(3));
    set(VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)random_next());
    set(VIRTIO_MMIO_STATUS, get(VIRTIO_MMIO_STATUS) | VIRTIO_STATUS_FEATURES_OK);
    submit(0);
}

static void features_unknown(void)
{
    struct virtio_device *device = &target.device;

    set(VIRTIO_MMIO_STATUS, 0);
    set(VIRTIO_MMIO_STATUS, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
    for (uint32_t half = 0; half < 2; half++) {
        set(VIRTIO_MMIO_DRIVER_FEATURES_SEL, half);
        set(VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)random_next());
    }
    set(VIRTIO_MMIO_STATUS, get(VIRTIO_MMIO_STATUS) | VIRTIO_STATUS_FEATURES_OK);
    virtio_run(device);
    submit(0);
}

static void reset_in_flight(void)
{
    submit(0);
    set(VIRTIO_MMIO_STATUS, 0);
    set(VIRTIO_MMIO_QUEUE_NOTIFY, target.ring.queue);
}

static void stop_in_flight(void)
{
    submit(0);
    set(VIRTIO_MMIO_QUEUE_SEL, target.ring.queue);
    set(VIRTIO_MMIO_QUEUE_READY, 0);
    set(VIRTIO_MMIO_QUEUE_NOTIFY, target.ring.queue);
}

static void absent_queues(void)
{
    for (unsigned int i = 0; i < 16; i++)
        set(VIRTIO_MMIO_QUEUE_NOTIFY, random_below(2) ? (uint32_t)random_below(70000) : (uint32_t)random_next());
    set(VIRTIO_MMIO_QUEUE_SEL, (uint32_t)random_next());
    set(VIRTIO_MMIO_QUEUE_NUM, (uint32_t)random_hostile());
    set(VIRTIO_MMIO_QUEUE_READY, 1);
}

static void many_notifications(void)
{
    virtio_put(&target.ring, 0);
    for (unsigned int i = 0; i < 2000; i++)
        set(VIRTIO_MMIO_QUEUE_NOTIFY, target.ring.queue);
}

static void any_register(void)
{
    for (unsigned int i = 0; i < 32; i++) {
        uint64_t offset = random_below(VIRTIO_TRANSPORT_SIZE) & ~UINT64_C(7);
        struct exception e;

        exception_expect();
        switch (random_below(4)) {
        case 0:
            mmio_write8(target.device.base + offset + random_below(8), (uint8_t)random_next());
            break;
        case 1:
            mmio_write16(target.device.base + offset + 2 * random_below(4), (uint16_t)random_next());
            break;
        case 2:
            mmio_write64(target.device.base + offset, random_hostile());
            break;
        default:
            (void)mmio_read64(target.device.base + offset);
            break;
        }
        e = exception_end();
        account(is_refusal(&e), "a register of a transport", offset, e.esr, e.elr);
        exception_expect();
    }
    submit(0);
}

// A queue of any size at any place: on devices, on ROM, across the end of RAM, over itself.
static void any_queue(void)
{
    static const uint32_t sizes[] = {0, 1, 3, 63, 64, 128, 255, 256, 257, 512, 1024, 32768, 65536, 0xffffffff};

    set(VIRTIO_MMIO_STATUS, 0);
    if (!virtio_begin(&target.device, 0))
        return;
    set(VIRTIO_MMIO_QUEUE_SEL, target.ring.queue);
    set(VIRTIO_MMIO_QUEUE_NUM, random_below(2) ? QUEUE_SIZE : sizes[random_below(sizeof(sizes) / sizeof(sizes[0]))]);
    for (uint32_t part = 0; part < 3; part++) {
        uint64_t address = random_below(3) ? hostile_address() : RINGS + random_below(0x3000);

        if (random_below(2))
            address &= ~UINT64_C(15);
        set(VIRTIO_MMIO_QUEUE_DESC_LOW + 16 * part, (uint32_t)address);
        set(VIRTIO_MMIO_QUEUE_DESC_HIGH + 16 * part, (uint32_t)(address >> 32));
    }
    set(VIRTIO_MMIO_QUEUE_READY, 1);
    virtio_run(&target.device);
    submit(0);
}

static void long_transfer(void)
{
    struct virtq_desc *desc = target.ring.desc;

    desc[1].addr = SCRATCH_IPA;
    desc[1].len = (uint32_t)(0x400000 + random_below(0x400000)); // as long as the disk, or longer
    submit(0);
}

static const struct shape shapes[] = {
    {"outside RAM", outside_ram, 0},
    {"at EL2", at_el2, 0},
    {"straddling the end", straddling, 0},
    {"straddling the begin", before_ram, 0},
    {"wrapping", wrapping, 0},
    {"empty", empty, 0},
    {"4 GiB", huge, 0},
    {"loop", loops, 0},
    {"too long", too_long, 0},
    {"next outside", next_outside, 0},
    {"order", order, 0},
    {"head outside", head_outside, 0},
    {"index ahead", index_ahead, 0},
    {"same head", same_head, 0},
    {"table in a table", nested_table, VIRTIO_F_INDIRECT_DESC},
    {"odd table", odd_table, VIRTIO_F_INDIRECT_DESC},
    {"table with next", table_with_next, VIRTIO_F_INDIRECT_DESC},
    {"table outside", table_outside, VIRTIO_F_INDIRECT_DESC},
    {"table loops", table_loops, VIRTIO_F_INDIRECT_DESC},
    {"table not negotiated", nested_table, 0},
    {"changes behind", changes_behind, VIRTIO_F_EVENT_IDX},
    {"any header", any_header, 0},
    {"live registers", live_registers, 0},
    {"late features", features_late, 0},
    {"unknown features", features_unknown, 0},
    {"reset in flight", reset_in_flight, 0},
    {"stop in flight", stop_in_flight, 0},
    {"absent queues", absent_queues, 0},
    {"many notifications", many_notifications, VIRTIO_F_EVENT_IDX},
    {"any register", any_register, 0},
    {"any queue", any_queue, 0},
    {"long transfer", long_transfer, VIRTIO_F_EVENT_IDX},
};

#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

// Until each of the other CPUs has looked again, one of them may be about to write.
static void stop_racing(void)
{
    target.racing = false;
    for (unsigned int cpu = 1; cpu < job_cpus(); cpu++) {
        uint64_t seen = rounds[cpu];

        while (rounds[cpu] < seen + 2)
            __asm__ volatile("yield");
    }
}

static void attack_once(const struct shape *shape)
{
    target.receives = !target.is_disk && random_below(2);
    bool begun = begin(shape->features);

    if (begun) {
        virtio_run(&target.device);
        describe(target.ring.desc);
        target.racing = true;
        shape->attack();
        (void)wait_used(&target.ring, WAIT_MS);
        stop_racing();
    }
    set(VIRTIO_MMIO_STATUS, 0);
    account(begun && get(VIRTIO_MMIO_STATUS) == 0, shape->name, begun, get(VIRTIO_MMIO_STATUS), 0);
    bool sound = works();
    account(sound, "a driver that behaves, behind an attack", (uint64_t)(shape - shapes), get(VIRTIO_MMIO_STATUS),
            *(volatile uint8_t *)STATUS);
}

// What another vCPU of the guest writes into the rings: words of 8 bytes, so that no address is half of another.
static void rewrite(void)
{
    volatile uint64_t *words = (volatile uint64_t *)RINGS;

    while (!target.done) {
        uint64_t word = random_below(RACED / 8);

        // In descriptors, even words are addresses; odd ones are length, flags and next.
        if (target.racing)
            words[word] = word % 2 == 0 ? hostile_address() : random_next() & UINT64_C(0x003f0007000fffff);
        rounds[cpu_index()]++;
        __asm__ volatile("yield");
    }
    rounds[cpu_index()] = 0;
}

// The other CPUs leave before the next attack can begin.
static void attack(uint32_t device_id, uint64_t count)
{
    if (cpu_index() != 0) {
        rewrite();
        return;
    }
    for (unsigned int cpu = 1; cpu < job_cpus(); cpu++)
        while (rounds[cpu] == 0)
            __asm__ volatile("yield");
    target.is_disk = device_id == VIRTIO_ID_BLOCK;
    make_frame();
    if (virtio_find(device_id, 0, &target.device))
        for (uint64_t n = 0; n < count; n++)
            attack_once(&shapes[n < SHAPES ? n : random_below(SHAPES)]);
    else
        account(false, "no such device", device_id, 0, 0);
    target.done = true;
    for (unsigned int cpu = 1; cpu < job_cpus(); cpu++)
        while (rounds[cpu] != 0)
            __asm__ volatile("yield");
    target.done = false;
}

void attack_disk(uint64_t count)
{
    attack(VIRTIO_ID_BLOCK, count);
}

void attack_net(uint64_t count)
{
    attack(VIRTIO_ID_NET, count);
}
