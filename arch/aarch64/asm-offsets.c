// SPDX-License-Identifier: Apache-2.0
// Numbers that assembly needs, taken from the C types: compiled to assembly, from which the build makes asm-offsets.h.
#include <hv/arch/frame.h>
#include <hv/machine.h>
#include <hv/types.h>

#define OFFSET(name, type, member) __asm__ volatile("\n.ascii \"->" #name " %0\"" : : "i"(offsetof(type, member)))
#define VALUE(name, value)         __asm__ volatile("\n.ascii \"->" #name " %0\"" : : "i"(value))

// vectors.S loads these as pairs, and x[] from the base of the frame.
_Static_assert(offsetof(struct trap_frame, x) % 16 == 0);
_Static_assert(offsetof(struct trap_frame, sp_el1) == offsetof(struct trap_frame, sp_el0) + 8);
_Static_assert(offsetof(struct trap_frame, spsr_el2) == offsetof(struct trap_frame, elr_el2) + 8);
_Static_assert(sizeof(struct trap_frame) % 16 == 0);

void asm_offsets(void);
void asm_offsets(void)
{
    OFFSET(FRAME_X, struct trap_frame, x);
    OFFSET(FRAME_SP_EL0, struct trap_frame, sp_el0);
    OFFSET(FRAME_SP_EL1, struct trap_frame, sp_el1);
    OFFSET(FRAME_ELR, struct trap_frame, elr_el2);
    OFFSET(FRAME_SPSR, struct trap_frame, spsr_el2);
    OFFSET(FRAME_ESR, struct trap_frame, esr_el2);
    OFFSET(FRAME_FAR, struct trap_frame, far_el2);
    OFFSET(FRAME_HPFAR, struct trap_frame, hpfar_el2);
    VALUE(FRAME_SIZE, sizeof(struct trap_frame));
    OFFSET(VCPU_CPU, struct vcpu, cpu);
}
