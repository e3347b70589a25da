// SPDX-License-Identifier: Apache-2.0
// Entry and vectors of a bare-metal program at EL1: a stack, then main. A synchronous exception sets `aborted` and goes on
// behind its instruction.

.section .text.start, "ax"
.global _start
_start:
    ldr x0, =stack_top
    mov sp, x0
    ldr x0, =vectors
    msr vbar_el1, x0
    isb
    bl main
1:  wfi
    b 1b

.balign 2048
vectors:
.rept 16
    sub sp, sp, #32
    stp x0, x1, [sp]
    mrs x0, elr_el1
    add x0, x0, #4
    msr elr_el1, x0
    ldr x0, =aborted
    mov w1, #1
    str w1, [x0]
    ldp x0, x1, [sp]
    add sp, sp, #32
    eret
    .balign 128
.endr
.ltorg
