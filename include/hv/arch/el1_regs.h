// SPDX-License-Identifier: Apache-2.0
// The guest's EL1 and EL0 system registers that live in this CPU's hardware while EL2 runs. By index, for regs and sr.
#pragma once

#include <hv/types.h>

#define EL1_REGISTER_TABLE(REGISTER)                                                                                   \
    REGISTER(SCTLR_EL1)                                                                                                \
    REGISTER(CPACR_EL1)                                                                                                \
    REGISTER(TCR_EL1)                                                                                                  \
    REGISTER(TTBR0_EL1)                                                                                                \
    REGISTER(TTBR1_EL1)                                                                                                \
    REGISTER(MAIR_EL1)                                                                                                 \
    REGISTER(VBAR_EL1)                                                                                                 \
    REGISTER(ESR_EL1)                                                                                                  \
    REGISTER(FAR_EL1)                                                                                                  \
    REGISTER(ELR_EL1)                                                                                                  \
    REGISTER(SPSR_EL1)                                                                                                 \
    REGISTER(PAR_EL1)                                                                                                  \
    REGISTER(CONTEXTIDR_EL1)                                                                                           \
    REGISTER(TPIDR_EL0)                                                                                                \
    REGISTER(TPIDRRO_EL0)                                                                                              \
    REGISTER(TPIDR_EL1)                                                                                                \
    REGISTER(MDSCR_EL1)                                                                                                \
    REGISTER(CNTKCTL_EL1)                                                                                              \
    REGISTER(CNTV_CTL_EL0)                                                                                             \
    REGISTER(CNTV_CVAL_EL0)

enum el1_register {
#define EL1_REGISTER_ENUM(name) EL1_##name,
    EL1_REGISTER_TABLE(EL1_REGISTER_ENUM) EL1_REGISTER_COUNT,
};

// Its name; index < EL1_REGISTER_COUNT.
const char *el1_register_name(unsigned int index);
// The index of a name in any case, or EL1_REGISTER_COUNT.
unsigned int el1_register_find(const char *name);
// On this CPU.
uint64_t el1_register_read(unsigned int index);
void el1_register_write(unsigned int index, uint64_t value);
