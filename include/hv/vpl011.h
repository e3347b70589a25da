// SPDX-License-Identifier: Apache-2.0
// The PL011 that the guest sees (Arm DDI 0183): FIFOs, levels, masks and its interrupt, PL011_INTID. Output goes to
// a channel (channel.h).
#pragma once

#include <hv/types.h>
#include <hv/vpl011_state.h>

struct vm;

// A character from the serial line for the guest, as UARTDR reads: a byte, or VPL011_BREAK. False when its FIFO is full
// or its receiver is off: the caller keeps the character, and is called back through channel_room when the guest
// has made room, so that nothing is lost. The caller may hold the console's queue lock.
bool vpl011_receive(struct vm *vm, uint16_t data);
#define VPL011_BREAK 0x400u // UARTDR.BE, and data 0 (DDI 0183 3.3.1)
// Guest time goes on after a pause: what was to happen after some bit periods happens then. No locks held.
void vpl011_time_goes_on(struct vm *vm);
// Whether vpl011_receive would take a character now. Takes the UART's lock.
bool vpl011_has_room(struct vm *vm);
