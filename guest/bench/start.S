// SPDX-License-Identifier: Apache-2.0
// The bench guest's Image header and entry. Position independent, MMU off, at EL1 of whatever is below it.
    .arch armv8-a+fp

    .section .text.start, "ax"
    b start
    .word 0
    .quad 0 // text_offset
    .quad bench_image_size
    .quad 0xa // little-endian, 4 KiB pages, anywhere
// In a reserved word of the header, where whoever loads the Image can change it.
rounds:
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
    bl bench_setup_cpu
    mov x0, x19
    ldr x1, rounds
    bl bench_main
3:  wfi
    b 3b
