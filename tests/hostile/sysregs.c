// SPDX-License-Identifier: Apache-2.0
// Every encoding of MRS, MSR, SYS and SYSL: op0 2 and 3 read and written, op0 1 executed. Each is done or UNDEFINED.
// Registers that hold this program up are written back as they are; all others get random values, and then their own.
#include "hostile.h"

#include "lib/cpu.h"

#define EC_SVE    0x19
#define EC_SME    0x1d
#define ENCODINGS 0x10000 // op0 .. op2: 16 bits at 5
#define VALUES    8

static bool holds_us_up(uint32_t encoding)
{
    static const uint32_t own[] = {
        SYS_ENCODING(3, 0, 1, 0, 0),  // SCTLR_EL1
        SYS_ENCODING(3, 0, 1, 0, 2),  // CPACR_EL1
        SYS_ENCODING(3, 0, 4, 2, 0),  // SPSel
        SYS_ENCODING(3, 3, 4, 2, 1),  // DAIF
        SYS_ENCODING(3, 0, 12, 0, 0), // VBAR_EL1
    };

    for (unsigned int i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (own[i] == encoding)
            return true;
    return false;
}

// ICC_BPR1_EL1 with more than its three bits ends QEMU 7.2 in an assertion of its own.
static uint64_t random_value(uint32_t encoding)
{
    uint64_t value = random_below(2) ? random_next() : random_hostile();

    return encoding == SYS_ENCODING(3, 0, 12, 12, 3) ? value & 7 : value;
}

// UNDEFINED has a syndrome of its own in the ID space (FEAT_IDST), and CPACR_EL1, which is the guest's, traps the
// registers of SVE and SME to EL1 before EL2 is asked.
static bool is_done_or_undef(const struct exception *e, uint32_t encoding)
{
    bool undef = e->ec == EC_UNKNOWN || e->ec == EC_SVE || e->ec == EC_SME ||
                 (e->ec == EC_SYSREG && (encoding & SYS_ENCODING(3, 0, 15, 8, 0)) == SYS_ENCODING(3, 0, 0, 0, 0));

    return e->taken == 0 || (e->taken == 1 && undef && e->elr == cpu_try_address());
}

static void attack_register(uint32_t encoding)
{
    uint64_t value = random_next();
    struct exception read = cpu_try_read(encoding, &value);
    struct exception write;

    account(is_done_or_undef(&read, encoding), "a register read", encoding >> 5, read.esr, read.elr);
    for (unsigned int n = 0; n < VALUES && !holds_us_up(encoding); n++) {
        write = cpu_try_write(encoding, random_value(encoding));
        account(is_done_or_undef(&write, encoding), "a register write", encoding >> 5, write.esr, write.elr);
    }
    if (read.taken == 0) {
        write = cpu_try_write(encoding, value);
        account(is_done_or_undef(&write, encoding), "a register written back", encoding >> 5, write.esr, write.elr);
    }
}

// The address is in memory that nobody needs: DC ZVA zeroes it.
static void attack_instruction(uint32_t encoding)
{
    uint64_t x0 = SCRATCH_IPA + random_below(SCRATCH_SIZE);
    struct exception e = cpu_try(INSN_MSR_X0(encoding), &x0);

    account(is_done_or_undef(&e, encoding) || is_refusal(&e), "a system instruction", encoding >> 5, e.esr, e.elr);
    e = cpu_try(INSN_MRS_X0(encoding), &x0);
    account(is_done_or_undef(&e, encoding), "a system instruction with a result", encoding >> 5, e.esr, e.elr);
}

void attack_sysregs(uint64_t count)
{
    // Every one once, in an order of its own.
    uint32_t start = (uint32_t)random_next(), step = (uint32_t)random_next() | 1;

    for (uint64_t i = 0; i < (count == 0 ? ENCODINGS : count); i++) {
        uint32_t number = (start + (uint32_t)i * step) % ENCODINGS;

        switch (number >> 14) {
        case 0:
            break; // op0 0: hints, barriers, PSTATE
        case 1:
            attack_instruction(number << 5);
            break;
        default:
            attack_register(number << 5);
            break;
        }
    }
    exception_expect();
}
