// SPDX-License-Identifier: Apache-2.0
// Questions to the MMU (hv/arch/el2_translate.h). The answer to an AT instruction lands in PAR_EL1, which is the
// guest's: it is put back.
#define PAR_EL1_F_BIT 0

// bool el2_may_access(const void *pointer, bool write)

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

// uint64_t el1_translate(gva_t va)
// Stage 1 walks the guest's tables, and an external abort on that walk is an exception of EL2 here, not an answer
// (DDI 0487 D8.17). It comes back to the fixup (hv/arch/extable.h) with the exception's own syndrome, return address and
// address in the registers that hold those of the guest's exit, which is not saved yet on the quick way. So they are
// put back as well; x0 still has va, which is FAR_EL2's value.
    .section .text.el1_translate, "ax"
    .balign 4
    .global el1_translate
    .type el1_translate, %function
el1_translate:
    mrs x1, par_el1
    mrs x2, esr_el2
    mrs x3, elr_el2
    mrs x4, spsr_el2
.Lguest_at:
    at s1e1r, x0
    .pushsection .extable, "a"
    .balign 8
    .quad .Lguest_at, .Lguest_at_fault
    .popsection
    isb // the result is in PAR_EL1 for the read below
    mrs x0, par_el1
    msr par_el1, x1
    ret
.Lguest_at_fault:
    msr par_el1, x1
    msr esr_el2, x2
    msr elr_el2, x3
    msr spsr_el2, x4
    msr far_el2, x0
    mov x0, #(1 << PAR_EL1_F_BIT)
    ret
