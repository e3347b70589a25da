// SPDX-License-Identifier: Apache-2.0
// The ways in which virtio.c attacks a device: what each says to it that it must not do, or changes while it looks.
#include "virtio_target.h"

static uint64_t outside_address(void)
{
    uint64_t address = random_hostile();

    return address - GUEST_RAM_IPA < GUEST_RAM_SIZE ? address + GUEST_RAM_SIZE : address;
}

// One of the chain's descriptors, and which of them may be attacked with an address for the device to write.
static struct virtq_desc *any_descriptor(void)
{
    return &target.ring.desc[random_below(3)];
}

static void outside_ram(void)
{
    any_descriptor()->addr = outside_address();
    target_submit(0);
}

static void at_el2(void)
{
    any_descriptor()->addr =
        random_below(2) ? HV_FREE_PA + random_below(0x400000) : BEHIND_PA + random_below(0x8000000);
    target_submit(0);
}

static void straddling(void)
{
    struct virtq_desc *desc = any_descriptor();

    desc->addr = GUEST_RAM_IPA + GUEST_RAM_SIZE - random_below(desc->len);
    target_submit(0);
}

static void before_ram(void)
{
    struct virtq_desc *desc = any_descriptor();

    desc->addr = GUEST_RAM_IPA - 1 - random_below(desc->len);
    target_submit(0);
}

static void wrapping(void)
{
    struct virtq_desc *desc = any_descriptor();

    desc->addr = -(1 + random_below(desc->len));
    target_submit(0);
}

static void empty(void)
{
    any_descriptor()->len = 0;
    target_submit(0);
}

static void huge(void)
{
    any_descriptor()->len = 0xffffffff - (uint32_t)random_below(4096);
    target_submit(0);
}

static void loops(void)
{
    target.ring.desc[2].flags |= VIRTQ_DESC_F_NEXT;
    target.ring.desc[2].next = (uint16_t)random_below(3);
    target_submit(0);
}

static void too_long(void)
{
    for (uint16_t i = 0; i < QUEUE_SIZE; i++)
        target.ring.desc[i] = (struct virtq_desc){BUFFER, 16, VIRTQ_DESC_F_NEXT, (uint16_t)((i + 1) % QUEUE_SIZE)};
    target_submit(0);
}

static void next_outside(void)
{
    target.ring.desc[0].next = (uint16_t)(QUEUE_SIZE + random_below(65536 - QUEUE_SIZE));
    target_submit(0);
}

static void order(void)
{
    target.ring.desc[0].flags |= VIRTQ_DESC_F_WRITE;
    target.ring.desc[1].flags &= (uint16_t)~VIRTQ_DESC_F_WRITE;
    target_submit(0);
}

static void head_outside(void)
{
    target_submit((uint16_t)(QUEUE_SIZE + random_below(65536 - QUEUE_SIZE)));
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
    target_describe(indirect);
    target.ring.desc[5] =
        (struct virtq_desc){INDIRECT, bytes, (uint16_t)(VIRTQ_DESC_F_INDIRECT | more_flags), (uint16_t)random_below(4)};
}

static void nested_table(void)
{
    use_table(48, 0);
    indirect[random_below(3)].flags |= VIRTQ_DESC_F_INDIRECT;
    target_submit(5);
}

static void odd_table(void)
{
    static const uint32_t sizes[] = {0, 1, 15, 17, 47, 49, 0xffffffff, 0xfffffff0, 65536 * 16, 1024 * 16 + 16};

    use_table(sizes[random_below(sizeof(sizes) / sizeof(sizes[0]))], 0);
    target_submit(5);
}

static void table_with_next(void)
{
    use_table(48, random_below(2) ? VIRTQ_DESC_F_NEXT : VIRTQ_DESC_F_WRITE);
    target_submit(5);
}

static void table_outside(void)
{
    use_table(48, 0);
    target.ring.desc[5].addr = random_below(2) ? outside_address() : GUEST_RAM_IPA + GUEST_RAM_SIZE - 40;
    target_submit(5);
}

static void table_loops(void)
{
    use_table(48, 0);
    indirect[random_below(3)].next = (uint16_t)random_below(random_below(2) ? 3 : 65536);
    indirect[2].flags |= VIRTQ_DESC_F_NEXT;
    target_submit(5);
}

static void changes_behind(void)
{
    target_submit(0);
    for (unsigned int i = 0; i < 16; i++) {
        volatile uint64_t *words = (volatile uint64_t *)target.ring.desc;
        words[2 * random_below(3)] = target_hostile_address();
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
    target_submit(0);
}

static void live_registers(void)
{
    static const uint32_t registers[] = {
        VIRTIO_MMIO_QUEUE_NUM,         VIRTIO_MMIO_QUEUE_DESC_LOW,    VIRTIO_MMIO_QUEUE_DESC_HIGH,
        VIRTIO_MMIO_QUEUE_DRIVER_LOW,  VIRTIO_MMIO_QUEUE_DRIVER_HIGH, VIRTIO_MMIO_QUEUE_DEVICE_LOW,
        VIRTIO_MMIO_QUEUE_DEVICE_HIGH, VIRTIO_MMIO_QUEUE_READY,
    };

    target_submit(0);
    for (unsigned int i = 0; i < 8; i++)
        set(registers[random_below(sizeof(registers) / sizeof(registers[0]))], (uint32_t)random_hostile());
    set(VIRTIO_MMIO_QUEUE_NOTIFY, target.ring.queue);
}

static void features_late(void)
{
    set(VIRTIO_MMIO_DRIVER_FEATURES_SEL, (uint32_t)random_below(3));
    set(VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)random_next());
    set(VIRTIO_MMIO_STATUS, get(VIRTIO_MMIO_STATUS) | VIRTIO_STATUS_FEATURES_OK);
    target_submit(0);
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
    target_submit(0);
}

static void reset_in_flight(void)
{
    target_submit(0);
    set(VIRTIO_MMIO_STATUS, 0);
    set(VIRTIO_MMIO_QUEUE_NOTIFY, target.ring.queue);
}

static void stop_in_flight(void)
{
    target_submit(0);
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
    target_submit(0);
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
        uint64_t address = random_below(3) ? target_hostile_address() : RINGS + random_below(0x3000);

        if (random_below(2))
            address &= ~UINT64_C(15);
        set(VIRTIO_MMIO_QUEUE_DESC_LOW + 16 * part, (uint32_t)address);
        set(VIRTIO_MMIO_QUEUE_DESC_HIGH + 16 * part, (uint32_t)(address >> 32));
    }
    set(VIRTIO_MMIO_QUEUE_READY, 1);
    virtio_run(&target.device);
    target_submit(0);
}

static void long_transfer(void)
{
    struct virtq_desc *desc = target.ring.desc;

    desc[1].addr = SCRATCH_IPA;
    desc[1].len = (uint32_t)(0x400000 + random_below(0x400000)); // as long as the disk, or longer
    target_submit(0);
}

const struct virtio_shape virtio_shapes[] = {
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

const unsigned int virtio_shape_count = sizeof(virtio_shapes) / sizeof(virtio_shapes[0]);
