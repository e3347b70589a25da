// SPDX-License-Identifier: Apache-2.0
// A virtual CPU, pinned to the physical CPU of the same number.
#pragma once

#include <hv/event.h>
#include <hv/types.h>

struct vm;
struct trap_frame;
struct telemetry;

enum vcpu_power { VCPU_OFF, VCPU_ON_PENDING, VCPU_ON }; // PSCI AFFINITY_INFO: OFF 1, ON_PENDING 2, ON 0

struct vcpu {
    struct trap_frame *frame; // at the top of this CPU's EL2 stack; valid while in EL2
    struct vm *vm;
    struct telemetry *telemetry; // this CPU's counters
    uint32_t id;                 // 0 .. vm->vcpu_count - 1
    enum vcpu_power power;
    bool step;            // the monitor single-steps this vCPU
    uint32_t step_count;  // instructions left to step
    uint64_t guest_mdscr; // MDSCR_EL1 as the guest left it, while step owns the register
    uint64_t on_entry;    // PSCI CPU_ON: entry point
    uint64_t on_context;  // PSCI CPU_ON: context id
};

// Guest register n (0..30); 31 reads zero and ignores writes. The only code that indexes x[].
uint64_t vcpu_get_reg(const struct vcpu *vcpu, unsigned int n);
void vcpu_set_reg(struct vcpu *vcpu, unsigned int n, uint64_t value);

// The vCPU of the CPU this runs on (TPIDR_EL2).
struct vcpu *vcpu_current(void);
