// SPDX-License-Identifier: Apache-2.0
// Links: platform/platform.c
// The board's table: its CPUs by their whole affinity, and which of its devices a guest may be given.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <hv/platform.h>

#define MPIDR_ALWAYS UINT64_C(0x80000000) // bit 31 is RES1
#define MPIDR_MT     UINT64_C(0x01000000)
#define MPIDR_U      UINT64_C(0x40000000)

static void a_cpu_is_found_by_its_whole_affinity(void **state)
{
    (void)state;
    assert_in_range(platform.cpu_count, 1, CPU_MAX);
    for (unsigned int cpu = 0; cpu < platform.cpu_count; cpu++) {
        assert_int_equal(platform_cpu_number(platform.cpus[cpu]), cpu);
        assert_int_equal(platform_cpu_number(platform.cpus[cpu] | MPIDR_ALWAYS | MPIDR_MT | MPIDR_U), cpu);
        for (unsigned int field = 8; field < 40; field += field == 16 ? 16 : 8) // Aff1, Aff2, Aff3
            assert_int_equal(platform_cpu_number(platform.cpus[cpu] ^ UINT64_C(0x40) << field), PLATFORM_NO_CPU);
    }
    assert_int_equal(platform_cpu_number(MPIDR_ALWAYS | 0xff), PLATFORM_NO_CPU);
}

static void no_two_cpus_are_one(void **state)
{
    (void)state;
    for (unsigned int cpu = 0; cpu < platform.cpu_count; cpu++) {
        assert_int_equal(platform.cpus[cpu] & ~MPIDR_AFFINITY, 0);
        for (unsigned int other = 0; other < cpu; other++)
            assert_int_not_equal(platform.cpus[cpu], platform.cpus[other]);
    }
}

static void a_guest_may_have_whole_devices_and_their_parts_and_no_more(void **state)
{
    const struct platform_range *gpio = &platform.gpio;
    (void)state;
    assert_true(platform_may_pass(gpio->base, gpio->size));
    assert_true(platform_may_pass(gpio->base + gpio->size - 4, 4));
    assert_false(platform_may_pass(gpio->base - 4, 8));
    assert_false(platform_may_pass(gpio->base + gpio->size - 4, 8));
    assert_false(platform_may_pass(gpio->base, UINT64_MAX));
    assert_true(platform_may_pass(platform.flash.base, platform.flash.size));
    assert_false(platform_may_pass(platform.flash.base, platform.flash.size + 1));
    assert_false(platform_may_pass(platform.ram_base, 4));
    assert_false(platform_may_pass(platform.image.base, 4));
    assert_false(platform_may_pass(platform.gicd.base, 4));
    assert_false(platform_may_pass(platform.uarts[0].base, 4));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cpu_is_found_by_its_whole_affinity),
        cmocka_unit_test(no_two_cpus_are_one),
        cmocka_unit_test(a_guest_may_have_whole_devices_and_their_parts_and_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
