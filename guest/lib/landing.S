// SPDX-License-Identifier: Apache-2.0
// The registers that a function must keep (AAPCS64), put aside and taken back.
    .text
    .global landing_call
landing_call:
    stp x19, x20, [x0]
    stp x21, x22, [x0, #16]
    stp x23, x24, [x0, #32]
    stp x25, x26, [x0, #48]
    stp x27, x28, [x0, #64]
    stp x29, x30, [x0, #80]
    mov x2, sp
    str x2, [x0, #96]
    stp x29, x30, [sp, #-16]!
    blr x1
    ldp x29, x30, [sp], #16
    mov w0, #1
    ret

    .global landing_leave
landing_leave:
    ldp x19, x20, [x0]
    ldp x21, x22, [x0, #16]
    ldp x23, x24, [x0, #32]
    ldp x25, x26, [x0, #48]
    ldp x27, x28, [x0, #64]
    ldp x29, x30, [x0, #80]
    ldr x2, [x0, #96]
    mov sp, x2
    mov w0, #0
    ret
