// SPDX-License-Identifier: Apache-2.0
// From reset to C: the boot CPU at _start (QEMU enters it at the ELF's entry), the others at secondary_start (PSCI CPU_ON).
// Leaves each CPU with a clean stack under its trap frame, its vectors, and interrupts masked.
#include <asm-offsets.h>
#include <hv/arch/stacks.h>
#include <hv/memory_map.h>

#define CURRENT_EL_EL2 0x8
#define SCTLR_EL2_RES1 0x30c50830

.macro load_address register, symbol
    adrp \register, \symbol
    add \register, \register, :lo12:\symbol
.endm

// Points sp at the trap frame on top of the stack of CPU \id. Clobbers x9, x10.
.macro set_stack id
    mov x9, #STACK_STRIDE
    madd x9, \id, x9, x9
    load_address x10, stacks_start
    add x9, x10, x9
    sub sp, x9, #FRAME_SIZE
.endm

.section .text.boot, "ax"
.global _start
_start:
    msr daifset, #0xf
    mrs x1, CurrentEL
    cmp x1, #CURRENT_EL_EL2
    b.ne wrong_exception_level
    msr spsel, #1
    ldr w1, =SCTLR_EL2_RES1
    msr sctlr_el2, x1
    load_address x1, vectors
    msr vbar_el2, x1
    isb
    load_address x1, bss_start
    load_address x2, bss_end
1:  .rept 8
    stp xzr, xzr, [x1], #16
    .endr
    cmp x1, x2
    b.lo 1b
    // The stack protector's canary, before the first function that checks it.
    mrs x1, cntpct_el0
    mrs x2, midr_el1
    eor x1, x2, x1, ror #23
    load_address x2, __stack_chk_guard
    str x1, [x2]
    mov x11, xzr
    set_stack x11
    mov x29, xzr
    bl main_boot_cpu
    b .

// x0 = CPU number (PSCI context id)
.global secondary_start
secondary_start:
    msr daifset, #0xf
    msr spsel, #1
    ldr w1, =SCTLR_EL2_RES1
    msr sctlr_el2, x1
    load_address x1, vectors
    msr vbar_el2, x1
    isb
    mov x19, x0
    set_stack x19
    // Nothing but registers until the MMU is on: this CPU's view of memory is not coherent before.
    bl stage1_enable
    mov x0, x19
    mov x29, xzr
    bl main_secondary_cpu
    b .

// Entered at EL1 or EL3: x1 = CurrentEL
wrong_exception_level:
    load_address x2, stacks_end
    mov sp, x2
    lsr x0, x1, #2
    mov x29, xzr
    bl main_wrong_exception_level
2:  wfi
    b 2b

// void stage1_enable(void): see stage1.h
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
