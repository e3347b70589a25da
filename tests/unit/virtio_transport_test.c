// SPDX-License-Identifier: Apache-2.0
// A transport's registers and the life of a device: probing, features, status, queues, reset, what is ignored.
#include "virtio_world.h"

#define BLOCK_FEATURES (BIT64(5) | BIT64(6) | BIT64(9))

static void add_disk(unsigned int n)
{
    struct fake_virtio *disk =
        add_device(n, VIRTIO_ID_BLOCK, BLOCK_FEATURES | VIRTIO_F_EVENT_IDX | BIT64(12) | BIT64(34), 2);

    memcpy(disk->config, (uint8_t[]){0x00, 0x10, 1, 2, 3, 4, 5, 6, 7, 8}, 10);
    disk->generation = 7;
}

static uint64_t offered(unsigned int n)
{
    wr(n, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
    uint64_t high = rd(n, VIRTIO_MMIO_DEVICE_FEATURES);
    wr(n, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
    return high << 32 | rd(n, VIRTIO_MMIO_DEVICE_FEATURES);
}

static void probe(void)
{
    virtio_probe(&vm);
}

static int disk_at_3(void **state)
{
    setup(state);
    add_disk(3);
    probe();
    return 0;
}

// ---- What there is

static void empty_transports_have_the_boards_version(void **state)
{
    (void)state;
    for (uint32_t version = 0; version < 3; version++) {
        board_version = version;
        probe();
        for (unsigned int n = 0; n < 32; n += 31) {
            assert_int_equal(rd(n, VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
            assert_int_equal(rd(n, VIRTIO_MMIO_VERSION), version == 2 ? 2 : 1);
            assert_int_equal(rd(n, VIRTIO_MMIO_VENDOR_ID), 0x554d4551);
            for (uint32_t offset = 16; offset < 0x200; offset += 4)
                assert_int_equal(rd(n, offset), 0);
            assert_int_equal(rd(n, VIRTIO_MMIO_DEVICE_ID), 0);
        }
    }
    assert_int_equal(access_at(0, 1, 0), 0x76);
    assert_int_equal(access_at(1, 1, 0), 0); // QEMU's registers are found by their first byte
    assert_int_equal(access_at(0, 2, 0), 0x6976);
    assert_int_equal(access_at(0, 8, 0), UINT64_C(0x274726976));
    wr(0, VIRTIO_MMIO_STATUS, 1);
    assert_int_equal(rd(0, VIRTIO_MMIO_STATUS), 0);
}

static void each_device_has_its_record(void **state)
{
    (void)state;
    add_disk(0);
    probe();
    assert_string_equal(record.event, "virtio-device");
    assert_non_null(strstr(record.text, "device=block transport=0 id=2 intid=48 queues=1"));
    assert_non_null(strstr(record.text, "state=guest"));
    assert_int_equal(record.count, 1);
    assert_int_equal(rd(0, VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_BLOCK);
    assert_int_equal(fake_virtio[0].resets, 1);
}

static void what_no_guest_gets(void **state)
{
    static const struct {
        uint32_t id;
        bool legacy, silent, old;
        const char *event, *text;
    } rows[] = {
        {.id = 16, .event = "virtio-device", .text = "state=unknown"},
        {.id = VIRTIO_ID_BLOCK, .legacy = true, .event = "virtio-legacy", .text = "id=2"},
        {.id = VIRTIO_ID_BLOCK, .silent = true, .event = "virtio-device", .text = "state=silent"},
        {.id = VIRTIO_ID_BLOCK, .old = true, .event = "virtio-device", .text = "state=legacy"},
    };

    for (unsigned int i = 0; i < ARRAY_COUNT(rows); i++) {
        setup(state);
        add_disk(1);
        fake_virtio[1].id = rows[i].id;
        fake_virtio[1].legacy = rows[i].legacy;
        fake_virtio[1].silent = rows[i].silent;
        if (rows[i].old)
            fake_virtio[1].features &= ~VIRTIO_F_VERSION_1;
        probe();
        assert_string_equal(record.event, rows[i].event);
        assert_non_null(strstr(record.text, rows[i].text));
        assert_int_equal(rd(1, VIRTIO_MMIO_DEVICE_ID), 0);
        assert_int_equal(rd(1, VIRTIO_MMIO_VERSION), 2);
        assert_int_equal(fake_virtio[1].resets, 1); // who has driven it before ariel is its driver no more
    }
}

static void the_last_console_is_el2s_own(void **state)
{
    (void)state;
    add_device(30, VIRTIO_ID_CONSOLE, 0, 2);
    add_device(31, VIRTIO_ID_CONSOLE, 0, 2);
    probe();
    assert_int_equal(rd(30, VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_CONSOLE);
    assert_int_equal(rd(31, VIRTIO_MMIO_DEVICE_ID), 0);
    assert_int_equal(record.count, 1);
    assert_int_equal(fake_virtio[31].resets, 0);
    setup(state);
    add_disk(31);
    probe();
    assert_int_equal(rd(31, VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_BLOCK);
}

// 16 network devices have the 32 queues; the disk after them has none.
static void queues_run_out(void **state)
{
    (void)state;
    for (unsigned int n = 0; n < 16; n++)
        add_device(n, VIRTIO_ID_NET, 0, 2);
    add_disk(16);
    probe();
    assert_int_equal(rd(15, VIRTIO_MMIO_DEVICE_ID), VIRTIO_ID_NET);
    assert_int_equal(rd(16, VIRTIO_MMIO_DEVICE_ID), 0);
    assert_non_null(strstr(record.text, "state=no-memory"));
}

// ---- Registers

static void reset_values(void **state)
{
    static const struct {
        uint32_t offset, value;
    } rows[] = {
        {VIRTIO_MMIO_MAGIC_VALUE, 0x74726976},
        {VIRTIO_MMIO_VERSION, 2},
        {VIRTIO_MMIO_DEVICE_ID, 2},
        {VIRTIO_MMIO_VENDOR_ID, 0x554d4551},
        {VIRTIO_MMIO_QUEUE_NUM_MAX, 256},
        {VIRTIO_MMIO_QUEUE_READY, 0},
        {VIRTIO_MMIO_INTERRUPT_STATUS, 0},
        {VIRTIO_MMIO_STATUS, 0},
        {VIRTIO_MMIO_SHM_LEN_LOW, UINT32_MAX},
        {VIRTIO_MMIO_SHM_LEN_HIGH, UINT32_MAX},
        {VIRTIO_MMIO_SHM_BASE_LOW, UINT32_MAX},
        {VIRTIO_MMIO_SHM_BASE_HIGH, UINT32_MAX},
        {VIRTIO_MMIO_CONFIG_GENERATION, 7},
        {VIRTIO_MMIO_CONFIG, 0x02011000},
        {VIRTIO_MMIO_QUEUE_DESC_LOW, 0},
        {VIRTIO_MMIO_QUEUE_NUM, 0},
        {VIRTIO_MMIO_QUEUE_RESET, 0},
    };

    (void)state;
    for (unsigned int i = 0; i < ARRAY_COUNT(rows); i++)
        assert_int_equal(rd(3, rows[i].offset), rows[i].value);
    wr(3, VIRTIO_MMIO_QUEUE_SEL, 1); // the device has a second queue, and the type does not
    assert_int_equal(rd(3, VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
    wr(3, VIRTIO_MMIO_QUEUE_SEL, UINT32_MAX);
    assert_int_equal(rd(3, VIRTIO_MMIO_QUEUE_NUM_MAX), 0);
    wr(3, VIRTIO_MMIO_QUEUE_NUM, 8);
    wr(3, VIRTIO_MMIO_QUEUE_READY, 1);
    assert_int_equal(rd(3, VIRTIO_MMIO_QUEUE_READY), 0);
}

static void small_devices_have_small_queues(void **state)
{
    (void)state;
    add_disk(0);
    fake_virtio[0].queue_max[0] = 100;
    probe();
    assert_int_equal(rd(0, VIRTIO_MMIO_QUEUE_NUM_MAX), 32);
}

static void accesses_of_other_sizes(void **state)
{
    uint32_t base = 3 * GUEST_VIRTIO_STRIDE;

    (void)state;
    assert_int_equal(access_at(base, 1, ~UINT64_C(0)), 0);
    assert_int_equal(access_at(base, 2, ~UINT64_C(0)), 0);
    assert_int_equal(access_at(base, 8, ~UINT64_C(0)), UINT64_C(0x274726976));
    (void)access_at(base + VIRTIO_MMIO_STATUS, 1 | MMIO_WRITE, 1);
    (void)access_at(base + VIRTIO_MMIO_STATUS, 2 | MMIO_WRITE, 1);
    assert_int_equal(rd(3, VIRTIO_MMIO_STATUS), 0);
    (void)access_at(base + VIRTIO_MMIO_STATUS, 8 | MMIO_WRITE, 1);
    assert_int_equal(rd(3, VIRTIO_MMIO_STATUS), 1);
    assert_int_equal(access_at(base + VIRTIO_MMIO_CONFIG + 1, 1, 0), 0x10);
    assert_int_equal(access_at(base + VIRTIO_MMIO_CONFIG + 2, 2, 0), 0x0201);
    assert_int_equal(access_at(base + VIRTIO_MMIO_CONFIG, 8, 0), UINT64_C(0x0605040302011000));
    assert_int_equal(access_at(base + VIRTIO_MMIO_CONFIG + 0xfc, 4, 0), UINT32_MAX);
    wr(3, VIRTIO_MMIO_CONFIG, 0);
    assert_int_equal(rd(3, VIRTIO_MMIO_CONFIG), 0x02011000);
}

// ---- Features

static void features_are_masked(void **state)
{
    (void)state;
    assert_int_equal(offered(3), BLOCK_FEATURES | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1);
    wr(3, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 2);
    assert_int_equal(rd(3, VIRTIO_MMIO_DEVICE_FEATURES), 0);
}

static void what_the_device_is_told(void **state)
{
    (void)state;
    agree(3, BIT64(9) | VIRTIO_F_INDIRECT_DESC);
    assert_int_equal(rd(3, VIRTIO_MMIO_STATUS), AGREED);
    assert_int_equal(fake_virtio[3].status, AGREED);
    assert_int_equal(fake_virtio[3].accepted, BIT64(9) | VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1);
}

static void features_that_are_refused(void **state)
{
    static const uint64_t bad[] = {BIT64(9), VIRTIO_F_VERSION_1 | BIT64(12), VIRTIO_F_VERSION_1 | BIT64(34),
                                   VIRTIO_F_VERSION_1 | BIT64(40)};

    (void)state;
    for (unsigned int i = 0; i < ARRAY_COUNT(bad); i++) {
        wr(3, VIRTIO_MMIO_STATUS, 0);
        write_features(3, bad[i]);
        wr(3, VIRTIO_MMIO_STATUS, AGREED);
        assert_int_equal(rd(3, VIRTIO_MMIO_STATUS), ACKNOWLEDGED);
    }
    wr(3, VIRTIO_MMIO_STATUS, 0);
    wr(3, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 2); // a bit above 63
    wr(3, VIRTIO_MMIO_DRIVER_FEATURES, 1);
    write_features(3, VIRTIO_F_VERSION_1);
    wr(3, VIRTIO_MMIO_STATUS, AGREED);
    assert_int_equal(rd(3, VIRTIO_MMIO_STATUS), ACKNOWLEDGED);
    fake_virtio[3].refuses = true; // or the device says no
    agree(3, 0);
    assert_int_equal(rd(3, VIRTIO_MMIO_STATUS), ACKNOWLEDGED);
    assert_string_equal(record.event, "virtio-ignored");
    fake_virtio[3].refuses = false;
    agree(3, 0);
    assert_int_equal(rd(3, VIRTIO_MMIO_STATUS), AGREED);
}

static void features_stay_after_they_were_agreed_on(void **state)
{
    (void)state;
    start(3, BIT64(9), 1);
    write_features(3, BIT64(6) | BIT64(40) | VIRTIO_F_VERSION_1);
    assert_int_equal(virtio.devices[3].driver_features, BIT64(9) | VIRTIO_F_VERSION_1);
    assert_int_equal(fake_virtio[3].accepted, BIT64(9) | VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1);
    start(3, BIT64(6), 1); // after a reset the driver may choose anew
    assert_int_equal(fake_virtio[3].accepted, BIT64(6) | VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1);
}

// ---- Status

static void status_bits_only_come(void **state)
{
    (void)state;
    wr(3, VIRTIO_MMIO_STATUS, ACKNOWLEDGED);
    wr(3, VIRTIO_MMIO_STATUS, VIRTIO_STATUS_ACKNOWLEDGE);
    assert_int_equal(rd(3, VIRTIO_MMIO_STATUS), ACKNOWLEDGED);
    wr(3, VIRTIO_MMIO_STATUS, VIRTIO_STATUS_DEVICE_NEEDS_RESET | VIRTIO_STATUS_FAILED | 0x30);
    assert_int_equal(rd(3, VIRTIO_MMIO_STATUS), ACKNOWLEDGED | VIRTIO_STATUS_FAILED);
    wr(3, VIRTIO_MMIO_STATUS, 0);
    assert_int_equal(rd(3, VIRTIO_MMIO_STATUS), 0);
}

static void no_work_without_features(void **state)
{
    (void)state;
    wr(3, VIRTIO_MMIO_STATUS, ACKNOWLEDGED | VIRTIO_STATUS_DRIVER_OK);
    assert_int_equal(rd(3, VIRTIO_MMIO_STATUS), ACKNOWLEDGED);
    assert_false(real_enabled[3]);
    ready_queue(3, 0);
    assert_int_equal(rd(3, VIRTIO_MMIO_QUEUE_READY), 0);
}

static void the_interrupt_is_on_while_there_is_a_driver(void **state)
{
    (void)state;
    agree(3, 0);
    ready_queue(3, 0);
    assert_false(real_enabled[3]);
    wr(3, VIRTIO_MMIO_STATUS, WORKING);
    assert_true(real_enabled[3]);
    wr(3, VIRTIO_MMIO_STATUS, 0);
    assert_false(real_enabled[3]);
    assert_int_equal(rd(3, VIRTIO_MMIO_QUEUE_READY), 0);
}

static void configuration_changes_reach_the_driver(void **state)
{
    (void)state;
    start(3, 0, 1);
    fake_virtio[3].interrupt = VIRTIO_MMIO_INT_CONFIG;
    deliver(3);
    assert_int_equal(rd(3, VIRTIO_MMIO_INTERRUPT_STATUS), VIRTIO_MMIO_INT_CONFIG);
    assert_true(line[3]);
    wr(3, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING);
    assert_true(line[3]);
    wr(3, VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_CONFIG);
    assert_int_equal(rd(3, VIRTIO_MMIO_INTERRUPT_STATUS), 0);
    assert_false(line[3]);
    fake_virtio[3].interrupt = VIRTIO_MMIO_INT_CONFIG;
    deliver(3);
    wr(3, VIRTIO_MMIO_STATUS, 0); // a reset takes the interrupt back
    assert_false(line[3]);
}

// ---- Queues

static void a_queue_that_is_none_needs_a_reset(void **state)
{
    static const struct {
        uint32_t offset, value;
        const char *reason;
    } rows[] = {
        {VIRTIO_MMIO_QUEUE_NUM, 0, "reason=queue-size"},
        {VIRTIO_MMIO_QUEUE_NUM, 3, "reason=queue-size"},
        {VIRTIO_MMIO_QUEUE_NUM, 512, "reason=queue-size"},
        {VIRTIO_MMIO_QUEUE_DESC_LOW, 0x40001008, "reason=ring-alignment"},
        {VIRTIO_MMIO_QUEUE_DESC_LOW, 0x0a000000, "reason=ring-not-ram"},
        {VIRTIO_MMIO_QUEUE_DESC_HIGH, 1, "reason=ring-not-ram"},
        {VIRTIO_MMIO_QUEUE_DRIVER_LOW, 0x40080000 + 0x1000000, "reason=ring-not-ram"},
        {VIRTIO_MMIO_QUEUE_DEVICE_HIGH, 0x80000000, "reason=ring-not-ram"},
        {VIRTIO_MMIO_QUEUE_DEVICE_LOW, 0x40003000, "reason=rings-overlap"},
    };

    (void)state;
    for (unsigned int i = 0; i < ARRAY_COUNT(rows); i++) {
        agree(3, 0);
        place_queue(3, 0);
        wr(3, rows[i].offset, rows[i].value);
        wr(3, VIRTIO_MMIO_QUEUE_READY, 1);
        assert_int_equal(rd(3, VIRTIO_MMIO_QUEUE_READY), 0);
        assert_int_equal(rd(3, VIRTIO_MMIO_STATUS), AGREED | VIRTIO_STATUS_DEVICE_NEEDS_RESET);
        assert_string_equal(record.event, "virtio-fault");
        assert_non_null(strstr(record.text, rows[i].reason));
        assert_false(line[3]); // not before DRIVER_OK
        wr(3, VIRTIO_MMIO_STATUS, WORKING);
        assert_int_equal(rd(3, VIRTIO_MMIO_STATUS), AGREED | VIRTIO_STATUS_DEVICE_NEEDS_RESET);
        assert_int_equal(fake_virtio[3].status, 0);
    }
    start(3, 0, 1);
}

static void a_ready_queue_does_not_change(void **state)
{
    (void)state;
    start(3, 0, 1);
    wr(3, VIRTIO_MMIO_QUEUE_DESC_LOW, 0x40200000);
    wr(3, VIRTIO_MMIO_QUEUE_NUM, 16);
    assert_int_equal(virtio.devices[3].queues[0].guest.desc, DESC(0));
    assert_int_equal(virtio.devices[3].queues[0].guest.size, QUEUE_SIZE);
    assert_string_equal(record.event, "virtio-ignored");
    wr(3, VIRTIO_MMIO_QUEUE_READY, 1);
    assert_int_equal(rd(3, VIRTIO_MMIO_QUEUE_READY), 1);
}

static void a_queue_is_taken_back_and_given_again(void **state)
{
    (void)state;
    start(3, 0, 1);
    const struct virtqueue *shadow = fake_virtio[3].queues[0];
    assert_non_null(shadow);
    wr(3, VIRTIO_MMIO_QUEUE_READY, 0);
    assert_int_equal(rd(3, VIRTIO_MMIO_QUEUE_READY), 0);
    assert_int_equal(rd(3, VIRTIO_MMIO_STATUS), WORKING);
    notify(3, 0);
    ready_queue(3, 0);
    assert_int_equal(rd(3, VIRTIO_MMIO_QUEUE_READY), 1);
    assert_ptr_equal(fake_virtio[3].queues[0], shadow);
}

static void a_queue_may_come_after_driver_ok(void **state)
{
    (void)state;
    start(3, 0, 0);
    assert_null(fake_virtio[3].queues[0]);
    ready_queue(3, 0);
    assert_non_null(fake_virtio[3].queues[0]);
}

static void notifications_of_nothing_are_recorded(void **state)
{
    (void)state;
    start(3, 0, 0);
    for (uint32_t q = 0; q < 3; q++) {
        record.event[0] = 0;
        notify(3, q);
        assert_string_equal(record.event, "virtio-ignored");
    }
    notify(3, UINT32_MAX);
    assert_int_equal(virtio.devices[3].counters.notifications, 4);
}

// ---- A device that does not answer

static void a_silent_device_is_gone(void **state)
{
    (void)state;
    start(3, 0, 1);
    fake_virtio[3].silent = true;
    wr(3, VIRTIO_MMIO_STATUS, 0);
    assert_string_equal(record.event, "virtio-fault");
    assert_non_null(strstr(record.text, "reason=device-silent"));
    assert_int_equal(rd(3, VIRTIO_MMIO_DEVICE_ID), 0);
    assert_int_equal(rd(3, VIRTIO_MMIO_STATUS), 0);
    assert_int_equal(rd(3, VIRTIO_MMIO_MAGIC_VALUE), 0x74726976);
    agree(3, 0);
    assert_int_equal(rd(3, VIRTIO_MMIO_STATUS), 0);
    notify(3, 0);
    assert_false(real_enabled[3]);
}

static void the_monitor_sees_it(void **state)
{
    struct virtio_snapshot snapshot;

    (void)state;
    assert_false(virtio_snapshot(&vm, 0, &snapshot));
    assert_false(virtio_snapshot(&vm, 32, &snapshot));
    assert_true(virtio_snapshot(&vm, 3, &snapshot));
    assert_int_equal(snapshot.negotiated, 0);
    start(3, BIT64(9), 1);
    assert_true(virtio_snapshot(&vm, 3, &snapshot));
    assert_string_equal(snapshot.name, "block");
    assert_int_equal(snapshot.intid, 51);
    assert_int_equal(snapshot.negotiated, BIT64(9) | VIRTIO_F_VERSION_1);
    assert_int_equal(snapshot.queue_count, 1);
    assert_true(snapshot.queues[0].ready);
    assert_int_equal(snapshot.queues[0].size, QUEUE_SIZE);
    assert_int_equal(snapshot.status, WORKING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(empty_transports_have_the_boards_version, setup),
        cmocka_unit_test_setup(each_device_has_its_record, setup),
        cmocka_unit_test_setup(what_no_guest_gets, setup),
        cmocka_unit_test_setup(the_last_console_is_el2s_own, setup),
        cmocka_unit_test_setup(queues_run_out, setup),
        cmocka_unit_test_setup(reset_values, disk_at_3),
        cmocka_unit_test_setup(small_devices_have_small_queues, setup),
        cmocka_unit_test_setup(accesses_of_other_sizes, disk_at_3),
        cmocka_unit_test_setup(features_are_masked, disk_at_3),
        cmocka_unit_test_setup(what_the_device_is_told, disk_at_3),
        cmocka_unit_test_setup(features_that_are_refused, disk_at_3),
        cmocka_unit_test_setup(features_stay_after_they_were_agreed_on, disk_at_3),
        cmocka_unit_test_setup(status_bits_only_come, disk_at_3),
        cmocka_unit_test_setup(no_work_without_features, disk_at_3),
        cmocka_unit_test_setup(the_interrupt_is_on_while_there_is_a_driver, disk_at_3),
        cmocka_unit_test_setup(configuration_changes_reach_the_driver, disk_at_3),
        cmocka_unit_test_setup(a_queue_that_is_none_needs_a_reset, disk_at_3),
        cmocka_unit_test_setup(a_ready_queue_does_not_change, disk_at_3),
        cmocka_unit_test_setup(a_queue_is_taken_back_and_given_again, disk_at_3),
        cmocka_unit_test_setup(a_queue_may_come_after_driver_ok, disk_at_3),
        cmocka_unit_test_setup(notifications_of_nothing_are_recorded, disk_at_3),
        cmocka_unit_test_setup(a_silent_device_is_gone, disk_at_3),
        cmocka_unit_test_setup(the_monitor_sees_it, disk_at_3),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
