// SPDX-License-Identifier: Apache-2.0
// One instruction with every register under control, and calls to EL2. ELR_EL1 carries x0 out of the instruction: it
// is free between two exceptions.
#include "lib/layout.h"

    .arch armv8-a+fp+simd
    .text

.macro each_v op
    .irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31
    \op q\n, [x1, #16 * \n]
    .endr
.endm

// void cpu_run_call(struct cpu_state *state): executes the patched words at cpu_run_spsel and cpu_run_slot on *state.
    .global cpu_run_call
cpu_run_call:
    stp x29, x30, [sp, #-96]!
    stp x19, x20, [sp, #16]
    stp x21, x22, [sp, #32]
    stp x23, x24, [sp, #48]
    stp x25, x26, [sp, #64]
    stp x27, x28, [sp, #80]
    adrp x1, cpu_run_state
    str x0, [x1, #:lo12:cpu_run_state]
    ldr x1, [x0, #STATE_SP]
    msr sp_el0, x1
    ldr x1, [x0, #STATE_TPIDR_EL0]
    msr tpidr_el0, x1
    ldr x1, [x0, #STATE_TPIDRRO_EL0]
    msr tpidrro_el0, x1
    ldr x1, [x0, #STATE_TPIDR_EL1]
    msr tpidr_el1, x1
    ldr x1, [x0, #STATE_FPCR]
    msr fpcr, x1
    ldr x1, [x0, #STATE_FPSR]
    msr fpsr, x1
    add x1, x0, #STATE_V
    each_v ldr
    ldr x1, [x0, #STATE_NZCV]
    msr nzcv, x1
    ldp x2, x3, [x0, #16]
    ldp x4, x5, [x0, #32]
    ldp x6, x7, [x0, #48]
    ldp x8, x9, [x0, #64]
    ldp x10, x11, [x0, #80]
    ldp x12, x13, [x0, #96]
    ldp x14, x15, [x0, #112]
    ldp x16, x17, [x0, #128]
    ldp x18, x19, [x0, #144]
    ldp x20, x21, [x0, #160]
    ldp x22, x23, [x0, #176]
    ldp x24, x25, [x0, #192]
    ldp x26, x27, [x0, #208]
    ldp x28, x29, [x0, #224]
    ldr x30, [x0, #240]
    ldp x0, x1, [x0]
    .global cpu_run_spsel
cpu_run_spsel:
    msr spsel, #0
    .global cpu_run_slot
cpu_run_slot:
    nop
    msr spsel, #1
    msr elr_el1, x0
    adrp x0, cpu_run_state
    ldr x0, [x0, #:lo12:cpu_run_state]
    stp x2, x3, [x0, #16]
    stp x4, x5, [x0, #32]
    stp x6, x7, [x0, #48]
    stp x8, x9, [x0, #64]
    stp x10, x11, [x0, #80]
    stp x12, x13, [x0, #96]
    stp x14, x15, [x0, #112]
    stp x16, x17, [x0, #128]
    stp x18, x19, [x0, #144]
    stp x20, x21, [x0, #160]
    stp x22, x23, [x0, #176]
    stp x24, x25, [x0, #192]
    stp x26, x27, [x0, #208]
    stp x28, x29, [x0, #224]
    str x30, [x0, #240]
    mrs x2, elr_el1
    stp x2, x1, [x0]
    mrs x1, nzcv
    str x1, [x0, #STATE_NZCV]
    mrs x1, sp_el0
    str x1, [x0, #STATE_SP]
    mrs x1, tpidr_el0
    str x1, [x0, #STATE_TPIDR_EL0]
    mrs x1, tpidrro_el0
    str x1, [x0, #STATE_TPIDRRO_EL0]
    mrs x1, tpidr_el1
    str x1, [x0, #STATE_TPIDR_EL1]
    mrs x1, fpcr
    str x1, [x0, #STATE_FPCR]
    mrs x1, fpsr
    str x1, [x0, #STATE_FPSR]
    add x1, x0, #STATE_V
    each_v str
    ldp x19, x20, [sp, #16]
    ldp x21, x22, [sp, #32]
    ldp x23, x24, [sp, #48]
    ldp x25, x26, [sp, #64]
    ldp x27, x28, [sp, #80]
    ldp x29, x30, [sp], #96
    ret

// The calls that must not lean on FP registers: cpu_try runs with FP disabled too.
    .global cpu_try_call
cpu_try_call:
    .global cpu_try_slot
cpu_try_slot:
    nop
    ret

    .global call_hvc
call_hvc:
    hvc #0
    ret

    .global call_smc
call_smc:
    smc #0
    ret

    .bss
    .balign 8
cpu_run_state:
    .skip 8
