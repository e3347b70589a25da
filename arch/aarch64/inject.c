// SPDX-License-Identifier: Apache-2.0
// Takes exceptions to the guest's EL1 on its behalf, after the pseudocode of AArch64.TakeException (DDI 0487 J1.1.2)
// with target_el = EL1. The guest's EL1 registers live in the hardware while its vCPU is on this CPU, so they are
// written directly; PC and PSTATE are in the trap frame. Nothing here looks at policy, and whatever PC, PSTATE or
// VBAR_EL1 the guest has made up, the result is a legal return to EL1h.

#include <hv/arch/inject.h>

#include <hv/arch/frame.h>
#include <hv/arch/registers.h>

// The vectors of EL1, as offsets from VBAR_EL1 (DDI 0487 D1.3.1). There is a group of four for each place that an
// exception may come from; the synchronous one is the first of its group, at the group's own offset. VBAR_EL1 ignores
// its low 11 bits, since the table is aligned to 2 KiB.
#define VECTOR_EL1_SP_EL0  0x000
#define VECTOR_EL1_SP_EL1  0x200
#define VECTOR_EL0_AARCH64 0x400
#define VECTOR_EL0_AARCH32 0x600
#define VBAR_EL1_ADDRESS   GENMASK64(63, 11)
#define SPSR_KEPT          (SPSR_ELX_NZCV | SPSR_ELX_DIT | SPSR_ELX_PAN)
#define SPSR_ALL_MASKED    (SPSR_ELX_D | SPSR_ELX_A | SPSR_ELX_I | SPSR_ELX_F)
#define SYNDROME(ec, iss)  (FIELD_PREP(ESR_ELX_EC, ec) | ESR_ELX_IL | (iss))
// What of a data abort's ISS the guest gets as well. The description of the access (ISV, SAS, SRT ...) does not pass:
// in ESR_EL1, ISV is always 0. Nor does S1PTW, which speaks of stage 2.
#define ISS_ABORT_KEPT (ISS_ABORT_WNR | ISS_ABORT_CM | ISS_ABORT_FNV)

// Whether the exception comes from EL1 itself. PSTATE with M[4] = 1 is AArch32, which only EL0 can be in here, since
// HCR_EL2.RW is 1.
static bool from_el1(uint64_t pstate)
{
    return !(pstate & SPSR_ELX_M4) && FIELD_GET(SPSR_ELX_M_EL, pstate) == 1;
}

static uint64_t vector_offset(uint64_t pstate)
{
    if (pstate & SPSR_ELX_M4)
        return VECTOR_EL0_AARCH32;
    if (!from_el1(pstate))
        return VECTOR_EL0_AARCH64;
    return pstate & SPSR_ELX_M_SP ? VECTOR_EL1_SP_EL1 : VECTOR_EL1_SP_EL0;
}

// PSTATE at the handler's first instruction. SS, IL, UAO and BTYPE become 0; the flags, DIT and PAN are kept; PAN is
// also set when SCTLR_EL1.SPAN is 0, TCO always, SSBS comes from SCTLR_EL1.DSSBS: each where the CPU has the feature.
static uint64_t handler_pstate(uint64_t pstate)
{
    uint64_t sctlr = READ_SYSREG(SCTLR_EL1);
    uint64_t pfr1 = READ_SYSREG(ID_AA64PFR1_EL1);
    uint64_t new = (pstate & SPSR_KEPT) | SPSR_ALL_MASKED | SPSR_M_EL1H;

    if (FIELD_GET(ID_AA64MMFR1_EL1_PAN, READ_SYSREG(ID_AA64MMFR1_EL1)) && !(sctlr & SCTLR_EL1_SPAN))
        new |= SPSR_ELX_PAN;
    if (FIELD_GET(ID_AA64PFR1_EL1_SSBS, pfr1) && (sctlr & SCTLR_ELX_DSSBS))
        new |= SPSR_ELX_SSBS;
    if (FIELD_GET(ID_AA64PFR1_EL1_MTE, pfr1))
        new |= SPSR_ELX_TCO;
    return new;
}

// What the hardware does when it takes an exception to EL1, in its order: the old PC and PSTATE are saved for the
// handler's ERET before the frame gets the new ones. The caller has written FAR_EL1, where the exception has an
// address.
static void take_exception(struct vcpu *vcpu, uint64_t esr)
{
    struct trap_frame *frame = vcpu->frame;
    uint64_t pstate = frame->spsr_el2;

    WRITE_SYSREG(ESR_EL1, esr);
    WRITE_SYSREG(ELR_EL1, frame->elr_el2);
    WRITE_SYSREG(SPSR_EL1, pstate);
    frame->elr_el2 = (READ_SYSREG(VBAR_EL1) & VBAR_EL1_ADDRESS) + vector_offset(pstate);
    frame->spsr_el2 = handler_pstate(pstate);
}

// An UNDEFINED instruction has class 0, "unknown reason", and an ISS of 0. The PC in the frame is the instruction's
// own.
void inject_undef(struct vcpu *vcpu)
{
    take_exception(vcpu, SYNDROME(ESR_EC_UNKNOWN, 0));
}

// The class of an abort from the same level is one more than that of an abort from a lower level: 0x21 after 0x20 for
// instructions, 0x25 after 0x24 for data.
static void take_abort(struct vcpu *vcpu, gva_t far, bool instruction_fetch, uint64_t iss)
{
    uint64_t ec = instruction_fetch ? ESR_EC_IABT_LOWER : ESR_EC_DABT_LOWER;

    if (from_el1(vcpu->frame->spsr_el2))
        ec++;
    WRITE_SYSREG(FAR_EL1, far.v);
    take_exception(vcpu, SYNDROME(ec, iss));
}

void inject_abort(struct vcpu *vcpu, gva_t far, bool instruction_fetch, bool write)
{
    take_abort(vcpu, far, instruction_fetch, FSC_EXTERNAL | (write && !instruction_fetch ? ISS_ABORT_WNR : 0));
}

// Fault status codes that mean to EL1 what they mean to EL2: external and parity, alignment, TLB conflict, lockdown,
// unsupported atomic. The others name faults of stage 2, which the guest has none of.
static bool is_own_status(uint64_t fsc)
{
    return (fsc >= FSC_EXTERNAL && fsc <= FSC_ALIGNMENT) || fsc >= FSC_TLB_CONFLICT;
}

// A64 instructions stand at multiples of 4. The architecture sees a misaligned PC before the fetch and any abort of it
// (DDI 0487 D1.3.5); QEMU fetches first, so that stage 2 may be asked before the PC is.
static bool is_misaligned_pc(const struct trap_frame *frame)
{
    return !(frame->spsr_el2 & SPSR_ELX_M4) && frame->elr_el2 % 4 != 0;
}

// Gives the guest the abort that EL2 has taken, as it would look on a machine without stage 2. Where a walk of the
// guest's tables ran into stage 2 it is an external abort on the walk at that level. A status that means something to
// EL1 passes, and all else is an external abort, as from an address where nothing answers.
void inject_abort_trapped(struct vcpu *vcpu, unsigned int level)
{
    uint64_t esr = vcpu->frame->esr_el2;
    bool instruction_fetch = FIELD_GET(ESR_ELX_EC, esr) == ESR_EC_IABT_LOWER;

    if (instruction_fetch && is_misaligned_pc(vcpu->frame)) {
        WRITE_SYSREG(FAR_EL1, vcpu->frame->elr_el2);
        take_exception(vcpu, SYNDROME(ESR_EC_PC_ALIGNMENT, 0));
        return;
    }
    uint64_t iss = esr & (instruction_fetch ? ISS_ABORT_FNV : ISS_ABORT_KEPT);

    if (esr & ISS_ABORT_S1PTW)
        iss |= FSC_EXTERNAL_WALK + (level & 3);
    else
        iss |= is_own_status(FIELD_GET(ISS_ABORT_FSC, esr)) ? esr & ISS_ABORT_FSC : FSC_EXTERNAL;
    take_abort(vcpu, gva_make(vcpu->frame->far_el2), instruction_fetch, iss);
}

// Whether the guest would have got this exception itself (DDI 0487 D2.3.1 and D2.10). With MDCR_EL2.TDE everything
// below EL2 generates debug exceptions; without, EL1 does only where KDE is set and D is clear.
static bool debug_is_enabled(const struct vcpu *vcpu)
{
    uint64_t pstate = vcpu->frame->spsr_el2;
    uint64_t mdscr = vcpu->step_owned ? vcpu->guest_mdscr : READ_SYSREG(MDSCR_EL1);

    return !from_el1(pstate) || (!(pstate & SPSR_ELX_D) && (mdscr & MDSCR_EL1_KDE));
}

// Gives the guest the debug exception that EL2 has taken. False when the guest would not have got it: then it goes on
// as if there had been none. BRK and BKPT are instructions and are never masked.
bool inject_debug(struct vcpu *vcpu, uint32_t syndrome)
{
    uint64_t ec = FIELD_GET(ESR_ELX_EC, syndrome);
    uint64_t pstate = vcpu->frame->spsr_el2;
    bool is_brk = ec == ESR_EC_BRK || ec == ESR_EC_BKPT32;

    if (!is_brk) {
        if (!debug_is_enabled(vcpu))
            return false;
        if (from_el1(pstate))
            ec++; // breakpoint, step and watchpoint have a same-EL code next to the lower-EL one; BRK has one code
        if (FIELD_GET(ESR_ELX_EC, syndrome) == ESR_EC_WATCHPOINT_LOWER)
            WRITE_SYSREG(FAR_EL1, vcpu->frame->far_el2);
    }
    take_exception(vcpu, FIELD_PREP(ESR_ELX_EC, ec) | (syndrome & (ESR_ELX_IL | ESR_ELX_ISS)));
    return true;
}

void inject_serror(struct vcpu *vcpu)
{
    (void)vcpu;
    // With FEAT_RAS the guest's ESR_EL1.ISS comes from VSESR_EL2: 0 is an uncategorized error. The eret that ends this
    // exit is the context synchronization that makes both take effect.
    if (FIELD_GET(ID_AA64PFR0_EL1_RAS, READ_SYSREG(ID_AA64PFR0_EL1)))
        WRITE_SYSREG(S3_4_C5_C2_3, 0); // VSESR_EL2
    WRITE_SYSREG(HCR_EL2, READ_SYSREG(HCR_EL2) | HCR_EL2_VSE);
}

// The hardware clears HCR_EL2.VSE when the guest takes the virtual SError. As long as it is set, the guest has not.
bool inject_serror_pending(void)
{
    return READ_SYSREG(HCR_EL2) & HCR_EL2_VSE;
}
