// SPDX-License-Identifier: Apache-2.0
// What the bits of a syndrome and of the EL1 registers are called, as DDI 0487 spells them. const tables and lookups
// only: the same bytes serve explain, regs and sr.
#include <hv/arch/esr_fields.h>

#include <hv/arch/esr_table.h>
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

// The fields of ESR_ELx.ISS for each exception class, from esr_table.h.
#define ESR_CLASS_ROW(first, last, ...) {(first), (last), TABLE(__VA_ARGS__)},
static const struct {
    uint8_t first, last;
    struct field_table table;
} classes[] = {ESR_CLASS_TABLE(ESR_CLASS_ROW)};

#define FAULT_STATUS_ROW(first, last, by_level, name) {(first), (last), (by_level), (name)},
static const struct fault_status {
    uint8_t first, last;
    bool by_level;
    const char *name;
} fault_statuses[] = {FAULT_STATUS_TABLE(FAULT_STATUS_ROW)};

// clang-format off
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

// The row of IFSC or DFSC, NULL for a reserved code.
static const struct fault_status *find_status(unsigned int status)
{
    status &= 0x3f;
    for (size_t n = 0; n < ARRAY_COUNT(fault_statuses); n++) {
        if (status >= fault_statuses[n].first && status <= fault_statuses[n].last)
            return &fault_statuses[n];
    }
    return NULL;
}

const char *fault_status_name(unsigned int status)
{
    const struct fault_status *found = find_status(status);

    return found == NULL ? "unknown" : found->name;
}

int fault_status_level(unsigned int status)
{
    const struct fault_status *found = find_status(status);

    return found != NULL && found->by_level ? (int)(status & 3) : -1;
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
