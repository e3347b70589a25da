// SPDX-License-Identifier: Apache-2.0
// The system registers and system instructions that a guest can be made to trap on. One row each, in order of encoding.
#pragma once

// clang-format off
#define SYSREG_TABLE(SYSREG) \
    SYSREG(MDSCR_EL1,        2, 0, 0, 2, 2, DEBUG, RW, MDCR_TDA,  HW) \
    SYSREG(ID_AA64PFR0_EL1,  3, 0, 0, 4, 0, ID,    RO, HCR_TID3,  ID)
// clang-format on
