// SPDX-License-Identifier: Apache-2.0
// Links: drivers/pl011.c drivers/gicv3.c
// Links: platform/platform.c
// The drivers of EL2's own hardware against small devices: what they write, and that no wait is endless.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <platform/virt.h>

#include <hv/arch/io.h>
#include <hv/arch/registers.h>
#include <hv/gicv3.h>
#include <hv/log.h>
#include <hv/memory_map.h>
#include <hv/pl011.h>
#include <hv/platform.h>

static uint32_t memory[0x1000000 / 4]; // 0x08000000 .. 0x09000000, what was written last
static uint32_t uart[0x1000 / 4];
static unsigned int frames; // redistributors of the machine
static uint32_t cluster;    // their affinity above Aff0: Aff3.Aff2.Aff1 in bits 31 to 8
static bool stuck;          // RWP, ChildrenAsleep and TXFF never clear
static uint32_t forced_off; // bits of GICD_CTLR that cannot be set
static unsigned int records;
static char transmitted[8];
static unsigned int transmitted_count;
static uint32_t received[4];
static unsigned int received_count, received_next;

void log_record(enum log_level level, enum log_class class, const char *event, const char *format, ...)
{
    (void)level;
    (void)class;
    (void)event;
    (void)format;
    records++;
}

void log_limited(struct log_limit limit, enum log_class class, const char *event, const char *format, ...)
{
    (void)limit;
    (void)class;
    (void)event;
    (void)format;
    records++;
}

static uint64_t read_uart(uint64_t offset)
{
    if (offset == 0x18)
        return (stuck ? 0x20 : 0) | (received_next == received_count ? 0x10 : 0);
    if (offset == 0)
        return received[received_next++];
    return uart[offset / 4];
}

static uint64_t device_read(uint64_t address, unsigned int size)
{
    assert_int_equal(address % size, 0);
    if (address >= PL011_PA)
        return read_uart(address - PL011_PA);
    uint64_t offset = address - GICR_PA;
    if (address >= GICR_PA && offset % GICR_STRIDE == 8) {
        unsigned int id = (unsigned int)(offset / GICR_STRIDE);
        return (uint64_t)(cluster | id) << 32 | (id + 1 == frames ? 0x10 : 0);
    }
    if (address >= GICR_PA && offset % GICR_STRIDE == 0)
        return stuck ? 8 : 0;
    if (address >= GICR_PA && offset % GICR_STRIDE == 0x14)
        return memory[(address - GICD_PA) / 4] & 2 || stuck ? 6 : 0;
    if (address == GICD_PA + 4)
        return 8;
    if (address == GICD_PA)
        return (memory[0] & ~forced_off) | (stuck ? 0x80000000u : 0);
    return memory[(address - GICD_PA) / 4];
}

static void device_write(uint64_t address, unsigned int size, uint64_t value)
{
    if (address == PL011_PA) {
        transmitted[transmitted_count++] = (char)value;
        return;
    }
    if (address >= PL011_PA) {
        uart[(address - PL011_PA) / 4] = (uint32_t)value;
        return;
    }
    memory[(address - GICD_PA) / 4] = (uint32_t)value;
    if (size == 8)
        memory[(address - GICD_PA) / 4 + 1] = (uint32_t)(value >> 32);
}

static uint32_t at(uint64_t address)
{
    return memory[(address - GICD_PA) / 4];
}

static int setup(void **state)
{
    (void)state;
    fake_io_read = device_read;
    fake_io_write = device_write;
    fake_trace_reset();
    fake_sysreg_reset();
    memset(memory, 0, sizeof(memory));
    memset(uart, 0, sizeof(uart));
    frames = 4;
    cluster = 0;
    stuck = false;
    forced_off = 0;
    records = transmitted_count = received_count = received_next = 0;
    return 0;
}

static void the_uart_is_set_up(void **state)
{
    (void)state;
    pl011_init();
    assert_int_equal(uart[0x2c / 4], 0x70);
    assert_int_equal(uart[0x30 / 4], 0x301);
    assert_int_equal(uart[0x38 / 4], 0x50);
    assert_int_equal(uart[0x34 / 4], 0);
}

static void bytes_break_and_nothing(void **state)
{
    (void)state;
    assert_int_equal(pl011_get(), PL011_EMPTY);
    received[0] = 'a';
    received[1] = 0x400;
    received[2] = 0xff;
    received_count = 3;
    assert_int_equal(pl011_get(), 'a');
    assert_int_equal(pl011_get(), PL011_BREAK);
    assert_int_equal(pl011_get(), 0xff);
    assert_int_equal(pl011_get(), PL011_EMPTY);
}

static void a_stuck_uart_costs_its_wait_once(void **state)
{
    uint64_t before = pl011_dropped();
    (void)state;
    pl011_put('x');
    stuck = true;
    pl011_put('y');
    pl011_put('z');
    assert_int_equal(pl011_dropped() - before, 2);
    stuck = false;
    pl011_put('w');
    assert_int_equal(transmitted_count, 2);
    assert_int_equal(transmitted[1], 'w');
}

static void a_full_fifo_is_not_waited_for(void **state)
{
    uint64_t before = pl011_dropped();
    (void)state;
    assert_true(pl011_try_put('x'));
    stuck = true;
    assert_false(pl011_try_put('y'));
    pl011_put('z'); // waits, and is dropped
    stuck = false;
    assert_true(pl011_try_put('w'));
    assert_int_equal(pl011_dropped() - before, 1);
    assert_int_equal(transmitted_count, 2);
    assert_int_equal(transmitted[1], 'w');
}

static void the_distributor_starts_silent(void **state)
{
    (void)state;
    assert_int_equal(gicv3_cpu_count(), 4);
    gicv3_init_distributor();
    assert_int_equal(at(GICD_PA), 0x12);
    for (unsigned int bank = 1; bank <= 8; bank++) {
        assert_int_equal(at(GICD_PA + 0x180 + 4 * bank), ~0u);
        assert_int_equal(at(GICD_PA + 0x80 + 4 * bank), ~0u);
        // The UART outranks SGIs and PPIs, so that no storm of these keeps the person from the monitor.
        assert_int_equal(at(GICD_PA + 0x400 + 32 * bank), 0x80808080);
    }
    assert_int_equal(at(GICD_PA + 0x180 + 4 * 9), 0);
    assert_int_equal(records, 0);
}

static void a_cpu_finds_its_redistributor(void **state)
{
    uint64_t base = GICR_PA + 2 * (uint64_t)GICR_STRIDE;
    (void)state;
    fake_sysreg_set("MPIDR_EL1", 0x80000002);
    memory[(base - GICD_PA + 0x14) / 4] = 6;
    gicv3_init_cpu(2);
    assert_int_equal(at(base + 0x14), 4);
    assert_int_equal(at(base + 0x10080), ~0u);
    assert_int_equal(at(base + 0x10400), 0xa0a0a0a0);
    assert_int_equal(at(base + 0x10100), 1 << INTID_MAINTENANCE);
    assert_int_equal(fake_sysreg_get("ICC_CTLR_EL1"), 2);
    assert_int_equal(fake_sysreg_get("ICC_PMR_EL1"), 0xff);
    assert_int_equal(fake_sysreg_get("ICC_IGRPEN1_EL1"), 1);
    assert_int_equal(fake_sysreg_get("ICC_SRE_EL2"), 0xf);
    gicv3_enable(INTID_VIRTUAL_TIMER, 2);
    assert_int_equal(at(base + 0x10100), 1 << INTID_VIRTUAL_TIMER);
    gicv3_disable(INTID_VIRTUAL_TIMER, 2);
    assert_int_equal(at(base + 0x10180), 1 << INTID_VIRTUAL_TIMER);
    memory[(base - GICD_PA + 0x10200) / 4] = 1 << 27;
    assert_true(gicv3_is_pending(27, 2));
    assert_false(gicv3_is_pending(26, 2));
    assert_false(gicv3_is_pending(40, 2));
    gicv3_enable(PL011_INTID, 2);
    assert_int_equal(at(GICD_PA + 0x6000 + 8 * PL011_INTID), 2);
    assert_int_equal(at(GICD_PA + 0x104), 2);
    gicv3_disable(PL011_INTID, 2);
    assert_int_equal(at(GICD_PA + 0x184), 2);
    gicv3_send_sgi(GICV3_SGI_KICK, 2);
    assert_int_equal(fake_sysreg_get("ICC_SGI1R_EL1"), 4);
    assert_int_equal(records, 0);
    // Nothing is sent to, or asked of, a CPU that has not come up or does not exist.
    fake_sysreg_set("ICC_SGI1R_EL1", 0);
    gicv3_send_sgi(GICV3_SGI_KICK, 3);
    gicv3_send_sgi(GICV3_SGI_KICK, 99);
    gicv3_enable(27, 3);
    gicv3_disable(27, 99);
    assert_int_equal(fake_sysreg_get("ICC_SGI1R_EL1"), 0);
}

// What an SGI is for, stored before: the value of work when each barrier was reached.
static uint64_t work;

static void an_sgi_finds_its_cpu_by_all_of_its_affinity(void **state)
{
    (void)state;
    cluster = 0x04030200;
    fake_sysreg_set("MPIDR_EL1", 0x480030201);
    gicv3_init_cpu(1);
    assert_int_equal(records, 0);
    fake_trace_reset();
    fake_trace_watch(&work);
    work = 1;
    gicv3_send_sgi(GICV3_SGI_KICK, 1);
    // IHI 0069 12.11: Aff3 in bits 55 to 48, Aff2 in 39 to 32, Aff1 in 23 to 16, a bit for Aff0 in 15 to 0.
    assert_int_equal(fake_sysreg_get("ICC_SGI1R_EL1"), 0x0004000300020002 | (uint64_t)GICV3_SGI_KICK << 24);
    // What the other CPU is to see is complete, by a DSB, before the SGI can arrive there.
    assert_int_equal(fake_trace[0].operation, FAKE_DSB_ISH);
    assert_int_equal(fake_trace[0].watched, 1);
    assert_int_equal(fake_trace[1].operation, FAKE_SYSREG_WRITE);
    gicv3_enable(PL011_INTID, 1);
    assert_int_equal(at(GICD_PA + 0x6000 + 8 * PL011_INTID), 0x00030201);
    assert_int_equal(at(GICD_PA + 0x6000 + 8 * PL011_INTID + 4), 0x00000004);
}

static void the_cpu_interface(void **state)
{
    (void)state;
    fake_sysreg_set("ICC_IAR1_EL1", 33);
    assert_int_equal(gicv3_acknowledge(), 33);
    gicv3_drop_priority(33);
    gicv3_deactivate(34);
    assert_int_equal(fake_sysreg_get("ICC_EOIR1_EL1"), 33);
    assert_int_equal(fake_sysreg_get("ICC_DIR_EL1"), 34);
}

static void no_wait_is_endless(void **state)
{
    (void)state;
    stuck = true;
    gicv3_init_distributor();
    fake_sysreg_set("MPIDR_EL1", 1);
    gicv3_init_cpu(1);
    assert_int_equal(records, 6); // four of the distributor, two of the redistributor
    records = 0;
    fake_sysreg_set("MPIDR_EL1", 0x700);
    gicv3_init_cpu(7);
    assert_int_equal(records, 1);
    frames = 0; // no Last anywhere
    assert_true(gicv3_cpu_count() > CPU_MAX);
}

// One record, and EL2 goes on with what there is.
static void a_distributor_that_reads_back_wrong_is_told(void **state)
{
    (void)state;
    forced_off = 0x02; // Group 1 stays off
    gicv3_init_distributor();
    assert_int_equal(records, 1);
    forced_off = 0x10; // no affinity routing: told where it is asked for, and where it is relied on
    records = 0;
    gicv3_init_distributor();
    assert_int_equal(records, 2);
}

// Redistributors are found by the whole affinity, and those of another board's CPUs are none of this one's.
static void a_cpu_of_the_board_is_known_by_its_redistributor(void **state)
{
    (void)state;
    frames = 4;
    for (unsigned int cpu = 0; cpu < platform.cpu_count; cpu++)
        assert_int_equal(gicv3_has_cpu(cpu), cpu < frames);
    cluster = 0x00000100; // Aff1 = 1: the same numbers in Aff0
    for (unsigned int cpu = 0; cpu < platform.cpu_count; cpu++)
        assert_false(gicv3_has_cpu(cpu));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_uart_is_set_up, setup),
        cmocka_unit_test_setup(bytes_break_and_nothing, setup),
        cmocka_unit_test_setup(a_stuck_uart_costs_its_wait_once, setup),
        cmocka_unit_test_setup(a_full_fifo_is_not_waited_for, setup),
        cmocka_unit_test_setup(the_distributor_starts_silent, setup),
        cmocka_unit_test_setup(a_cpu_finds_its_redistributor, setup),
        cmocka_unit_test_setup(an_sgi_finds_its_cpu_by_all_of_its_affinity, setup),
        cmocka_unit_test_setup(the_cpu_interface, setup),
        cmocka_unit_test_setup(no_wait_is_endless, setup),
        cmocka_unit_test_setup(a_distributor_that_reads_back_wrong_is_told, setup),
        cmocka_unit_test_setup(a_cpu_of_the_board_is_known_by_its_redistributor, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
