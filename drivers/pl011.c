// SPDX-License-Identifier: Apache-2.0
// The physical PL011 (Arm DDI 0183) that is EL2's console: the first UART of the board's table. Bytes are sent by
// polling, with a wait that ends; received bytes interrupt. It works before the MMU is on and before pl011_init, since
// whoever started ariel has used the UART before (QEMU's sends without any set-up).
//
// There is no lock here, because callers serialize: console/line.c holds the console's lock around pl011_put, and the
// console alone calls pl011_get.

#include <hv/pl011.h>

#include <hv/arch/io.h>
#include <hv/platform.h>
#include <hv/telemetry.h>

// The registers, as offsets from the UART's base (DDI 0183, chapter 3).
#define UARTDR    0x000
#define UARTFR    0x018
#define UARTIBRD  0x024
#define UARTFBRD  0x028
#define UARTLCR_H 0x02c
#define UARTCR    0x030
#define UARTIFLS  0x034
#define UARTIMSC  0x038
#define UARTICR   0x044

#define DR_DATA      0xff
#define DR_BE        0x400 // BREAK: the line was low for longer than a character
#define FR_RXFE      0x10  // receive FIFO empty
#define FR_TXFF      0x20  // transmit FIFO full
#define LCR_H_FEN    0x10  // FIFOs on
#define LCR_H_WLEN_8 0x60  // 8 bits, no parity, one stop bit
#define CR_UARTEN    0x001
#define CR_TXE       0x100
#define CR_RXE       0x200
#define IFLS_RX_1_8  0x0 // interrupt from 1/8 full on: typed characters must not wait
#define INT_RX       0x10
#define INT_RT       0x40 // receive timeout: fewer bytes than the level, and silence since
#define INT_ALL      0x7ff
#define BAUD_RATE    115200

// Polls of a full transmit FIFO before a byte is given up: about 0.1 s on the slowest host we run on. A serial line at
// 115200 baud takes 87 us for a byte, so only a UART that is stuck gets there.
#define PL011_TX_WAIT 1000000

static uint64_t dropped;
static bool stuck; // the UART did not take the last byte

// EL2's console is the first UART of the board's table. The registers are 32 bits wide.
static uint32_t uart_read(unsigned int offset)
{
    return io_read32(platform.uarts[0].base + offset);
}

static void uart_write(unsigned int offset, uint32_t value)
{
    io_write32(platform.uarts[0].base + offset, value);
}

// Received bytes interrupt when `on` is true. Otherwise they wait in the receive FIFO until the UART is read.
void pl011_listen(bool on)
{
    uart_write(UARTIMSC, on ? INT_RX | INT_RT : 0);
}

void pl011_init(void)
{
    // The clock is divided by 16 times the baud rate: the integer part of that and its 64ths have a register each
    // (DDI 0183 3.3.5 and 3.3.6). 24 MHz / (16 * 115200) is 13.02: 13, and 1 of 64.
    uint32_t divisor = (uint32_t)((UINT64_C(64) * platform.uarts[0].clock_hz / 16 + BAUD_RATE / 2) / BAUD_RATE);

    // LCR_H and the divisors may only change while the UART is off (DDI 0183 3.3.7); the write of LCR_H latches them.
    uart_write(UARTCR, 0);
    uart_write(UARTICR, INT_ALL);
    uart_write(UARTIBRD, divisor / 64);
    uart_write(UARTFBRD, divisor % 64);
    uart_write(UARTLCR_H, LCR_H_FEN | LCR_H_WLEN_8);
    uart_write(UARTIFLS, IFLS_RX_1_8);
    pl011_listen(true);
    uart_write(UARTCR, CR_UARTEN | CR_TXE | CR_RXE);
}

// Whether the full FIFO has room again in time. After one byte had to be given up, the next ones wait for a single poll
// each until the UART takes one again: a UART that is stuck costs its wait once, and not once for every byte. The wait
// counts for no exit: it says how slow the line is, not EL2.
static COLD bool wait_for_room(void)
{
    unsigned int polls = stuck ? 1 : PL011_TX_WAIT;
    uint64_t counted = telemetry_stop_clock();

    while (polls > 0 && uart_read(UARTFR) & FR_TXFF)
        polls--;
    telemetry_start_clock(counted);
    return polls > 0;
}

// The transmit FIFO has room.
static inline void send(uint8_t byte)
{
    stuck = false;
    uart_write(UARTDR, byte);
}

bool pl011_try_put(uint8_t byte)
{
    if (__builtin_expect(uart_read(UARTFR) & FR_TXFF, 0))
        return false;
    send(byte);
    return true;
}

// Sends one byte, or drops and counts it when the UART stays full. The guest's progress must not depend on a UART that
// somebody has stopped, so the wait ends.
void pl011_put(uint8_t byte)
{
    if (__builtin_expect(uart_read(UARTFR) & FR_TXFF, 0) && !wait_for_room()) {
        stuck = true;
        dropped++;
        return;
    }
    send(byte);
}

// Takes one received byte. The result is PL011_EMPTY when there is none, and PL011_BREAK for a BREAK, which is not
// data.
int pl011_get(void)
{
    uint32_t data;

    if (uart_read(UARTFR) & FR_RXFE)
        return PL011_EMPTY;
    // Reading DR takes the byte and, below the level, withdraws RX and RT; nothing has to be cleared by hand.
    data = uart_read(UARTDR);
    return data & DR_BE ? PL011_BREAK : (int)(data & DR_DATA);
}

uint64_t pl011_dropped(void)
{
    return dropped;
}
