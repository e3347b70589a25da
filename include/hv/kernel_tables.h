// SPDX-License-Identifier: Apache-2.0
// Which stage-1 tables the guest's kernel runs on. A kernel that hides itself from its programs (Linux: KPTI) leaves in
// TTBR1_EL1, while a program runs, only a trampoline: a page of vectors. The tables of the kernel itself are those in
// which its stack is mapped, the memory right below SP_EL1, where its next exception pushes the registers.
#pragma once

#include <hv/guest_walk.h>

struct vcpu;

// What a vCPU translates with at one moment.
struct kernel_tables {
    struct guest_walk_registers registers;
    uint64_t sp_el1;
    unsigned int el; // 0 or 1
};

// vcpu's, now. On its own CPU.
void kernel_tables_read(struct vcpu *vcpu, struct kernel_tables *tables);
// Whether the kernel's stack is mapped: registers hold the kernel's own tables, not a trampoline.
bool kernel_tables_have_stack(struct vcpu *vcpu, const struct kernel_tables *tables);
// Remembers TTBR1_EL1 in vcpu->kernel_ttbr1 when the kernel's stack is mapped in it. On its own CPU, once a second.
void kernel_tables_look(struct vcpu *vcpu);
