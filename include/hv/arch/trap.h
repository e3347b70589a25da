// SPDX-License-Identifier: Apache-2.0
// Where vectors.S enters C.
#pragma once

#include <hv/arch/frame.h>
#include <hv/bits.h>

struct event;

// From the guest, on its trap frame: synchronous, IRQ, FIQ, SError. Return to guest_enter.
void trap_from_sync(struct trap_frame *frame);
void trap_from_irq(struct trap_frame *frame, unsigned int intid); // that trap_quick_irq has acknowledged
void trap_from_fiq(struct trap_frame *frame);
void trap_from_serror(struct trap_frame *frame);

// The same, synchronous, by the shorter way, with ESR_EL2. frame has x0 to x9, x16, x17 and x30 and nothing else, but
// for the register that the syndrome names when it gives a value to the access. The event: done, the guest goes on; a
// register that takes a value from the access has it in the frame. NULL: nothing has happened yet.
struct event *trap_quick_abort(struct trap_frame *frame, uint32_t syndrome);    // EC 0x20 and up; ISS.SRT names it
struct event *trap_quick_register(struct trap_frame *frame, uint32_t syndrome); // EC 0x08 to 0x0f, 0x18 to 0x1f; ISS.Rt
struct event *trap_quick(struct trap_frame *frame, uint32_t syndrome);          // every other EC; none does
// The same for an IRQ: TRAP_QUICK_DONE with the address of the event in the other bits, or the INTID that was
// acknowledged and is to be served the whole way.
#define TRAP_QUICK_DONE BIT64(63)
uint64_t trap_quick_irq(void);

// What vectors_traced adds on the whole way: before the exit is handled, it notes what the guest's registers are;
// before the way back, it writes the record. (The shorter way: trace_quick.S.)
void trace_enter(const struct trap_frame *frame);
void trace_exit(const struct trap_frame *frame);

// An exception taken in EL2 itself, on the panic stack: vector number and SP_EL2 stand above the frame. Returns only
// for a guarded access (guarded.h), with ELR at its fixup.
struct own_exception {
    struct trap_frame frame;
    uint64_t vector; // 0..15
    uint64_t sp;
};
void trap_from_el2(struct own_exception *exception);

// Loads the frame that sp points at and erets.
_Noreturn void guest_enter(void);
// Puts sp on the trap frame of this CPU and enters the guest.
_Noreturn void guest_start(struct trap_frame *frame);
