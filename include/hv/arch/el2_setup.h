// SPDX-License-Identifier: Apache-2.0
// EL2's registers on each CPU, and what the CPU can do. This module knows no VM and no policy: whoever prepares a CPU
// for a vCPU hands it the values that differ from one VM to another.
#pragma once

#include <hv/types.h>

// What a VM adds to EL2's own values. The bits of the first four are set beyond those that ariel always sets.
struct el2_values {
    uint64_t hcr_el2;
    uint64_t mdcr_el2;
    uint64_t cptr_el2; // in its format for HCR_EL2.E2H = 0 (DDI 0487 D19.2.33)
    uint64_t hstr_el2;
    uint64_t cnthctl_el2;  // the whole register
    uint64_t vttbr_el2;    // the whole register: VMID and the root table of the VM's stage 2
    uint64_t vmpidr_el2;   // what the guest reads as MPIDR_EL1
    unsigned int ipa_bits; // how many bits an intermediate physical address has, 25 to 39: three levels of tables
};

// Writes the table of initial values on the CPU that this runs on, and drops what its TLBs hold of stage 2. Before a
// vCPU first runs there.
void el2_setup(const struct el2_values *values);

// What the ID registers of the CPU that this runs on say, as far as ariel asks or reports it. A field without a word
// here is the ID register's field as a number (DDI 0487 D19.2).
struct cpu_features {
    uint64_t midr;                 // MIDR_EL1
    unsigned int pa_bits;          // bits of a physical address, 32 to 52 (ID_AA64MMFR0_EL1.PARange)
    unsigned int vmid_bits;        // 8 or 16 (ID_AA64MMFR1_EL1.VMIDBits)
    unsigned int gic;              // ID_AA64PFR0_EL1.GIC: 0 without the system registers of a GICv3
    unsigned int hafdbs, xnx, vhe; // of ID_AA64MMFR1_EL1; vhe is its field VH
    unsigned int fgt, ecv;         // of ID_AA64MMFR0_EL1
};

struct cpu_features cpu_features_read(void);
