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
#include "virtio_target.h"

#include "lib/registers.h"

struct virtio_target target;

// How often each of the other CPUs has looked at target; CPU 0 waits on it until nobody writes any more.
static volatile uint64_t rounds[CPU_MAX];

// An address that a device may be told to write: within the scratch, or none of the guest's RAM.
uint64_t target_hostile_address(void)
{
    uint64_t address = random_hostile();

    if (address - GUEST_RAM_IPA < GUEST_RAM_SIZE || random_below(4) == 0)
        return SCRATCH_IPA + address % DMA_SPACE;
    return address;
}

// ---- A driver that behaves

bool target_begin(uint64_t features)
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
void target_describe(struct virtq_desc *desc)
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

void target_submit(uint16_t head)
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
    if (!target_begin(0))
        return false;
    virtio_run(&target.device);
    target_describe(target.ring.desc);
    target_submit(0);
    return wait_used(&target.ring, GOOD_MS) && (!target.is_disk || *(volatile uint8_t *)STATUS == 0);
}
// ---- Attacks

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

static void attack_once(const struct virtio_shape *shape)
{
    target.receives = !target.is_disk && random_below(2);
    bool begun = target_begin(shape->features);

    if (begun) {
        virtio_run(&target.device);
        target_describe(target.ring.desc);
        target.racing = true;
        shape->attack();
        (void)wait_used(&target.ring, WAIT_MS);
        stop_racing();
    }
    set(VIRTIO_MMIO_STATUS, 0);
    account(begun && get(VIRTIO_MMIO_STATUS) == 0, shape->name, begun, get(VIRTIO_MMIO_STATUS), 0);
    bool sound = works();
    account(sound, "a driver that behaves, behind an attack", (uint64_t)(shape - virtio_shapes),
            get(VIRTIO_MMIO_STATUS), *(volatile uint8_t *)STATUS);
}

// What another vCPU of the guest writes into the rings: words of 8 bytes, so that no address is half of another.
static void rewrite(void)
{
    volatile uint64_t *words = (volatile uint64_t *)RINGS;

    while (!target.done) {
        uint64_t word = random_below(RACED / 8);

        // In descriptors, even words are addresses; odd ones are length, flags and next.
        if (target.racing)
            words[word] = word % 2 == 0 ? target_hostile_address() : random_next() & UINT64_C(0x003f0007000fffff);
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
            attack_once(&virtio_shapes[n < virtio_shape_count ? n : random_below(virtio_shape_count)]);
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
