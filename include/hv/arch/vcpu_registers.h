// SPDX-License-Identifier: Apache-2.0
// The table of a vCPU's registers as C sees it: by number, on the CPU this runs on.
#pragma once

#include <hv/arch/vcpu_register_table.h>
#include <hv/types.h>

enum vcpu_register_number {
#define VCPU_REGISTER_ENUM(name, ...) VCPU_REGISTER_##name,
    VCPU_REGISTER_TABLE(VCPU_REGISTER_ENUM) VCPU_REGISTER_COUNT,
};

enum vcpu_register_saved {
    SAVED_LIVE,
    SAVED_TIME,
    SAVED_DEBUG,
    SAVED_PMU,
    SAVED_AARCH32,
    SAVED_SET,
    SAVED_CLEAR,
};

// What says that a register is there. Each has a value on each CPU, 0 upwards.
enum vcpu_register_field {
    FIELD_ALWAYS,
    FIELD_BRPS,        // ID_AA64DFR0_EL1.BRPs: the number of the last breakpoint
    FIELD_WRPS,        // ID_AA64DFR0_EL1.WRPs
    FIELD_PAUTH,       // 1 when any of APA, API, GPA, GPI (ID_AA64ISAR1_EL1), APA3, GPA3 (ID_AA64ISAR2_EL1) is not 0
    FIELD_FP,          // 1 with FP and where EL2 may use its registers (CPTR_EL2.TFP = 0)
    FIELD_RAS,         // ID_AA64PFR0_EL1.RAS
    FIELD_SME,         // ID_AA64PFR1_EL1.SME
    FIELD_EL1_AARCH32, // 1 when ID_AA64PFR0_EL1.EL1 says that EL1 can be AArch32
    FIELD_FPEXC32,     // 1 with both of FP and EL1_AARCH32
    FIELD_PMUVER,      // ID_AA64DFR0_EL1.PMUVer, 0 for an IMPLEMENTATION DEFINED one
    FIELD_PMCR_N,      // PMCR_EL0.N: how many event counters; 0 without a PMU
    VCPU_REGISTER_FIELD_COUNT,
};

struct vcpu_register {
    const char *name;
    uint64_t reset;
    uint8_t saved; // enum vcpu_register_saved
    uint8_t field; // enum vcpu_register_field
    uint8_t least;
};

extern const struct vcpu_register vcpu_registers[VCPU_REGISTER_COUNT];

// The fields of this CPU, for vcpu_register_exists.
void vcpu_register_fields(uint8_t fields[VCPU_REGISTER_FIELD_COUNT]);
bool vcpu_register_exists(unsigned int number, const uint8_t fields[VCPU_REGISTER_FIELD_COUNT]);

// The number of a name in any case, or VCPU_REGISTER_COUNT.
unsigned int vcpu_register_find(const char *name);

// Writes the value at reset to every register that this CPU has.
void vcpu_registers_reset(void);

// One access (sysreg_access.S; host tests bring their own). False when this CPU does not have the register after
// all, or not in that direction; *value untouched.
bool vcpu_register_read(unsigned int number, uint64_t *value);
bool vcpu_register_write(unsigned int number, uint64_t value);
