// SPDX-License-Identifier: Apache-2.0
// The table of a vCPU's registers: which of them this CPU has, and what they hold at reset. CPUs differ: one has six
// breakpoints and no pointer authentication, another sixteen and both. A register that a CPU does not have is
// UNDEFINED, so each row names the field of an ID register that tells, and the least value with which the register is
// there. For example DBGBVR3_EL1 is there when ID_AA64DFR0_EL1.BRPs, the number of breakpoints less one, is 3 or more.

#include <hv/arch/vcpu_registers.h>

#include <hv/arch/registers.h>
#include <hv/string.h>

#define VCPU_REGISTER_ROW(name, op0, op1, crn, crm, op2, reset, saved, field, least)                                   \
    {#name, reset, SAVED_##saved, FIELD_##field, least},
const struct vcpu_register vcpu_registers[VCPU_REGISTER_COUNT] = {VCPU_REGISTER_TABLE(VCPU_REGISTER_ROW)};

// Two rows with one encoding would make the same enumerator twice, which the compiler refuses.
#define VCPU_REGISTER_AT(name, op0, op1, crn, crm, op2, ...) VCPU_REGISTER_AT_##op0##_##op1##_##crn##_##crm##_##op2,
enum { VCPU_REGISTER_TABLE(VCPU_REGISTER_AT) };

void vcpu_register_fields(uint8_t fields[VCPU_REGISTER_FIELD_COUNT])
{
    uint64_t pfr0 = READ_SYSREG(ID_AA64PFR0_EL1), dfr0 = READ_SYSREG(ID_AA64DFR0_EL1);
    uint64_t isar1 = READ_SYSREG(ID_AA64ISAR1_EL1), isar2 = READ_SYSREG(ID_AA64ISAR2_EL1);
    uint64_t pmu = FIELD_GET(ID_AA64DFR0_EL1_PMUVER, dfr0);
    bool fp = FIELD_GET(ID_AA64PFR0_EL1_FP, pfr0) != 0xf && !(READ_SYSREG(CPTR_EL2) & CPTR_EL2_TFP);
    bool aarch32 = FIELD_GET(ID_AA64PFR0_EL1_EL1, pfr0) == 2;

    pmu = pmu == 0xf ? 0 : pmu;
    fields[FIELD_ALWAYS] = 0;
    fields[FIELD_BRPS] = (uint8_t)FIELD_GET(ID_AA64DFR0_EL1_BRPS, dfr0);
    fields[FIELD_WRPS] = (uint8_t)FIELD_GET(ID_AA64DFR0_EL1_WRPS, dfr0);
    fields[FIELD_PAUTH] = (isar1 & ID_AA64ISAR1_EL1_PAUTH) || (isar2 & ID_AA64ISAR2_EL1_PAUTH);
    fields[FIELD_FP] = fp;
    fields[FIELD_RAS] = (uint8_t)FIELD_GET(ID_AA64PFR0_EL1_RAS, pfr0);
    fields[FIELD_SME] = (uint8_t)FIELD_GET(ID_AA64PFR1_EL1_SME, READ_SYSREG(ID_AA64PFR1_EL1));
    fields[FIELD_EL1_AARCH32] = aarch32;
    fields[FIELD_FPEXC32] = fp && aarch32;
    fields[FIELD_PMUVER] = (uint8_t)pmu;
    fields[FIELD_PMCR_N] = pmu == 0 ? 0 : (uint8_t)FIELD_GET(PMCR_EL0_N, READ_SYSREG(PMCR_EL0));
}

bool vcpu_register_exists(unsigned int number, const uint8_t fields[VCPU_REGISTER_FIELD_COUNT])
{
    return fields[vcpu_registers[number].field] >= vcpu_registers[number].least;
}

unsigned int vcpu_register_find(const char *name)
{
    unsigned int number = 0;

    while (number < VCPU_REGISTER_COUNT && strcasecmp(vcpu_registers[number].name, name) != 0)
        number++;
    return number;
}

void vcpu_registers_reset(void)
{
    uint8_t fields[VCPU_REGISTER_FIELD_COUNT];

    vcpu_register_fields(fields);
    for (unsigned int number = 0; number < VCPU_REGISTER_COUNT; number++)
        if (vcpu_register_exists(number, fields))
            (void)vcpu_register_write(number, vcpu_registers[number].reset); // false: QEMU 7.2 lacks a few of debug's
}
