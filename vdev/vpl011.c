// SPDX-License-Identifier: Apache-2.0
// The guest's PL011 (Arm DDI 0183). Its transmit FIFO is always empty, because channel_put takes every byte at
// once; its receive FIFO is filled by the console, which keeps what does not fit and is told when there is room. Two
// events come on the real part a number of bit periods after their cause, and so they do here: the receive timeout, and
// the transmit interrupt of bytes that were sent before the guest cleared it. There is no DMA (UARTDMACR reads as zero)
// and no modem behind the port, but CTS, DSR and DCD are up, so that flow control never stops a guest. Nothing is lost
// in either direction.
//
// Registers are kept as they read, so that a guest may read them by itself: no read but that of UARTDR has a side
// effect, and that has none while the receive FIFO is empty. The page is hidden before a byte can be seen in the flags,
// and shown again when the last one has been read.
//
// Locks: a byte is sent before the device's lock is taken and the console is told of room after it was given back, so
// the console may call in while it holds its own locks. The interrupt line is set under the lock: its order is that of
// the registers.

#include <hv/vpl011.h>

#include <hv/arch/barrier.h>
#include <hv/arch/cache.h>
#include <hv/arch/registers.h>
#include <hv/channel.h>
#include <hv/device_ops.h>
#include <hv/hyp_timer.h>
#include <hv/machine.h>
#include <hv/memory_map.h>
#include <hv/range.h>
#include <hv/space.h>
#include <hv/spinlock.h>
#include <hv/string.h>
#include <hv/vgic.h>

#define UARTDR    0x000
#define UARTRSR   0x004
#define UARTFR    0x018
#define UARTILPR  0x020
#define UARTIBRD  0x024
#define UARTFBRD  0x028
#define UARTLCR_H 0x02c
#define UARTCR    0x030
#define UARTIFLS  0x034
#define UARTIMSC  0x038
#define UARTRIS   0x03c
#define UARTMIS   0x040
#define UARTICR   0x044

#define DR_OE      0x800u
#define FR_MODEM   0x007u // CTS, DSR, DCD
#define FR_RXFE    0x010u
#define FR_RXFF    0x040u
#define FR_TXFE    0x080u
#define LCR_H_FEN  0x010u
#define CR_LBE     0x080u
#define CR_RXE     0x200u
#define CR_RESET   0x300u // transmitter and receiver on; UARTEN off, which many polled drivers leave so
#define IFLS_RESET 0x012u // both at half
#define INT_RX     0x010u
#define INT_TX     0x020u
#define INT_RT     0x040u
#define INT_BE     0x200u
#define INT_OE     0x400u
#define INT_ALL    0x7ffu

static void lock_uart(struct vpl011 *uart) ACQUIRES(vpl011_role) NO_THREAD_ANALYSIS
{
    spinlock_acquire(&uart->lock);
}

static void unlock_uart(struct vpl011 *uart) RELEASES(vpl011_role) NO_THREAD_ANALYSIS
{
    spinlock_release(&uart->lock);
}

static uint32_t *reg(struct vpl011 *uart, uint32_t offset)
{
    return &uart->reg[offset / 4];
}

static bool has_fifo(const struct vpl011 *uart)
{
    return uart->reg[UARTLCR_H / 4] & LCR_H_FEN;
}

// Without UARTLCR_H.FEN each FIFO is a holding register of one character (DDI 0183 3.3.7).
static unsigned int fifo_size(const struct vpl011 *uart)
{
    return has_fifo(uart) ? VPL011_FIFO_SIZE : 1;
}

// UARTIFLS.RXIFLSEL: 1/8, 1/4, 1/2, 3/4, 7/8 of the FIFO.
static unsigned int receive_level(const struct vpl011 *uart)
{
    static const uint8_t levels[8] = {4, 8, 16, 24, 28, 28, 28, 28};

    return has_fifo(uart) ? levels[uart->reg[UARTIFLS / 4] >> 3 & 7] : 1;
}

// The guest may read the page as Device memory, that is, not from a cache: what EL2 wrote must be in memory before the
// page is shown, and while it is (DDI 0487 B2.8, mismatched attributes).
static void publish(struct vpl011 *uart)
{
    if (uart->shadow)
        cache_clean_poc(uart->reg, UARTICR + sizeof(uart->reg[0])); // the rest never changes
}

// space_show_shadow has no error for a page that is mapped as a shadow, so the guest never reads a page that is to be
// hidden.
static COLD void set_hidden(struct vm *vm, bool hidden) REQUIRES(vpl011_role)
{
    struct ipa_range page;

    if (ipa_range_make(ipa_make(PL011_IPA), PL011_SIZE, 4096, &page) == HV_OK &&
        space_show_shadow(&vm->space, &page, !hidden) == HV_OK)
        vm->uart.hidden = hidden;
}

// Lets the guest read the page by itself, or has each of its accesses fault.
static void hide(struct vm *vm, bool hidden) REQUIRES(vpl011_role)
{
    if (vm->uart.shadow && vm->uart.hidden != hidden)
        set_hidden(vm, hidden);
}

// ---- Bit periods. What a PL011 does after a number of them is done by EL2's timer, on the CPU that saw them begin.

#define UART_CLOCK       24000000u     // Hz; QEMU virt's
#define DEFAULT_DIVISOR  (13 * 64 + 1) // 115200 baud, for a guest that never programs one, as QEMU needs none
#define TIMEOUT_PERIODS  32            // of silence, with a character in the FIFO: UARTRTINTR (DDI 0183 2.8.3)
#define CHARACTER_LENGTH 10            // start, 8 data bits, stop

// Guest time (vtimer.c). While the VM is paused it stands still at the moment of the pause.
static uint64_t guest_now(const struct vm *vm)
{
    uint64_t count = vm->state <= VM_PAUSING ? READ_SYSREG(CNTPCT_EL0) : vm->pause_started;
    return count - vm->virtual_offset;
}

// When periods bit periods from now have passed, in guest time. A bit lasts 16 * (UARTIBRD + UARTFBRD / 64) clocks
// of the UART, which is divisor / 4 with divisor = UARTIBRD * 64 + UARTFBRD. For example, 13 and 1 make 833 / 4 =
// 208.25 clocks of 24 MHz, which is 8.7 us: 115200 baud. 1 is added so that the time is never too short by rounding.
static uint64_t after(const struct vm *vm, unsigned int periods)
{
    uint64_t divisor = vm->uart.reg[UARTIBRD / 4] * 64 + vm->uart.reg[UARTFBRD / 4];
    uint64_t clocks = (divisor == 0 ? DEFAULT_DIVISOR : divisor) * periods / 4;

    return guest_now(vm) + clocks * READ_SYSREG(CNTFRQ_EL0) / UART_CLOCK + 1;
}

static void timer_expired(void *argument);

// EL2's timer comes at the first of the two. While the VM is paused nothing is due: vpl011_time_goes_on sets it again.
static void set_timer(struct vm *vm) REQUIRES(vpl011_role)
{
    const struct vpl011 *uart = &vm->uart;
    uint64_t first = uart->receive_timeout;

    if (first == 0 || (uart->drained != 0 && uart->drained < first))
        first = uart->drained;
    if (first != 0 && vm->state <= VM_PAUSING)
        hyp_timer_set(first + vm->virtual_offset, timer_expired, vm);
}

// Asserts what has become due. Guest time 0 stands for "nothing is to come".
static COLD void pass_time(struct vm *vm) REQUIRES(vpl011_role)
{
    struct vpl011 *uart = &vm->uart;
    uint64_t now = guest_now(vm);

    if (uart->receive_timeout != 0 && now >= uart->receive_timeout) {
        uart->receive_timeout = 0;
        *reg(uart, UARTRIS) |= INT_RT;
    }
    if (uart->drained != 0 && now >= uart->drained) {
        uart->drained = 0;
        *reg(uart, UARTRIS) |= INT_TX;
    }
}

// Called after every change: computes the registers that follow from others, and sets the interrupt line. The page is
// shown to the guest last, when every register on it has its new value. The caller holds the lock.
static void update(struct vm *vm) REQUIRES(vpl011_role)
{
    struct vpl011 *uart = &vm->uart;
    bool empty = uart->count == 0;
    uint32_t flags = FR_MODEM | FR_TXFE | (empty ? FR_RXFE : 0) | (uart->count >= fifo_size(uart) ? FR_RXFF : 0);
    uint32_t raw = *reg(uart, UARTRIS) & ~(empty ? INT_RT : 0);
    uint32_t masked = raw & *reg(uart, UARTIMSC);

    __atomic_store_n(reg(uart, UARTFR), flags, __ATOMIC_RELAXED);
    __atomic_store_n(reg(uart, UARTRIS), raw, __ATOMIC_RELAXED);
    *reg(uart, UARTMIS) = masked;
    if (empty)
        uart->receive_timeout = 0;
    if (uart->level != (masked != 0)) {
        uart->level = masked != 0;
        (void)vgic_set_line(vm, 0, device_pl011.interrupt, uart->level);
    }
    if (empty) {
        publish(uart);
        hide(vm, false);
    }
}

// Puts one character into the receive FIFO, where the caller has seen room. The page is hidden first: from here on a
// read of UARTDR has a side effect, so it must fault. The receive interrupt comes when the FIFO fills up to its level,
// not while it stays above (UARTRXINTR). The caller holds the lock.
static void push(struct vm *vm, uint16_t data) REQUIRES(vpl011_role)
{
    struct vpl011 *uart = &vm->uart;

    hide(vm, true);
    uart->fifo[(uart->head + uart->count) % VPL011_FIFO_SIZE] = data;
    uart->count++;
    if (uart->count == receive_level(uart))
        *reg(uart, UARTRIS) |= INT_RX;
    if (data & VPL011_BREAK)
        *reg(uart, UARTRIS) |= INT_BE;
    if (!(*reg(uart, UARTRIS) & INT_RT)) {
        uart->receive_timeout = after(vm, TIMEOUT_PERIODS);
        set_timer(vm);
    }
}

// In loopback the receiver is connected to the guest's own transmitter, so nothing from outside comes in.
static bool has_room(const struct vpl011 *uart) REQUIRES(vpl011_role)
{
    return (uart->reg[UARTCR / 4] & (CR_RXE | CR_LBE)) == CR_RXE && uart->count < fifo_size(uart);
}

bool vpl011_has_room(struct vm *vm)
{
    bool room;

    lock_uart(&vm->uart);
    room = has_room(&vm->uart);
    unlock_uart(&vm->uart);
    return room;
}

COLD bool vpl011_receive(struct vm *vm, uint16_t data)
{
    struct vpl011 *uart = &vm->uart;
    bool room;

    lock_uart(uart);
    room = has_room(uart);
    if (room) {
        push(vm, data);
        update(vm);
    } else {
        uart->refused = true;
    }
    unlock_uart(uart);
    return room;
}

// Whether the console shall be told that it can send again; once. Half the FIFO at a time, so that a paste does not
// come one byte a call. Lock held.
static bool take_refused(struct vpl011 *uart) REQUIRES(vpl011_role)
{
    bool tell = uart->refused && has_room(uart) && uart->count <= fifo_size(uart) / 2;

    if (tell)
        uart->refused = false;
    return tell;
}

// UARTDR. Bits 11:8 of a FIFO entry are the error bits, which UARTRSR repeats for the character that was read last. The
// console is told of room after the lock was released, because it may call vpl011_receive at once.
static COLD uint32_t read_data(struct vm *vm)
{
    struct vpl011 *uart = &vm->uart;
    uint32_t data = 0;
    bool tell;

    lock_uart(uart);
    if (uart->count > 0) {
        data = uart->fifo[uart->head];
        uart->head = (uint8_t)((uart->head + 1) % VPL011_FIFO_SIZE);
        uart->count--;
        *reg(uart, UARTRSR) = data >> 8;
        if (uart->count < receive_level(uart))
            *reg(uart, UARTRIS) &= ~INT_RX;
        update(vm);
    }
    tell = take_refused(uart);
    unlock_uart(uart);
    if (tell)
        channel_room(uart->channel);
    return data;
}

// A byte that came back: one for which there is no room is lost, as the manual says. Lock held.
static void receive_own(struct vm *vm, uint8_t byte) REQUIRES(vpl011_role)
{
    struct vpl011 *uart = &vm->uart;

    if (!(*reg(uart, UARTCR) & CR_RXE))
        return;
    if (uart->count < fifo_size(uart)) {
        push(vm, byte);
        return;
    }
    uart->overruns++;
    *reg(uart, UARTRIS) |= INT_OE;
    uart->fifo[(uart->head + uart->count - 1) % VPL011_FIFO_SIZE] |= DR_OE;
}

// The transmit FIFO is empty again at once, that is, at or below its level: the transmit interrupt. In the middle of a
// text it is raised already, and nothing changes.
static COLD void sent(struct vm *vm, bool loopback, uint8_t byte)
{
    lock_uart(&vm->uart);
    if (loopback)
        receive_own(vm, byte);
    *reg(&vm->uart, UARTRIS) |= INT_TX;
    update(vm);
    unlock_uart(&vm->uart);
}

// The byte comes back, or it raises the transmit interrupt.
static COLD enum mmio_result write_other_data(struct vm *vm, uint8_t byte)
{
    bool loopback = *reg(&vm->uart, UARTCR) & CR_LBE;

    if (!loopback)
        channel_put(vm->uart.channel, byte);
    sent(vm, loopback, byte);
    return MMIO_DONE;
}

// UARTDR. In the middle of a text the transmit interrupt is asserted already, so no register changes, and no lock of
// the device is taken. `filled` is set before the interrupt is looked at: when another CPU clears it in between,
// clear_interrupts asserts it again after the time of a character.
static enum mmio_result write_data(struct vm *vm, uint8_t byte)
{
    struct vpl011 *uart = &vm->uart;

    __atomic_store_n(&uart->filled, true, __ATOMIC_RELAXED);
    bool asserted = __atomic_load_n(reg(uart, UARTRIS), __ATOMIC_RELAXED) & INT_TX;
    if (__builtin_expect(!asserted || (*reg(uart, UARTCR) & CR_LBE), 0))
        return write_other_data(vm, byte);
    channel_put(uart->channel, byte);
    return MMIO_DONE;
}

// ---- Registers

// Those that keep what is written: which bits there are.
static const uint16_t stored_bits[16] = {
    [UARTILPR / 4] = 0xff, [UARTIBRD / 4] = 0xffff, [UARTFBRD / 4] = 0x3f,    [UARTLCR_H / 4] = 0xff,
    [UARTCR / 4] = 0xff87, [UARTIFLS / 4] = 0x3f,   [UARTIMSC / 4] = INT_ALL,
};

#define UARTPERIPHID0 0xfe0
// PeriphID0-3, PCellID0-3: an Arm PL011 r1p5, which has FIFOs of 32.
static const uint8_t identification[8] = {0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

// Keeps the bits of value that the register at offset has; all other registers ignore writes.
static void store(struct vpl011 *uart, uint32_t offset, uint32_t value) REQUIRES(vpl011_role)
{
    if (offset / 4 >= ARRAY_COUNT(stored_bits))
        return;
    uint16_t bits = stored_bits[bounded_index(offset / 4, ARRAY_COUNT(stored_bits))];
    if (bits == 0)
        return;
    *reg(uart, offset) = value & bits;
    if (offset == UARTLCR_H || offset == UARTIFLS) { // the level moved: on which side of it is the FIFO now?
        *reg(uart, UARTRIS) &= ~INT_RX;
        if (uart->count >= receive_level(uart))
            *reg(uart, UARTRIS) |= INT_RX;
    }
}

// UARTICR. The receive timeout comes again when 32 bit periods have passed after a further character; one that is on
// its way, because a character came just before, is not stopped. What was sent since the transmit interrupt was cleared
// last leaves the FIFO a character later, and raises it again. Lock held.
static void clear_interrupts(struct vm *vm, uint32_t value) REQUIRES(vpl011_role)
{
    struct vpl011 *uart = &vm->uart;

    *reg(uart, UARTRIS) &= ~value;
    if ((value & INT_TX) && uart->filled) {
        uart->filled = false;
        uart->drained = after(vm, CHARACTER_LENGTH);
        set_timer(vm);
    }
}

static COLD void write_register(struct vm *vm, uint32_t offset, uint32_t value)
{
    struct vpl011 *uart = &vm->uart;
    bool tell;

    lock_uart(uart);
    if (offset == UARTICR)
        clear_interrupts(vm, value);
    else if (offset == UARTRSR)
        *reg(uart, UARTRSR) = 0;
    else
        store(uart, offset, value);
    update(vm);
    tell = take_refused(uart);
    unlock_uart(uart);
    if (tell)
        channel_room(uart->channel);
}

// The word at offset & ~3, of which the access moves a part.
static void access_word(struct vm *vm, uint32_t offset, unsigned int access, uint64_t *value)
{
    uint32_t word = offset & ~3u;
    uint32_t whole = vm->uart.reg[bounded_index(word / 4, ARRAY_COUNT(vm->uart.reg))];

    if (!(access & MMIO_WRITE))
        *value = mmio_read_part(4, whole, offset, access);
    else if (word != UARTDR)
        write_register(vm, word, (uint32_t)mmio_write_part(4, whole, offset, mmio_size(access), *value));
}

// Every access but writes of UARTDR and reads of UARTFR, which are what a guest's output consists of.
static __attribute__((noinline)) enum mmio_result access_other(struct vm *vm, uint32_t offset, unsigned int access,
                                                               uint64_t *value)
{
    if (mmio_size(access) > 4 || offset >= PL011_SIZE)
        return MMIO_FAULT;
    if (offset != UARTDR)
        access_word(vm, offset, access, value); // of UARTDR: an upper byte, without an effect
    else
        *value = mmio_read_part(4, read_data(vm), 0, access);
    return MMIO_DONE;
}

static __attribute__((noinline)) enum mmio_result vpl011_access(struct vcpu *vcpu, uint32_t offset, unsigned int access,
                                                                uint64_t *value)
{
    if (offset == UARTDR && (access & MMIO_WRITE) && mmio_size(access) <= 4)
        return write_data(vcpu->vm, (uint8_t)*value);
    if (offset != UARTFR || access > 4)
        return access_other(vcpu->vm, offset, access, value);
    *value = __atomic_load_n(reg(&vcpu->vm->uart, UARTFR), __ATOMIC_RELAXED);
    return MMIO_DONE;
}

COLD void vpl011_time_goes_on(struct vm *vm)
{
    lock_uart(&vm->uart);
    pass_time(vm);
    set_timer(vm);
    update(vm);
    unlock_uart(&vm->uart);
}

static void timer_expired(void *argument)
{
    vpl011_time_goes_on(argument);
}

// What is typed for the guest. The console offers it again after channel_room when this says false.
static bool take_typed(void *argument, uint16_t data)
{
    return vpl011_receive(argument, data == CHANNEL_BREAK ? VPL011_BREAK : data);
}

static COLD void vpl011_reset(struct vm *vm)
{
    struct vpl011 *uart = &vm->uart;
    struct channel *channel = uart->channel;

    memset(uart, 0, sizeof(*uart));
    uart->channel = channel != NULL ? channel : channel_open(take_typed, vm); // a reset keeps it
    spinlock_init(&uart->lock, LOCK_UART);
    *reg(uart, UARTCR) = CR_RESET;
    *reg(uart, UARTIFLS) = IFLS_RESET;
    for (uint32_t i = 0; i < ARRAY_COUNT(identification); i++)
        *reg(uart, UARTPERIPHID0 + 4 * i) = identification[i];
    cache_clean_poc(uart->reg, sizeof(uart->reg)); // as in publish: all of it, once
    lock_uart(uart);
    update(vm);
    unlock_uart(uart);
}

const struct device_ops device_pl011 = {.access = vpl011_access, .reset = vpl011_reset, .interrupt = PL011_INTID};
