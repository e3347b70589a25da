// SPDX-License-Identifier: Apache-2.0
// bool el2_may_access(const void *pointer, bool write)
// The translation result lands in PAR_EL1, which is the guest's: it is put back.
#define PAR_EL1_F_BIT 0

    .section .text.el2_may_access, "ax"
    .balign 4
    .global el2_may_access
    .type el2_may_access, %function
el2_may_access:
    mrs x2, par_el1
    tbnz w1, #0, 1f
    at s1e2r, x0
    b 2f
1:  at s1e2w, x0
2:  isb // the result is in PAR_EL1 for the read below
    mrs x0, par_el1
    msr par_el1, x2
    ubfx x0, x0, #PAR_EL1_F_BIT, #1
    eor w0, w0, #1
    ret
