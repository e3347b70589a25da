// SPDX-License-Identifier: Apache-2.0
// Links: vdev/vpl011.c lib/range.c
// The guest's UART: reset values, FIFO levels and their interrupts, flow in both directions, loopback, odd accesses.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <hv/arch/registers.h>
#include <hv/channel.h>
#include <hv/device_ops.h>
#include <hv/hyp_timer.h>
#include <hv/vm.h>
#include <hv/vpl011.h>

#include <fake_channel.h>

#define DR    0x00
#define RSR   0x04
#define FR    0x18
#define ILPR  0x20
#define IBRD  0x24
#define FBRD  0x28
#define LCR_H 0x2c
#define CR    0x30
#define IFLS  0x34
#define IMSC  0x38
#define RIS   0x3c
#define MIS   0x40
#define ICR   0x44
#define DMACR 0x48

#define FEN    0x10
#define INT_RX 0x10
#define INT_TX 0x20
#define INT_RT 0x40
#define INT_BE 0x200
#define INT_OE 0x400

static struct vm vm;
static bool line;
static unsigned int line_changes;
static uint8_t sent[256];
static unsigned int sent_count;
static unsigned int room_calls;
static uint8_t typed[512]; // what the console still has for the guest
static unsigned int typed_count, typed_next;
static bool shown;
static unsigned int shown_changes;
static uint32_t flags_at_change;

enum hv_status vgic_set_line(struct vm *of, unsigned int vcpu_id, unsigned int intid, bool level)
{
    assert_ptr_equal(of, &vm);
    assert_int_equal(vcpu_id, 0);
    assert_int_equal(intid, PL011_INTID);
    assert_int_not_equal(level, line);
    line = level;
    line_changes++;
    return HV_OK;
}

enum hv_status space_show_shadow(struct space *of, const struct ipa_range *range, bool show)
{
    assert_ptr_equal(of, &vm.space);
    assert_int_equal(range->base.v, PL011_IPA);
    assert_int_equal(range->size, 4096);
    shown = show;
    shown_changes++;
    flags_at_change = vm.uart.reg[FR / 4];
    return HV_OK;
}

void channel_put(struct channel *channel, uint8_t byte)
{
    (void)channel;
    assert_int_equal(vm.uart.lock.held, 0); // the console may call in with its own lock held
    sent[sent_count++ % sizeof(sent)] = byte;
}

void channel_room(struct channel *channel)
{
    (void)channel;
    assert_int_equal(vm.uart.lock.held, 0);
    room_calls++;
    while (typed_next < typed_count && vpl011_receive(&vm, typed[typed_next]))
        typed_next++;
}

static void (*expired)(void);
static uint64_t timer; // EL2's: 0 is none

void hyp_timer_register(enum hyp_timer_user user, void (*function)(void))
{
    assert_int_equal(user, HYP_TIMER_UART);
    expired = function;
}

void hyp_timer_set(enum hyp_timer_user user, uint64_t deadline)
{
    assert_int_equal(user, HYP_TIMER_UART);
    timer = deadline;
}

// The counter goes on to count, and EL2's timer comes if it is due by then.
static void time_is(uint64_t count)
{
    fake_sysreg_set("CNTPCT_EL0", count);
    if (timer == 0 || timer > count)
        return;
    timer = 0;
    expired();
}

static void let_bits_pass(void)
{
    time_is(fake_sysreg_get("CNTPCT_EL0") + (UINT64_C(1) << 40));
}

static uint32_t rd(uint32_t offset)
{
    uint64_t value = 0xdead;
    assert_int_equal(device_pl011.access(&vm.vcpus[0], offset, 4, &value), MMIO_DONE);
    return (uint32_t)value;
}

static void wr(uint32_t offset, uint32_t value)
{
    uint64_t written = value;
    assert_int_equal(device_pl011.access(&vm.vcpus[0], offset, 4 | MMIO_WRITE, &written), MMIO_DONE);
}

static int setup(void **state)
{
    (void)state;
    memset(&vm, 0, sizeof(vm));
    vm.vcpu_count = 1;
    vm.vcpus[0].vm = &vm;
    line = false;
    shown = true;
    shown_changes = line_changes = sent_count = room_calls = typed_count = typed_next = 0;
    fake_sysreg_reset();
    fake_sysreg_set("CNTFRQ_EL0", 24000000); // a tick is a UART clock
    fake_sysreg_set("TPIDR_EL2", (uint64_t)&vm.vcpus[0]);
    timer = 0;
    device_pl011.reset(&vm);
    return 0;
}

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
    assert_int_equal(sent_count, 100);
    assert_int_equal(sent[27], 'b');
    assert_int_equal(rd(RIS), INT_TX);
    assert_false(line);
    wr(IMSC, INT_TX);
    assert_true(line);
    assert_int_equal(rd(MIS), INT_TX);
    wr(ICR, INT_TX);
    assert_false(line);
    assert_int_equal(rd(MIS), 0);
    wr(DR, 'x');
    assert_true(line);
    wr(DR, 'y');
    assert_int_equal(line_changes, 3);
}

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
            assert_false(line);
        }
        assert_true(vpl011_receive(&vm, 'z'));
        assert_true(line);
        assert_int_equal(rd(MIS), INT_RX);
        assert_int_equal(rd(DR), 1);
        assert_false(line);
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
    assert_true(line);
    wr(ICR, INT_RX);
    assert_false(line);
    vpl011_receive(&vm, 'b'); // above the level already: no edge
    assert_false(line);
    rd(DR);
    rd(DR);
    assert_true(vpl011_receive(&vm, 'c'));
    assert_true(line);
    // Moving the level to the other side of what is there counts as well.
    wr(IFLS, 4 << 3);
    assert_false(line);
    wr(IFLS, 0);
    assert_true(line);
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
    assert_false(line);
    vpl011_receive(&vm, 'b'); // counted from the last character
    time_is(1000 + BITS_32 + 10);
    assert_false(line);
    time_is(1000 + 2 * BITS_32);
    assert_true(line);
    assert_int_equal(rd(DR), 'a');
    assert_true(line);
    assert_int_equal(rd(DR), 'b');
    assert_false(line);
    assert_int_equal(rd(FR), 0x97);
    let_bits_pass();
    assert_false(line); // the FIFO is empty
}

static void a_cleared_receive_timeout_waits_for_another_character(void **state)
{
    (void)state;
    wr(LCR_H, FEN);
    wr(IMSC, INT_RT);
    vpl011_receive(&vm, 'a');
    let_bits_pass();
    assert_true(line);
    wr(ICR, INT_RT);
    assert_false(line);
    let_bits_pass();
    assert_false(line);
    vpl011_receive(&vm, 'b');
    assert_false(line);
    let_bits_pass();
    assert_true(line);
}

// A handler that empties the FIFO and then clears the timeout must hear of a character that came between the two.
static void a_receive_timeout_that_is_on_its_way_is_not_cleared(void **state)
{
    (void)state;
    wr(LCR_H, FEN);
    wr(IMSC, INT_RT);
    vpl011_receive(&vm, 'a');
    wr(ICR, INT_RT);
    assert_false(line);
    let_bits_pass();
    assert_true(line);
}

static void a_cleared_transmit_interrupt_comes_when_what_was_sent_has_left(void **state)
{
    (void)state;
    wr(IBRD, 1);
    wr(IMSC, INT_TX);
    time_is(1000);
    wr(DR, 'x');
    assert_true(line);
    wr(ICR, INT_TX);
    assert_false(line);
    time_is(1000 + 10 * 16 - 1);
    assert_false(line);
    time_is(1000 + 10 * 16 + 1);
    assert_true(line);
    wr(ICR, INT_TX); // nothing was sent since
    let_bits_pass();
    assert_false(line);
}

// The line's time is the guest's: it stands still while the VM is paused.
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
    assert_false(line);
    assert_int_equal(timer, 0);
    vm.virtual_offset = fake_sysreg_get("CNTPCT_EL0") - 1010;
    vm.state = VM_RUNNING;
    vpl011_time_goes_on(&vm);
    assert_false(line);
    time_is(fake_sysreg_get("CNTPCT_EL0") + BITS_32 - 12);
    assert_false(line);
    time_is(fake_sysreg_get("CNTPCT_EL0") + 12);
    assert_true(line);
}

static void a_break_is_a_character_with_an_error(void **state)
{
    (void)state;
    wr(LCR_H, FEN);
    wr(IMSC, INT_BE);
    vpl011_receive(&vm, 'a');
    assert_true(vpl011_receive(&vm, VPL011_BREAK));
    assert_true(line);
    wr(ICR, INT_BE);
    assert_false(line);
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
    assert_true(line);
    assert_int_equal(rd(FR) & 0x50, 0x40);
    assert_false(vpl011_has_room(&vm));
    assert_false(vpl011_receive(&vm, 'b'));
    assert_int_equal(rd(DR), 'a');
    assert_false(line);
    assert_int_equal(room_calls, 1);
    assert_true(vpl011_has_room(&vm));
}

static void a_paste_arrives_whole_and_in_order(void **state)
{
    unsigned int got = 0;
    (void)state;
    wr(LCR_H, FEN);
    for (typed_count = 0; typed_count < sizeof(typed); typed_count++)
        typed[typed_count] = (uint8_t)(typed_count * 7);
    channel_room(vm.uart.channel);
    assert_int_equal(vm.uart.count, VPL011_FIFO_SIZE);
    while (!(rd(FR) & 0x10))
        assert_int_equal(rd(DR), (uint8_t)(got++ * 7));
    assert_int_equal(got, sizeof(typed));
    assert_true(room_calls < sizeof(typed) / 8);
}

static void a_receiver_turned_off_keeps_the_console_waiting(void **state)
{
    (void)state;
    wr(CR, 0x101);
    typed[0] = 'k';
    typed_count = 1;
    channel_room(vm.uart.channel);
    assert_int_equal(typed_next, 0);
    assert_false(vpl011_has_room(&vm));
    wr(CR, 0x301);
    assert_int_equal(typed_next, 1);
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
    assert_int_equal(sent_count, 0);
    assert_false(vpl011_receive(&vm, 'q')); // the line is disconnected
    assert_false(line);
    wr(DR, 99);
    assert_true(line);
    assert_int_equal(vm.uart.overruns, 1);
    for (unsigned int i = 0; i + 1 < VPL011_FIFO_SIZE; i++)
        assert_int_equal(rd(DR), i);
    assert_int_equal(rd(DR), 0x800 | (VPL011_FIFO_SIZE - 1));
    assert_int_equal(rd(RSR), 8);
    wr(RSR, 0);
    assert_int_equal(rd(RSR), 0);
    wr(ICR, INT_OE);
    assert_false(line);
    wr(CR, 0x181); // receiver off: nothing comes back
    wr(DR, 1);
    assert_int_equal(rd(FR) & 0x10, 0x10);
}

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
    assert_int_equal(sent_count, 1);
    sized(DR + 1, 1, true, 'c', MMIO_DONE); // not the data
    assert_int_equal(sent_count, 1);
    vpl011_receive(&vm, 'd');
    assert_int_equal(sized(DR + 1, 1, false, 0, MMIO_DONE), 0);
    assert_int_equal(sized(DR, 1, false, 0, MMIO_DONE), 'd');
    sized(DR, 8, true, 'e', MMIO_FAULT);
    sized(PL011_SIZE, 4, false, 0, MMIO_FAULT);
    assert_int_equal(sent_count, 1);
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
        assert_int_equal(line, (rd(RIS) & rd(IMSC)) != 0);
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
    assert_int_equal(shown_changes, 0);
    assert_int_equal(vm.uart.reg[FR / 4], 0x97);
    assert_int_equal(vm.uart.reg[MIS / 4], INT_TX);
    assert_int_equal(vm.uart.reg[0xff0 / 4], 0x0d);
    vpl011_receive(&vm, 'b');
    assert_false(shown);
    assert_int_equal(flags_at_change & 0x10, 0x10); // before the flags say that there is one
    wr(LCR_H, FEN);
    vpl011_receive(&vm, 'c');
    assert_int_equal(rd(DR), 'b');
    assert_int_equal(shown_changes, 1);
    assert_int_equal(rd(DR), 'c');
    assert_true(shown);
    assert_int_equal(flags_at_change & 0x10, 0x10); // after the flags say that there is none
    assert_int_equal(vm.uart.reg[DR / 4], 0);
    wr(CR, 0x381);
    wr(DR, 'l'); // looped back
    assert_false(shown);
    assert_int_equal(shown_changes, 3);
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
    assert_true(shown);
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
    assert_int_equal(shown_changes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(reset_values, setup),
        cmocka_unit_test_setup(stored_registers_keep_their_bits, setup),
        cmocka_unit_test_setup(output_goes_out_at_once, setup),
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
        cmocka_unit_test_setup(narrow_and_wide_accesses, setup),
        cmocka_unit_test_setup(any_access_keeps_flags_and_line_true, setup),
        cmocka_unit_test_setup(the_page_is_hidden_while_a_byte_waits, setup),
        cmocka_unit_test_setup(the_page_is_in_memory_while_it_is_shown, setup),
        cmocka_unit_test_setup(without_a_shadow_the_page_is_never_shown, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
