// SPDX-License-Identifier: Apache-2.0
// How a trapped system register behaves: a struct sysreg_ops, which a file of trap/ defines as sysreg_<emulation> and
// the rows of sysreg_table.h name in their last column. Private to trap/.
#pragma once

#include <hv/arch/sysreg_table.h>
#include <hv/status.h>
#include <hv/types.h>

struct vcpu;

struct sysreg_ops {
    // An access to the register of key in the place of vcpu, which is this CPU's, in a direction that the row allows.
    // What is not HV_OK is UNDEFINED for the guest. NULL: EL2 has no such access.
    enum hv_status (*read)(struct vcpu *vcpu, unsigned int key, uint64_t *value);
    enum hv_status (*write)(struct vcpu *vcpu, unsigned int key, uint64_t value);
};

#define SYSREG_OPS(name, op0, op1, crn, crm, op2, class, access, control, emulation)                                   \
    extern const struct sysreg_ops sysreg_##emulation;
SYSREG_TABLE(SYSREG_OPS)
#undef SYSREG_OPS
