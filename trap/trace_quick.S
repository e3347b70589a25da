// SPDX-License-Identifier: Apache-2.0
// The record of an exit that took the shorter way (trap_quick.c), written by vectors_traced before the way back to the
// guest. It is assembly because its cost is a promise: at most 40 instructions more for an exit (make bench).
//
// At each entry x0 is the exit's event, and SP is at the trap frame. The frame still has what the guest had in x0 to x3
// and x30, but for a register that the exit has given a value. x0 to x9, x16 and x17 may be lost: the frame has them.
#include <asm-offsets.h>

#define X(n) FRAME_X + 8 * (n)

// The body. Whether the exit is wanted is one load and one test. \kind is what the exit was:
//   call      a call or a WFI: no data is moved
//   register  an access to a system register: 8 bytes
//   abort     an access that the syndrome describes
//   irq       an interrupt
.macro write_record kind
1:  mrs x3, tpidr_el2
    ldrh w4, [x0, #EVENT_KEY]
    ldrb w5, [x0, #EVENT_WRITE]
    ldp x6, x3, [x3, #VCPU_TRACE_FILTER] // the filter, and the chunk that is open
    add x6, x6, x4, lsl #1
    ldrb w6, [x6, x5]
    tbz w6, #0, 2f // TRACE_FILTER_ON
    ldr w4, [x3, #CHUNK_COUNT]
    add w4, w4, #1
    tbnz w4, #9, 3f          // 511 records are there
    add x6, x3, x4, lsl #7   // where the record goes: the chunk's first 128 bytes are its header
    // The event, 64 bytes. Afterwards x7 is its address, and w9 its syndrome.
    ldp x7, x8, [x0]
    ldp x9, x16, [x0, #16]
    stp x7, x8, [x6]
    stp x9, x16, [x6, #16]
    ldp x7, x8, [x0, #32]
    ldp x9, x16, [x0, #48]
    stp x7, x8, [x6, #32]
    stp x9, x16, [x6, #48]
    // The guest's x0 to x3. The x0 of a call (write is 1) has the result now; the event's address is what it was.
    ldp x16, x17, [sp, #X(0)]
    ldp x0, x8, [sp, #X(2)]
    .ifc \kind, call
    cmp w5, #0
    csel x16, x7, x16, ne
    .endif
    stp x16, x17, [x6, #RECORD_X]
    stp x0, x8, [x6, #(RECORD_X + 16)]
    // x30; who called a wrapper is not looked for on this way
    ldr x7, [sp, #X(30)]
    stp x7, xzr, [x6, #RECORD_LR]
    // Bytes of the access. ISS.SAS, bits 23:22, is 0 for a byte to 3 for 8 bytes (DDI 0487 D19.2.37).
    .ifc \kind, abort
    mov w16, #1
    ubfx w9, w9, #22, #2
    lsl w16, w16, w9
    strb w16, [x6, #EVENT_WIDTH]
    .else
    .ifc \kind, register
    mov w16, #8
    strb w16, [x6, #EVENT_WIDTH]
    .else
    strb wzr, [x6, #EVENT_WIDTH]
    .endif
    .endif
    // The address space (trap_trace.c, context_hash) and PSTATE
    mrs x7, contextidr_el1
    mrs x8, ttbr0_el1
    eor x8, x8, x7, lsl #16
    mrs x9, spsr_el2
    stp w8, w9, [x6, #RECORD_CONTEXT]
    ldrh w7, [x3, #CHUNK_VM]
    str x7, [x6, #RECORD_VM]
    dmb ishst // the record is there before it counts: other CPUs read the ring
    str w4, [x3, #CHUNK_COUNT]
2:  ret
    // The chunk is full: once in 511 records. Without room the record has been counted as dropped.
3:  stp x0, x30, [sp, #-16]!
    mrs x0, tpidr_el2
    bl trace_open
    mov x2, x0
    ldp x0, x30, [sp], #16
    cbnz x2, 1b
    ret
.endm

.section .text.trace_quick, "ax"
.global trace_quick_call
trace_quick_call:
    write_record call

.global trace_quick_register
trace_quick_register:
    write_record register

.global trace_quick_abort
trace_quick_abort:
    write_record abort

// x0 is what trap_quick_irq returned: the event's address, and bit 63 set.
.global trace_quick_irq
trace_quick_irq:
    and x0, x0, #0x7fffffffffffffff
    write_record irq
