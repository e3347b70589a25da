// SPDX-License-Identifier: Apache-2.0
// Links: vdev/device.c
// The table of a guest's devices: its rows are in order and apart, each key reaches its own device and no other, and
// what nobody emulates refuses every access.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <hv/device.h>
#include <hv/machine.h>

#include "../fake/fake_device_ops.h"

static const struct row {
    const char *name;
    uint64_t base, size;
    unsigned int key;
    const struct device_ops *ops;
} rows[] = {
#define ROW(id, name, base, size, kind, emulation, ...) {name, base, size, KEY_DEVICE_##id, &device_##emulation},
    DEVICE_TABLE(ROW)
#undef ROW
};

static struct vm vm;

static void rows_are_in_order_and_apart(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_true(rows[i].size > 0 && rows[i].base + rows[i].size > rows[i].base);
        assert_true(i == 0 || rows[i - 1].base + rows[i - 1].size <= rows[i].base);
        assert_non_null(rows[i].ops->access);
    }
}

static void each_key_reaches_its_device(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < ARRAY_COUNT(rows); i++) {
        uint64_t value = 0, last = rows[i].size - 4;
        bool emulated = rows[i].ops != &device_none;

        fake_devices = (struct fake_devices){.value = 0x77};
        assert_int_equal(device_emulate(device_of(rows[i].key), &vm.vcpus[0], rows[i].base + last, 4, &value),
                         emulated ? MMIO_DONE : MMIO_FAULT);
        assert_int_equal(fake_devices.count, emulated);
        if (emulated) {
            assert_ptr_equal(fake_devices.device, rows[i].ops);
            assert_int_equal(fake_devices.offset, last);
            assert_int_equal(value, 0x77);
        }
    }
}

static void where_nothing_is_every_access_is_refused(void **state)
{
    uint64_t value = 1;

    (void)state;
    fake_devices = (struct fake_devices){.value = 0x77};
    assert_int_equal(device_emulate(device_of(KEY_DEVICE_NONE), &vm.vcpus[0], 0x50000000, 4, &value), MMIO_FAULT);
    assert_int_equal(device_emulate(device_of(KEY_DEVICE_NONE), &vm.vcpus[0], 0, 8 | MMIO_WRITE, &value), MMIO_FAULT);
    assert_int_equal(fake_devices.count, 0);
}

static void a_reset_skips_what_has_no_state(void **state)
{
    (void)state;
    device_reset_all(&vm); // the fakes have no reset function
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_in_order_and_apart),
        cmocka_unit_test(each_key_reaches_its_device),
        cmocka_unit_test(where_nothing_is_every_access_is_refused),
        cmocka_unit_test(a_reset_skips_what_has_no_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
