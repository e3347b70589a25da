// SPDX-License-Identifier: Apache-2.0
// What the bits of a syndrome and of the EL1 registers are called, as DDI 0487 spells them. const tables and lookups
// only: the same bytes serve explain, regs and sr.
#include <hv/arch/esr_fields.h>

#include <hv/arch/fields.h>
#include <hv/printf.h>
#include <hv/string.h>

// A row {"IFSC", 5, 0} is a field with its name, its highest and its lowest bit. FIELDS makes a constant array of such
// rows and TABLE a struct field_table of them: a name, the rows, and how many there are.
#define FIELDS(...)                                                                                                    \
    (const struct named_field[])                                                                                       \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }
#define TABLE(text, ...) {(text), FIELDS(__VA_ARGS__), sizeof(FIELDS(__VA_ARGS__)) / sizeof(struct named_field)}

// clang-format off
#define COPROCESSOR                                                                                                    \
    {"CV", 24, 24}, {"COND", 23, 20}, {"Opc2", 19, 17}, {"Opc1", 16, 14}, {"CRn", 13, 10}, {"Rt", 9, 5},               \
        {"CRm", 4, 1}, {"Direction", 0, 0}
#define COPROCESSOR_64                                                                                                 \
    {"CV", 24, 24}, {"COND", 23, 20}, {"Opc1", 19, 16}, {"Rt2", 14, 10}, {"Rt", 9, 5}, {"CRm", 4, 1},                  \
        {"Direction", 0, 0}

// The fields of ESR_ELx.ISS for each exception class, ESR_ELx.EC, from first to last (DDI 0487 D19.2.37). Classes that
// differ only in where the exception came from, as 0x30 and 0x31 do, share a row.
static const struct { uint8_t first, last; struct field_table table; } classes[] = {
    {0x00, 0x00, {"unknown reason", NULL, 0}},
    {0x01, 0x01, TABLE("WFI or WFE", {"CV", 24, 24}, {"COND", 23, 20}, {"RN", 9, 5}, {"RV", 2, 2}, {"TI", 1, 0})},
    {0x03, 0x03, TABLE("MCR or MRC, CP15 (AArch32)", COPROCESSOR)},
    {0x04, 0x04, TABLE("MCRR or MRRC, CP15 (AArch32)", COPROCESSOR_64)},
    {0x05, 0x05, TABLE("MCR or MRC, CP14 (AArch32)", COPROCESSOR)},
    {0x06, 0x06, TABLE("LDC or STC, CP14 (AArch32)", {"CV", 24, 24}, {"COND", 23, 20}, {"imm8", 19, 12}, {"Rn", 9, 5},
                       {"Offset", 4, 4}, {"AM", 3, 1}, {"Direction", 0, 0})},
    {0x07, 0x07, TABLE("SVE, SIMD or FP access", {"CV", 24, 24}, {"COND", 23, 20})},
    {0x08, 0x08, TABLE("VMRS (AArch32)", COPROCESSOR)},
    {0x09, 0x09, {"pointer authentication", NULL, 0}},
    {0x0a, 0x0a, {"LD64B or ST64B*", NULL, 0}},
    {0x0c, 0x0c, TABLE("MRRC, CP14 (AArch32)", COPROCESSOR_64)},
    {0x0d, 0x0d, TABLE("branch target exception", {"BTYPE", 1, 0})},
    {0x0e, 0x0e, {"illegal execution state", NULL, 0}},
    {0x11, 0x11, TABLE("SVC (AArch32)", {"imm16", 15, 0})},
    {0x15, 0x15, TABLE("SVC", {"imm16", 15, 0})},
    {0x16, 0x16, TABLE("HVC", {"imm16", 15, 0})},
    {0x17, 0x17, TABLE("SMC", {"imm16", 15, 0})},
    {0x18, 0x18, TABLE("MSR, MRS or system instruction", {"Op0", 21, 20}, {"Op1", 16, 14}, {"CRn", 13, 10},
                       {"CRm", 4, 1}, {"Op2", 19, 17}, {"Rt", 9, 5}, {"Direction", 0, 0})},
    {0x19, 0x19, {"SVE access", NULL, 0}},
    {0x1c, 0x1c, TABLE("pointer authentication failure", {"key", 1, 0})},
    {0x1d, 0x1d, TABLE("SME access", {"SMTC", 2, 0})},
    {0x20, 0x20, TABLE("instruction abort, lower EL", {"SET", 12, 11}, {"FnV", 10, 10}, {"EA", 9, 9}, {"S1PTW", 7, 7},
                       {"IFSC", 5, 0})},
    {0x21, 0x21, TABLE("instruction abort, same EL", {"SET", 12, 11}, {"FnV", 10, 10}, {"EA", 9, 9}, {"S1PTW", 7, 7},
                       {"IFSC", 5, 0})},
    {0x22, 0x22, {"PC alignment", NULL, 0}},
    {0x24, 0x24, TABLE("data abort, lower EL", {"ISV", 24, 24}, {"SAS", 23, 22}, {"SSE", 21, 21}, {"SRT", 20, 16},
                       {"SF", 15, 15}, {"AR", 14, 14}, {"VNCR", 13, 13}, {"SET", 12, 11}, {"FnV", 10, 10}, {"EA", 9, 9},
                       {"CM", 8, 8}, {"S1PTW", 7, 7}, {"WnR", 6, 6}, {"DFSC", 5, 0})},
    {0x25, 0x25, TABLE("data abort, same EL", {"VNCR", 13, 13}, {"SET", 12, 11}, {"FnV", 10, 10}, {"EA", 9, 9},
                       {"CM", 8, 8}, {"S1PTW", 7, 7}, {"WnR", 6, 6}, {"DFSC", 5, 0})},
    {0x26, 0x26, {"SP alignment", NULL, 0}},
    {0x2c, 0x2c, TABLE("floating-point exception", {"TFV", 23, 23}, {"IDF", 7, 7}, {"IXF", 4, 4}, {"UFF", 3, 3},
                       {"OFF", 2, 2}, {"DZF", 1, 1}, {"IOF", 0, 0})},
    {0x2f, 0x2f, TABLE("SError", {"IDS", 24, 24}, {"IESB", 13, 13}, {"AET", 12, 10}, {"EA", 9, 9}, {"DFSC", 5, 0})},
    {0x30, 0x31, TABLE("breakpoint", {"IFSC", 5, 0})},
    {0x32, 0x33, TABLE("software step", {"ISV", 24, 24}, {"EX", 6, 6}, {"IFSC", 5, 0})},
    {0x34, 0x35, TABLE("watchpoint", {"CM", 8, 8}, {"WnR", 6, 6}, {"DFSC", 5, 0})},
    {0x38, 0x38, TABLE("BKPT (AArch32)", {"Comment", 15, 0})},
    {0x3c, 0x3c, TABLE("BRK", {"Comment", 15, 0})},
};

// The fields of registers that the monitor shows. A field that is not listed is not explained; the value that is shown
// beside the fields has it nevertheless.
static const struct field_table registers[] = {
    TABLE("SCTLR_EL1", {"M", 0, 0}, {"A", 1, 1}, {"C", 2, 2}, {"SA", 3, 3}, {"SA0", 4, 4}, {"UMA", 9, 9}, {"I", 12, 12},
          {"DZE", 14, 14}, {"UCT", 15, 15}, {"nTWI", 16, 16}, {"nTWE", 18, 18}, {"WXN", 19, 19}, {"SPAN", 23, 23},
          {"E0E", 24, 24}, {"EE", 25, 25}, {"UCI", 26, 26}),
    TABLE("TCR_EL1", {"T0SZ", 5, 0}, {"EPD0", 7, 7}, {"TG0", 15, 14}, {"T1SZ", 21, 16}, {"A1", 22, 22},
          {"EPD1", 23, 23}, {"TG1", 31, 30}, {"IPS", 34, 32}, {"AS", 36, 36}, {"TBI0", 37, 37}, {"TBI1", 38, 38},
          {"HA", 39, 39}, {"HD", 40, 40}),
    TABLE("SPSR", {"N", 31, 31}, {"Z", 30, 30}, {"C", 29, 29}, {"V", 28, 28}, {"TCO", 25, 25}, {"UAO", 23, 23},
          {"PAN", 22, 22}, {"SS", 21, 21}, {"IL", 20, 20}, {"D", 9, 9}, {"A", 8, 8}, {"I", 7, 7}, {"F", 6, 6},
          {"nRW", 4, 4}, {"EL", 3, 2}, {"SP", 0, 0}),
    TABLE("PAR_EL1", {"F", 0, 0}, {"FST", 6, 1}, {"S", 9, 9}),
    TABLE("CPACR_EL1", {"ZEN", 17, 16}, {"FPEN", 21, 20}, {"TTA", 28, 28}),
    TABLE("CNTV_CTL_EL0", {"ENABLE", 0, 0}, {"IMASK", 1, 1}, {"ISTATUS", 2, 2}),
};
// clang-format on

static const struct field_table reserved = {"reserved exception class", NULL, 0};

const struct field_table *esr_fields(uint64_t esr)
{
    unsigned int class = (unsigned int)FIELD_GET(ESR_ELX_EC, esr);

    for (size_t n = 0; n < ARRAY_COUNT(classes); n++) {
        if (class >= classes[n].first && class <= classes[n].last)
            return &classes[n].table;
    }
    return &reserved;
}

// Whether the syndrome ends in a fault status code: those of instruction aborts (0x20, 0x21) and data aborts (0x24,
// 0x25), from a lower level and from the same one.
bool esr_has_fault_status(uint64_t esr)
{
    unsigned int class = (unsigned int)FIELD_GET(ESR_ELX_EC, esr);

    return class == 0x20 || class == 0x21 || class == 0x24 || class == 0x25;
}

// The name of IFSC or DFSC. Below 0x10, bits 3:2 of the code are the kind of the fault and bits 1:0 the level of the
// table at which the walk ended. For example 0x06 is a translation fault (1) at level 2.
const char *fault_status_name(unsigned int status)
{
    static const char *const by_level[] = {"address size fault", "translation fault", "access flag fault",
                                           "permission fault"};

    status &= 0x3f;
    if (status < 0x10)
        return by_level[status >> 2];
    switch (status) {
    case 0x10:
        return "external abort";
    case 0x11:
        return "tag check fault";
    case 0x14 ... 0x17:
        return "external abort on a table walk";
    case 0x18:
        return "parity or ECC error";
    case 0x1c ... 0x1f:
        return "parity or ECC error on a table walk";
    case 0x21:
        return "alignment fault";
    case 0x30:
        return "TLB conflict";
    case 0x31:
        return "unsupported hardware update";
    case 0x34:
        return "lockdown";
    case 0x35:
        return "unsupported exclusive or atomic";
    default:
        return "unknown";
    }
}

// The level of the table that the code names, or -1 for a code that names none. The codes with a level are the first
// sixteen, and the two groups of four for aborts on a table walk.
int fault_status_level(unsigned int status)
{
    status &= 0x3f;
    if (status < 0x10 || (status >= 0x14 && status < 0x18) || (status >= 0x1c && status < 0x20))
        return (int)(status & 3);
    return -1;
}

// SPSR_EL1 and SPSR_EL2 have one layout and share the table "SPSR". NULL for a register without a table.
const struct field_table *register_fields(const char *name)
{
    if (strncmp(name, "SPSR", 4) == 0)
        name = "SPSR";
    for (size_t n = 0; n < ARRAY_COUNT(registers); n++) {
        if (strcasecmp(registers[n].name, name) == 0)
            return &registers[n];
    }
    return NULL;
}

// The left shift drops the bits above the field, and the right shift those below it. For example, for bits 31:26 of a
// syndrome, EC, they are by 32 and by 58.
uint64_t named_field_get(const struct named_field *field, uint64_t value)
{
    return (value << (63 - field->high)) >> (63 - field->high + field->low);
}

// The coprocessor that an AArch32 access was trapped from, by the exception class: 14 for debug, 15 for the rest, 10
// for the floating-point identification registers that VMRS reads.
static unsigned int coprocessor_of(uint64_t class)
{
    if (class == ESR_EC_CP15 || class == ESR_EC_CP15_64)
        return 15;
    return class == ESR_EC_CP14 || class == ESR_EC_CP14_64 ? 14 : 10;
}

// Writes the name that the assembler takes for any register, also for one that has no name of its own. For example
// ICC_SGI1R_EL1 is S3_0_C12_C11_5: op0, op1, CRn, CRm, op2. AArch32 registers get their coprocessor and its operands,
// CP15_0_C9_C14_4, and those of 64 bits have no CRn and no opc2.
void sysreg_encoded_name(uint32_t syndrome, char *buffer, size_t size)
{
    uint64_t class = FIELD_GET(ESR_ELX_EC, syndrome);
    unsigned int op1 = (unsigned int)FIELD_GET(ISS_SYSREG_OP1, syndrome);
    unsigned int crn = (unsigned int)FIELD_GET(ISS_SYSREG_CRN, syndrome);
    unsigned int crm = (unsigned int)FIELD_GET(ISS_SYSREG_CRM, syndrome);
    unsigned int op2 = (unsigned int)FIELD_GET(ISS_SYSREG_OP2, syndrome);

    switch (class) {
    case ESR_EC_CP15_64:
    case ESR_EC_CP14_64:
        (void)format_text(buffer, size, "CP%u_%u_C%u", coprocessor_of(class),
                          (unsigned int)FIELD_GET(ISS_MCRR_OPC1, syndrome), crm);
        break;
    case ESR_EC_CP15:
    case ESR_EC_CP14:
    case ESR_EC_VMRS:
        (void)format_text(buffer, size, "CP%u_%u_C%u_C%u_%u", coprocessor_of(class), op1, crn, crm, op2);
        break;
    default:
        (void)format_text(buffer, size, "S%u_%u_C%u_C%u_%u", (unsigned int)FIELD_GET(ISS_SYSREG_OP0, syndrome), op1,
                          crn, crm, op2);
        break;
    }
}
