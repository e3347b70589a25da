// SPDX-License-Identifier: Apache-2.0
// The table of causes: why a guest can arrive at EL2, other than by a named register, call or device. One row:
//   CAUSE(ID, EC, "name", "control that makes it trap", "one sentence")
// EC is ESR_EL2.EC, or CAUSE_EC_NONE where the exception has none (IRQ, FIQ) . Log, telemetry, explain, the policy
// compiler and the documents come from this table; keep the rows in order of EC.
#pragma once

#define CAUSE_EC_NONE 0xff

// clang-format off
#define CAUSE_TABLE(CAUSE) \
    CAUSE(UNKNOWN,     0x00, "unknown",      "always",            "an instruction that is UNDEFINED at EL2's behest") \
    CAUSE(WFI,         0x01, "wfi",          "HCR_EL2.TWI",       "the guest waits for an interrupt") \
    CAUSE(WFE,         0x01, "wfe",          "HCR_EL2.TWE",       "the guest waits for an event") \
    CAUSE(FP,          0x07, "fp",           "CPTR_EL2.TFP",      "use of SIMD or floating point registers") \
    CAUSE(LS64,        0x0a, "ls64",         "HCRX_EL2.EnALS",    "a 64-byte load or store") \
    CAUSE(BTI,         0x0d, "bti",          "always",            "a branch target exception routed to EL2") \
    CAUSE(ILLEGAL,     0x0e, "illegal-state","always",            "an instruction executed in Illegal Execution state") \
    CAUSE(PAC,         0x09, "pac",          "HCR_EL2.API",       "use of a pointer authentication instruction") \
    CAUSE(HVC,         0x16, "hvc",          "always",            "a hypervisor call") \
    CAUSE(SMC,         0x17, "smc",          "HCR_EL2.TSC",       "a secure monitor call") \
    CAUSE(SYSREG,      0x18, "sysreg",       "see the register",  "an access to a system register or a system instruction") \
    CAUSE(SVE,         0x19, "sve",          "CPTR_EL2.TZ",       "use of SVE registers or instructions") \
    CAUSE(SME,         0x1d, "sme",          "CPTR_EL2.TSM",      "use of SME registers or instructions") \
    CAUSE(IABT,        0x20, "iabt",         "HCR_EL2.VM",        "an instruction fetch that stage 2 refuses") \
    CAUSE(PC_ALIGN,    0x22, "pc-alignment", "always",            "a misaligned PC routed to EL2") \
    CAUSE(DABT,        0x24, "dabt",         "HCR_EL2.VM",        "a data access that stage 2 refuses") \
    CAUSE(SERROR,      0x2f, "serror",       "HCR_EL2.AMO",       "an asynchronous abort taken to EL2") \
    CAUSE(BREAKPOINT,  0x30, "breakpoint",   "MDCR_EL2.TDE",      "a hardware breakpoint hit by the guest") \
    CAUSE(STEP,        0x32, "step",         "MDCR_EL2.TDE",      "one instruction done under the monitor's step") \
    CAUSE(WATCHPOINT,  0x34, "watchpoint",   "MDCR_EL2.TDE",      "a watchpoint hit by the guest") \
    CAUSE(BRK,         0x3c, "brk",          "MDCR_EL2.TDE",      "a BRK instruction") \
    CAUSE(IRQ,         CAUSE_EC_NONE, "irq", "HCR_EL2.IMO",       "a physical interrupt taken to EL2") \
    CAUSE(FIQ,         CAUSE_EC_NONE, "fiq", "HCR_EL2.FMO",       "a physical fast interrupt taken to EL2")
// clang-format on
