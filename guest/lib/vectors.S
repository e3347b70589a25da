// SPDX-License-Identifier: Apache-2.0
// The exception vectors of the diagnostic guest: every slot saves a struct exception_frame and reaches exception_handle.
// And the first instructions of each CPU.
#include "lib/layout.h"

    .text
// Where PSCI CPU_ON starts a CPU. x0 (the context id) = the top of the CPU's stack, where the address of the function
// stands that it calls.
    .global guest_start_secondary
guest_start_secondary:
    msr daifset, #0xf
    msr spsel, #1
    mov sp, x0
    bl guest_setup_cpu
    ldr x1, [sp]
    blr x1
1:  wfi
    b 1b

// Vectors, MMU and caches off, SIMD and FP usable, timers silent. Changes x0 only.
    .global guest_setup_cpu
guest_setup_cpu:
    ldr x0, =GUEST_SCTLR_OFF
    msr sctlr_el1, x0
    ldr x0, =guest_vectors
    msr vbar_el1, x0
    mov x0, #GUEST_CPACR_FPEN
    msr cpacr_el1, x0
    msr cntv_ctl_el0, xzr
    isb
    ret
    .ltorg

// Saves the frame at the stack of EL1h, whatever stack the interrupted code used; the C handler may move frame->elr.
.macro exception_entry slot
    .balign 0x80
    sub sp, sp, #FRAME_SIZE
    stp x0, x1, [sp, #FRAME_X]
    mov x0, #\slot
    b exception_common
.endm

    .balign 0x800
    .global guest_vectors
guest_vectors:
    .irp slot, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    exception_entry \slot
    .endr

exception_common:
    stp x2, x3, [sp, #FRAME_X + 16]
    stp x4, x5, [sp, #FRAME_X + 32]
    stp x6, x7, [sp, #FRAME_X + 48]
    stp x8, x9, [sp, #FRAME_X + 64]
    stp x10, x11, [sp, #FRAME_X + 80]
    stp x12, x13, [sp, #FRAME_X + 96]
    stp x14, x15, [sp, #FRAME_X + 112]
    stp x16, x17, [sp, #FRAME_X + 128]
    stp x18, x19, [sp, #FRAME_X + 144]
    stp x20, x21, [sp, #FRAME_X + 160]
    stp x22, x23, [sp, #FRAME_X + 176]
    stp x24, x25, [sp, #FRAME_X + 192]
    stp x26, x27, [sp, #FRAME_X + 208]
    stp x28, x29, [sp, #FRAME_X + 224]
    mrs x1, elr_el1
    stp x30, x1, [sp, #FRAME_X + 240]
    mrs x2, spsr_el1
    mrs x3, esr_el1
    stp x2, x3, [sp, #FRAME_SPSR]
    mrs x4, far_el1
    stp x4, x0, [sp, #FRAME_FAR]
    mov x0, sp
    bl exception_handle
    ldp x2, x3, [sp, #FRAME_SPSR]
    msr spsr_el1, x2
    ldp x30, x1, [sp, #FRAME_X + 240]
    msr elr_el1, x1
    ldp x2, x3, [sp, #FRAME_X + 16]
    ldp x4, x5, [sp, #FRAME_X + 32]
    ldp x6, x7, [sp, #FRAME_X + 48]
    ldp x8, x9, [sp, #FRAME_X + 64]
    ldp x10, x11, [sp, #FRAME_X + 80]
    ldp x12, x13, [sp, #FRAME_X + 96]
    ldp x14, x15, [sp, #FRAME_X + 112]
    ldp x16, x17, [sp, #FRAME_X + 128]
    ldp x18, x19, [sp, #FRAME_X + 144]
    ldp x20, x21, [sp, #FRAME_X + 160]
    ldp x22, x23, [sp, #FRAME_X + 176]
    ldp x24, x25, [sp, #FRAME_X + 192]
    ldp x26, x27, [sp, #FRAME_X + 208]
    ldp x28, x29, [sp, #FRAME_X + 224]
    ldp x0, x1, [sp, #FRAME_X]
    add sp, sp, #FRAME_SIZE
    eret
