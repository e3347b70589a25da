// SPDX-License-Identifier: Apache-2.0
// The PL011 that the guest sees (Arm DDI 0183): FIFOs, levels, masks and its interrupt, PL011_INTID. Output goes to
// console_guest_byte.
#pragma once

#include <hv/mmio.h>
#include <hv/spinlock.h>
#include <hv/trap.h>
#include <hv/types.h>

struct vm;

#define VPL011_FIFO_SIZE 32 // r1p5, as PeriphID2 says

// Whoever holds the lock of a struct vpl011 has it (vdev/vpl011.c).
extern struct lock_role vpl011_role;

struct vpl011 {
    // The registers as they read, by offset / 4; UARTDR as it reads while the receive FIFO is empty. Nothing else is on
    // their page: a policy may show it to the guest (vm_show_uart). Written under the lock, UARTFR and UARTRIS read
    // without.
    _Alignas(4096) uint32_t reg[1024];
    struct spinlock lock; // guards all
    bool shadow;          // stage 2 has reg's page, for the guest to read while the receive FIFO is empty
    bool hidden GUARDED_BY(vpl011_role);  // it cannot now
    bool level GUARDED_BY(vpl011_role);   // what the interrupt line was last set to
    bool refused GUARDED_BY(vpl011_role); // vpl011_receive returned false since there was room last
    bool filled; // a byte was sent since the transmit interrupt was cleared last; set without the lock
    uint64_t receive_timeout
        GUARDED_BY(vpl011_role); // when UARTRTINTR is asserted, in guest time; 0: not before a character comes
    uint64_t drained GUARDED_BY(vpl011_role); // when the transmit FIFO has passed its level, in guest time; 0: it has
    uint8_t count GUARDED_BY(vpl011_role);    // bytes in the receive FIFO
    uint8_t head GUARDED_BY(vpl011_role);     // where the oldest is
    uint16_t fifo[VPL011_FIFO_SIZE] GUARDED_BY(vpl011_role); // UARTDR values: byte and error bits
    uint64_t overruns GUARDED_BY(vpl011_role);               // loopback only: the serial line waits instead
};

void vpl011_init(struct vm *vm);
// TRAP_DONE; TRAP_INJECT_ABORT for a 64-bit access and for one outside the device.
enum trap_result vpl011_access(struct vcpu *vcpu, uint32_t offset, unsigned int access, uint64_t *value);
// A character from the serial line for the guest, as UARTDR reads: a byte, or VPL011_BREAK. False when its FIFO is full
// or its receiver is off: the caller keeps the character, and is called back through console_guest_room when the guest
// has made room, so that nothing is lost. The caller may hold the console's queue lock.
bool vpl011_receive(struct vm *vm, uint16_t data);
#define VPL011_BREAK 0x400u // UARTDR.BE, and data 0 (DDI 0183 3.3.1)
// Guest time goes on after a pause: what was to happen after some bit periods happens then. No locks held.
void vpl011_time_goes_on(struct vm *vm);
bool vpl011_has_room(struct vm *vm);
