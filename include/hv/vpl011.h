// SPDX-License-Identifier: Apache-2.0
// The PL011 that the guest sees (Arm DDI 0183): FIFOs, levels, masks and its interrupt, PL011_INTID. Output goes to
// console_guest_byte.
#pragma once

#include <hv/mmio.h>
#include <hv/spinlock.h>
#include <hv/trap.h>
#include <hv/types.h>

struct vm;

struct vpl011 {
    struct spinlock lock;
};

void vpl011_init(struct vm *vm);
enum trap_result vpl011_access(struct vcpu *vcpu, struct mmio_access *access);
// A byte from the serial line for the guest. False when its FIFO is full: the caller keeps the byte and offers it again
// after vpl011_has_room, so that nothing is lost.
bool vpl011_receive(struct vm *vm, uint8_t byte);
bool vpl011_has_room(struct vm *vm);
