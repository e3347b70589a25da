// SPDX-License-Identifier: Apache-2.0
// The PL011 that EL2 owns and drives (Arm DDI 0183). The only code that touches the UART.
#pragma once

#include <hv/types.h>

// 8N1, FIFOs on, receive and receive-timeout interrupts on.
void pl011_init(void);
// Sends one byte when the transmit FIFO has room for it. False: it has none, and nothing has happened.
bool pl011_try_put(uint8_t byte);
// Sends one byte; waits while the transmit FIFO is full, at most PL011_TX_WAIT polls, then gives the byte up and counts
// it.
void pl011_put(uint8_t byte);
// Whether received bytes interrupt. Off, they wait in the FIFO, which holds the sender off when it is full.
void pl011_listen(bool on);
// The next received byte 0..255, PL011_BREAK for a BREAK condition, or PL011_EMPTY.
int pl011_get(void);
#define PL011_EMPTY (-1)
#define PL011_BREAK (-2)
// Bytes given up because the UART did not take them.
uint64_t pl011_dropped(void);
