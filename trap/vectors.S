// SPDX-License-Identifier: Apache-2.0
// The 16 exception vectors of EL2 (DDI 0487 D1.3.1). While a guest runs, SP_EL2 points at this CPU's trap frame, and C uses the
// stack below it. An exception taken in EL2 itself runs on a stack of its own, since SP_EL2 may be what is broken.
#include <asm-offsets.h>
#include <hv/arch/stacks.h>

#define X(n) FRAME_X + 8 * (n)

// Saves what a function of EL2's C may overwrite, but for x0 and x1: x2..x9, x16, x17 and x30. It is compiled without
// x10 to x15 (-ffixed-x10 ...), so that an exit that needs little saves little.
.macro save_caller_saved
    stp x2, x3, [sp, #X(2)]
    stp x4, x5, [sp, #X(4)]
    stp x6, x7, [sp, #X(6)]
    stp x8, x9, [sp, #X(8)]
    stp x16, x17, [sp, #X(16)]
    str x30, [sp, #X(30)]
.endm

// The registers that EL2's C leaves as they are: by -ffixed-x10 and so on, or by its rules for calls.
.macro save_others
    stp x10, x11, [sp, #X(10)]
    stp x12, x13, [sp, #X(12)]
    stp x14, x15, [sp, #X(14)]
    stp x18, x19, [sp, #X(18)]
    stp x20, x21, [sp, #X(20)]
    stp x22, x23, [sp, #X(22)]
    stp x24, x25, [sp, #X(24)]
    stp x26, x27, [sp, #X(26)]
    stp x28, x29, [sp, #X(28)]
.endm

// Saves the rest: x10..x15, x18..x29 and the system registers. Leaves x0, x1 clobbered.
.macro save_rest
    save_others
    mrs x0, sp_el0
    mrs x1, sp_el1
    str x0, [sp, #FRAME_SP_EL0]
    str x1, [sp, #FRAME_SP_EL1]
    mrs x0, elr_el2
    mrs x1, spsr_el2
    str x0, [sp, #FRAME_ELR]
    str x1, [sp, #FRAME_SPSR]
    mrs x0, esr_el2
    mrs x1, far_el2
    str x0, [sp, #FRAME_ESR]
    str x1, [sp, #FRAME_FAR]
    mrs x0, hpfar_el2
    str x0, [sp, #FRAME_HPFAR]
.endm

.macro restore_caller_saved
    ldp x2, x3, [sp, #X(2)]
    ldp x4, x5, [sp, #X(4)]
    ldp x6, x7, [sp, #X(6)]
    ldp x8, x9, [sp, #X(8)]
    ldp x16, x17, [sp, #X(16)]
    ldr x30, [sp, #X(30)]
    ldp x0, x1, [sp, #X(0)]
.endm

.macro restore_others
    ldp x10, x11, [sp, #X(10)]
    ldp x12, x13, [sp, #X(12)]
    ldp x14, x15, [sp, #X(14)]
    ldp x18, x19, [sp, #X(18)]
    ldp x20, x21, [sp, #X(20)]
    ldp x22, x23, [sp, #X(22)]
    ldp x24, x25, [sp, #X(24)]
    ldp x26, x27, [sp, #X(26)]
    ldp x28, x29, [sp, #X(28)]
.endm

.macro restore_rest
    ldp x0, x1, [sp, #FRAME_ELR]
    msr elr_el2, x0
    msr spsr_el2, x1
    ldp x0, x1, [sp, #FRAME_SP_EL0]
    msr sp_el0, x0
    msr sp_el1, x1
    restore_others
.endm

// What follows an ERET in memory is not executed ahead of it with the registers of the guest.
.macro exception_return
    eret
    dsb nsh
    isb
.endm

// There are two tables: `vectors`, and `vectors_traced`, which does the same and writes each exit into the trace as well
// (trace.h). VBAR_EL2 says which one a CPU uses, so that a machine without a trace pays nothing for it. Macros that
// differ take the suffix of their labels: nothing, or _traced.

// After the shorter way is done, which gave the event in x0: \writer (trace_quick.S) puts it into the trace.
.macro trace_quickly suffix, writer
    .ifc \suffix, _traced
    bl \writer
    .endif
.endm

// A vector taken from the guest. It fills its 128 bytes, but for one instruction; \tail calls C.
.macro vector_lower tail
    .balign 0x80
    stp x0, x1, [sp, #X(0)]
    save_caller_saved
    save_rest
    b \tail
.endm

// The same for synchronous exceptions, which the shorter way (trap_quick.c) may be enough for. ESR_EL2.EC, bits 31:26,
// is from 0x20 on for aborts; below that its bit 3, bit 29 here, is set for the trapped system register accesses (0x18)
// and the like, which name a register, and clear for WFI (0x01) and HVC (0x16).
.macro vector_lower_sync suffix
    .balign 0x80
    stp x0, x1, [sp, #X(0)]
    save_caller_saved
    mrs x1, esr_el2
    mov x0, sp
    tbnz w1, #31, lower_abort\suffix
    tbnz w1, #29, lower_register\suffix
    bl trap_quick
    cbz x0, lower_sync_rest\suffix
    trace_quickly \suffix, trace_quick_call
    restore_caller_saved
    exception_return
.endm

// The same for interrupts. trap_quick_irq returns an INTID that it has acknowledged and not served, or TRAP_QUICK_DONE,
// which is bit 63. No INTID has that bit.
.macro vector_lower_irq suffix
    .balign 0x80
    stp x0, x1, [sp, #X(0)]
    save_caller_saved
    bl trap_quick_irq
    tbz x0, #63, lower_irq\suffix
    trace_quickly \suffix, trace_quick_irq
    restore_caller_saved
    exception_return
.endm

// A vector that no correct EL2 takes, or that reports a fault of EL2's own. Registers are all live and sp may be wrong, so
// one register has to be given up before anything can be saved: x17, which guarded.S expects to lose and which a report
// therefore shows as the address of the panic stack. This CPU's vCPU (TPIDR_EL2) says which CPU it is; before there is one
// TPIDR_EL2 is 0 (boot.S) and the panic stack is CPU 0's, which then boots, or waits for the CPU that comes up.
.macro vector_own number
    .balign 0x80
    mrs x17, tpidr_el2
    cbz x17, 1f
    ldr w17, [x17, #VCPU_CPU]
1:  lsl x17, x17, #PANIC_STACK_SHIFT
    movk x17, #:abs_g1_nc:panic_stacks
    stp x0, x1, [x17]
    mov x1, #\number
    b own_exception
.endm

// VBAR_EL2 ignores its low 11 bits, so a table is aligned to 2 KiB. Its four groups are: EL2 with SP_EL0, EL2 with
// SP_EL2, a lower level in AArch64, a lower level in AArch32; in each the order is synchronous, IRQ, FIQ, SError.
.macro vector_table suffix
.balign 0x800
.global vectors\suffix
vectors\suffix:
    vector_own 0
    vector_own 1
    vector_own 2
    vector_own 3
    vector_own 4
    vector_own 5
    vector_own 6
    vector_own 7
    vector_lower_sync \suffix
    vector_lower_irq \suffix
    vector_lower lower_fiq\suffix
    vector_lower lower_serror\suffix
    // EL1 in AArch32: never, since HCR_EL2.RW is always 1. EL0 in AArch32 comes by the ones above
    vector_lower lower_sync\suffix
    vector_lower_irq \suffix
    vector_lower lower_fiq\suffix
    vector_lower lower_serror\suffix
.endm

.section .text.vectors, "ax"
    vector_table
    vector_table _traced

// The whole way: the frame has all of the guest's registers. With a trace, what they are is noted before C changes them,
// and the record is written after it.
.macro trace_entry suffix
    .ifc \suffix, _traced
    mov x0, sp
    bl trace_enter
    .endif
.endm

.macro trace_end suffix
    .ifc \suffix, _traced
    mov x0, sp
    bl trace_exit
    .endif
.endm

// The INTID, w0, waits in x19, which C keeps, while the exit is noted.
.macro whole_way suffix
lower_fiq\suffix:
    trace_entry \suffix
    mov x0, sp
    bl trap_from_fiq
    trace_end \suffix
    b guest_enter

lower_serror\suffix:
    trace_entry \suffix
    mov x0, sp
    bl trap_from_serror
    trace_end \suffix
    b guest_enter

lower_irq\suffix:
    mov w2, w0 // save_rest loses x0 and x1
    save_rest
    .ifc \suffix, _traced
    mov w19, w2
    trace_entry \suffix
    mov w2, w19
    .endif
    mov x0, sp
    mov w1, w2
    bl trap_from_irq
    trace_end \suffix
    b guest_enter
.endm

    whole_way
    whole_way _traced

// An exit whose syndrome names a general-purpose register Rt, from bit \rt of ESR_EL2 on: the shorter way needs that one
// register in the frame as well. x0 to x9, x16, x17 and x30 are there; so is the 31st place, where XZR reads as zero
// and takes what is written, since SP_EL0 is not saved there yet. Another register is stored before \handler runs when
// the guest gives its value (\branch_if_read does not branch), and loaded afterwards when the guest takes a value.
.macro lower_with_register label, suffix, handler, writer, rt, branch_if_read:vararg
\label\suffix:
    ubfx w2, w1, #\rt, #5
    cmp w2, #9
    b.hi 2f
1:  bl \handler
    cbz x0, lower_sync_rest\suffix
    trace_quickly \suffix, \writer
    restore_caller_saved
    exception_return
2:  \branch_if_read, 3f
    bl store_register
    b 1b
3:  bl \handler
    cbz x0, lower_sync_rest\suffix
    trace_quickly \suffix, \writer
    mrs x1, esr_el2
    ubfx w2, w1, #\rt, #5
    bl load_register
    restore_caller_saved
    exception_return
.endm

    // ISS.SRT; WnR
    lower_with_register lower_abort, , trap_quick_abort, trace_quick_abort, 16, tbz w1, #6
    lower_with_register lower_abort, _traced, trap_quick_abort, trace_quick_abort, 16, tbz w1, #6
    // ISS.Rt; Direction
    lower_with_register lower_register, , trap_quick_register, trace_quick_register, 5, tbnz w1, #0
    lower_with_register lower_register, _traced, trap_quick_register, trace_quick_register, 5, tbnz w1, #0

// The guest's register number w2, from 10 on, to its place in the frame. It still has the guest's value when it is one
// that EL2's C does not use (-ffixed-x10 ...) or keeps (x18 to x29). Each register takes two instructions below.
store_register:
    adr x3, first_store - 8 * 10
    add x3, x3, x2, lsl #3
    br x3
first_store:
    .irp n, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
    .if \n == 16 || \n == 17 || \n == 30 // saved already
    ret
    nop
    .else
    str x\n, [sp, #X(\n)]
    ret
    .endif
    .endr
    str xzr, [sp, #FRAME_SP_EL0]
    ret

// The reverse: from the frame to the register.
load_register:
    adr x3, first_load - 8 * 10
    add x3, x3, x2, lsl #3
    br x3
first_load:
    .irp n, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
    .if \n == 16 || \n == 17 || \n == 30 // restore_caller_saved loads it
    ret
    nop
    .else
    ldr x\n, [sp, #X(\n)]
    ret
    .endif
    .endr
    ret // XZR

lower_sync_rest_traced:
    save_rest
lower_sync_traced:
    trace_entry _traced
    mov x0, sp
    bl trap_from_sync
    trace_end _traced
    b guest_enter

lower_sync_rest:
    save_rest
lower_sync:
    mov x0, sp
    bl trap_from_sync
// The only other way into the guest: sp at the trap frame.
.global guest_enter
guest_enter:
    restore_rest
    restore_caller_saved
    exception_return

// x17 = base of the panic stack, on which x0 and x1 wait; x1 = number of the vector.
own_exception:
    mov x0, sp
    // From the top: the number of the vector and SP as they were, below them the frame.
    add x17, x17, #PANIC_STACK_SIZE
    stp x1, x0, [x17, #-16]
    mov sp, x17
    sub sp, sp, #(FRAME_SIZE + 16)
    sub x17, x17, #PANIC_STACK_SIZE
    ldp x0, x1, [x17]
    stp x0, x1, [sp, #X(0)]
    save_caller_saved
    save_rest
    mov x0, sp
    bl trap_from_el2
    // Back: a guarded access failed (guarded.h): ELR in the frame is its fixup, which expects x17 to be lost.
    restore_rest
    restore_caller_saved
    ldr x17, [sp, #(FRAME_SIZE + 8)]
    mov sp, x17
    exception_return

// void guest_start(struct trap_frame *frame): drops everything on this CPU's stack.
.global guest_start
guest_start:
    mov sp, x0
    b guest_enter
