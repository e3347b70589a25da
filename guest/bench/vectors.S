// SPDX-License-Identifier: Apache-2.0
// The bench guest's vectors, what interrupts run, and the first instructions of each CPU. What an interrupt runs is at the
// address in x20: the loops of main.c and several.c set it.
#define ICC_IAR1_EL1  S3_0_C12_C12_0
#define ICC_EOIR1_EL1 S3_0_C12_C12_1

    .text
// Where PSCI CPU_ON starts a CPU. x0 (the context id) = the top of the CPU's stack, where the address of the function
// stands that it runs.
    .global bench_start_secondary
bench_start_secondary:
    msr daifset, #0xf
    mov sp, x0
    bl bench_setup_cpu
    ldr x1, [sp]
    br x1

    .global bench_setup_cpu
bench_setup_cpu:
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
