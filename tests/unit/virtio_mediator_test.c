// SPDX-License-Identifier: Apache-2.0
// Requests across and back: what the device is shown, what the guest gets, faults on both sides, waiting, a pause.
#include "virtio_world.h"

#define DATA (RAM + 0x100000)

#define W VIRTQ_DESC_F_WRITE
#define N VIRTQ_DESC_F_NEXT

#define VIRTIO_BLK_T_IN      0
#define VIRTIO_BLK_T_OUT     1
#define VIRTIO_BLK_T_FLUSH   4
#define VIRTIO_BLK_T_DISCARD 11

#define DISK 3u
#define NIC  4u
#define RNG  5u

static void *at(uint64_t ipa)
{
    return memory + (ipa - RAM);
}

static void put_desc(unsigned int q, unsigned int index, struct virtq_desc desc)
{
    memcpy((struct virtq_desc *)at(DESC(q)) + index, &desc, sizeof(desc));
}

// Offers head as the driver does, without a notification.
static void offer(unsigned int q, uint16_t head)
{
    uint16_t *ring = at(AVAIL(q));

    ring[2 + ring[1] % QUEUE_SIZE] = head;
    ring[1]++;
}

static uint16_t used_index(unsigned int q)
{
    return ((uint16_t *)at(USED(q)))[1];
}

static struct virtq_used_elem used(unsigned int q, unsigned int index)
{
    return ((struct virtq_used_elem *)at(USED(q) + 4))[index % QUEUE_SIZE];
}

// What the device has, taken in order.
static uint16_t taken(unsigned int n, unsigned int q)
{
    uint16_t head = 0;

    assert_true(fake_virtio_take(n, q, &head));
    return head;
}

static void nothing_to_take(unsigned int n, unsigned int q)
{
    uint16_t head;

    assert_false(fake_virtio_take(n, q, &head));
}

static uint64_t pa_of(uint64_t ipa)
{
    return (uintptr_t)at(ipa);
}

static int devices(void **state)
{
    setup(state);
    (void)add_device(DISK, VIRTIO_ID_BLOCK, BIT64(9) | VIRTIO_F_EVENT_IDX, 1);
    memcpy(add_device(NIC, VIRTIO_ID_NET, BIT64(5), 2)->config, "\x52\x54\0\x12\x34\x56", 6);
    (void)add_device(RNG, VIRTIO_ID_ENTROPY, 0, 1);
    virtio_probe(&vm);
    memset(&record, 0, sizeof(record));
    return 0;
}

// A block request in descriptors 0, 1, 2: header, data, status.
static void put_block(uint32_t type, uint64_t sector, uint32_t length, bool to_guest)
{
    memcpy(at(DATA), (uint32_t[]){type, 0, (uint32_t)sector, (uint32_t)(sector >> 32)}, 16);
    *(uint8_t *)at(DATA + 0x100) = 0xee;
    put_desc(0, 0, (struct virtq_desc){DATA, 16, N, length != 0 ? 1 : 2});
    put_desc(0, 1, (struct virtq_desc){DATA + 0x1000, length, (uint16_t)(N | (to_guest ? W : 0)), 2});
    put_desc(0, 2, (struct virtq_desc){DATA + 0x100, 1, W, 0});
}

static void assert_desc(unsigned int n, uint16_t head, unsigned int index, uint64_t pa, uint32_t length, bool writes)
{
    const struct virtq_desc *desc = fake_virtio_desc(n, 0, head, index);

    assert_non_null(desc);
    if (pa != 0)
        assert_int_equal(desc->addr, pa);
    assert_int_equal(desc->len, length);
    assert_int_equal((desc->flags & W) != 0, writes);
}

static const uint8_t *shown(unsigned int n, unsigned int queue, uint16_t head, unsigned int index)
{
    return (const uint8_t *)(uintptr_t)fake_virtio_desc(n, queue, head, index)->addr;
}

static uint8_t guest_status(void)
{
    return *(uint8_t *)at(DATA + 0x100);
}

// ---- Block requests

static void a_block_read(void **state)
{
    (void)state;
    start(DISK, 0, 1);
    put_block(VIRTIO_BLK_T_IN, 2048, 0x1000, true);
    offer(0, 0);
    notify(DISK, 0);
    assert_int_equal(fake_virtio[DISK].notified[0], 1);
    uint16_t head = taken(DISK, 0);
    // The device reads EL2's copy of the header, and writes the data where the guest wants it.
    assert_desc(DISK, head, 0, 0, 16, false);
    assert_int_not_equal(fake_virtio_desc(DISK, 0, head, 0)->addr, pa_of(DATA));
    assert_memory_equal(shown(DISK, 0, head, 0), at(DATA), 16);
    assert_desc(DISK, head, 1, pa_of(DATA + 0x1000), 0x1000, true);
    assert_desc(DISK, head, 2, 0, 1, true);
    assert_int_not_equal(fake_virtio_desc(DISK, 0, head, 2)->addr, pa_of(DATA + 0x100));
    assert_null(fake_virtio_desc(DISK, 0, head, 3));
    // What the guest writes there now, nobody reads.
    memset(at(DATA), 0xff, 16);
    assert_int_equal(shown(DISK, 0, head, 0)[0], VIRTIO_BLK_T_IN);
    *(uint8_t *)(uintptr_t)shown(DISK, 0, head, 2) = 0;
    fake_virtio_use(DISK, 0, head, 0x1001);
    assert_int_equal(used_index(0), 0);
    deliver(DISK);
    assert_int_equal(used_index(0), 1);
    assert_int_equal(used(0, 0).id, 0);
    assert_int_equal(used(0, 0).len, 0x1001);
    assert_int_equal(guest_status(), 0);
    assert_int_equal(rd(DISK, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_VRING);
    assert_true(line[DISK]);
    wr(DISK, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING);
    assert_false(line[DISK]);
    assert_int_equal(virtio.devices[DISK].counters.requests, 1);
    assert_int_equal(virtio.devices[DISK].counters.bytes_read, 0x1001);
    assert_int_equal(requests, 1);
    assert_string_equal(last_request.status, "ok");
    assert_int_equal(last_access.sector, 2048);
    assert_int_equal(last_request.bytes, 0x1000);
}

// A header in five pieces, the last of which shares a buffer with the data; the status shares one with them as well.
static void a_header_in_pieces(void **state)
{
    uint8_t header[16] = {VIRTIO_BLK_T_IN, 0, 0, 0, 0, 0, 0, 0, 0x21, 0x43};

    (void)state;
    start(DISK, 0, 1);
    for (unsigned int i = 0; i < 4; i++) {
        memcpy(at(DATA + 0x100 * i), header + 3 * i, 3);
        put_desc(0, i, (struct virtq_desc){DATA + 0x100 * i, 3, N, (uint16_t)(i + 1)});
    }
    memcpy(at(DATA + 0x400), header + 12, 4);
    put_desc(0, 4, (struct virtq_desc){DATA + 0x400, 28, N, 5});
    put_desc(0, 5, (struct virtq_desc){DATA + 0x1000, 513, W, 0});
    offer(0, 0);
    notify(DISK, 0);
    uint16_t head = taken(DISK, 0);
    assert_desc(DISK, head, 0, 0, 16, false);
    assert_memory_equal(shown(DISK, 0, head, 0), header, 16);
    assert_desc(DISK, head, 1, pa_of(DATA + 0x404), 24, false);
    assert_desc(DISK, head, 2, pa_of(DATA + 0x1000), 512, true);
    assert_desc(DISK, head, 3, 0, 1, true);
    assert_null(fake_virtio_desc(DISK, 0, head, 4));
    *(uint8_t *)(uintptr_t)shown(DISK, 0, head, 3) = 2;
    fake_virtio_use(DISK, 0, head, 513);
    deliver(DISK);
    assert_int_equal(*(uint8_t *)at(DATA + 0x1000 + 512), 2);
}

// Header and data in one buffer, as VIRTIO 1 allows.
static void header_and_data_in_one(void **state)
{
    (void)state;
    start(DISK, 0, 1);
    put_block(VIRTIO_BLK_T_OUT, 5, 0, false);
    put_desc(0, 0, (struct virtq_desc){DATA, 16 + 512, N, 2});
    offer(0, 0);
    notify(DISK, 0);
    uint16_t head = taken(DISK, 0);
    assert_desc(DISK, head, 0, 0, 16, false);
    assert_desc(DISK, head, 1, pa_of(DATA + 16), 512, false);
    assert_desc(DISK, head, 2, 0, 1, true);
}

static void what_is_no_block_request(void **state)
{
    static const struct virtq_desc bad[] = {{DATA, 15, N, 2}, {DATA, 16, 0, 0}, {DATA, 16, W, 0}};

    (void)state;
    for (unsigned int i = 0; i < ARRAY_COUNT(bad); i++) {
        memset(at(AVAIL(0)), 0, 64);
        start(DISK, 0, 1);
        put_block(VIRTIO_BLK_T_IN, 0, 0, false);
        put_desc(0, 0, bad[i]);
        offer(0, 0);
        notify(DISK, 0);
        assert_int_equal(rd(DISK, VIRTIO_MMIO_STATUS), WORKING | VIRTIO_STATUS_DEVICE_NEEDS_RESET);
        assert_non_null(strstr(record.text, "reason=block-request-short"));
        nothing_to_take(DISK, 0);
    }
}

static void requests_that_no_device_knows(void **state)
{
    (void)state;
    start(DISK, 0, 1);
    put_block(0x7777, 0, 0, false);
    offer(0, 0);
    notify(DISK, 0);
    nothing_to_take(DISK, 0);
    assert_int_equal(fake_virtio[DISK].notified[0], 0);
    assert_int_equal(used_index(0), 1);
    assert_int_equal(used(0, 0).len, 1);
    assert_int_equal(guest_status(), 2);
    assert_string_equal(last_request.status, "unsupported");
    assert_true(line[DISK]);
    put_block(VIRTIO_BLK_T_DISCARD, 0, 32, false); // two pieces
    offer(0, 0);
    notify(DISK, 0);
    assert_int_equal(used_index(0), 2);
    assert_int_equal(guest_status(), 2);
}

// Of a discard the device reads EL2's copy of the sectors as well.
static void a_discard(void **state)
{
    (void)state;
    start(DISK, 0, 1);
    put_block(VIRTIO_BLK_T_DISCARD, 0, 16, false);
    memcpy(at(DATA + 0x1000), (uint32_t[]){100, 0, 8, 0}, 16);
    offer(0, 0);
    notify(DISK, 0);
    uint16_t head = taken(DISK, 0);
    assert_desc(DISK, head, 0, 0, 32, false);
    assert_memory_equal(shown(DISK, 0, head, 0) + 16, at(DATA + 0x1000), 16);
    assert_desc(DISK, head, 1, 0, 1, true);
}

// ---- Policy

// A request whose end is known at once. Returns the status that the guest gets, 0xee while the device has it.
static uint8_t ask(uint32_t type, uint64_t sector, uint32_t length)
{
    put_block(type, sector, length, type == VIRTIO_BLK_T_IN);
    offer(0, 0);
    notify(DISK, 0);
    if (guest_status() == 0xee) {
        uint16_t head = taken(DISK, 0);
        fake_virtio_use(DISK, 0, head, 1);
        deliver(DISK);
        return 0xee;
    }
    nothing_to_take(DISK, 0);
    return guest_status();
}

// The device ends a request with the status that stands there, an error: there is a record of it, and only one.
static void an_error_of_the_device(void **state)
{
    (void)state;
    start(DISK, 0, 1);
    assert_int_equal(ask(VIRTIO_BLK_T_OUT, 2048, 4096), 0xee);
    assert_int_equal(guest_status(), 1);
    assert_string_equal(last_request.status, "error");
    assert_string_equal(record.event, "virtio-error");
    unsigned int before = record.count;
    virtio_rows[1].flags |= POLICY_VIRTIO_LOG;
    assert_int_equal(ask(VIRTIO_BLK_T_OUT, 2048, 4096), 0xee);
    assert_int_equal(guest_status(), 1);
    assert_int_equal(record.count, before);
}

static void refused_by_sector(void **state)
{
    (void)state;
    virtio_rows[0].devices = 1u << VIRTIO_ID_BLOCK;
    virtio_rows[0].sector_first = 8;
    virtio_rows[0].sector_last = 15;
    virtio_rows[0].action = POLICY_DENY;
    virtio_rows[0].flags = POLICY_VIRTIO_PART | POLICY_VIRTIO_LOG;
    virtio_probe(&vm);
    start(DISK, 0, 1);
    assert_int_equal(ask(VIRTIO_BLK_T_IN, 7, 512), 0xee);
    assert_int_equal(ask(VIRTIO_BLK_T_IN, 7, 513), 1);
    assert_string_equal(last_request.status, "refused");
    assert_ptr_equal(last_request.row, &virtio_rows[0]);
    assert_int_equal(last_access.transport, DISK);
    assert_int_equal(last_access.request, VIRTIO_REQUEST_READ);
    assert_int_equal(last_access.sector, 7);
    assert_int_equal(last_request.bytes, 513);
    assert_int_equal(ask(VIRTIO_BLK_T_OUT, 15, 512), 1);
    assert_int_equal(ask(VIRTIO_BLK_T_OUT, 16, 512), 0xee);
    memcpy(at(DATA + 0x1000), (uint32_t[]){0, 0, 9, 0}, 16);
    assert_int_equal(ask(VIRTIO_BLK_T_DISCARD, 100, 16), 1);
    // What is readable behind the header of a read says nothing of how much is read.
    put_block(VIRTIO_BLK_T_IN, 7, 512, false);
    put_desc(0, 2, (struct virtq_desc){DATA + 0x2000, 4096, W | N, 3});
    put_desc(0, 3, (struct virtq_desc){DATA + 0x100, 1, W, 0});
    offer(0, 0);
    notify(DISK, 0);
    assert_int_equal(guest_status(), 1);
    assert_int_equal(virtio.devices[DISK].counters.refused, 4);
}

static void refused_wholesale(void **state)
{
    (void)state;
    virtio_rows[0].devices = 1u << VIRTIO_ID_BLOCK;
    virtio_rows[0].requests = 1u << VIRTIO_REQUEST_FLUSH | 1u << VIRTIO_REQUEST_WRITE;
    virtio_rows[0].action = POLICY_DENY;
    virtio_rows[0].flags = POLICY_VIRTIO_PART;
    virtio_probe(&vm);
    start(DISK, 0, 1);
    assert_int_equal(ask(VIRTIO_BLK_T_FLUSH, 0, 0), 2); // the driver does without
    assert_int_equal(ask(VIRTIO_BLK_T_OUT, 0, 512), 1);
    assert_int_equal(ask(VIRTIO_BLK_T_IN, 0, 512), 0xee);
}

static void a_read_only_disk(void **state)
{
    (void)state;
    virtio_rows[1].flags = POLICY_VIRTIO_READ_ONLY;
    virtio_probe(&vm);
    start(DISK, BIT64(5), 1);
    assert_int_equal(fake_virtio[DISK].accepted & BIT64(5), 0); // the device is not read-only
    assert_int_equal(ask(VIRTIO_BLK_T_OUT, 0, 512), 1);
    assert_int_equal(ask(VIRTIO_BLK_T_IN, 0, 512), 0xee);
}

static void a_device_that_is_denied(void **state)
{
    (void)state;
    virtio_rows[0].devices = 1u << VIRTIO_ID_BLOCK;
    virtio_rows[0].action = POLICY_DENY;
    virtio_probe(&vm);
    assert_int_equal(rd(DISK, VIRTIO_MMIO_DEVICE_ID), 0);
    assert_int_equal(rd(NIC, VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_NET);
}

static void frames_of_another(void **state)
{
    uint8_t *frame = at(DATA + 12);

    (void)state;
    virtio_rows[1].flags = POLICY_VIRTIO_MAC_PINNED;
    start(NIC, 0, 2);
    memcpy(frame + 6, "\x52\x54\0\x12\x34\x56", 6);
    put_desc(1, 0, (struct virtq_desc){DATA, 100, 0, 0});
    offer(1, 0);
    notify(NIC, 1);
    uint16_t head = taken(NIC, 1);
    assert_int_equal(fake_virtio_desc(NIC, 1, head, 0)->len, 26);
    frame[6] = 0; // too late
    assert_int_equal(shown(NIC, 1, head, 0)[18], 0x52);
    fake_virtio_use(NIC, 1, head, 0);
    deliver(NIC);
    offer(1, 0); // now it is another's
    notify(NIC, 1);
    nothing_to_take(NIC, 1);
    assert_int_equal(used_index(1), 2);
    put_desc(1, 0, (struct virtq_desc){DATA, 25, 0, 0}); // no frame at all
    offer(1, 0);
    notify(NIC, 1);
    nothing_to_take(NIC, 1);
    assert_int_equal(used_index(1), 3);
    assert_int_equal(virtio.devices[NIC].counters.refused, 2);
}

// 20 requests a second: two at once, then one each 50 ms. The queue is looked at each 10 ms.
static void a_rate(void **state)
{
    uint64_t now = 5000000;
    unsigned int done = 0;

    (void)state;
    virtio_rows[1].requests_per_second = 20;
    virtio_rows[1].rate = 0;
    virtio_probe(&vm);
    start(RNG, 0, 1);
    for (uint16_t i = 0; i < 8; i++) {
        put_desc(0, i, (struct virtq_desc){DATA + 64 * i, 64, W, 0});
        offer(0, i);
    }
    notify(RNG, 0);
    for (unsigned int i = 0; i < 2; i++)
        (void)taken(RNG, 0);
    nothing_to_take(RNG, 0);
    assert_int_equal(timer, now + 10000);
    for (unsigned int step = 0; step < 30; step++) {
        uint16_t head;

        now += 10000;
        fake_sysreg_set("CNTPCT_EL0", now);
        timer = HYP_TIMER_NEVER;
        timer_expired(&vm);
        while (fake_virtio_take(RNG, 0, &head))
            done++;
        assert_int_equal(timer, done < 6 ? now + 10000 : HYP_TIMER_NEVER);
    }
    assert_int_equal(done, 6);
    assert_int_equal(virtio.devices[RNG].counters.delayed, 6);
}

// 1000 bytes a second: a frame of 500 that has come is paid for by the next buffer, which waits until the device's
// bucket of 100 has room again.
static void what_comes_counts_against_the_rate(void **state)
{
    uint64_t now = 5000000;

    (void)state;
    virtio_rows[1].bytes_per_second = 1000;
    virtio_rows[1].rate = 0;
    virtio_probe(&vm);
    start(NIC, 0, 2);
    for (uint16_t i = 0; i < 2; i++)
        put_desc(0, i, (struct virtq_desc){DATA + 2048 * i, 2048, W, 0});
    offer(0, 0);
    notify(NIC, 0);
    fake_virtio_use(NIC, 0, taken(NIC, 0), 512);
    deliver(NIC);
    assert_int_equal(last_request.bytes, 500);
    offer(0, 1);
    notify(NIC, 0);
    nothing_to_take(NIC, 0);
    fake_sysreg_set("CNTPCT_EL0", now + 390000);
    timer_expired(&vm);
    nothing_to_take(NIC, 0);
    fake_sysreg_set("CNTPCT_EL0", now + 400000);
    timer_expired(&vm);
    (void)taken(NIC, 0);
}

// ---- Other types

// 10 requests a second for both queues of a network device. Frames come as fast as there is room for them, and the
// guest makes room at once: what it sends has its share all the same.
static void a_flood_leaves_room_to_send(void **state)
{
    uint64_t now = 5000000;
    unsigned int sent = 0, received = 0;

    (void)state;
    virtio_rows[1].requests_per_second = 10;
    virtio_rows[1].rate = 0;
    virtio_probe(&vm);
    start(NIC, 0, 2);
    for (uint16_t i = 0; i < QUEUE_SIZE; i++) {
        put_desc(0, i, (struct virtq_desc){DATA, 2000, W, 0});
        put_desc(1, i, (struct virtq_desc){DATA + 0x1000, 100, 0, 0});
        offer(0, i);
        offer(1, i);
    }
    notify(NIC, 0);
    notify(NIC, 1);
    for (unsigned int tenths = 0; tenths < 12; tenths++) {
        uint16_t head;

        now += 100000;
        fake_sysreg_set("CNTPCT_EL0", now);
        timer_expired(&vm);
        while (fake_virtio_take(NIC, 1, &head))
            sent++;
        while (fake_virtio_take(NIC, 0, &head)) {
            fake_virtio_use(NIC, 0, head, 72);
            deliver(NIC);
            offer(0, (uint16_t)(received++ % QUEUE_SIZE));
        }
    }
    assert_in_range(sent, 5, 7);
    assert_in_range(received, 5, 8);
}

static void a_buffer_of_random_bytes(void **state)
{
    (void)state;
    start(RNG, 0, 1);
    put_desc(0, 0, (struct virtq_desc){DATA, 64, W, 0});
    offer(0, 0);
    notify(RNG, 0);
    uint16_t head = taken(RNG, 0);
    assert_desc(RNG, head, 0, pa_of(DATA), 64, true);
    fake_virtio_use(RNG, 0, head, 1000); // more than there is room for
    deliver(RNG);
    assert_int_equal(used(0, 0).len, 64);
}

static void frames_both_ways(void **state)
{
    (void)state;
    start(NIC, 0, 2);
    put_desc(0, 4, (struct virtq_desc){DATA, 2000, W, 0});
    put_desc(1, 2, (struct virtq_desc){DATA + 0x1000, 100, 0, 0});
    offer(0, 4);
    offer(1, 2);
    notify(NIC, 0);
    notify(NIC, 1);
    uint16_t receive = taken(NIC, 0), transmit = taken(NIC, 1);
    assert_int_equal(fake_virtio_desc(NIC, 1, transmit, 0)->addr, pa_of(DATA + 0x1000));
    fake_virtio_use(NIC, 1, transmit, 0);
    fake_virtio_use(NIC, 0, receive, 72);
    deliver(NIC);
    assert_int_equal(used(0, 0).id, 4);
    assert_int_equal(used(0, 0).len, 72);
    assert_int_equal(used(1, 0).id, 2);
    assert_int_equal(last_access.request, VIRTIO_REQUEST_TX); // queue 1 comes after queue 0
    assert_int_equal(last_request.bytes, 88);
    assert_int_equal(rises[NIC], 1);
}

// ---- Order of events

static void notified_before_driver_ok(void **state)
{
    (void)state;
    agree(RNG, 0);
    ready_queue(RNG, 0);
    put_desc(0, 0, (struct virtq_desc){DATA, 64, W, 0});
    offer(0, 0);
    notify(RNG, 0);
    assert_null(fake_virtio[RNG].queues[0]);
    wr(RNG, VIRTIO_MMIO_STATUS, WORKING);
    (void)taken(RNG, 0);
    assert_int_equal(fake_virtio[RNG].notified[0], 1);
}

// The device completes out of order, several for one interrupt.
static void out_of_order(void **state)
{
    uint16_t heads[3];

    (void)state;
    start(RNG, 0, 1);
    for (uint16_t i = 0; i < 3; i++) {
        put_desc(0, i, (struct virtq_desc){DATA + 64 * i, 64, W, 0});
        offer(0, i);
    }
    notify(RNG, 0);
    assert_int_equal(fake_virtio[RNG].notified[0], 1);
    for (unsigned int i = 0; i < 3; i++)
        heads[i] = taken(RNG, 0);
    fake_virtio_use(RNG, 0, heads[2], 3);
    fake_virtio_use(RNG, 0, heads[0], 1);
    deliver(RNG);
    fake_virtio_use(RNG, 0, heads[1], 2);
    deliver(RNG);
    for (unsigned int i = 0; i < 3; i++)
        assert_int_equal(used(0, i).id, ((unsigned int[]){2, 0, 1})[i]);
    assert_int_equal(rises[RNG], 1); // it was not acknowledged meanwhile
}

// An acknowledge that comes when another entry was used already: the guest looks at its ring after it.
static void acknowledged_late(void **state)
{
    (void)state;
    start(RNG, 0, 1);
    for (uint16_t i = 0; i < 2; i++) {
        put_desc(0, i, (struct virtq_desc){DATA, 64, W, 0});
        offer(0, i);
    }
    notify(RNG, 0);
    fake_virtio_use(RNG, 0, taken(RNG, 0), 1);
    deliver(RNG);
    assert_int_equal(rd(RNG, VIRTIO_MMIO_INTERRUPT_STATUS), 1);
    fake_virtio_use(RNG, 0, taken(RNG, 0), 1);
    deliver(RNG);
    wr(RNG, VIRTIO_MMIO_INTERRUPT_ACK, 1);
    assert_int_equal(used_index(0), 2);
    assert_int_equal(rd(RNG, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
    assert_false(line[RNG]);
}

static void suppressed_interrupts(void **state)
{
    (void)state;
    start(RNG, 0, 1);
    *(uint16_t *)at(AVAIL(0)) = VIRTQ_AVAIL_F_NO_INTERRUPT;
    put_desc(0, 0, (struct virtq_desc){DATA, 64, W, 0});
    offer(0, 0);
    notify(RNG, 0);
    fake_virtio_use(RNG, 0, taken(RNG, 0), 1);
    deliver(RNG);
    assert_int_equal(used_index(0), 1);
    assert_false(line[RNG]);
}

// 70,000 requests: indices wrap.
static void indices_wrap(void **state)
{
    (void)state;
    start(DISK, VIRTIO_F_EVENT_IDX, 1);
    put_block(VIRTIO_BLK_T_IN, 1, 512, true);
    for (unsigned int i = 0; i < 70000; i++) {
        offer(0, 0);
        ((uint16_t *)at(AVAIL(0)))[2 + QUEUE_SIZE] = (uint16_t)i; // used_event: the next
        notify(DISK, 0);
        fake_virtio_use(DISK, 0, taken(DISK, 0), 513);
        deliver(DISK);
        assert_int_equal(used_index(0), (uint16_t)(i + 1));
        assert_true(line[DISK]);
        wr(DISK, VIRTIO_MMIO_INTERRUPT_ACK, 1);
    }
    assert_int_equal(virtio.devices[DISK].counters.requests, 70000);
}

// ---- Faults

static void a_guests_fault_ends_the_devices_work(void **state)
{
    (void)state;
    start(DISK, 0, 1);
    put_block(VIRTIO_BLK_T_IN, 0, 512, true);
    put_desc(0, 3, (struct virtq_desc){0x40080000 + MIB(64), 16, 0, 0});
    offer(0, 0);
    notify(DISK, 0);
    uint16_t head = taken(DISK, 0);
    (void)head;
    offer(0, 3);
    notify(DISK, 0);
    assert_non_null(strstr(record.text, "reason=buffer-not-ram value=0x44080000"));
    assert_int_equal(fake_virtio[DISK].status, 0); // reset: no DMA goes on
    assert_false(real_enabled[DISK]);
    assert_int_equal(rd(DISK, VIRTIO_MMIO_STATUS), WORKING | VIRTIO_STATUS_DEVICE_NEEDS_RESET);
    assert_int_equal(rd(DISK, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
    assert_true(line[DISK]);
    assert_int_equal(rd(DISK, VIRTIO_MMIO_QUEUE_READY), 0);
    notify(DISK, 0);
    ready_queue(DISK, 0); // ignored
    assert_int_equal(rd(DISK, VIRTIO_MMIO_QUEUE_READY), 0);
    assert_int_equal(virtio.devices[DISK].counters.faults, 1);
    // The driver resets it, and it works as before; what was in flight is gone.
    memset(at(AVAIL(0)), 0, 64);
    memset(at(USED(0)), 0, 64);
    start(DISK, 0, 1);
    assert_false(line[DISK]);
    offer(0, 0);
    notify(DISK, 0);
    fake_virtio_use(DISK, 0, taken(DISK, 0), 513);
    deliver(DISK);
    assert_int_equal(used_index(0), 1);
}

static void a_request_offered_twice(void **state)
{
    (void)state;
    start(RNG, 0, 1);
    put_desc(0, 0, (struct virtq_desc){DATA, 64, W, 0});
    offer(0, 0);
    offer(0, 0);
    notify(RNG, 0);
    assert_non_null(strstr(record.text, "reason=head-in-flight"));
    assert_int_equal(fake_virtio[RNG].status, 0);
}

static void a_device_that_uses_what_it_has_not(void **state)
{
    (void)state;
    start(RNG, 0, 1);
    put_desc(0, 0, (struct virtq_desc){DATA, 64, W, 0});
    offer(0, 0);
    notify(RNG, 0);
    fake_virtio_use(RNG, 0, 500, 1);
    deliver(RNG);
    assert_non_null(strstr(record.text, "reason=device-used-ring"));
    assert_int_equal(rd(RNG, VIRTIO_MMIO_STATUS), WORKING | VIRTIO_STATUS_DEVICE_NEEDS_RESET);
    assert_int_equal(used_index(0), 0);
}

static void a_device_with_an_error_of_its_own(void **state)
{
    (void)state;
    start(RNG, 0, 1);
    fake_virtio[RNG].status |= VIRTIO_STATUS_DEVICE_NEEDS_RESET;
    fake_virtio[RNG].interrupt = VIRTIO_MMIO_INT_CONFIG;
    deliver(RNG);
    assert_non_null(strstr(record.text, "reason=device-error"));
    assert_int_equal(rd(RNG, VIRTIO_MMIO_STATUS), WORKING | VIRTIO_STATUS_DEVICE_NEEDS_RESET);
    assert_int_equal(rd(RNG, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
    start(RNG, 0, 1);
}

static void a_queue_taken_back_with_requests(void **state)
{
    (void)state;
    start(RNG, 0, 1);
    put_desc(0, 0, (struct virtq_desc){DATA, 64, W, 0});
    offer(0, 0);
    notify(RNG, 0);
    wr(RNG, VIRTIO_MMIO_QUEUE_READY, 0);
    assert_int_equal(rd(RNG, VIRTIO_MMIO_QUEUE_READY), 0);
    assert_int_equal(fake_virtio[RNG].status, 0);
    assert_int_equal(rd(RNG, VIRTIO_MMIO_STATUS), WORKING | VIRTIO_STATUS_DEVICE_NEEDS_RESET);
}

static void a_reset_drops_what_is_in_flight(void **state)
{
    (void)state;
    start(RNG, 0, 1);
    put_desc(0, 0, (struct virtq_desc){DATA, 64, W, 0});
    offer(0, 0);
    notify(RNG, 0);
    wr(RNG, VIRTIO_MMIO_STATUS, 0);
    fake_virtio[RNG].interrupt = 1;
    assert_int_equal(handlers[RNG](arguments[RNG]), IRQ_DONE); // it was on its way
    assert_int_equal(used_index(0), 0);
    assert_int_equal(rd(RNG, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
    assert_int_equal(fake_virtio[RNG].status, 0);
}

// A guest that resets its disk as soon as the device has written does not keep the write out of the log, and what it
// was given counts against its rate. What the device had and has not done is told as well.
static void a_reset_hides_nothing(void **state)
{
    (void)state;
    virtio_rows[1].flags |= POLICY_VIRTIO_LOG;
    start(DISK, 0, 1);
    put_block(VIRTIO_BLK_T_OUT, 2048, 512, false);
    offer(0, 0);
    notify(DISK, 0);
    uint16_t head = taken(DISK, 0);
    *(uint8_t *)(uintptr_t)shown(DISK, 0, head, 2) = 0;
    fake_virtio_use(DISK, 0, head, 1); // no interrupt has come yet
    wr(DISK, VIRTIO_MMIO_STATUS, 0);
    assert_int_equal(requests, 1);
    assert_string_equal(last_request.status, "ok");
    assert_int_equal(last_access.sector, 2048);
    assert_int_equal(virtio.devices[DISK].counters.requests, 1);
    memset(at(AVAIL(0)), 0, 64);
    memset(at(USED(0)), 0, 64);
    start(DISK, 0, 1);
    put_block(VIRTIO_BLK_T_OUT, 4096, 512, false);
    offer(0, 0);
    notify(DISK, 0);
    wr(DISK, VIRTIO_MMIO_STATUS, 0);
    assert_int_equal(requests, 2);
    assert_string_equal(last_request.status, "dropped");
    assert_int_equal(last_access.sector, 4096);
    assert_int_equal(used_index(0), 0);
    wr(DISK, VIRTIO_MMIO_STATUS, 0);
    assert_int_equal(requests, 2);
}

// ---- What waits

// A device with a queue of 8: two requests of a buffer each fit, with EL2's own beside them.
static void a_full_shadow_queue(void **state)
{
    (void)state;
    setup(state);
    (void)add_device(RNG, VIRTIO_ID_ENTROPY, 0, 1);
    fake_virtio[RNG].queue_max[0] = 4;
    virtio_probe(&vm);
    start(RNG, 0, 0);
    place_queue(RNG, 0);
    wr(RNG, VIRTIO_MMIO_QUEUE_NUM, 8); // more than it said; the chains fit all the same, one after the other
    wr(RNG, VIRTIO_MMIO_QUEUE_READY, 1);
    for (uint16_t i = 0; i < 6; i++) {
        put_desc(0, i, (struct virtq_desc){DATA + 64 * i, 64, W, 0});
        offer(0, i);
    }
    notify(RNG, 0);
    for (unsigned int done = 0; done < 6; done++) {
        uint16_t head = taken(RNG, 0);
        fake_virtio_use(RNG, 0, head, 1);
        deliver(RNG);
        assert_int_equal(used_index(0), done + 1);
        assert_int_equal(used(0, done).id, done);
    }
    nothing_to_take(RNG, 0);
    // A chain that never fits
    put_desc(0, 0, (struct virtq_desc){DATA, 1, W | N, 1});
    put_desc(0, 1, (struct virtq_desc){DATA, 1, W | N, 2});
    put_desc(0, 2, (struct virtq_desc){DATA, 1, W, 0});
    offer(0, 0);
    notify(RNG, 0);
    assert_non_null(strstr(record.text, "reason=chain-too-long value=0x3 bound=0x2"));
}

// Refused requests take no room in the shadow queue, but EL2 reads all of their descriptors: with interrupts masked,
// and while other vCPUs wait for the device. Here each has an indirect table of 1,022 buffers.
static void long_requests_that_are_refused(void **state)
{
    struct virtq_desc *table = at(DATA + 0x10000);
    unsigned int looks = 1;

    (void)state;
    virtio_rows[1].flags = POLICY_VIRTIO_READ_ONLY;
    virtio_probe(&vm);
    start(DISK, VIRTIO_F_INDIRECT_DESC, 1);
    memcpy(at(DATA), (uint32_t[]){VIRTIO_BLK_T_OUT, 0, 0, 0}, 16);
    table[0] = (struct virtq_desc){DATA, 16, N, 1};
    for (uint16_t i = 1; i < 1021; i++)
        table[i] = (struct virtq_desc){DATA + 0x1000, 512, N, (uint16_t)(i + 1)};
    table[1021] = (struct virtq_desc){DATA + 0x100, 1, W, 0};
    for (uint16_t i = 0; i < QUEUE_SIZE; i++) {
        put_desc(0, i, (struct virtq_desc){DATA + 0x10000, 1022 * 16, VIRTQ_DESC_F_INDIRECT, 0});
        offer(0, i);
    }
    notify(DISK, 0);
    assert_int_equal(used_index(0), 5); // 5 * 1,023 descriptors
    assert_int_equal(virtio.devices[DISK].queues[0].wait, VIRTIO_WAIT_TIME);
    for (; timer != HYP_TIMER_NEVER && looks < 10; looks++) {
        timer = HYP_TIMER_NEVER;
        timer_expired(&vm);
    }
    assert_int_equal(looks, 2);
    assert_int_equal(used_index(0), QUEUE_SIZE);
    assert_int_equal(virtio.devices[DISK].counters.refused, QUEUE_SIZE);
}

static void a_paused_vm_reads_nothing(void **state)
{
    (void)state;
    start(RNG, 0, 1);
    for (uint16_t i = 0; i < 2; i++)
        put_desc(0, i, (struct virtq_desc){DATA, 64, W, 0});
    offer(0, 0);
    notify(RNG, 0);
    vm.state = VM_PAUSED;
    offer(0, 1);
    notify(RNG, 0);
    fake_virtio_use(RNG, 0, taken(RNG, 0), 1);
    nothing_to_take(RNG, 0);
    deliver(RNG); // what was in flight ends
    assert_int_equal(used_index(0), 1);
    nothing_to_take(RNG, 0);
    vm.state = VM_RUNNING;
    virtio_go_on(&vm);
    fake_virtio_use(RNG, 0, taken(RNG, 0), 1);
    assert_int_equal(timer, HYP_TIMER_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_block_read, devices),
        cmocka_unit_test_setup(a_header_in_pieces, devices),
        cmocka_unit_test_setup(header_and_data_in_one, devices),
        cmocka_unit_test_setup(what_is_no_block_request, devices),
        cmocka_unit_test_setup(requests_that_no_device_knows, devices),
        cmocka_unit_test_setup(a_discard, devices),
        cmocka_unit_test_setup(an_error_of_the_device, devices),
        cmocka_unit_test_setup(refused_by_sector, devices),
        cmocka_unit_test_setup(refused_wholesale, devices),
        cmocka_unit_test_setup(a_read_only_disk, devices),
        cmocka_unit_test_setup(a_device_that_is_denied, devices),
        cmocka_unit_test_setup(frames_of_another, devices),
        cmocka_unit_test_setup(a_rate, devices),
        cmocka_unit_test_setup(what_comes_counts_against_the_rate, devices),
        cmocka_unit_test_setup(a_flood_leaves_room_to_send, devices),
        cmocka_unit_test_setup(a_buffer_of_random_bytes, devices),
        cmocka_unit_test_setup(frames_both_ways, devices),
        cmocka_unit_test_setup(notified_before_driver_ok, devices),
        cmocka_unit_test_setup(out_of_order, devices),
        cmocka_unit_test_setup(acknowledged_late, devices),
        cmocka_unit_test_setup(suppressed_interrupts, devices),
        cmocka_unit_test_setup(indices_wrap, devices),
        cmocka_unit_test_setup(a_guests_fault_ends_the_devices_work, devices),
        cmocka_unit_test_setup(a_request_offered_twice, devices),
        cmocka_unit_test_setup(a_device_that_uses_what_it_has_not, devices),
        cmocka_unit_test_setup(a_device_with_an_error_of_its_own, devices),
        cmocka_unit_test_setup(a_queue_taken_back_with_requests, devices),
        cmocka_unit_test_setup(a_reset_drops_what_is_in_flight, devices),
        cmocka_unit_test_setup(a_reset_hides_nothing, devices),
        cmocka_unit_test_setup(a_full_shadow_queue, devices),
        cmocka_unit_test_setup(long_requests_that_are_refused, devices),
        cmocka_unit_test_setup(a_paused_vm_reads_nothing, devices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
