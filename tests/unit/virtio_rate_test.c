// SPDX-License-Identifier: Apache-2.0
// How fast a guest is at its devices: requests that wait for a policy row's rate.
#include "virtio_driver.h"

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

// 10 requests a second. Frames come as fast as there is room for them, and the guest makes room at once: what it sends
// has a rate of its own.
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
    for (unsigned int tenths = 0; tenths < 7; tenths++) {
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
    assert_int_equal(sent, 8);
    assert_int_equal(received, 8);
}

// 1000 bytes a second. A frame of 500 that has come is owed by those that come; one of 300 goes at once all the same.
static void what_comes_does_not_hold_back_what_goes(void **state)
{
    (void)state;
    virtio_rows[1].bytes_per_second = 1000;
    virtio_rows[1].rate = 0;
    virtio_probe(&vm);
    start(NIC, 0, 2);
    put_desc(0, 0, (struct virtq_desc){DATA, 2048, W, 0});
    put_desc(1, 0, (struct virtq_desc){DATA + 0x1000, 312, 0, 0});
    offer(0, 0);
    notify(NIC, 0);
    fake_virtio_use(NIC, 0, taken(NIC, 0), 512);
    deliver(NIC);
    offer(1, 0);
    notify(NIC, 1);
    (void)taken(NIC, 1);
}

// 1000 bytes a second of a device that says only at the end how many bytes it gives. A queue full of room for them is
// no way around the rate: each request pays for its room, and has back what was not used when it ends.
static void room_is_paid_for_at_once(void **state)
{
    uint64_t now = 5000000;

    (void)state;
    virtio_rows[1].bytes_per_second = 1000;
    virtio_rows[1].rate = 0;
    virtio_probe(&vm);
    start(RNG, 0, 1);
    for (uint16_t i = 0; i < QUEUE_SIZE; i++) {
        put_desc(0, i, (struct virtq_desc){DATA + 512 * i, 500, W, 0});
        offer(0, i);
    }
    notify(RNG, 0);
    uint16_t head = taken(RNG, 0);
    nothing_to_take(RNG, 0);
    fake_virtio_use(RNG, 0, head, 20);
    deliver(RNG);
    assert_int_equal(last_request.bytes, 20);
    fake_sysreg_set("CNTPCT_EL0", now + 10000);
    timer_expired(&vm);
    nothing_to_take(RNG, 0);
    fake_sysreg_set("CNTPCT_EL0", now + 20000);
    timer_expired(&vm);
    head = taken(RNG, 0);
    nothing_to_take(RNG, 0);
    fake_sysreg_set("CNTPCT_EL0", now + 510000); // 490 of its 500 have flowed back
    timer_expired(&vm);
    nothing_to_take(RNG, 0);
    fake_virtio_use(RNG, 0, head, 0); // and all of them are given back: the bucket is full, and no more
    deliver(RNG);
    timer_expired(&vm);
    (void)taken(RNG, 0);
    nothing_to_take(RNG, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_rate, devices),
        cmocka_unit_test_setup(what_comes_counts_against_the_rate, devices),
        cmocka_unit_test_setup(a_flood_leaves_room_to_send, devices),
        cmocka_unit_test_setup(what_comes_does_not_hold_back_what_goes, devices),
        cmocka_unit_test_setup(room_is_paid_for_at_once, devices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
