// SPDX-License-Identifier: Apache-2.0
// What the bits of a syndrome are called, as DDI 0487 spells them. esr_fields.c makes its tables of these rows, and the
// tools on the host read them from here (tools/ariel/tables.py), so that both say the same of an exit.
//   CLASS(first, last, "name", {"field", high, low}, ...)
//     the fields of ESR_ELx.ISS for the exception classes (ESR_ELx.EC) from first to last, each with its highest and
//     its lowest bit (D19.2.37). Classes that differ only in where the exception came from, as 0x30 and 0x31 do, share
//     a row.
//   STATUS(first, last, by_level, "name")
//     the faults that IFSC and DFSC name: codes from first to last. by_level: bits 1:0 of the code are the level of the
//     table at which the walk ended. For example 0x06 is a translation fault at level 2.
#pragma once

// clang-format off
#define ESR_CLASS_TABLE(CLASS) \
    CLASS(0x00, 0x00, "unknown reason") \
    CLASS(0x01, 0x01, "WFI or WFE", {"CV", 24, 24}, {"COND", 23, 20}, {"RN", 9, 5}, {"RV", 2, 2}, {"TI", 1, 0}) \
    CLASS(0x03, 0x03, "MCR or MRC, CP15 (AArch32)", {"CV", 24, 24}, {"COND", 23, 20}, {"Opc2", 19, 17}, \
          {"Opc1", 16, 14}, {"CRn", 13, 10}, {"Rt", 9, 5}, {"CRm", 4, 1}, {"Direction", 0, 0}) \
    CLASS(0x04, 0x04, "MCRR or MRRC, CP15 (AArch32)", {"CV", 24, 24}, {"COND", 23, 20}, {"Opc1", 19, 16}, \
          {"Rt2", 14, 10}, {"Rt", 9, 5}, {"CRm", 4, 1}, {"Direction", 0, 0}) \
    CLASS(0x05, 0x05, "MCR or MRC, CP14 (AArch32)", {"CV", 24, 24}, {"COND", 23, 20}, {"Opc2", 19, 17}, \
          {"Opc1", 16, 14}, {"CRn", 13, 10}, {"Rt", 9, 5}, {"CRm", 4, 1}, {"Direction", 0, 0}) \
    CLASS(0x06, 0x06, "LDC or STC, CP14 (AArch32)", {"CV", 24, 24}, {"COND", 23, 20}, {"imm8", 19, 12}, \
          {"Rn", 9, 5}, {"Offset", 4, 4}, {"AM", 3, 1}, {"Direction", 0, 0}) \
    CLASS(0x07, 0x07, "SVE, SIMD or FP access", {"CV", 24, 24}, {"COND", 23, 20}) \
    CLASS(0x08, 0x08, "VMRS (AArch32)", {"CV", 24, 24}, {"COND", 23, 20}, {"Opc2", 19, 17}, {"Opc1", 16, 14}, \
          {"CRn", 13, 10}, {"Rt", 9, 5}, {"CRm", 4, 1}, {"Direction", 0, 0}) \
    CLASS(0x09, 0x09, "pointer authentication") \
    CLASS(0x0a, 0x0a, "LD64B or ST64B*") \
    CLASS(0x0c, 0x0c, "MRRC, CP14 (AArch32)", {"CV", 24, 24}, {"COND", 23, 20}, {"Opc1", 19, 16}, \
          {"Rt2", 14, 10}, {"Rt", 9, 5}, {"CRm", 4, 1}, {"Direction", 0, 0}) \
    CLASS(0x0d, 0x0d, "branch target exception", {"BTYPE", 1, 0}) \
    CLASS(0x0e, 0x0e, "illegal execution state") \
    CLASS(0x11, 0x11, "SVC (AArch32)", {"imm16", 15, 0}) \
    CLASS(0x15, 0x15, "SVC", {"imm16", 15, 0}) \
    CLASS(0x16, 0x16, "HVC", {"imm16", 15, 0}) \
    CLASS(0x17, 0x17, "SMC", {"imm16", 15, 0}) \
    CLASS(0x18, 0x18, "MSR, MRS or system instruction", {"Op0", 21, 20}, {"Op1", 16, 14}, {"CRn", 13, 10}, \
          {"CRm", 4, 1}, {"Op2", 19, 17}, {"Rt", 9, 5}, {"Direction", 0, 0}) \
    CLASS(0x19, 0x19, "SVE access") \
    CLASS(0x1c, 0x1c, "pointer authentication failure", {"key", 1, 0}) \
    CLASS(0x1d, 0x1d, "SME access", {"SMTC", 2, 0}) \
    CLASS(0x20, 0x20, "instruction abort, lower EL", {"SET", 12, 11}, {"FnV", 10, 10}, {"EA", 9, 9}, \
          {"S1PTW", 7, 7}, {"IFSC", 5, 0}) \
    CLASS(0x21, 0x21, "instruction abort, same EL", {"SET", 12, 11}, {"FnV", 10, 10}, {"EA", 9, 9}, \
          {"S1PTW", 7, 7}, {"IFSC", 5, 0}) \
    CLASS(0x22, 0x22, "PC alignment") \
    CLASS(0x24, 0x24, "data abort, lower EL", {"ISV", 24, 24}, {"SAS", 23, 22}, {"SSE", 21, 21}, {"SRT", 20, 16}, \
          {"SF", 15, 15}, {"AR", 14, 14}, {"VNCR", 13, 13}, {"SET", 12, 11}, {"FnV", 10, 10}, {"EA", 9, 9}, \
          {"CM", 8, 8}, {"S1PTW", 7, 7}, {"WnR", 6, 6}, {"DFSC", 5, 0}) \
    CLASS(0x25, 0x25, "data abort, same EL", {"VNCR", 13, 13}, {"SET", 12, 11}, {"FnV", 10, 10}, {"EA", 9, 9}, \
          {"CM", 8, 8}, {"S1PTW", 7, 7}, {"WnR", 6, 6}, {"DFSC", 5, 0}) \
    CLASS(0x26, 0x26, "SP alignment") \
    CLASS(0x2c, 0x2c, "floating-point exception", {"TFV", 23, 23}, {"IDF", 7, 7}, {"IXF", 4, 4}, {"UFF", 3, 3}, \
          {"OFF", 2, 2}, {"DZF", 1, 1}, {"IOF", 0, 0}) \
    CLASS(0x2f, 0x2f, "SError", {"IDS", 24, 24}, {"IESB", 13, 13}, {"AET", 12, 10}, {"EA", 9, 9}, {"DFSC", 5, 0}) \
    CLASS(0x30, 0x31, "breakpoint", {"IFSC", 5, 0}) \
    CLASS(0x32, 0x33, "software step", {"ISV", 24, 24}, {"EX", 6, 6}, {"IFSC", 5, 0}) \
    CLASS(0x34, 0x35, "watchpoint", {"CM", 8, 8}, {"WnR", 6, 6}, {"DFSC", 5, 0}) \
    CLASS(0x38, 0x38, "BKPT (AArch32)", {"Comment", 15, 0}) \
    CLASS(0x3c, 0x3c, "BRK", {"Comment", 15, 0})

#define FAULT_STATUS_TABLE(STATUS) \
    STATUS(0x00, 0x03, 1, "address size fault") \
    STATUS(0x04, 0x07, 1, "translation fault") \
    STATUS(0x08, 0x0b, 1, "access flag fault") \
    STATUS(0x0c, 0x0f, 1, "permission fault") \
    STATUS(0x10, 0x10, 0, "external abort") \
    STATUS(0x11, 0x11, 0, "tag check fault") \
    STATUS(0x14, 0x17, 1, "external abort on a table walk") \
    STATUS(0x18, 0x18, 0, "parity or ECC error") \
    STATUS(0x1c, 0x1f, 1, "parity or ECC error on a table walk") \
    STATUS(0x21, 0x21, 0, "alignment fault") \
    STATUS(0x30, 0x30, 0, "TLB conflict") \
    STATUS(0x31, 0x31, 0, "unsupported hardware update") \
    STATUS(0x34, 0x34, 0, "lockdown") \
    STATUS(0x35, 0x35, 0, "unsupported exclusive or atomic")
// clang-format on
