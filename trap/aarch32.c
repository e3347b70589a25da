// SPDX-License-Identifier: Apache-2.0
// Traps from A32 and T32 code at EL0. Owns: which AArch64 register a coprocessor register is, so that policy, handlers,
// counters and log know one name for both; how 64 bits move in two 32-bit registers; conditions and IT state. Registers
// that EL0 cannot reach at all (DDI 0487 G8) are UNDEFINED there before EL2 is asked, and need no row here.

#include <hv/arch/aarch32.h>

#include <hv/arch/aarch32_table.h>
#include <hv/arch/frame.h>
#include <hv/arch/sysreg.h>
#include <hv/policy.h>

#define IT_STATE(spsr) (FIELD_GET(SPSR_AARCH32_IT_LOW, spsr) | FIELD_GET(SPSR_AARCH32_IT_HIGH, spsr) << 2)
#define LOW_HALF       UINT64_C(0xffffffff)

// A block of registers that MCR and MRC reach at the same CRn, CRm and opc2 as MRS and MSR do, but at another op0, op1.
struct block {
    uint8_t ec, opc1, crn, crm_first, crm_last;
    uint8_t op0, op1;
};

#define BLOCK_ROW(...) {__VA_ARGS__},
static const struct block blocks[] = {AARCH32_BLOCK_TABLE(BLOCK_ROW)};

// One that stands elsewhere: its place is the ISS without COND, Rt and Direction.
#define MRC(opc1, crn, crm, opc2)                                                                                      \
    (FIELD_PREP(ISS_SYSREG_OP1, opc1) | FIELD_PREP(ISS_SYSREG_CRN, crn) | FIELD_PREP(ISS_SYSREG_CRM, crm) |            \
     FIELD_PREP(ISS_SYSREG_OP2, opc2))
#define MRRC(opc1, crm) (FIELD_PREP(ISS_MCRR_OPC1, opc1) | FIELD_PREP(ISS_SYSREG_CRM, crm))
#define MRC_PLACE       (ISS_SYSREG_OP1 | ISS_SYSREG_CRN | ISS_SYSREG_CRM | ISS_SYSREG_OP2)
#define MRRC_PLACE      (ISS_MCRR_OPC1 | ISS_SYSREG_CRM)

struct single {
    uint8_t ec;
    uint8_t upper; // bits 63:32 of the AArch64 register
    uint16_t key;
    uint32_t place;
};

#define SINGLE_ROW(ec, upper, name, place) {(ec), (upper), KEY_##name, (place)},
static const struct single singles[] = {AARCH32_SINGLE_TABLE(SINGLE_ROW)};

// MCRR and MRRC move two general registers at once. Their ISS has another form than that of MCR and MRC: opc1 is wider,
// and a second register stands where CRn and opc2 would.
static bool is_pair(uint32_t syndrome)
{
    uint64_t ec = FIELD_GET(ESR_ELX_EC, syndrome);

    return ec == ESR_EC_CP15_64 || ec == ESR_EC_CP14_64;
}

// Gives the syndrome the op0 and op1 that the same register has in AArch64, and looks that up. For example, MRC p15, 0,
// R1, c9, c12, 0 (PMCR) becomes op0 = 3, op1 = 3, CRn = 9, CRm = 12, op2 = 0, which is PMCR_EL0.
static unsigned int key_in_block(uint32_t syndrome)
{
    uint64_t crm = FIELD_GET(ISS_SYSREG_CRM, syndrome);

    for (size_t i = 0; i < ARRAY_COUNT(blocks); i++) {
        const struct block *block = &blocks[i];
        if (FIELD_GET(ESR_ELX_EC, syndrome) == block->ec && FIELD_GET(ISS_SYSREG_OP1, syndrome) == block->opc1 &&
            FIELD_GET(ISS_SYSREG_CRN, syndrome) == block->crn && crm >= block->crm_first && crm <= block->crm_last)
            return sysreg_key((syndrome & ~(uint32_t)(ISS_SYSREG_OP0 | ISS_SYSREG_OP1)) |
                              (uint32_t)FIELD_PREP(ISS_SYSREG_OP0, block->op0) |
                              (uint32_t)FIELD_PREP(ISS_SYSREG_OP1, block->op1));
    }
    return KEY_SYSREG_UNKNOWN;
}

// Those that stand elsewhere are looked for first, since a block may have their place: PMCEID2 lies among the
// performance monitors, where AArch64 has the upper half of PMCEID0_EL0 in the same register as the lower one.
unsigned int aarch32_register_key(uint32_t syndrome, bool *upper)
{
    uint32_t place = syndrome & (uint32_t)(is_pair(syndrome) ? MRRC_PLACE : MRC_PLACE);

    *upper = false;
    for (size_t i = 0; i < ARRAY_COUNT(singles); i++) {
        if (singles[i].ec == FIELD_GET(ESR_ELX_EC, syndrome) && singles[i].place == place) {
            *upper = singles[i].upper;
            return singles[i].key;
        }
    }
    return key_in_block(syndrome);
}

// ---- Conditions and the IT state
//
// An A32 or T32 instruction may trap to EL2 though its condition is false (DDI 0487 F2.3.1). Then it must do nothing,
// and EL2 skips it. The condition is in the syndrome where CV says so; otherwise the instruction was T32, and the IT
// state of SPSR_EL2 has it.

// Whether a condition holds (ConditionHolds in the pseudocode of DDI 0487). Bits 3:1 choose what is looked at, and bit
// 0 turns the answer round, but for 0b1111, which is "always" too. For example 0b0001 is NE: Z is clear.
static bool holds(unsigned int condition, uint64_t spsr)
{
    bool n = spsr & SPSR_ELX_N, z = spsr & SPSR_ELX_Z, c = spsr & SPSR_ELX_C, v = spsr & SPSR_ELX_V;
    const bool results[] = {z, c, n, v, c && !z, n == v, n == v && !z, true};
    bool result = results[condition >> 1 & 7];

    return (condition & 1) && condition != 15 ? !result : result;
}

// A64 has no conditional instructions that trap, so for it the answer is yes.
static bool condition_holds(const struct trap_frame *frame, uint32_t syndrome)
{
    uint64_t it = IT_STATE(frame->spsr_el2);

    if (!(frame->spsr_el2 & SPSR_ELX_M4))
        return true;
    if (syndrome & ISS_COND_VALID)
        return holds((unsigned int)FIELD_GET(ISS_COND, syndrome), frame->spsr_el2);
    return (it & 0xf) == 0 ||
           holds((unsigned int)(it >> 4), frame->spsr_el2); // outside of an IT block a T32 instruction is always done
}

// What is skipped counts for no row: nothing was refused.
bool aarch32_is_skipped(const struct vcpu *vcpu, struct event *event)
{
    if (condition_holds(vcpu->frame, event->syndrome))
        return false;
    event->row = POLICY_ROW_NONE;
    event->verdict = POLICY_ALLOW;
    event->address = 0;
    event->value = 0;
    return true;
}

void aarch32_advance(struct trap_frame *frame)
{
    uint64_t spsr = frame->spsr_el2;
    uint64_t it = IT_STATE(spsr);

    // ESR_EL2.IL says how long the instruction was. A T32 instruction moves the IT state on as well: the low five bits
    // shift left, and the block ends when the three lowest are 0 (ITAdvance in the pseudocode of DDI 0487).
    frame->elr_el2 += frame->esr_el2 & ESR_ELX_IL ? 4 : 2;
    if (it != 0)
        it = (it & 0x7) == 0 ? 0 : (it & 0xe0) | ((it << 1) & 0x1f);
    frame->spsr_el2 = (spsr & ~(SPSR_AARCH32_IT_LOW | SPSR_AARCH32_IT_HIGH | SPSR_ELX_SS)) |
                      FIELD_PREP(SPSR_AARCH32_IT_LOW, it) | FIELD_PREP(SPSR_AARCH32_IT_HIGH, it >> 2);
}

// ---- Moving the data

// Rt = 15 does not name R15 in these instructions. As the source of MCR it is UNPREDICTABLE, and as the target of MRC
// it means the flags, which get bits 31:28. The syndrome has 31 for it, or 15 (DDI 0487 D19.2.37).
static bool is_r15(unsigned int rt)
{
    return rt == 15 || rt == 31;
}

static uint64_t register_value(const struct vcpu *vcpu, unsigned int rt)
{
    return is_r15(rt) ? 0 : vcpu_get_reg(vcpu, rt) & LOW_HALF;
}

static void set_register(struct vcpu *vcpu, unsigned int rt, uint64_t value)
{
    if (is_r15(rt))
        vcpu->frame->spsr_el2 = (vcpu->frame->spsr_el2 & ~SPSR_ELX_NZCV) | (value & SPSR_ELX_NZCV);
    else
        vcpu_set_reg(vcpu, rt, value & LOW_HALF);
}

// Whether the register is a counter of 64 bits of which MCR writes the lower half and keeps the upper one (DDI 0487 G8,
// PMCCNTR).
static bool is_half_of_a_counter(unsigned int key)
{
    return key == KEY_PMCCNTR_EL0 || key == KEY_PMXEVCNTR_EL0 ||
           (key >= KEY_PMEVCNTR0_EL0 && key <= KEY_PMEVCNTR30_EL0);
}

// The 64 bits for the register: two general registers, the lower one first, or one with zeros above it.
static uint64_t value_to_write(struct vcpu *vcpu, const struct event *event)
{
    uint64_t value = register_value(vcpu, (unsigned int)FIELD_GET(ISS_SYSREG_RT, event->syndrome));
    uint64_t old = 0;

    if (is_pair(event->syndrome))
        return value | register_value(vcpu, (unsigned int)FIELD_GET(ISS_MCRR_RT2, event->syndrome)) << 32;
    if (is_half_of_a_counter(event->key) && sysreg_read(vcpu, event->key, &old) == HV_OK)
        value |= old & ~LOW_HALF;
    return value;
}

// The register's 64 bits go to two general registers, or one of its halves goes to one.
static void hand_out(struct vcpu *vcpu, const struct event *event, bool upper)
{
    set_register(vcpu, (unsigned int)FIELD_GET(ISS_SYSREG_RT, event->syndrome),
                 upper ? event->value >> 32 : event->value);
    if (is_pair(event->syndrome))
        set_register(vcpu, (unsigned int)FIELD_GET(ISS_MCRR_RT2, event->syndrome), event->value >> 32);
}

// The way of trap_sysreg64 (trap.c) for AArch32: from here on, policy and emulation see the AArch64 register.
enum trap_result aarch32_coprocessor(struct vcpu *vcpu, struct event *event)
{
    bool upper;

    event->key = (uint16_t)aarch32_register_key(event->syndrome, &upper);
    event->write = !(event->syndrome & ISS_SYSREG_DIRECTION);
    if (aarch32_is_skipped(vcpu, event))
        return TRAP_DONE;
    if (event->write) {
        event->value = value_to_write(vcpu, event);
        return trap_sysreg(vcpu, event);
    }
    enum trap_result result = trap_sysreg(vcpu, event);
    if (result == TRAP_DONE)
        hand_out(vcpu, event, upper);
    return result;
}
