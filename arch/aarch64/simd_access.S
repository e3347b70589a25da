// SPDX-License-Identifier: Apache-2.0
// simd_read, simd_write (hv/arch/simd_access.h): read and write of one V register of the guest, chosen by number.
//
// The problem: an instruction names its register in its encoding, so that a number in x0 cannot choose one. The way: 32
// cases of two instructions, the access and a return, and a jump to case x0. A case has 8 bytes. For example, simd_read
// with x0 = 3 jumps to 1f + 24, where "str q3, [x1]; ret" stands.

    // EL2 is built without SIMD, so that the compiler never uses a V register. This file alone asks for it.
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

    // The AND keeps the jump inside the 32 cases, whatever number the caller gives, and also while the CPU speculates.
    // It clears bits 63:32 of x0 as well, as every write of a W register does.
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

    // To read the register is to store it into the caller's memory, and the reverse.
    simd_function simd_read, str
    simd_function simd_write, ldr
