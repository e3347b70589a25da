// SPDX-License-Identifier: Apache-2.0
// Turns EL2's MMU and caches on (stage1.h). In assembly, since a CPU that begins has no memory that it may use before:
// caches are off, so that what other CPUs wrote may not be in memory yet. It reads stage1_registers alone, which
// stage1_init cleaned to memory.
.macro load_address register, symbol
    adrp \register, \symbol
    add \register, \register, :lo12:\symbol
.endm

.section .text.stage1_enable, "ax"
// void stage1_enable(void). Changes x9 to x13.
.global stage1_enable
stage1_enable:
    load_address x9, stage1_registers
    ldp x10, x11, [x9]
    ldp x12, x13, [x9, #16]
    msr mair_el2, x10
    msr tcr_el2, x11
    msr ttbr0_el2, x12
    // The registers above take effect before the TLB is emptied, and it is empty before the first translated access.
    isb
    tlbi alle2
    ic iallu
    dsb nsh
    isb
    msr sctlr_el2, x13
    isb
    ret
