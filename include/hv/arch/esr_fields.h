// SPDX-License-Identifier: Apache-2.0
// Fields of registers by name, for people: ESR_ELx by exception class (DDI 0487 D19.2.40), and the EL1 registers that
// the monitor decodes. Pure tables.
#pragma once

#include <stddef.h>

#include <hv/types.h>

struct named_field {
    char name[10]; // terminated
    uint8_t high;  // most significant bit
    uint8_t low;
};

struct field_table {
    const char *name; // of the exception class or register
    const struct named_field *fields;
    unsigned int count;
};

// The exception class and ISS fields of an ESR_ELx value; never NULL ("reserved exception class" without fields).
const struct field_table *esr_fields(uint64_t esr);
// The fault of a DFSC or IFSC value, without its level ("translation fault" ...); "unknown" for reserved values.
const char *fault_status_name(unsigned int status);
// Its level 0..3 (bits 1:0), or -1 where the code has none.
int fault_status_level(unsigned int status);
// Whether the class of esr has a fault status in bits 5:0.
bool esr_has_fault_status(uint64_t esr);

// The fields of a register by its name ("SCTLR_EL1", "SPSR_EL2" ...), or NULL.
const struct field_table *register_fields(const char *name);
// The value of a field.
uint64_t named_field_get(const struct named_field *field, uint64_t value);

// The name of a register by its encoding, for those that no table of ours names. syndrome is ESR_ELx of a trapped MRS,
// MSR, MRC, MCR, MRRC, MCRR or VMRS. Of AArch64 it is S<op0>_<op1>_C<n>_C<m>_<op2>, as assemblers spell it (DDI 0487
// C5.1.2); of AArch32 CP<coprocessor>_<opc1>_C<n>_C<m>_<opc2>, or, for 64 bits, CP<coprocessor>_<opc1>_C<m>. buffer has
// SYSREG_ENCODED_NAME_SIZE bytes or more.
#define SYSREG_ENCODED_NAME_SIZE 24
void sysreg_encoded_name(uint32_t syndrome, char *buffer, size_t size);
