// SPDX-License-Identifier: Apache-2.0
// The shorter way of the most frequent exits: calls that return a number, reads of ID registers, SGIs, WFI, accesses to
// emulated devices, and the virtual timer's interrupt. It runs while most of the guest's registers still stand in
// theirs and nothing of the system registers is saved, so it does only what needs neither, by the same verdicts and the
// same functions, and leaves the same event and counters. What it does not do it leaves untouched for trap_from_sync.

#include <hv/arch/trap.h>

#include <hv/arch/barrier.h>
#include <hv/arch/cpu.h>
#include <hv/arch/el2_translate.h>
#include <hv/arch/registers.h>
#include <hv/arch/s2_pte.h>
#include <hv/arch/sysreg.h>
#include <hv/call.h>
#include <hv/device.h>
#include <hv/gicv3.h>
#include <hv/policy.h>
#include <hv/stage2.h>
#include <hv/telemetry.h>
#include <hv/trap.h>
#include <hv/vgic.h>
#include <hv/vtimer.h>

#define UNLIKELY(condition) __builtin_expect(condition, 0)

// The whole syndrome of hvc #0, and of what else is done here but for the bits that tell which: an ID register, or an
// access that the syndrome describes, neither sign-extended nor on behalf of a table walk, after a translation or a
// permission fault.
#define ID_READ (FIELD_PREP(ESR_ELX_EC, ESR_EC_SYSREG) | FIELD_PREP(ISS_SYSREG_OP0, 3) | ISS_SYSREG_DIRECTION)
#define ID_MASK (ESR_ELX_EC | ISS_SYSREG_OP0 | ISS_SYSREG_OP1 | ISS_SYSREG_CRN | BIT64(4) | ISS_SYSREG_DIRECTION)
// MSR ICC_SGI1R_EL1: S3_0_C12_C11_5
#define SGI_WRITE                                                                                                      \
    (FIELD_PREP(ESR_ELX_EC, ESR_EC_SYSREG) | ESR_ELX_IL | FIELD_PREP(ISS_SYSREG_OP0, 3) |                              \
     FIELD_PREP(ISS_SYSREG_CRN, 12) | FIELD_PREP(ISS_SYSREG_CRM, 11) | FIELD_PREP(ISS_SYSREG_OP2, 5))
#define HVC_0      (FIELD_PREP(ESR_ELX_EC, ESR_EC_HVC64) | ESR_ELX_IL)
#define ACCESS     (FIELD_PREP(ESR_ELX_EC, ESR_EC_DABT_LOWER) | ISS_ABORT_ISV | 0x4)
#define PERMISSION (FSC_PERMISSION & ~FSC_TRANSLATION) // the bit that tells these two apart
#define WFI        FIELD_PREP(ESR_ELX_EC, ESR_EC_WFX)

#define ACCESS_MASK (ESR_ELX_EC | ISS_ABORT_ISV | ISS_ABORT_SSE | ISS_ABORT_FNV | ISS_ABORT_CM | ISS_ABORT_S1PTW | 0x34)

// Takes the slot of the next event. An exit that this way does not finish is begun again by trap_from_sync, in the same
// slot.
static inline struct event *begin(struct vcpu *vcpu)
{
    uint64_t entry = READ_SYSREG(CNTPCT_EL0);
    struct event *event = telemetry_begin(vcpu->telemetry);
    telemetry_enter(event, entry);
    return event;
}

// Fills in the fields that are the same for all that this way does: it is emulated, and it is done. No record is
// written, because a verdict with a record is not quick (POLICY_FLAG_QUICK).
static inline void judge(struct event *event, unsigned int key, uint16_t row, uint8_t cause, bool write)
{
    event->key = (uint16_t)key;
    event->row = row;
    event->cause = cause;
    event->verdict = POLICY_EMULATE;
    event->result = TRAP_DONE;
    event->write = write;
}

static inline struct event *finish(struct vcpu *vcpu, struct event *event)
{
    telemetry_end(vcpu->telemetry, event, READ_SYSREG(CNTPCT_EL0));
    return event;
}

// The PC moves by 4, since only A64 instructions are handled here. ELR_EL2 and SPSR_EL2 are written directly: on this
// way the frame does not hold them.
static inline void skip_instruction(struct event *event)
{
    uint64_t pc = READ_SYSREG(ELR_EL2);
    event->pc = pc;
    WRITE_SYSREG(ELR_EL2, pc + 4);
    WRITE_SYSREG(SPSR_EL2, frame_pstate_after(READ_SYSREG(SPSR_EL2)));
}

// The guest's register number rt (0 to 31), which vectors.S has put into the frame and takes from there. XZR, number
// 31, has the place of SP_EL0, which is not saved yet: it holds zero before a write, and what a read leaves there is
// lost.
static inline uint64_t *data_register(struct trap_frame *frame, uint64_t rt)
{
    _Static_assert(offsetof(struct trap_frame, sp_el0) == 31 * sizeof(uint64_t), "x0 to x30, then SP_EL0");
    return (uint64_t *)frame + rt;
}

// The calls that only return a number: true, and *value is the answer.
static inline bool answer_at_once(struct vcpu *vcpu, unsigned int key, int64_t *value)
{
    if (__builtin_expect(key == KEY_PSCI_VERSION, 1))
        *value = psci_version(vcpu);
    else if (key == KEY_SMCCC_VERSION)
        *value = smccc_version(vcpu);
    else if (key == KEY_HVC_GET_HV_ID)
        *value = hvc_get_hv_id(vcpu);
    else if (key == KEY_HVC_GET_STATUS)
        *value = hvc_get_status(vcpu);
    else
        return false;
    return true;
}

// Each kind of exit is a function of its own and is not inlined, so that none pays for the registers and the stack that
// another needs.
static __attribute__((noinline)) struct event *quick_call(struct trap_frame *frame)
{
    struct vcpu *vcpu = vcpu_current();
    struct event *event = begin(vcpu);
    uint64_t number = frame->x[0];
    unsigned int key = call_hvc_key(number);
    struct policy_verdict verdict = policy_verdicts_of(vcpu->vm->policy, key)[1];
    int64_t value;

    if (!(verdict.flags & POLICY_FLAG_QUICK) || !answer_at_once(vcpu, key, &value))
        return NULL;
    frame->x[0] = (uint64_t)value;
    event->address = number;
    event->value = (uint64_t)value;
    event->syndrome = HVC_0;
    event->pc = READ_SYSREG(ELR_EL2) - 4;
    judge(event, key, verdict.row, KEY_CAUSE_HVC, true);
    return finish(vcpu, event);
}

static __attribute__((noinline)) struct event *quick_id_register(struct trap_frame *frame, uint32_t syndrome)
{
    struct vcpu *vcpu = vcpu_current();
    struct event *event = begin(vcpu);
    uint64_t place = FIELD_GET(ISS_SYSREG_CRM, syndrome) << 3 | FIELD_GET(ISS_SYSREG_OP2, syndrome);
    unsigned int key = sysreg_id_key[bounded_index(place, SYSREG_ID_COUNT)];
    struct policy_verdict verdict = policy_verdicts_of(vcpu->vm->policy, key)[0];

    if (!(verdict.flags & POLICY_FLAG_QUICK))
        return NULL; // KEY_SYSREG_UNKNOWN, which has no value, is never quick
    uint64_t value = vcpu->vm->id_value[key - KEY_SYSREG_FIRST];
    *data_register(frame, FIELD_GET(ISS_SYSREG_RT, syndrome)) = value;
    event->address = 0;
    event->value = value;
    event->syndrome = syndrome;
    skip_instruction(event);
    judge(event, key, verdict.row, KEY_CAUSE_SYSREG, false);
    return finish(vcpu, event);
}

// MSR ICC_SGI1R_EL1. An SGI to another vCPU is left in its mailbox, and its CPU is kicked by a physical SGI: nothing
// here waits for that CPU.
static __attribute__((noinline)) struct event *quick_sgi(struct trap_frame *frame, uint32_t syndrome)
{
    struct vcpu *vcpu = vcpu_current();
    struct event *event = begin(vcpu);
    struct policy_verdict verdict = policy_verdicts_of(vcpu->vm->policy, KEY_ICC_SGI1R_EL1)[1];

    if (!(verdict.flags & POLICY_FLAG_QUICK))
        return NULL;
    event->address = 0;
    event->value = *data_register(frame, FIELD_GET(ISS_SYSREG_RT, syndrome));
    event->syndrome = syndrome;
    judge(event, KEY_ICC_SGI1R_EL1, verdict.row, KEY_CAUSE_SYSREG, true);
    vgic_write_sgi1r(vcpu, event->value);
    vgic_flush(vcpu);
    skip_instruction(event);
    return finish(vcpu, event);
}

// WFI. EL2 waits in the guest's place, with any physical interrupt as the end: WFI may end for any reason (DDI 0487
// D1.6.2), and what has come is taken right after the eret. But an interrupt that has a list register already may be
// pending there without a physical one to wake EL2. So this way is taken only while all list registers are empty. The
// sleep is no time that EL2 took, and is not counted as such.
static __attribute__((noinline)) struct event *quick_wfi(uint32_t syndrome)
{
    struct vcpu *vcpu = vcpu_current();
    struct event *event = begin(vcpu);
    struct policy_verdict verdict = policy_verdicts_of(vcpu->vm->policy, KEY_CAUSE_WFI)[0];

    if (!(verdict.flags & POLICY_FLAG_QUICK) || vcpu->request != 0 || !vgic_is_empty(vcpu) ||
        (READ_SYSREG(SPSR_EL2) & SPSR_ELX_M4))
        return NULL;
    event->address = 0;
    event->value = 0;
    event->syndrome = syndrome;
    judge(event, KEY_CAUSE_WFI, verdict.row, KEY_CAUSE_WFI, false);
    skip_instruction(event);
    uint64_t asleep = READ_SYSREG(CNTPCT_EL0);
    cpu_wait_for_interrupt();
    event->sequence = vcpu->telemetry->sequence;
    telemetry_end_with(vcpu->telemetry, event, asleep - event->entry, READ_SYSREG(CNTPCT_EL0));
    return event;
}

// The entry of a shadow page stands where it is while the guest lives (stage2_leaf).
static COLD const struct policy_range *other_range(struct vcpu *vcpu, uint64_t ipa)
{
    static const uint64_t no_entry = S2_PTE_INVALID;
    const struct policy_range *range = policy_find_range(vcpu->vm->policy, ipa_make(ipa));
    const uint64_t *entry = NULL;

    if (range == NULL)
        return NULL;
    if (range->mapping == POLICY_SHADOW)
        entry = stage2_leaf(&vcpu->vm->space.stage2, ipa_make(range->base));
    vcpu->range = range;
    vcpu->device = device_of(range->key);
    vcpu->shadow = entry != NULL ? entry : &no_entry;
    return range;
}

// The range of the policy that has ipa, or NULL; vcpu->device and vcpu->shadow are its own then. Drivers access one
// device many times in a row, so the range of this vCPU's last access is tried first: wherever a board has its devices,
// only the first access to another one searches.
static inline const struct policy_range *range_of(struct vcpu *vcpu, uint64_t ipa)
{
    const struct policy_range *last = vcpu->range;

    if (UNLIKELY(last == NULL || ipa - last->base >= last->size))
        return other_range(vcpu, ipa);
    return last;
}

// Whether stage 2's entry for the one page of vcpu->range says that a fault on it is its device's.
static inline bool is_shadow(const struct vcpu *vcpu)
{
    return s2_pte_meaning(__atomic_load_n(vcpu->shadow, __ATOMIC_RELAXED)) == STAGE2_SHADOW;
}

// Whether ipa is GICD_ISPENDR<n>, ICPENDR<n>, ISACTIVER<n> or ICACTIVER<n>: they have the offsets 0x200 to 0x3ff in a
// frame of 64 KiB (IHI 0069 12.8), and GICR_ISPENDR0 and so on the same in its SGI frame. What they read comes from
// other CPUs' list registers. A CPU that waits for others runs what they ask of it meanwhile, and that may need the
// whole trap frame, or change ELR_EL2 and SPSR_EL2 by an exception of EL2's own (guarded.h): not on this way.
static inline bool is_pending_or_active_register(const struct policy_range *range, uint64_t ipa)
{
    return (ipa & 0xfe00) == 0x200 && (range->key == KEY_DEVICE_GICD || range->key == KEY_DEVICE_GICR);
}

// What a store of size bytes gives the device.
static inline uint64_t register_part(uint64_t value, unsigned int size)
{
    unsigned int unused = 64 - 8 * size;
    return value << unused >> unused;
}

// An access to ipa, about which policy and the device's state are asked. shadow: it was refused by a stage-2 entry,
// which must say that the access is a device's.
static inline __attribute__((always_inline)) struct event *quick_access(struct vcpu *vcpu, struct event *event,
                                                                        uint32_t syndrome, uint64_t ipa, bool shadow)
{
    struct trap_frame *frame = vcpu->frame;
    uint64_t *data = data_register(frame, FIELD_GET(ISS_ABORT_SRT, syndrome));
    unsigned int size = 1u << FIELD_GET(ISS_ABORT_SAS, syndrome);
    bool write = syndrome & ISS_ABORT_WNR;

    const struct policy_range *range = range_of(vcpu, ipa);
    if (UNLIKELY(range == NULL || !(range->widths & size)))
        return NULL;
    if (shadow && UNLIKELY(!is_shadow(vcpu)))
        return NULL;
    struct policy_verdict verdict = range->verdict[write];
    if (UNLIKELY(is_pending_or_active_register(range, ipa)))
        return NULL;
    if (UNLIKELY(!(verdict.flags & POLICY_FLAG_QUICK) || (ipa & (size - 1))))
        return NULL;
    if (UNLIKELY((READ_SYSREG(SCTLR_EL1) & (SCTLR_ELX_EE | SCTLR_EL1_E0E)) || (READ_SYSREG(SPSR_EL2) & SPSR_ELX_M4)))
        return NULL; // big-endian, or AArch32, which has its own PSTATE and length of instructions
    event->address = ipa;
    if (write)
        event->value = register_part(*data, size);
    event->syndrome = syndrome;
    judge(event, range->key, verdict.row, KEY_CAUSE_DABT, write);
    unsigned int access = write ? size | MMIO_WRITE : size;
    if (UNLIKELY(device_emulate(vcpu->device, vcpu, ipa, access, &event->value) != MMIO_DONE))
        return NULL; // refused without an effect: trap_from_sync asks again and injects the abort
    if (!write)
        *data = event->value;
    vgic_flush(vcpu);
    skip_instruction(event);
    return finish(vcpu, event);
}

// After a permission fault HPFAR_EL2 is UNKNOWN (DDI 0487 D19.2.64), so the MMU is asked for the page that stage 1
// makes of FAR_EL2. When the guest has changed its tables meanwhile it may make nothing of it.
static __attribute__((noinline)) struct event *quick_permission(uint32_t syndrome)
{
    struct vcpu *vcpu = vcpu_current();
    struct event *event = begin(vcpu);
    uint64_t far = READ_SYSREG(FAR_EL2), par = el1_translate(gva_make(far));

    if (UNLIKELY(par & PAR_EL1_F))
        return NULL;
    return quick_access(vcpu, event, syndrome, (par & PAR_EL1_PA) | (far & 0xfff), true);
}

// After a translation fault HPFAR_EL2 has the page; beside FIPA, the register has RES0 bits alone.
static __attribute__((noinline)) struct event *quick_translation(uint32_t syndrome)
{
    struct vcpu *vcpu = vcpu_current();
    struct event *event = begin(vcpu);
    uint64_t ipa = READ_SYSREG(HPFAR_EL2) << 8 | (READ_SYSREG(FAR_EL2) & 0xfff);

    return quick_access(vcpu, event, syndrome, ipa, false);
}

// Only chooses, so that neither of the two pays for the registers and the stack that the other needs. Both find the
// frame in the vCPU.
struct event *trap_quick_abort(struct trap_frame *frame, uint32_t syndrome)
{
    (void)frame;
    if (UNLIKELY((syndrome & ACCESS_MASK) != ACCESS))
        return NULL;
    return UNLIKELY(syndrome & PERMISSION) ? quick_permission(syndrome) : quick_translation(syndrome);
}

// This path does not look at vcpu->request. It need not: whoever sets a request bit also sends this CPU an SGI, so the
// request is seen at the exit which that SGI causes. Nor does it look whether the vCPU steps: after an instruction that
// was skipped, the step's own exception comes at the next one.
struct event *trap_quick(struct trap_frame *frame, uint32_t syndrome)
{
    if (syndrome == HVC_0)
        return quick_call(frame);
    if ((syndrome & (ESR_ELX_EC | ESR_ELX_ISS_WFX_TI)) == WFI)
        return quick_wfi(syndrome);
    return NULL;
}

// vectors.S has put the register that the syndrome names into the frame, and takes it from there after a read.
struct event *trap_quick_register(struct trap_frame *frame, uint32_t syndrome)
{
    if ((syndrome & ID_MASK) == ID_READ)
        return quick_id_register(frame, syndrome);
    if ((syndrome & ~ISS_SYSREG_RT) == SGI_WRITE)
        return quick_sgi(frame, syndrome);
    return NULL;
}

// An IRQ. Only the virtual timer's is served here: all it takes is a list register. Other interrupts that are pending
// come right after the eret. A request to this vCPU (vcpu->request) may be there while the SGI that announces it is
// still on its way; then the interrupt goes the whole way, which looks at requests.
uint64_t trap_quick_irq(void)
{
    struct vcpu *vcpu = vcpu_current();
    struct event *event = begin(vcpu);
    unsigned int intid = gicv3_acknowledge();

    if (UNLIKELY(intid != INTID_VIRTUAL_TIMER || vcpu->request != 0))
        return intid;
    gicv3_drop_priority(INTID_VIRTUAL_TIMER);
    vtimer_interrupt(vcpu);
    vgic_flush(vcpu);
    event->pc = READ_SYSREG(ELR_EL2);
    event->address = INTID_VIRTUAL_TIMER;
    event->value = 0;
    event->syndrome = 0;
    judge(event, KEY_CAUSE_IRQ, POLICY_ROW_NONE, KEY_CAUSE_IRQ, false);
    event->result = TRAP_RETRY; // the PC stays
    return (uintptr_t)finish(vcpu, event) | TRAP_QUICK_DONE;
}
