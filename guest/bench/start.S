// SPDX-License-Identifier: Apache-2.0
// The bench guest's Image header, entry and vectors. Position independent, MMU off, at EL1 of whatever is below it.
// What an interrupt runs is at the address in x20: the loops of main.c set it.
    .arch armv8-a+fp

#define ICC_IAR1_EL1  S3_0_C12_C12_0
#define ICC_EOIR1_EL1 S3_0_C12_C12_1

    .section .text.start, "ax"
    b start
    .word 0
    .quad 0 // text_offset
    .quad bench_image_size
    .quad 0xa // little-endian, 4 KiB pages, anywhere
// In a reserved word of the header, where whoever loads the Image can change it.
    .global bench_rounds
bench_rounds:
    .quad 1000
    .quad 0, 0
    .ascii "ARM\x64"
    .word 0

start:
    mrs x19, cntvct_el0
    msr daifset, #0xf
    adrp x1, bench_bss_start
    add x1, x1, #:lo12:bench_bss_start
    adrp x2, bench_bss_end
    add x2, x2, #:lo12:bench_bss_end
1:  cmp x1, x2
    b.hs 2f
    stp xzr, xzr, [x1], #16
    b 1b
2:  adrp x1, bench_stack_top
    add x1, x1, #:lo12:bench_stack_top
    mov sp, x1
    bl cpu_setup
    mov x0, x19
    bl bench_main
3:  wfi
    b 3b

// x0 = top of this CPU's stack (PSCI context id).
    .global bench_start_secondary
bench_start_secondary:
    msr daifset, #0xf
    mov sp, x0
    bl cpu_setup
    b bench_secondary

cpu_setup:
    adrp x0, bench_vectors
    add x0, x0, #:lo12:bench_vectors
    msr vbar_el1, x0
    isb
    ret

    .macro unexpected
    .balign 0x80
    mrs x0, esr_el1
    mrs x1, elr_el1
    mrs x2, far_el1
    b bench_unexpected
    .endm

    .balign 0x800
    .global bench_vectors
bench_vectors:
    .irp slot, 0, 1, 2, 3, 4
    unexpected
    .endr
    .balign 0x80
    br x20
    .irp slot, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
    unexpected
    .endr

// The virtual timer: x21 = the counter, read after as many no-operations as x20 leaves to run.
    .global bench_timer_sled
bench_timer_sled:
    .rept 15
    nop
    .endr
    mrs x21, cntvct_el0
    msr cntv_ctl_el0, xzr
    isb
    mrs x24, ICC_IAR1_EL1
    msr ICC_EOIR1_EL1, x24
    eret

// An SGI from another CPU: counts it at [x23].
    .global bench_count_interrupt
bench_count_interrupt:
    mrs x24, ICC_IAR1_EL1
    ldr x25, [x23]
    add x25, x25, #1
    str x25, [x23]
    msr ICC_EOIR1_EL1, x24
    eret
