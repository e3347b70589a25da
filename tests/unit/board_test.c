// SPDX-License-Identifier: Apache-2.0
// Links: boot/board.c platform/platform.c drivers/gicv3.c
// The machine against the board's table: what is not as the table says is named, and nothing else is looked at then.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <hv/arch/el2_setup.h>
#include <hv/arch/guarded.h>
#include <hv/arch/io.h>
#include <hv/arch/registers.h>
#include <hv/boot_options.h>
#include <hv/bits.h>
#include <hv/log.h>
#include <hv/platform.h>
#include <hv/stage1.h>

#include "../../boot/board.h"

static unsigned int frames; // redistributors
static uint64_t pidr2, part, ram, affinity_of_frame_0;
static bool gic, complete;
static struct board_fault fault;

struct cpu_features cpu_features_read(void)
{
    return (struct cpu_features){.gic = gic};
}

bool stage1_is_complete(void)
{
    return complete;
}

void log_record(enum log_level level, enum log_class class, const char *event, const char *format, ...)
{
    (void)level, (void)class, (void)event, (void)format;
}

void log_limited(struct log_limit limit, enum log_class class, const char *event, const char *format, ...)
{
    (void)limit, (void)class, (void)event, (void)format;
}

// GICR_TYPER: the affinity in the upper half, Last in bit 4
static uint64_t redistributor(uint64_t address, unsigned int size)
{
    uint64_t frame = (address - platform.gicr.base) / platform.gicr_stride;
    assert_int_equal(size, 8);
    return (frame == 0 ? affinity_of_frame_0 : frame) << 32 | (frame + 1 == frames ? 0x10 : 0);
}

static bool device(pa_t pa, unsigned int size, bool write, uint64_t *value)
{
    assert_false(write);
    if (pa.v == platform.gicd.base + 0xffe8)
        *value = pidr2;
    else if (pa.v == platform.uarts[0].base + 0xfe0)
        *value = part & 0xff;
    else if (pa.v == platform.uarts[0].base + 0xfe4)
        *value = 0x10 | part >> 8;
    else
        return pa.v + size <= platform.ram_base + ram;
    return *value != UINT64_MAX;
}

static int setup(void **state)
{
    (void)state;
    fake_sysreg_reset();
    fake_sysreg_set("MPIDR_EL1", UINT64_C(0x80000000));
    fake_io_read = redistributor;
    fake_guarded_device = device;
    frames = 4;
    pidr2 = 0x3b;
    part = 0x011;
    ram = MIB(1024);
    affinity_of_frame_0 = 0;
    gic = complete = true;
    fault = (struct board_fault){0};
    return 0;
}

static void differs(const char *name, uint64_t value, uint64_t bound)
{
    assert_false(board_check(&fault));
    assert_string_equal(fault.name, name);
    assert_int_equal(fault.value, value);
    assert_int_equal(fault.bound, bound);
}

static void the_board_of_the_table_is_taken(void **state)
{
    (void)state;
    for (frames = 1; frames <= platform.cpu_count; frames++)
        assert_true(board_check(&fault));
    pidr2 = 0x4b; // a GICv4
    frames = 1;
    assert_true(board_check(&fault));
}

static void each_difference_is_named(void **state)
{
    (void)state;
    gic = false;
    differs("id_aa64pfr0_gic", 0, 1);
    gic = true;
    pidr2 = 0x2b;
    differs("gicd_pidr2", 0x2b, 3);
    pidr2 = UINT64_MAX; // nothing answers
    differs("gicd_pidr2", UINT64_MAX, 3);
    pidr2 = 0x3b;
    part = 0x031;
    differs("uart_part", 0x031, 0x011);
    part = 0x011;
    ram = MIB(256);
    differs("ram_bytes", MIB(256), platform.guest_ram.base + platform.guest_ram.size - platform.ram_base);
    ram = MIB(1024);
    complete = false;
    differs("complete", 0, 1);
}

static void its_cpus_are_those_of_the_table(void **state)
{
    (void)state;
    frames = platform.cpu_count + 1;
    differs("cpus", platform.cpu_count + 1, platform.cpu_count);
    frames = 4;
    fake_sysreg_set("MPIDR_EL1", UINT64_C(0x80000100)); // cluster 1
    differs("mpidr", 0x100, platform.cpus[0]);
    fake_sysreg_set("MPIDR_EL1", UINT64_C(0x80000001)); // not the first
    differs("mpidr", 1, platform.cpus[0]);
    fake_sysreg_set("MPIDR_EL1", UINT64_C(0x80000000));
    affinity_of_frame_0 = 0x100;
    differs("affinity", platform.cpus[0], 4);
}

static void fewer_cpus_than_there_are_can_be_asked_for(void **state)
{
    (void)state;
    assert_int_equal(board_cpu_count(0), 4);
    assert_int_equal(board_cpu_count(FIELD_PREP(BOOT_OPTIONS_CPUS, 2)), 2);
    assert_int_equal(board_cpu_count(FIELD_PREP(BOOT_OPTIONS_CPUS, 5)), 4);
    assert_int_equal(board_cpu_count(~BOOT_OPTIONS_CPUS), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_board_of_the_table_is_taken, setup),
        cmocka_unit_test_setup(each_difference_is_named, setup),
        cmocka_unit_test_setup(its_cpus_are_those_of_the_table, setup),
        cmocka_unit_test_setup(fewer_cpus_than_there_are_can_be_asked_for, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
