// SPDX-License-Identifier: Apache-2.0
// The shorter way of the three most frequent synchronous exits: calls that return a number, reads of ID registers, and
// word accesses to emulated devices. It runs while the guest's x18 to x29 still stand in their registers and nothing of
// the system registers is saved, so it does only what needs neither, by the same verdicts and the same functions, and
// leaves the same event and counters. What it does not do it leaves untouched for trap_from_sync.

#include <hv/arch/trap.h>

#include <hv/arch/registers.h>
#include <hv/arch/sysreg.h>
#include <hv/call.h>
#include <hv/device.h>
#include <hv/policy.h>
#include <hv/telemetry.h>
#include <hv/trap.h>
#include <hv/vgic.h>

#define QUICK_REGISTERS 18 // x0 .. x17 are in the frame

// The whole syndrome of hvc #0, and of a word access that can be emulated from it but for the bits that tell which.
#define ID_READ     (FIELD_PREP(ESR_ELX_EC, ESR_EC_SYSREG) | FIELD_PREP(ISS_SYSREG_OP0, 3) | ISS_SYSREG_DIRECTION)
#define ID_MASK     (ESR_ELX_EC | ISS_SYSREG_OP0 | ISS_SYSREG_OP1 | ISS_SYSREG_CRN | BIT64(4) | ISS_SYSREG_DIRECTION)
#define HVC_0       (FIELD_PREP(ESR_ELX_EC, ESR_EC_HVC64) | ESR_ELX_IL)
#define WORD_ACCESS (FIELD_PREP(ESR_ELX_EC, ESR_EC_DABT_LOWER) | ISS_ABORT_ISV | FIELD_PREP(ISS_ABORT_SAS, 2) | 0x4)
#define WORD_MASK                                                                                                      \
    (ESR_ELX_EC | ISS_ABORT_ISV | ISS_ABORT_SAS | ISS_ABORT_SSE | ISS_ABORT_FNV | ISS_ABORT_CM | ISS_ABORT_S1PTW | 0x3c)

// What each way below begins with.
struct quick {
    struct telemetry *telemetry;
    struct event *event;
    uint64_t entry;
};

static inline struct quick begin(struct vcpu *vcpu)
{
    uint64_t entry = READ_SYSREG(CNTPCT_EL0);
    struct telemetry *telemetry = vcpu->telemetry;
    return (struct quick){.telemetry = telemetry, .event = telemetry_begin(telemetry), .entry = entry};
}

static inline bool finish(const struct quick *quick, size_t key, struct policy_verdict verdict, uint8_t cause,
                          bool write)
{
    struct event *event = quick->event;

    event->entry = quick->entry;
    event->key = (uint16_t)key;
    event->row = verdict.row;
    event->cause = cause;
    event->verdict = POLICY_EMULATE;
    event->result = TRAP_DONE;
    event->write = write;
    telemetry_end(quick->telemetry, event, READ_SYSREG(CNTPCT_EL0));
    return true;
}

static inline void skip_instruction(const struct quick *quick)
{
    uint64_t pc = READ_SYSREG(ELR_EL2);
    quick->event->pc = pc;
    WRITE_SYSREG(ELR_EL2, pc + 4);
}

// The three are functions of their own, so that none pays for the registers and the stack that another needs.
static __attribute__((noinline)) bool quick_call(struct trap_frame *frame, struct vcpu *vcpu)
{
    struct quick quick = begin(vcpu);
    uint64_t number = frame->x[0];
    size_t key = call_hvc_key(number);
    struct policy_verdict verdict = policy_verdicts[key][1];
    int64_t value;

    if (!(verdict.flags & POLICY_FLAG_QUICK) || !call_constant(vcpu, key, &value))
        return false;
    frame->x[0] = (uint64_t)value;
    quick.event->address = number;
    quick.event->value = (uint64_t)value;
    quick.event->syndrome = HVC_0;
    quick.event->pc = READ_SYSREG(ELR_EL2) - 4;
    return finish(&quick, key, verdict, KEY_CAUSE_HVC, true);
}

static __attribute__((noinline)) bool quick_id_register(struct trap_frame *frame, struct vcpu *vcpu, uint32_t syndrome)
{
    struct quick quick = begin(vcpu);
    uint64_t rt = FIELD_GET(ISS_SYSREG_RT, syndrome);
    unsigned int key = sysreg_id_key[FIELD_GET(ISS_SYSREG_CRM, syndrome) << 3 | FIELD_GET(ISS_SYSREG_OP2, syndrome)];
    struct policy_verdict verdict = policy_verdicts[key][0];

    if (rt >= QUICK_REGISTERS || !(verdict.flags & POLICY_FLAG_QUICK))
        return false; // KEY_SYSREG_UNKNOWN, which has no value, is never quick
    uint64_t value = sysreg_id_value[key - KEY_SYSREG_FIRST];
    frame->x[rt] = value;
    quick.event->address = 0;
    quick.event->value = value;
    quick.event->syndrome = syndrome;
    skip_instruction(&quick);
    return finish(&quick, key, verdict, KEY_CAUSE_SYSREG, false);
}

static __attribute__((noinline)) bool quick_device(struct trap_frame *frame, struct vcpu *vcpu, uint32_t syndrome)
{
    struct quick quick = begin(vcpu);
    uint64_t ipa = (READ_SYSREG(HPFAR_EL2) & HPFAR_EL2_FIPA) << 8 | (READ_SYSREG(FAR_EL2) & 0xfff);
    uint64_t rt = FIELD_GET(ISS_ABORT_SRT, syndrome);
    bool write = syndrome & ISS_ABORT_WNR;
    const struct policy_range *range = policy_find_range(ipa_make(ipa));

    // The pending and active states of either kind of GIC frame come from other CPUs. Who waits for these runs what
    // they ask of this one, and that may need the whole frame, or change ELR_EL2 and SPSR_EL2 by an exception
    // (guarded.h).
    if ((ipa & 0xfe00) == 0x200)
        return false;
    if (range == NULL || (rt >= QUICK_REGISTERS && rt != 31) || ipa % 4 != 0 || !(range->widths & 4) ||
        !(range->verdict[write].flags & POLICY_FLAG_QUICK) || (READ_SYSREG(SPSR_EL2) & SPSR_ELX_M4) ||
        (READ_SYSREG(SCTLR_EL1) & (SCTLR_ELX_EE | SCTLR_EL1_E0E)))
        return false;
    struct mmio_access access = {.value = rt != 31 ? (uint32_t)frame->x[rt] : 0, .size = 4, .write = write};
    if (device_emulate(vcpu, range->key, ipa, &access) != TRAP_DONE)
        return false; // refused without an effect: trap_from_sync asks again and injects the abort
    if (!write && rt != 31)
        frame->x[rt] = access.value;
    quick.event->address = ipa;
    quick.event->value = access.value;
    quick.event->syndrome = syndrome;
    vgic_flush(vcpu);
    skip_instruction(&quick);
    return finish(&quick, range->key, range->verdict[write], KEY_CAUSE_DABT, write);
}

bool trap_quick(struct trap_frame *frame)
{
    uint32_t syndrome = (uint32_t)READ_SYSREG(ESR_EL2);
    struct vcpu *vcpu = vcpu_current();

    // Whoever asks this vCPU for something kicks it as well: to look once, before, is enough.
    if (*(volatile uint32_t *)&vcpu->request != 0)
        return false;
    if (syndrome == HVC_0)
        return quick_call(frame, vcpu);
    if ((syndrome & ID_MASK) == ID_READ)
        return quick_id_register(frame, vcpu, syndrome);
    if ((syndrome & WORD_MASK) == WORD_ACCESS)
        return quick_device(frame, vcpu, syndrome);
    return false;
}
