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

    .global el0_return
el0_return:
    ret
