// SPDX-License-Identifier: Apache-2.0
// What vdev/vpl011.c keeps of one guest's UART. Only that file changes the fields.
#pragma once

#include <hv/lock.h>
#include <hv/types.h>

#define VPL011_FIFO_SIZE 32 // r1p5, as PeriphID2 says

// Whoever holds the lock of a struct vpl011 has it (vdev/vpl011.c).
extern struct lock_role vpl011_role;

struct channel;

struct vpl011 {
    // The registers as they read, by offset / 4; UARTDR as it reads while the receive FIFO is empty. Nothing else is on
    // their page: a policy may show it to the guest (space.h). Written under the lock, UARTFR and UARTRIS read
    // without.
    _Alignas(4096) uint32_t reg[1024];
    struct spinlock lock;    // guards all
    struct channel *channel; // the guest's on the serial line
    bool shadow;             // stage 2 has reg's page, for the guest to read while the receive FIFO is empty
    bool hidden GUARDED_BY(vpl011_role);  // the page is hidden from the guest now
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
