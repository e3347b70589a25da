// SPDX-License-Identifier: Apache-2.0
// simd_read, simd_write (hv/arch/simd_access.h): a jump into a row of two-instruction cases, one per V register.

    .arch_extension fp
    .arch_extension simd

    .macro simd_cases instruction
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    \instruction q\n, [x1]
    ret
    .endr
    .irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    \instruction q\n, [x1]
    ret
    .endr
    .endm

    .macro simd_function name, instruction
    .section .text.\name, "ax"
    .global \name
    .type \name, %function
\name:
    and     w0, w0, #31
    adr     x2, 1f
    add     x2, x2, x0, lsl #3
    br      x2
1:  simd_cases \instruction
    .size \name, . - \name
    .endm

    simd_function simd_read, str
    simd_function simd_write, ldr
