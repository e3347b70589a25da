// SPDX-License-Identifier: Apache-2.0
// What an abort of the guest was: from the syndrome, the fault address and, where the syndrome does not describe the
// access, the instruction (DDI 0487 D19.2.37, D8.14). Nothing is decided here that policy decides.
//
// The problem: what is read here, the instruction, the stage-1 tables and the entry of stage 2, may have changed since
// the guest faulted, by another vCPU or by the monitor. The rule: what does not fit together is no error, but is
// executed again, and then either goes through or faults in a way that fits. abort.c bounds how often.

#include <hv/arch/abort_classify.h>

#include <hv/arch/el2_translate.h>
#include <hv/arch/frame.h>
#include <hv/arch/registers.h>
#include <hv/arch/tlb.h>
#include <hv/guest_mem.h>
#include <hv/guest_walk.h>
#include <hv/vm.h>

// HPFAR_EL2.FIPA holds bits of the faulting IPA from bit 12 on. The offset in the page comes from FAR_EL2, since stage
// 1 does not change it.
#define PAGE_OFFSET  UINT64_C(0xfff)
#define HPFAR_IPA(v) (FIELD_GET(HPFAR_EL2_FIPA, v) << 12)

struct fault_status {
    uint8_t first, last; // of FSC
    uint8_t verdict;     // enum abort_verdict
    const char *reason;
};

// What is no stage-2 fault of the access or of a walk. The rest of the codes: "an unknown fault status".
static const struct fault_status other_faults[] = {
    {FSC_EXTERNAL, FSC_EXTERNAL, ABORT_INJECT, "a synchronous external abort"},
    {FSC_TAG, FSC_TAG, ABORT_INJECT, "a tag check fault"},
    {FSC_EXTERNAL_WALK, FSC_EXTERNAL_WALK + 3, ABORT_INJECT, "a synchronous external abort on a walk"},
    {FSC_PARITY, FSC_PARITY, ABORT_INJECT, "a parity or ECC error"},
    {FSC_PARITY_WALK, FSC_PARITY_WALK + 3, ABORT_INJECT, "a parity or ECC error on a walk"},
    {FSC_ALIGNMENT, FSC_ALIGNMENT, ABORT_INJECT, "an alignment fault"},
    {FSC_TLB_CONFLICT, FSC_TLB_CONFLICT, ABORT_RETRY, "a TLB conflict"},
    {FSC_HARDWARE_FLAG, FSC_HARDWARE_FLAG, ABORT_STOP, "an unsupported hardware update of a descriptor"},
    {FSC_LOCKDOWN, FSC_LOCKDOWN, ABORT_INJECT, "a lockdown fault"},
    {FSC_ATOMIC, FSC_ATOMIC, ABORT_INJECT, "an exclusive or atomic access that memory does not support"},
};

// The reason is what the log and explain say. docs/ARCHITECTURE.md has a table of all reasons, which a test holds to
// this file.
static void decide(struct abort_plan *plan, enum abort_verdict verdict, const char *reason)
{
    plan->verdict = verdict;
    plan->reason = reason;
}

// Faults that are not of stage 2: the hardware's own. All but two go on to the guest as they came.
static void classify_other(const struct vcpu *vcpu, uint64_t fsc, struct abort_plan *plan)
{
    decide(plan, ABORT_INJECT, "an unknown fault status");
    for (size_t i = 0; i < ARRAY_COUNT(other_faults); i++)
        if (fsc >= other_faults[i].first && fsc <= other_faults[i].last)
            decide(plan, (enum abort_verdict)other_faults[i].verdict, other_faults[i].reason);
    // Entries of this VMID: the guest left out break-before-make in its stage 1. Gone, the access is tried again.
    if (fsc == FSC_TLB_CONFLICT)
        tlb_flush_stage2_all(stage2_vttbr(&vcpu->vm->space.stage2));
}

// Whether stage 2 now allows what faulted; *mapped says whether there is an entry at all.
static bool stage2_allows(struct vcpu *vcpu, uint64_t ipa, uint32_t permission, bool *mapped)
{
    struct stage2_entry entry;

    *mapped = stage2_query(&vcpu->vm->space.stage2, ipa_make(ipa), &entry) == HV_OK && entry.valid;
    return *mapped && (entry.permissions & permission) == permission;
}

// What the access needed of stage 2. ESR_EL2.ISS.WnR says whether it wrote; a fetch has no such bit.
static uint32_t needed_permission(uint64_t esr, bool fetch)
{
    if (fetch)
        return STAGE2_EXECUTE;
    return esr & ISS_ABORT_WNR ? STAGE2_WRITE : STAGE2_READ;
}

// A walk of the guest's own tables ran into stage 2 (S1PTW). HPFAR_EL2 has the table's page, FAR_EL2 the access.
static void classify_walk(struct vcpu *vcpu, uint64_t esr, struct abort_plan *plan)
{
    uint64_t ipa = HPFAR_IPA(vcpu->frame->hpfar_el2);
    bool mapped;

    plan->address = ipa_make(ipa);
    if (stage2_allows(vcpu, ipa, needed_permission(esr, false), &mapped))
        decide(plan, ABORT_RETRY, "a walk that raced with a remap");
    else if (!space_is_ram(&vcpu->vm->space, ipa_make(ipa)))
        decide(plan, ABORT_INJECT, "a stage-1 table outside guest RAM");
    else
        decide(plan, ABORT_INJECT, mapped ? "a stage-1 table without permission" : "a stage-1 table in a hole");
}

// An abort on guest RAM, where stage 2 normally lets everything through. If it would now, the guest has raced with a
// change and tries again. Cache maintenance on an unmapped page has nothing to do and is skipped: a kernel that cleans
// a range need not know of the hole in it.
static void classify_mapped(struct vcpu *vcpu, uint64_t esr, bool fetch, struct abort_plan *plan)
{
    bool mapped;

    if (stage2_allows(vcpu, plan->address.v, needed_permission(esr, fetch), &mapped))
        decide(plan, ABORT_RETRY, "an access that raced with a remap");
    else if (!mapped && (esr & ISS_ABORT_CM) && !fetch)
        decide(plan, ABORT_SKIP, "cache maintenance on a hole in guest RAM");
    else
        decide(plan, ABORT_INJECT, mapped ? "no stage-2 permission" : "a hole in guest RAM");
}

// The access as the syndrome has it (ISV = 1).
static void decode_syndrome(uint64_t esr, struct abort_access *access)
{
    access->size = (uint8_t)(1 << FIELD_GET(ISS_ABORT_SAS, esr));
    access->alignment = access->size;
    access->count = 1;
    access->reg[0] = (uint8_t)FIELD_GET(ISS_ABORT_SRT, esr);
    access->write = esr & ISS_ABORT_WNR;
    access->sign_extend = esr & ISS_ABORT_SSE;
    access->sixty_four = esr & ISS_ABORT_SF;
    access->acquire_release = esr & ISS_ABORT_AR;
}

// Where the guest's own tables lead, by a walk in software: the registers are the guest's, which are live while EL2
// runs.
static bool walk_stage1(struct vcpu *vcpu, gva_t va, struct guest_walk *walk)
{
    struct guest_walk_registers registers;

    guest_walk_registers_read(&registers);
    return guest_walk(&vcpu->vm->space, &registers, va, walk);
}

// The 4 bytes at the guest's PC; A64 instructions are little-endian whatever SCTLR_EL1.EE says.
static bool read_instruction(struct vcpu *vcpu, uint32_t *instruction)
{
    uint64_t pc = vcpu->frame->elr_el2;
    struct guest_walk walk;

    return (pc & 3) == 0 && walk_stage1(vcpu, gva_make(pc), &walk) &&
           guest_mem_read(&vcpu->vm->space, walk.ipa, instruction, sizeof(*instruction)) == HV_OK;
}

// The access as the faulting instruction has it. The instruction is read once; it may no longer be what faulted, so
// the direction must agree with the syndrome.
static void decode_memory(struct vcpu *vcpu, uint64_t esr, struct abort_plan *plan)
{
    uint32_t instruction;
    const char *reason;

    if (vcpu->frame->spsr_el2 & SPSR_ELX_M4)
        decide(plan, ABORT_INJECT, "an AArch32 access that the syndrome does not describe");
    else if (!read_instruction(vcpu, &instruction))
        decide(plan, ABORT_RETRY, "an instruction that cannot be read");
    else if (!abort_decode_instruction(instruction, &plan->access, &reason))
        decide(plan, ABORT_INJECT, reason);
    else if (plan->access.write != !!(esr & ISS_ABORT_WNR))
        decide(plan, ABORT_RETRY, "an instruction that is not the one that faulted");
    else
        decide(plan, ABORT_DEVICE, NULL);
}

// As a base register, 31 is the stack pointer of the guest's exception level.
static uint64_t base_register(const struct vcpu *vcpu, unsigned int n)
{
    return n == 31 ? frame_stack_pointer(vcpu->frame) : vcpu_get_reg(vcpu, n);
}

// What a device access must fulfil beyond being a load or store: whole registers naturally aligned (memory of type
// Device, DDI 0487 B2.7.2), all of it in the page that faulted, and that page the first one it touches.
static void check_access(struct vcpu *vcpu, struct abort_plan *plan)
{
    const struct abort_access *access = &plan->access;
    uint64_t bytes = (uint64_t)access->size * access->count;
    uint64_t far = vcpu->frame->far_el2;

    if (plan->address.v & (access->size - 1u))
        decide(plan, ABORT_INJECT, "an unaligned access");
    else if ((plan->address.v & PAGE_OFFSET) + bytes > PAGE_OFFSET + 1)
        decide(plan, ABORT_INJECT, "a pair across a page");
    else if (access->count == 2 && (base_register(vcpu, access->base) + (uint64_t)access->address_offset - far) << 8)
        decide(plan, ABORT_INJECT, "a pair that begins in another page"); // << 8: FAR may lack the tag of TBI
    else if (access->simd && READ_SYSREG(CPTR_EL2) & CPTR_EL2_TFP)
        decide(plan, ABORT_INJECT, "a SIMD access while SIMD traps");
}

// Whether the guest's stage 1 makes it Device memory, as it does of everything while its MMU is off (DDI 0487 D8.2.10).
static bool is_device_memory(struct vcpu *vcpu)
{
    struct guest_walk walk;

    return walk_stage1(vcpu, gva_make(vcpu->frame->far_el2), &walk) && (walk.flat || MAIR_IS_DEVICE(walk.memory));
}

// An access to Device memory that is not aligned is a fault of stage 1, before stage 2 has a say (DDI 0487 B2.7.2,
// R_PXNKW). A CPU that leaves that out, as QEMU 7.2 does, comes here with what stage 2 thinks of it.
static bool is_alignment_fault(struct vcpu *vcpu, struct abort_plan *plan)
{
    unsigned int alignment = plan->access.alignment;

    if (plan->verdict != ABORT_DEVICE && plan->verdict != ABORT_INJECT)
        return false;
    if (alignment != ALIGNMENT_NEVER && (plan->address.v & (alignment - 1u)) == 0)
        return false;
    if (!is_device_memory(vcpu))
        return false;
    if (alignment != ALIGNMENT_NEVER)
        plan->reason = "an unaligned access";
    plan->verdict = ABORT_INJECT;
    plan->status = FSC_ALIGNMENT;
    return true;
}

// An access where a device may answer. If ISS describes it (ISV = 1), which it does for loads and stores of one general
// register without write-back, nothing has to be read from the guest. For others, such as LDP, the instruction is
// decoded.
static void classify_device(struct vcpu *vcpu, uint64_t esr, struct abort_plan *plan)
{
    if (esr & ISS_ABORT_CM) {
        // Nothing outside guest RAM is ever cached, so there is nothing to clean or invalidate.
        decide(plan, ABORT_SKIP, "cache maintenance outside guest RAM");
        return;
    }
    if (esr & ISS_ABORT_ISV) {
        decode_syndrome(esr, &plan->access);
        decide(plan, ABORT_DEVICE, NULL);
    } else {
        decode_memory(vcpu, esr, plan);
    }
    if (!is_alignment_fault(vcpu, plan) && plan->verdict == ABORT_DEVICE)
        check_access(vcpu, plan);
}

// The access's size is decoded too, where ISS has it, for the one fault that comes before stage 2's: that of alignment.
static void classify_ram(struct vcpu *vcpu, uint64_t esr, bool fetch, struct abort_plan *plan)
{
    classify_mapped(vcpu, esr, fetch, plan);
    if (fetch || !(esr & ISS_ABORT_ISV))
        return;
    decode_syndrome(esr, &plan->access);
    (void)is_alignment_fault(vcpu, plan);
}

// FSC 0b0011LL: the entry is there, and does not allow it. LL is the level of the entry.
static bool is_permission_fault(uint64_t fsc)
{
    return (fsc & ~UINT64_C(3)) == FSC_PERMISSION;
}

// The IPA that faulted. HPFAR_EL2 has it, but for a permission fault of the access itself, after which it is UNKNOWN
// (DDI 0487 D19.2.64): then the MMU is asked what stage 1 makes of FAR_EL2. False when the guest has changed its tables
// meanwhile, so that it makes nothing of it.
static bool find_address(struct vcpu *vcpu, uint64_t fsc, ipa_t *ipa)
{
    const struct trap_frame *frame = vcpu->frame;
    uint64_t page = HPFAR_IPA(frame->hpfar_el2);

    if (is_permission_fault(fsc)) {
        uint64_t par = el1_translate(gva_make(frame->far_el2));

        if (par & PAR_EL1_F)
            return false;
        page = par & PAR_EL1_PA;
    }
    *ipa = ipa_make(page | (frame->far_el2 & PAGE_OFFSET));
    return true;
}

// Whether a device answers at ipa: there is no RAM, or the entry that refused the access says so.
static bool is_device(const struct vcpu *vcpu, uint64_t fsc, ipa_t ipa)
{
    const struct space *space = &vcpu->vm->space;

    return !space_is_ram(space, ipa) ||
           (is_permission_fault(fsc) && stage2_meaning(&space->stage2, ipa) == STAGE2_SHADOW);
}

// The order of questions is that of certainty: first what the status code alone says, then whose walk it was, then what
// lies at the address.
void abort_classify(struct vcpu *vcpu, struct abort_plan *plan)
{
    uint64_t esr = vcpu->frame->esr_el2;
    uint64_t fsc = FIELD_GET(ISS_ABORT_FSC, esr);
    bool fetch = FIELD_GET(ESR_ELX_EC, esr) == ESR_EC_IABT_LOWER;

    // Field by field: the compiler would call memset for the whole.
    plan->verdict = ABORT_INJECT;
    plan->reason = NULL;
    plan->status = 0;
    plan->address = ipa_make(0);
    plan->access = (struct abort_access){.alignment = 1};
    if (fsc > FSC_PERMISSION + 3)
        classify_other(vcpu, fsc, plan);
    else if (esr & ISS_ABORT_S1PTW)
        classify_walk(vcpu, esr, plan);
    else if (!find_address(vcpu, fsc, &plan->address))
        decide(plan, ABORT_RETRY, "an address that no longer translates");
    else if (!is_device(vcpu, fsc, plan->address))
        classify_ram(vcpu, esr, fetch, plan);
    else if (fetch)
        decide(plan, ABORT_INJECT, "an instruction fetch outside guest RAM");
    else
        classify_device(vcpu, esr, plan);
}

unsigned int abort_walk_level(struct vcpu *vcpu)
{
    uint64_t page = HPFAR_IPA(vcpu->frame->hpfar_el2);
    struct guest_walk walk;

    walk_stage1(vcpu, gva_make(vcpu->frame->far_el2), &walk);
    for (unsigned int i = 0; i < walk.step_count; i++)
        if ((walk.steps[i].address.v & ~PAGE_OFFSET) == page)
            return walk.steps[i].level;
    return walk.fault_level; // the table that could not be read, as for hardware
}
