// SPDX-License-Identifier: Apache-2.0
// The guest's UART receives: FIFO levels and their interrupts, time-outs, what waits at the console, loopback.

#include "vpl011_world.h"

static void receive_levels(void **state)
{
    static const unsigned int levels[] = {4, 8, 16, 24, 28};
    (void)state;
    for (unsigned int select = 0; select < ARRAY_COUNT(levels); select++) {
        setup(NULL);
        wr(LCR_H, FEN);
        wr(IFLS, select << 3);
        wr(IMSC, INT_RX);
        for (unsigned int i = 1; i < levels[select]; i++) {
            assert_true(vpl011_receive(&vm, (uint8_t)i));
            assert_false(line());
        }
        assert_true(vpl011_receive(&vm, 'z'));
        assert_true(line());
        assert_int_equal(rd(MIS), INT_RX);
        assert_int_equal(rd(DR), 1);
        assert_false(line());
    }
}

static void receive_interrupt_cleared_comes_again_with_the_level(void **state)
{
    (void)state;
    wr(LCR_H, FEN);
    wr(IFLS, 0);
    wr(IMSC, INT_RX);
    for (unsigned int i = 0; i < 4; i++)
        vpl011_receive(&vm, 'a');
    assert_true(line());
    wr(ICR, INT_RX);
    assert_false(line());
    vpl011_receive(&vm, 'b'); // above the level already: no edge
    assert_false(line());
    rd(DR);
    rd(DR);
    assert_true(vpl011_receive(&vm, 'c'));
    assert_true(line());
    // Moving the level to the other side of what is there counts as well.
    wr(IFLS, 4 << 3);
    assert_false(line());
    wr(IFLS, 0);
    assert_true(line());
}

#define BITS_32 (32 * 16) // UART clocks with a divisor of 1

static void receive_timeout_comes_after_32_bit_periods_of_silence(void **state)
{
    (void)state;
    wr(LCR_H, FEN);
    wr(IBRD, 1);
    wr(IMSC, INT_RT);
    time_is(1000);
    vpl011_receive(&vm, 'a');
    time_is(1000 + BITS_32 - 10);
    assert_false(line());
    vpl011_receive(&vm, 'b'); // counted from the last character
    time_is(1000 + BITS_32 + 10);
    assert_false(line());
    time_is(1000 + 2 * BITS_32);
    assert_true(line());
    assert_int_equal(rd(DR), 'a');
    assert_true(line());
    assert_int_equal(rd(DR), 'b');
    assert_false(line());
    assert_int_equal(rd(FR), 0x97);
    let_bits_pass();
    assert_false(line()); // the FIFO is empty
}

static void a_cleared_receive_timeout_waits_for_another_character(void **state)
{
    (void)state;
    wr(LCR_H, FEN);
    wr(IMSC, INT_RT);
    vpl011_receive(&vm, 'a');
    let_bits_pass();
    assert_true(line());
    wr(ICR, INT_RT);
    assert_false(line());
    let_bits_pass();
    assert_false(line());
    vpl011_receive(&vm, 'b');
    assert_false(line());
    let_bits_pass();
    assert_true(line());
}

static void a_receive_timeout_that_is_on_its_way_is_not_cleared(void **state)
{
    (void)state;
    wr(LCR_H, FEN);
    wr(IMSC, INT_RT);
    vpl011_receive(&vm, 'a');
    wr(ICR, INT_RT);
    assert_false(line());
    let_bits_pass();
    assert_true(line());
}

static void a_cleared_transmit_interrupt_comes_when_what_was_sent_has_left(void **state)
{
    (void)state;
    wr(IBRD, 1);
    wr(IMSC, INT_TX);
    time_is(1000);
    wr(DR, 'x');
    assert_true(line());
    wr(ICR, INT_TX);
    assert_false(line());
    time_is(1000 + 10 * 16 - 1);
    assert_false(line());
    time_is(1000 + 10 * 16 + 1);
    assert_true(line());
    wr(ICR, INT_TX); // nothing was sent since
    let_bits_pass();
    assert_false(line());
}

static void a_pause_is_no_time(void **state)
{
    (void)state;
    wr(IBRD, 1);
    wr(IMSC, INT_RT);
    time_is(1000);
    vpl011_receive(&vm, 'a');
    vm.state = VM_PAUSED;
    vm.pause_started = 1010;
    let_bits_pass();
    assert_false(line());
    assert_int_equal(timer(), HYP_TIMER_NEVER);
    vm.virtual_offset = fake_sysreg_get("CNTPCT_EL0") - 1010;
    vm.state = VM_RUNNING;
    vpl011_time_goes_on(&vm);
    assert_false(line());
    time_is(fake_sysreg_get("CNTPCT_EL0") + BITS_32 - 12);
    assert_false(line());
    time_is(fake_sysreg_get("CNTPCT_EL0") + 12);
    assert_true(line());
}

static void a_break_is_a_character_with_an_error(void **state)
{
    (void)state;
    wr(LCR_H, FEN);
    wr(IMSC, INT_BE);
    vpl011_receive(&vm, 'a');
    assert_true(vpl011_receive(&vm, VPL011_BREAK));
    assert_true(line());
    wr(ICR, INT_BE);
    assert_false(line());
    assert_int_equal(rd(DR), 'a');
    assert_int_equal(rd(RSR), 0);
    assert_int_equal(rd(DR), 0x400);
    assert_int_equal(rd(RSR), 4); // BE, until UARTECR is written
    wr(RSR, 0xff);
    assert_int_equal(rd(RSR), 0);
}

static void without_fifo_there_is_room_for_one(void **state)
{
    (void)state;
    wr(IMSC, INT_RX);
    assert_true(vpl011_has_room(&vm));
    assert_true(vpl011_receive(&vm, 'a'));
    assert_true(line());
    assert_int_equal(rd(FR) & 0x50, 0x40);
    assert_false(vpl011_has_room(&vm));
    assert_false(vpl011_receive(&vm, 'b'));
    assert_int_equal(rd(DR), 'a');
    assert_false(line());
    assert_int_equal(fake_channel.room_calls, 1);
    assert_true(vpl011_has_room(&vm));
}

static void a_paste_arrives_whole_and_in_order(void **state)
{
    unsigned int got = 0;
    (void)state;
    wr(LCR_H, FEN);
    for (fake_channel.typed_count = 0; fake_channel.typed_count < sizeof(fake_channel.typed);
         fake_channel.typed_count++)
        fake_channel.typed[fake_channel.typed_count] = (uint8_t)(fake_channel.typed_count * 7);
    channel_room(vm.uart.channel);
    assert_int_equal(vm.uart.count, VPL011_FIFO_SIZE);
    while (!(rd(FR) & 0x10))
        assert_int_equal(rd(DR), (uint8_t)(got++ * 7));
    assert_int_equal(got, sizeof(fake_channel.typed));
    assert_true(fake_channel.room_calls < sizeof(fake_channel.typed) / 8);
}

static void a_receiver_turned_off_keeps_the_console_waiting(void **state)
{
    (void)state;
    wr(CR, 0x101);
    fake_channel.typed[0] = 'k';
    fake_channel.typed_count = 1;
    channel_room(vm.uart.channel);
    assert_int_equal(fake_channel.typed_next, 0);
    assert_false(vpl011_has_room(&vm));
    wr(CR, 0x301);
    assert_int_equal(fake_channel.typed_next, 1);
    assert_int_equal(rd(DR), 'k');
}

static void fifo_turned_off_loses_nothing(void **state)
{
    (void)state;
    wr(LCR_H, FEN);
    for (unsigned int i = 0; i < 5; i++)
        vpl011_receive(&vm, (uint8_t)('a' + i));
    wr(LCR_H, 0);
    assert_int_equal(rd(FR) & 0x50, 0x40);
    for (unsigned int i = 0; i < 5; i++)
        assert_int_equal(rd(DR), 'a' + i);
    assert_int_equal(rd(FR) & 0x50, 0x10);
}

static void loopback(void **state)
{
    (void)state;
    wr(LCR_H, FEN);
    wr(CR, 0x381);
    wr(IMSC, INT_OE);
    for (unsigned int i = 0; i < VPL011_FIFO_SIZE; i++)
        wr(DR, i);
    assert_int_equal(fake_channel.sent_count, 0);
    assert_false(vpl011_receive(&vm, 'q')); // the line is disconnected
    assert_false(line());
    wr(DR, 99);
    assert_true(line());
    assert_int_equal(vm.uart.overruns, 1);
    for (unsigned int i = 0; i + 1 < VPL011_FIFO_SIZE; i++)
        assert_int_equal(rd(DR), i);
    assert_int_equal(rd(DR), 0x800 | (VPL011_FIFO_SIZE - 1));
    assert_int_equal(rd(RSR), 8);
    wr(RSR, 0);
    assert_int_equal(rd(RSR), 0);
    wr(ICR, INT_OE);
    assert_false(line());
    wr(CR, 0x181); // receiver off: nothing comes back
    wr(DR, 1);
    assert_int_equal(rd(FR) & 0x10, 0x10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(receive_levels, setup),
        cmocka_unit_test_setup(receive_interrupt_cleared_comes_again_with_the_level, setup),
        cmocka_unit_test_setup(receive_timeout_comes_after_32_bit_periods_of_silence, setup),
        cmocka_unit_test_setup(a_cleared_receive_timeout_waits_for_another_character, setup),
        cmocka_unit_test_setup(a_receive_timeout_that_is_on_its_way_is_not_cleared, setup),
        cmocka_unit_test_setup(a_cleared_transmit_interrupt_comes_when_what_was_sent_has_left, setup),
        cmocka_unit_test_setup(a_pause_is_no_time, setup),
        cmocka_unit_test_setup(a_break_is_a_character_with_an_error, setup),
        cmocka_unit_test_setup(without_fifo_there_is_room_for_one, setup),
        cmocka_unit_test_setup(a_paste_arrives_whole_and_in_order, setup),
        cmocka_unit_test_setup(a_receiver_turned_off_keeps_the_console_waiting, setup),
        cmocka_unit_test_setup(fifo_turned_off_loses_nothing, setup),
        cmocka_unit_test_setup(loopback, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
