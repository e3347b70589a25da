// SPDX-License-Identifier: Apache-2.0
// The guest's UART: its registers by accesses of every size, what it sends, and the page that the guest may read.

#include "vpl011_world.h"

static void reset_values(void **state)
{
    static const struct {
        uint32_t offset, value;
    } rows[] = {
        {RSR, 0},      {FR, 0x97},    {ILPR, 0},     {IBRD, 0},     {FBRD, 0},     {LCR_H, 0},
        {CR, 0x300},   {IFLS, 0x12},  {IMSC, 0},     {RIS, 0},      {MIS, 0},      {ICR, 0},
        {DMACR, 0},    {0x80, 0},     {0xfe0, 0x11}, {0xfe4, 0x10}, {0xfe8, 0x34}, {0xfec, 0x00},
        {0xff0, 0x0d}, {0xff4, 0xf0}, {0xff8, 0x05}, {0xffc, 0xb1}, {DR, 0},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        assert_int_equal(rd(rows[i].offset), rows[i].value);
}

static void stored_registers_keep_their_bits(void **state)
{
    static const struct {
        uint32_t offset, bits;
    } rows[] = {{ILPR, 0xff}, {IBRD, 0xffff}, {FBRD, 0x3f}, {LCR_H, 0xff}, {CR, 0xff87}, {IFLS, 0x3f}, {IMSC, 0x7ff}};
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        wr(rows[i].offset, ~0u);
        assert_int_equal(rd(rows[i].offset), rows[i].bits);
        wr(rows[i].offset, 0);
        assert_int_equal(rd(rows[i].offset), 0);
    }
    wr(DMACR, 7);
    assert_int_equal(rd(DMACR), 0);
    wr(0xfe0, 0);
    assert_int_equal(rd(0xfe0), 0x11);
    wr(RIS, ~0u);
    assert_int_equal(rd(RIS), 0);
}

static void output_goes_out_at_once(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < 100; i++) {
        assert_int_equal(rd(FR) & 0x28, 0); // never BUSY, never TXFF
        wr(DR, 'a' + i % 26);
    }
    assert_int_equal(fake_channel.sent_count, 100);
    assert_int_equal(fake_channel.sent[27], 'b');
    assert_int_equal(rd(RIS), INT_TX);
    assert_false(line());
    wr(IMSC, INT_TX);
    assert_true(line());
    assert_int_equal(rd(MIS), INT_TX);
    wr(ICR, INT_TX);
    assert_false(line());
    assert_int_equal(rd(MIS), 0);
    wr(DR, 'x');
    assert_true(line());
    wr(DR, 'y');
    assert_int_equal(fake_vgic.changes, 3);
}

// A handler that empties the FIFO and then clears the timeout must hear of a character that came between the two.
// The line's time is the guest's: it stands still while the VM is paused.
static uint64_t sized(uint32_t offset, unsigned int size, bool write, uint64_t value, enum mmio_result expect)
{
    assert_int_equal(device_pl011.access(&vm.vcpus[0], offset, size | (write ? MMIO_WRITE : 0), &value), expect);
    return value;
}

static void narrow_and_wide_accesses(void **state)
{
    (void)state;
    assert_int_equal(sized(FR, 1, false, 0, MMIO_DONE), 0x97);
    assert_int_equal(sized(FR, 2, false, 0, MMIO_DONE), 0x97);
    assert_int_equal(sized(FR + 1, 1, false, 9, MMIO_DONE), 0);
    sized(IBRD, 2, true, 0x1234, MMIO_DONE);
    assert_int_equal(rd(IBRD), 0x1234);
    sized(IBRD + 1, 1, true, 0x56, MMIO_DONE);
    assert_int_equal(rd(IBRD), 0x5634);
    assert_int_equal(sized(IBRD + 1, 1, false, 0, MMIO_DONE), 0x56);
    sized(DR, 1, true, 'b', MMIO_DONE);
    assert_int_equal(fake_channel.sent_count, 1);
    sized(DR + 1, 1, true, 'c', MMIO_DONE); // not the data
    assert_int_equal(fake_channel.sent_count, 1);
    vpl011_receive(&vm, 'd');
    assert_int_equal(sized(DR + 1, 1, false, 0, MMIO_DONE), 0);
    assert_int_equal(sized(DR, 1, false, 0, MMIO_DONE), 'd');
    sized(DR, 8, true, 'e', MMIO_FAULT);
    sized(PL011_SIZE, 4, false, 0, MMIO_FAULT);
    assert_int_equal(fake_channel.sent_count, 1);
}

// Every write to every offset keeps the device sane: FR and the line agree with the registers.
static void any_access_keeps_flags_and_line_true(void **state)
{
    uint32_t seed = 1;
    (void)state;
    for (unsigned int i = 0; i < 200000; i++) {
        seed = seed * 1664525 + 1013904223;
        uint32_t offset = (seed >> 8 & 0x1f) * 4;
        seed = seed * 1664525 + 1013904223;
        if (seed >> 31)
            vpl011_receive(&vm, (uint8_t)seed);
        else if (seed >> 30)
            wr(offset, seed >> 4);
        else
            rd(offset);
        assert_true(vm.uart.count <= VPL011_FIFO_SIZE);
        assert_int_equal(!!(rd(FR) & 0x10), vm.uart.count == 0);
        assert_int_equal(line(), (rd(RIS) & rd(IMSC)) != 0);
        assert_int_equal(rd(MIS), rd(RIS) & rd(IMSC));
    }
}

// What the guest may read by itself is what it would be told, and never a byte's place: that would lose the byte.
static void the_page_is_hidden_while_a_byte_waits(void **state)
{
    (void)state;
    vm.uart.shadow = true;
    wr(DR, 'a');
    wr(IMSC, INT_TX | INT_RX);
    assert_int_equal(fake_shadow.changes, 0);
    assert_int_equal(vm.uart.reg[FR / 4], 0x97);
    assert_int_equal(vm.uart.reg[MIS / 4], INT_TX);
    assert_int_equal(vm.uart.reg[0xff0 / 4], 0x0d);
    vpl011_receive(&vm, 'b');
    assert_false(fake_shadow.shown);
    assert_int_equal(flags_at_change & 0x10, 0x10); // before the flags say that there is one
    wr(LCR_H, FEN);
    vpl011_receive(&vm, 'c');
    assert_int_equal(rd(DR), 'b');
    assert_int_equal(fake_shadow.changes, 1);
    assert_int_equal(rd(DR), 'c');
    assert_true(fake_shadow.shown);
    assert_int_equal(flags_at_change & 0x10, 0x10); // after the flags say that there is none
    assert_int_equal(vm.uart.reg[DR / 4], 0);
    wr(CR, 0x381);
    wr(DR, 'l'); // looped back
    assert_false(fake_shadow.shown);
    assert_int_equal(fake_shadow.changes, 3);
}

static unsigned int cleaned(void)
{
    return (unsigned int)fake_trace_count_of(FAKE_CACHE_CLEAN);
}

static const struct fake_step *last_clean(void)
{
    uint64_t i = fake_trace_count;

    while (i > 0 && fake_trace[i - 1].operation != FAKE_CACHE_CLEAN)
        i--;
    assert_true(i > 0);
    return &fake_trace[i - 1];
}

// What is shown is in memory, for a guest that does not read it through a cache: before it is shown, and at each
// change.
static void the_page_is_in_memory_while_it_is_shown(void **state)
{
    (void)state;
    vm.uart.shadow = true;
    fake_trace_reset();
    wr(IMSC, INT_TX);
    assert_int_equal(cleaned(), 1);
    assert_true(last_clean()->argument == (uintptr_t)vm.uart.reg);
    vpl011_receive(&vm, 'b');
    assert_int_equal(cleaned(), 1); // hidden
    fake_trace_watch((const uint64_t *)(const void *)&vm.uart.reg[FR / 4]);
    assert_int_equal(rd(DR), 'b');
    assert_int_equal(cleaned(), 2);
    assert_true(fake_shadow.shown);
    assert_int_equal((uint32_t)last_clean()->watched, 0x97); // with the flags that are shown
    vm.uart.shadow = false;
    wr(IMSC, 0);
    assert_int_equal(cleaned(), 2);
    device_pl011.reset(&vm); // once, all of it: a policy may show the page from the start
    assert_int_equal(cleaned(), 3);
}

static void without_a_shadow_the_page_is_never_shown(void **state)
{
    (void)state;
    vpl011_receive(&vm, 'a');
    assert_int_equal(rd(DR), 'a');
    assert_int_equal(fake_shadow.changes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reset_values, setup),
        cmocka_unit_test_setup(stored_registers_keep_their_bits, setup),
        cmocka_unit_test_setup(output_goes_out_at_once, setup),
        cmocka_unit_test_setup(narrow_and_wide_accesses, setup),
        cmocka_unit_test_setup(any_access_keeps_flags_and_line_true, setup),
        cmocka_unit_test_setup(the_page_is_hidden_while_a_byte_waits, setup),
        cmocka_unit_test_setup(the_page_is_in_memory_while_it_is_shown, setup),
        cmocka_unit_test_setup(without_a_shadow_the_page_is_never_shown, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
