// SPDX-License-Identifier: Apache-2.0
// The guest's PL011 (Arm DDI 0183). Its transmit FIFO is always empty, because console_guest_byte takes every byte at
// once; its receive FIFO is filled by the console, which keeps what does not fit and is told when there is room. No
// DMA (UARTDMACR reads as zero) and no modem behind it, but its CTS, DSR and DCD are up, so that flow control never
// stops a guest. Nothing is lost in either direction.
//
// Locks: a byte is sent before the device's lock is taken and the console is told of room after it was given back, so
// the console may call in while it holds its own locks. The interrupt line is set under the lock: its order is that of
// the registers.

#include <hv/vpl011.h>

#include <hv/console.h>
#include <hv/memory_map.h>
#include <hv/string.h>
#include <hv/vgic.h>
#include <hv/vm.h>

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
#define INT_OE     0x400u
#define INT_ALL    0x7ffu

static unsigned int fifo_size(const struct vpl011 *uart)
{
    return uart->line_control & LCR_H_FEN ? VPL011_FIFO_SIZE : 1;
}

// UARTIFLS.RXIFLSEL: 1/8, 1/4, 1/2, 3/4, 7/8 of the FIFO.
static unsigned int receive_level(const struct vpl011 *uart)
{
    static const uint8_t levels[8] = {4, 8, 16, 24, 28, 28, 28, 28};

    return uart->line_control & LCR_H_FEN ? levels[uart->levels >> 3 & 7] : 1;
}

static uint32_t raw_status(const struct vpl011 *uart)
{
    // The receive timeout counts from the last character; a virtual line has no bit time, so it is over at once.
    return uart->raw | (uart->count > 0 ? INT_RT : 0);
}

// After every change: FR, and the line. Lock held.
static void update(struct vm *vm)
{
    struct vpl011 *uart = &vm->uart;
    uint32_t flags = FR_MODEM | FR_TXFE;
    bool level;

    if (uart->count == 0)
        flags |= FR_RXFE;
    if (uart->count >= fifo_size(uart))
        flags |= FR_RXFF;
    __atomic_store_n(&uart->flags, flags, __ATOMIC_RELAXED);
    level = (raw_status(uart) & uart->mask) != 0;
    if (level != uart->level) {
        uart->level = level;
        (void)vgic_set_line(vm, 0, PL011_INTID, level);
    }
}

// One character into the receive FIFO. Lock held; there is room.
static void push(struct vpl011 *uart, uint16_t data)
{
    uart->fifo[(uart->head + uart->count) % VPL011_FIFO_SIZE] = data;
    uart->count++;
    if (uart->count == receive_level(uart))
        uart->raw |= INT_RX;
}

static bool has_room(const struct vpl011 *uart)
{
    return (uart->control & CR_RXE) && !(uart->control & CR_LBE) && uart->count < fifo_size(uart);
}

bool vpl011_has_room(struct vm *vm)
{
    bool room;

    spinlock_acquire(&vm->uart.lock);
    room = has_room(&vm->uart);
    spinlock_release(&vm->uart.lock);
    return room;
}

COLD bool vpl011_receive(struct vm *vm, uint8_t byte)
{
    struct vpl011 *uart = &vm->uart;
    bool room;

    spinlock_acquire(&uart->lock);
    room = has_room(uart);
    if (room) {
        push(uart, byte);
        update(vm);
    } else {
        uart->refused = true;
    }
    spinlock_release(&uart->lock);
    return room;
}

// Whether the console shall be told that it can send again; once. Half the FIFO at a time, so that a paste does not
// come one byte a call. Lock held.
static bool take_refused(struct vpl011 *uart)
{
    bool tell = uart->refused && has_room(uart) && uart->count <= fifo_size(uart) / 2;

    if (tell)
        uart->refused = false;
    return tell;
}

static COLD uint32_t read_data(struct vm *vm)
{
    struct vpl011 *uart = &vm->uart;
    uint32_t data = 0;
    bool tell;

    spinlock_acquire(&uart->lock);
    if (uart->count > 0) {
        data = uart->fifo[uart->head];
        uart->head = (uint8_t)((uart->head + 1) % VPL011_FIFO_SIZE);
        uart->count--;
        uart->status = data >> 8;
        if (uart->count < receive_level(uart))
            uart->raw &= ~INT_RX;
        update(vm);
    }
    tell = take_refused(uart);
    spinlock_release(&uart->lock);
    if (tell)
        console_guest_room();
    return data;
}

// CR.LBE: what is sent comes back. A guest that does not read loses what does not fit, as the manual says.
static COLD void loop_back(struct vpl011 *uart, uint8_t byte)
{
    if (!(uart->control & CR_RXE))
        return;
    if (uart->count < fifo_size(uart)) {
        push(uart, byte);
        return;
    }
    uart->overruns++;
    uart->raw |= INT_OE;
    uart->fifo[(uart->head + uart->count - 1) % VPL011_FIFO_SIZE] |= DR_OE;
}

static __attribute__((noinline)) enum trap_result write_data(struct vm *vm, uint32_t value)
{
    struct vpl011 *uart = &vm->uart;
    bool loopback = uart->control & CR_LBE;

    if (!loopback)
        console_guest_byte((uint8_t)value);
    // Sent or looped back, the FIFO is empty again at once, that is, at or below its level: the transmit interrupt.
    // While it is raised already, and that is so in the middle of a text, nothing changes.
    if (!loopback && (__atomic_load_n(&uart->raw, __ATOMIC_RELAXED) & INT_TX))
        return TRAP_DONE;
    spinlock_acquire(&uart->lock);
    if (loopback)
        loop_back(uart, (uint8_t)value);
    uart->raw |= INT_TX;
    update(vm);
    spinlock_release(&uart->lock);
    return TRAP_DONE;
}

// ---- Registers

// Stored ones: where they are kept and which bits there are. Offset / 4 is the index.
struct stored {
    uint16_t field; // offset in struct vpl011; 0: not a stored register
    uint16_t bits;
};

static const struct stored stored[] = {
    [UARTILPR / 4] = {offsetof(struct vpl011, low_power), 0xff},
    [UARTIBRD / 4] = {offsetof(struct vpl011, integer_baud), 0xffff},
    [UARTFBRD / 4] = {offsetof(struct vpl011, fractional_baud), 0x3f},
    [UARTLCR_H / 4] = {offsetof(struct vpl011, line_control), 0xff},
    [UARTCR / 4] = {offsetof(struct vpl011, control), 0xff87},
    [UARTIFLS / 4] = {offsetof(struct vpl011, levels), 0x3f},
    [UARTIMSC / 4] = {offsetof(struct vpl011, mask), INT_ALL},
};

#define UARTPERIPHID0 0xfe0
// PeriphID0-3, PCellID0-3: an Arm PL011 r1p5, which has FIFOs of 32.
static const uint8_t identification[8] = {0x11, 0x10, 0x34, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

static uint32_t *stored_field(struct vpl011 *uart, uint32_t offset)
{
    if (offset / 4 >= ARRAY_COUNT(stored) || stored[offset / 4].field == 0)
        return NULL;
    return (uint32_t *)((uint8_t *)uart + stored[offset / 4].field);
}

static COLD uint32_t read_register(struct vm *vm, uint32_t offset)
{
    struct vpl011 *uart = &vm->uart;
    uint32_t *field;

    switch (offset) {
    case UARTFR:
        return uart->flags;
    case UARTRSR:
        return uart->status;
    case UARTRIS:
        return raw_status(uart);
    case UARTMIS:
        return raw_status(uart) & uart->mask;
    default:
        break;
    }
    if (offset >= UARTPERIPHID0)
        return identification[(offset - UARTPERIPHID0) / 4];
    field = stored_field(uart, offset);
    return field != NULL ? *field : 0;
}

static void store(struct vpl011 *uart, uint32_t offset, uint32_t value)
{
    uint32_t *field = stored_field(uart, offset);

    if (field == NULL)
        return;
    *field = value & stored[offset / 4].bits;
    if (offset == UARTLCR_H || offset == UARTIFLS) { // the level moved: on which side of it is the FIFO now?
        uart->raw &= ~INT_RX;
        if (uart->count >= receive_level(uart))
            uart->raw |= INT_RX;
    }
}

static COLD void write_register(struct vm *vm, uint32_t offset, uint32_t value)
{
    struct vpl011 *uart = &vm->uart;
    bool tell;

    spinlock_acquire(&uart->lock);
    if (offset == UARTICR)
        uart->raw &= ~value;
    else if (offset == UARTRSR)
        uart->status = 0;
    else
        store(uart, offset, value);
    update(vm);
    tell = take_refused(uart);
    spinlock_release(&uart->lock);
    if (tell)
        console_guest_room();
}

// The word at offset & ~3, of which the access moves a part.
static void access_word(struct vm *vm, uint32_t offset, unsigned int access, uint64_t *value)
{
    uint32_t word = offset & ~3u;
    uint32_t whole = read_register(vm, word);

    if (!(access & MMIO_WRITE))
        *value = mmio_read_part(4, whole, offset, access);
    else if (word != UARTDR)
        write_register(vm, word, (uint32_t)mmio_write_part(4, whole, offset, mmio_size(access), *value));
}

// All but the two that a guest's output consists of.
static __attribute__((noinline)) enum trap_result access_other(struct vm *vm, uint32_t offset, unsigned int access,
                                                               uint64_t *value)
{
    if (mmio_size(access) > 4 || offset >= PL011_SIZE)
        return TRAP_INJECT_ABORT;
    if (offset != UARTDR)
        access_word(vm, offset, access, value); // of UARTDR: an upper byte, without an effect
    else
        *value = mmio_read_part(4, read_data(vm), 0, access);
    return TRAP_DONE;
}

__attribute__((noinline)) enum trap_result vpl011_access(struct vcpu *vcpu, uint32_t offset, unsigned int access,
                                                         uint64_t *value)
{
    if (offset == UARTDR && (access & MMIO_WRITE) && mmio_size(access) <= 4)
        return write_data(vcpu->vm, (uint32_t)*value);
    if (offset != UARTFR || access > 4)
        return access_other(vcpu->vm, offset, access, value);
    *value = __atomic_load_n(&vcpu->vm->uart.flags, __ATOMIC_RELAXED);
    return TRAP_DONE;
}

COLD void vpl011_init(struct vm *vm)
{
    struct vpl011 *uart = &vm->uart;

    memset(uart, 0, sizeof(*uart));
    uart->control = CR_RESET;
    uart->levels = IFLS_RESET;
    update(vm);
}
