// SPDX-License-Identifier: Apache-2.0
// uint64_t el0_enter(uint64_t x0, const uint32_t *entry): eret to EL0t with DAIF masked; el0_return returns to the
// caller, whose x30 the code at EL0 and the vectors have kept.
    .text
    .global el0_enter
el0_enter:
    msr elr_el1, x1
    mov x1, #0x3c0
    msr spsr_el1, x1
    eret

// uint64_t el0_enter32(const uint64_t x[4], const uint32_t *entry, uint64_t spsr): the same to AArch32, with x0 to x3.
    .global el0_enter32
el0_enter32:
    msr elr_el1, x1
    msr spsr_el1, x2
    ldp x2, x3, [x0, #16]
    ldp x0, x1, [x0]
    eret

    .global el0_return
el0_return:
    ret
