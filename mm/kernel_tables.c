// SPDX-License-Identifier: Apache-2.0
// Which stage-1 tables the guest's kernel runs on. This file owns vcpu->kernel_ttbr1. What stands there is only ever a
// hint: the guest wrote it, and may have given the memory to something else since. So whoever uses it looks again
// whether the kernel's stack is mapped in these tables.
#include <hv/kernel_tables.h>

#include <hv/arch/registers.h>
#include <hv/machine.h>

#define BELOW_STACK 16 // SP_EL1 may be the end of a stack, which nothing need be mapped behind

void kernel_tables_read(struct vcpu *vcpu, struct kernel_tables *tables)
{
    guest_walk_registers_read(&tables->registers);
    tables->sp_el1 = vcpu->frame->sp_el1;
    tables->el = (unsigned int)FIELD_GET(SPSR_ELX_M_EL, vcpu->frame->spsr_el2);
}

// A kernel cannot run without its stack. So tables in which the stack is mapped can be those that it runs on, and
// others cannot.
bool kernel_tables_have_stack(struct vcpu *vcpu, const struct kernel_tables *tables)
{
    struct guest_walk walk;

    return guest_walk(&vcpu->vm->space, &tables->registers, gva_make(tables->sp_el1 - BELOW_STACK), &walk);
}

void kernel_tables_look(struct vcpu *vcpu)
{
    struct kernel_tables tables;

    kernel_tables_read(vcpu, &tables);
    if (kernel_tables_have_stack(vcpu, &tables))
        vcpu->kernel_ttbr1 = tables.registers.ttbr1_el1;
}
