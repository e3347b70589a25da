// SPDX-License-Identifier: Apache-2.0
// Block requests: what EL2 copies and decides about, what the device is shown, and what status the guest gets.
#include "virtio_driver.h"

// ---- What is a request

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

// A disk with a queue of 1,024 says that a request may have 1,022 pieces of data. With the header, the status and what
// EL2 adds that is more than a shadow queue has, so the guest reads less, by whatever width it reads.
static void a_driver_that_keeps_to_what_it_was_offered(void **state)
{
    struct virtq_desc *table = at(DATA + 0x10000);
    const uint32_t seg_max = VIRTIO_MMIO_CONFIG + 12, at_disk = DISK * GUEST_VIRTIO_STRIDE;
    uint32_t pieces;

    (void)state;
    memcpy(fake_virtio[DISK].config, (uint32_t[]){0x11, 0x22, 0x33, 1022, 0x55}, 20);
    start(DISK, VIRTIO_F_INDIRECT_DESC, 1);
    pieces = rd(DISK, seg_max);
    assert_int_equal(pieces, 1020);
    assert_int_equal(rd(DISK, seg_max - 4), 0x33);
    assert_int_equal(rd(DISK, seg_max + 4), 0x55);
    assert_int_equal((uint16_t)access_at(at_disk + seg_max, 2, 0), 1020);
    assert_int_equal((uint16_t)access_at(at_disk + seg_max + 2, 2, 0), 0);
    assert_int_equal((uint8_t)access_at(at_disk + seg_max + 1, 1, 0), 1020 >> 8);
    assert_int_equal(access_at(at_disk + seg_max - 4, 8, 0), UINT64_C(1020) << 32 | 0x33);
    memcpy(at(DATA), (uint32_t[]){VIRTIO_BLK_T_IN, 0, 0, 0}, 16);
    table[0] = (struct virtq_desc){DATA, 16, N, 1};
    for (uint16_t i = 1; i <= pieces; i++)
        table[i] = (struct virtq_desc){DATA + 0x1000, 512, W | N, (uint16_t)(i + 1)};
    table[pieces + 1] = (struct virtq_desc){DATA + 0x100, 1, W, 0};
    put_desc(0, 0, (struct virtq_desc){DATA + 0x10000, (pieces + 2) * 16, VIRTQ_DESC_F_INDIRECT, 0});
    offer(0, 0);
    notify(DISK, 0);
    (void)taken(DISK, 0);
    memcpy(fake_virtio[DISK].config + 12, (uint32_t[]){254}, 4);
    assert_int_equal(rd(DISK, seg_max), 254);
}

// A device with a queue of 64: what is offered leaves room for EL2's buffers beside a chain as long as the queue.
static void a_disk_with_a_small_queue(void **state)
{
    (void)state;
    fake_virtio[DISK].queue_max[0] = 64;
    memcpy(fake_virtio[DISK].config + 12, (uint32_t[]){62}, 4);
    virtio_probe(&vm);
    assert_int_equal(rd(DISK, VIRTIO_MMIO_QUEUE_NUM_MAX), 32);
    assert_int_equal(rd(DISK, VIRTIO_MMIO_CONFIG + 12), 60);
    fake_virtio[DISK].queue_max[0] = 256;
    virtio_probe(&vm);
    assert_int_equal(rd(DISK, VIRTIO_MMIO_QUEUE_NUM_MAX), 128);
    fake_virtio[DISK].queue_max[0] = 2; // no room for any request
    virtio_probe(&vm);
    assert_int_equal(rd(DISK, VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_block_read, devices),
        cmocka_unit_test_setup(a_header_in_pieces, devices),
        cmocka_unit_test_setup(header_and_data_in_one, devices),
        cmocka_unit_test_setup(what_is_no_block_request, devices),
        cmocka_unit_test_setup(requests_that_no_device_knows, devices),
        cmocka_unit_test_setup(a_discard, devices),
        cmocka_unit_test_setup(a_driver_that_keeps_to_what_it_was_offered, devices),
        cmocka_unit_test_setup(a_disk_with_a_small_queue, devices),
        cmocka_unit_test_setup(an_error_of_the_device, devices),
        cmocka_unit_test_setup(refused_by_sector, devices),
        cmocka_unit_test_setup(refused_wholesale, devices),
        cmocka_unit_test_setup(a_read_only_disk, devices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
