// SPDX-License-Identifier: Apache-2.0
// Requests across and back: order of events, faults on both sides, waiting, a pause. What is of one device type or of a
// rate: virtio_block_test.c, virtio_rate_test.c.
#include "virtio_driver.h"

// ---- Policy

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

// ---- Other types

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

// Both at once, of a device that does not even answer its reset: one fault, and one record of it.
static void a_device_that_fails_in_two_ways(void **state)
{
    (void)state;
    start(RNG, 0, 1);
    fake_virtio[RNG].silent = true;
    fake_virtio[RNG].status |= VIRTIO_STATUS_DEVICE_NEEDS_RESET;
    fake_virtio_use(RNG, 0, 500, 1);
    fake_virtio[RNG].interrupt |= VIRTIO_MMIO_INT_CONFIG;
    deliver(RNG);
    assert_int_equal(virtio.devices[RNG].counters.faults, 1);
    assert_int_equal(rises[RNG], 1);
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

// The same of a request that has a MiB in a block that is split to pages, 258 looks at stage 2: four requests and more
// are read at once.
static void wide_requests_that_are_refused(void **state)
{
    struct ipa_range page = {{RAM + MIB(2)}, KIB(4)};
    unsigned int at_once;

    (void)state;
    assert_int_equal(stage2_protect(&vm.space.stage2, &page, STAGE2_READ), HV_OK);
    virtio_rows[1].flags = POLICY_VIRTIO_READ_ONLY;
    virtio_probe(&vm);
    start(DISK, 0, 1);
    memcpy(at(DATA), (uint32_t[]){VIRTIO_BLK_T_OUT, 0, 0, 0}, 16);
    put_desc(0, 0, (struct virtq_desc){DATA, 16, N, 1});
    for (uint16_t i = 1; i < 5; i++)
        put_desc(0, i, (struct virtq_desc){RAM + MIB(2) + KIB(4), (uint32_t)MIB(1), N, (uint16_t)(i + 1)});
    put_desc(0, 5, (struct virtq_desc){DATA + 0x100, 1, W, 0});
    for (unsigned int n = 0; n < QUEUE_SIZE; n++)
        offer(0, 0);
    fake_trace_reset();
    notify(DISK, 0);
    at_once = used_index(0);
    assert_int_equal(at_once, 4); // 4 * 1,032 looks and more
    assert_in_range(fake_trace_count, 2 * 4 * 1024, 2 * 4 * 1050);
    assert_int_equal(virtio.devices[DISK].queues[0].wait, VIRTIO_WAIT_TIME);
    timer_expired(&vm);
    assert_int_equal(used_index(0), QUEUE_SIZE);
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
        cmocka_unit_test_setup(a_device_that_is_denied, devices),
        cmocka_unit_test_setup(frames_of_another, devices),
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
        cmocka_unit_test_setup(a_device_that_fails_in_two_ways, devices),
        cmocka_unit_test_setup(a_queue_taken_back_with_requests, devices),
        cmocka_unit_test_setup(a_reset_drops_what_is_in_flight, devices),
        cmocka_unit_test_setup(a_reset_hides_nothing, devices),
        cmocka_unit_test_setup(a_full_shadow_queue, devices),
        cmocka_unit_test_setup(long_requests_that_are_refused, devices),
        cmocka_unit_test_setup(wide_requests_that_are_refused, devices),
        cmocka_unit_test_setup(a_paused_vm_reads_nothing, devices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
