// SPDX-License-Identifier: Apache-2.0
// Links: drivers/virtio_mmio.c drivers/virtqueue.c
// Links: platform/platform.c
// The driver of a transport against a model of one: what is written where, in what widths, and that no wait is endless.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <hv/arch/barrier.h>
#include <hv/arch/guarded.h>
#include <hv/arch/io.h>
#include <hv/arch/registers.h>
#include <hv/platform.h>
#include <hv/virtio_mmio.h>
#include <hv/virtqueue.h>

#define QUEUES 2

// Transport number 31 of the board, as VIRTIO 1.2 4.2.2 has it.
static struct {
    uint32_t magic, version, id;
    uint64_t device_features, driver_features;
    uint32_t device_half, driver_half, queue;
    uint32_t status, interrupts, generation;
    unsigned int resets_to_come; // reads of a status that is not 0 yet; UINT32_MAX: for ever
    uint32_t notified;
    uint8_t config[16];
    unsigned int config_size; // of the last access
    struct {
        uint32_t max, num, ready;
        uint64_t desc, avail, used;
    } queues[QUEUES];
} model;
static struct virtio_mmio device;
static struct virtqueue queue;

static uint64_t base(void)
{
    return platform.virtio.base + 31 * 0x200;
}

static uint64_t model_read(uint64_t address, unsigned int size)
{
    uint64_t offset = address - base(), value = 0;

    assert_true(offset < 0x200);
    assert_int_equal(offset % size, 0);
    if (offset >= 0x100) {
        model.config_size = size;
        memcpy(&value, &model.config[offset - 0x100], size);
        return value;
    }
    assert_int_equal(size, 4);
    switch (offset) {
    case 0x00:
        return model.magic;
    case 0x04:
        return model.version;
    case 0x08:
        return model.id;
    case 0x10:
        return (uint32_t)(model.device_features >> 32 * model.device_half);
    case 0x34:
        return model.queue < QUEUES ? model.queues[model.queue].max : 0;
    case 0x60:
        return model.interrupts;
    case 0x70:
        fake_sysreg_set("CNTPCT_EL0", fake_sysreg_get("CNTPCT_EL0") + 1000);
        if (model.resets_to_come > 0 && model.resets_to_come != UINT32_MAX && --model.resets_to_come == 0)
            model.status = 0;
        return model.status;
    case 0xfc:
        return model.generation;
    default:
        fail_msg("read of 0x%lx", (unsigned long)offset);
        return 0;
    }
}

static void set_half(uint64_t *whole, unsigned int half, uint64_t value)
{
    *whole = (*whole & ~(UINT64_C(0xffffffff) << 32 * half)) | value << 32 * half;
}

static void write_status(uint64_t value)
{
    if (value != 0 || model.resets_to_come == 0)
        model.status = (uint32_t)value;
}

static void model_write(uint64_t address, unsigned int size, uint64_t value)
{
    uint64_t offset = address - base();

    if (offset >= 0x100) {
        model.config_size = size;
        memcpy(&model.config[offset - 0x100], &value, size);
        return;
    }
    assert_int_equal(size, 4);
    if (offset == 0x14)
        model.device_half = (uint32_t)value;
    else if (offset == 0x20)
        set_half(&model.driver_features, model.driver_half, value);
    else if (offset == 0x24)
        model.driver_half = (uint32_t)value;
    else if (offset == 0x30)
        model.queue = (uint32_t)value;
    else if (offset == 0x38)
        model.queues[model.queue].num = (uint32_t)value;
    else if (offset == 0x44)
        model.queues[model.queue].ready = (uint32_t)value;
    else if (offset == 0x50)
        model.notified = (uint32_t)value;
    else if (offset == 0x64)
        model.interrupts &= ~(uint32_t)value;
    else if (offset == 0x70)
        write_status(value);
    else if ((offset & ~UINT64_C(4)) == 0x80)
        set_half(&model.queues[model.queue].desc, offset / 4 % 2, value);
    else if ((offset & ~UINT64_C(4)) == 0x90)
        set_half(&model.queues[model.queue].avail, offset / 4 % 2, value);
    else if ((offset & ~UINT64_C(4)) == 0xa0)
        set_half(&model.queues[model.queue].used, offset / 4 % 2, value);
    else
        fail_msg("write of 0x%lx", (unsigned long)offset);
}

static bool nothing_there;

static bool guarded_access(pa_t pa, unsigned int size, bool write, uint64_t *value)
{
    assert_false(write);
    if (nothing_there)
        return false;
    *value = model_read(pa.v, size);
    return true;
}

static int setup(void **state)
{
    (void)state;
    fake_sysreg_reset();
    fake_sysreg_set("CNTFRQ_EL0", 62500000);
    fake_trace_reset();
    fake_io_read = model_read;
    fake_io_write = model_write;
    fake_guarded_device = guarded_access;
    nothing_there = false;
    memset(&model, 0, sizeof(model));
    model.magic = 0x74726976;
    model.version = 2;
    model.id = 3;
    model.queues[0].max = 1024;
    model.queues[1].max = 64;
    return 0;
}

static void a_device_is_found(void **state)
{
    (void)state;
    assert_int_equal(virtio_mmio_probe(31, &device), HV_OK);
    assert_int_equal(device.base, base());
    assert_int_equal(device.intid, 48 + 31);
    assert_int_equal(device.device_id, VIRTIO_ID_CONSOLE);
}

static void what_is_no_device_is_told_apart(void **state)
{
    (void)state;
    assert_int_equal(virtio_mmio_probe(32, &device), HV_ERR_BOUNDS);
    model.version = 1;
    assert_int_equal(virtio_mmio_probe(31, &device), HV_ERR_UNSUPPORTED);
    assert_int_equal(device.device_id, 3);
    model.id = 0;
    assert_int_equal(virtio_mmio_probe(31, &device), HV_ERR_NOT_FOUND);
    model.magic = 0;
    assert_int_equal(virtio_mmio_probe(31, &device), HV_ERR_NOT_FOUND);
    nothing_there = true;
    assert_int_equal(virtio_mmio_probe(31, &device), HV_ERR_NOT_FOUND);
}

static void a_reset_is_waited_for(void **state)
{
    (void)state;
    assert_int_equal(virtio_mmio_probe(31, &device), HV_OK);
    model.status = 15;
    model.resets_to_come = 20;
    assert_int_equal(virtio_mmio_reset(&device), HV_OK);
    assert_int_equal(model.status, 0);
    virtio_mmio_set_status(&device, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER);
    assert_int_equal(virtio_mmio_status(&device), 3);
    model.resets_to_come = UINT32_MAX;
    fake_sysreg_set("CNTPCT_EL0", UINT64_MAX - 5); // the counter wraps meanwhile
    assert_int_equal(virtio_mmio_reset(&device), HV_ERR_STATE);
    assert_true(fake_sysreg_get("CNTPCT_EL0") < 6250000 + 2000); // 100 ms, and no more
}

static void features_have_two_halves(void **state)
{
    (void)state;
    assert_int_equal(virtio_mmio_probe(31, &device), HV_OK);
    model.device_features = 0x0123456789abcdef;
    assert_int_equal(virtio_mmio_features(&device), 0x0123456789abcdef);
    virtio_mmio_set_features(&device, VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX);
    assert_int_equal(model.driver_features, 1ull << 32 | 1ull << 29);
}

static void set_barrier_seen(enum fake_operation operation)
{
    assert_int_equal(operation, FAKE_DMB_OSHST);
    assert_int_equal(model.queues[1].ready, 0);
}

static void a_queue_is_given(void **state)
{
    (void)state;
    assert_int_equal(virtio_mmio_probe(31, &device), HV_OK);
    assert_int_equal(virtio_mmio_queue_max(&device, 0), 1024);
    assert_int_equal(virtio_mmio_queue_max(&device, 7), 0);
    virtqueue_init(&queue, 64, true);
    fake_trace_hook = set_barrier_seen;
    virtio_mmio_set_queue(&device, 1, &queue);
    assert_int_equal(fake_trace_count, 1);
    assert_int_equal(model.queues[1].num, 64);
    assert_int_equal(model.queues[1].desc, (uintptr_t)queue.desc);
    assert_int_equal(model.queues[1].avail, (uintptr_t)&queue.avail);
    assert_int_equal(model.queues[1].used, (uintptr_t)&queue.used);
    assert_int_equal(model.queues[1].ready, 1);
    assert_int_equal(model.queues[0].ready, 0);
    fake_trace_reset();
    virtio_mmio_notify(&device, 1);
    assert_int_equal(model.notified, 1);
    assert_int_equal(fake_trace[0].operation, FAKE_DMB_OSHST);
}

static void an_interrupt_is_acknowledged(void **state)
{
    (void)state;
    assert_int_equal(virtio_mmio_probe(31, &device), HV_OK);
    assert_int_equal(virtio_mmio_take_interrupt(&device), 0);
    model.interrupts = 3;
    assert_int_equal(virtio_mmio_take_interrupt(&device), VIRTIO_MMIO_INT_VRING | VIRTIO_MMIO_INT_CONFIG);
    assert_int_equal(model.interrupts, 0);
}

static void configuration_is_read_by_its_fields(void **state)
{
    static const unsigned int widths[] = {1, 2, 4, 8};
    (void)state;
    assert_int_equal(virtio_mmio_probe(31, &device), HV_OK);
    for (unsigned int i = 0; i < 16; i++)
        model.config[i] = (uint8_t)(0x10 + i);
    assert_int_equal(virtio_mmio_read_config(&device, 8, 8), 0x1f1e1d1c1b1a1918);
    assert_int_equal(virtio_mmio_read_config(&device, 4, 4), 0x17161514);
    assert_int_equal(virtio_mmio_read_config(&device, 6, 2), 0x1716);
    assert_int_equal(virtio_mmio_read_config(&device, 7, 1), 0x17);
    for (unsigned int i = 0; i < 4; i++) {
        uint64_t all = ~UINT64_C(0) >> (64 - 8 * widths[i]);

        memset(model.config, 0, sizeof(model.config));
        virtio_mmio_write_config(&device, 8, widths[i], 0x0807060504030201);
        assert_int_equal(model.config_size, widths[i] > 4 ? 4 : widths[i]);
        assert_int_equal(virtio_mmio_read_config(&device, 8, 8), 0x0807060504030201 & all);
    }
    model.generation = 7;
    assert_int_equal(virtio_mmio_generation(&device), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_device_is_found, setup),
        cmocka_unit_test_setup(what_is_no_device_is_told_apart, setup),
        cmocka_unit_test_setup(a_reset_is_waited_for, setup),
        cmocka_unit_test_setup(features_have_two_halves, setup),
        cmocka_unit_test_setup(a_queue_is_given, setup),
        cmocka_unit_test_setup(an_interrupt_is_acknowledged, setup),
        cmocka_unit_test_setup(configuration_is_read_by_its_fields, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
