// SPDX-License-Identifier: Apache-2.0
// What an access to a trapped system register does, when the policy does not refuse it. The columns of sysreg_table.h
// say it: `access` which directions there are, `emulation` how the register behaves; this file has one case for each
// behaviour, and no case for a single register but where two share a behaviour and differ in a number.
//
// A guest's ID registers are made once, at boot: the CPU's own values without what ariel does not virtualize
// (sysreg_id.c). A trapped read of one is then a load. No access from here can fault EL2: sysreg_access.S answers false
// for a register that the CPU does not have, and the guest gets what such a CPU gives it, UNDEFINED.

#include <hv/arch/sysreg.h>

#include <hv/arch/registers.h>
#include <hv/arch/sysreg_access.h>
#include <hv/policy.h>
#include <hv/vcpu.h>
#include <hv/vgic.h>
#include <hv/vm.h>
#include <hv/vtimer.h>

#include "sysreg_id.h"

// How a register behaves: the emulation column of sysreg_table.h. UNDEF and NONE have no emulation. HW is the
// hardware's own register. ID is a value made at boot. RAZ reads as zero and WI ignores writes. The rest have a case of
// their own below.
enum sysreg_kind {
    SYSREG_UNDEF,
    SYSREG_NONE,
    SYSREG_HW,
    SYSREG_ID,
    SYSREG_RAZ,
    SYSREG_WI,
    SYSREG_SET_WAY,
    SYSREG_VA,
    SYSREG_SGI,
    SYSREG_MDSCR,
    SYSREG_TIMER,
    SYSREG_DIR,
    SYSREG_DIDR,
    SYSREG_OSLOCK,
};

// One byte holds a row: its kind in bits 3:0, whether it can be read in bit 4, whether it can be written in bit 5.
#define SYSREG_RO 0x10
#define SYSREG_WO 0x20
#define SYSREG_RW (SYSREG_RO | SYSREG_WO)

#define INDEX(key) ((key) - KEY_SYSREG_FIRST)

// Two rows with one encoding would make the same enumerator twice, which the compiler refuses.
#define SYSREG_ENCODING_ENUM(name, op0, op1, crn, crm, op2, ...) SYSREG_AT_##op0##_##op1##_##crn##_##crm##_##op2,
enum { SYSREG_TABLE(SYSREG_ENCODING_ENUM) };

#define SYSREG_INFO_ROW(name, op0, op1, crn, crm, op2, class, access, control, kind) (SYSREG_##access | SYSREG_##kind),
static const uint8_t info[SYSREG_COUNT + 1] = {SYSREG_TABLE(SYSREG_INFO_ROW) SYSREG_UNDEF};

static enum sysreg_kind kind_of(unsigned int index)
{
    return (enum sysreg_kind)(info[index] & 0xf);
}

// The ID registers do not change, so what a VM's guest is to see of them is made once. A guest whose policy passes
// pointer authentication through sees it there, and no other does.
void sysreg_init(struct vm *vm)
{
    bool pauth = (vm->controls.hcr_el2 & (HCR_EL2_API | HCR_EL2_APK)) == (HCR_EL2_API | HCR_EL2_APK);
    for (unsigned int index = 0; index < SYSREG_COUNT; index++) {
        uint64_t value = 0;
        if (kind_of(index) == SYSREG_ID && sysreg_access_read(index, &value))
            vm->id_value[index] = sysreg_id_visible(index + KEY_SYSREG_FIRST, value, pauth);
    }
}

// Cache maintenance by an address of the guest's (DC CVAC and others). EL2 asks the MMU which physical address the
// guest's tables give it, and does the maintenance there by its own address: EL2 maps guest RAM at its PA, and a cache
// line belongs to its PA whoever names it. Where the guest's tables lead nowhere, or not to guest RAM, there is no line
// of the guest's and nothing to do; DC ZVA writes memory, so there it is a fault.
static enum hv_status write_by_address(const struct vcpu *vcpu, unsigned int key, uint64_t value)
{
    // PSTATE is taken from the frame: SPSR_EL2 itself is overwritten when a guarded access of EL2 faults (guarded.h).
    bool el0 = FIELD_GET(SPSR_ELX_M_EL, vcpu->frame->spsr_el2) == 0;
    bool zero = key == KEY_DC_ZVA;
    if (key == KEY_IC_IVAU) // by EL2's address it would miss lines that a VIPT cache has by the guest's
        return sysreg_access_write(INDEX(KEY_IC_IALLUIS), 0) ? HV_OK : HV_ERR_UNSUPPORTED;
    uint64_t par = sysreg_access_translate(gva_make(value), el0, zero);
    uint64_t pa = (par & PAR_EL1_PA) | (value & (KIB(4) - 1));
    if ((par & PAR_EL1_F) || !space_owns(&vcpu->vm->space, pa_make(pa)))
        return zero ? HV_ERR_FAULT : HV_OK;
    if (key == KEY_DC_IVAC) // with HCR_EL2.VM set it cleans as well (DDI 0487 D7.5.9)
        key = KEY_DC_CIVAC;
    return sysreg_access_write(INDEX(key), pa) ? HV_OK : HV_ERR_UNSUPPORTED;
}

// The physical timer's registers as vtimer names them: it is told the register and not its encoding.
static enum vtimer_register timer_register(unsigned int key)
{
    switch (key) {
    case KEY_CNTP_CTL_EL0:
        return VTIMER_CNTP_CTL;
    case KEY_CNTP_CVAL_EL0:
        return VTIMER_CNTP_CVAL;
    case KEY_CNTP_TVAL_EL0:
        return VTIMER_CNTP_TVAL;
    default:
        return VTIMER_CNTPCT; // and CNTPCTSS_EL0
    }
}

// DBGDIDR, which says to AArch32 code what ID_AA64DFR0_EL1 says to AArch64 code (DDI 0487 G8.3.9). Bits 14 and 12,
// which tell of EL3, are 0: the guest's CPU has none. Where the policy does not trap the register, a guest reads the
// CPU's own, and EL2 cannot read it: it has no encoding in AArch64.
static uint64_t debug_id(const struct vm *vm)
{
    uint64_t dfr0 = vm->id_value[INDEX(KEY_ID_AA64DFR0_EL1)];

    return FIELD_PREP(DBGDIDR_WRPS, FIELD_GET(ID_AA64DFR0_EL1_WRPS, dfr0)) |
           FIELD_PREP(DBGDIDR_BRPS, FIELD_GET(ID_AA64DFR0_EL1_BRPS, dfr0)) |
           FIELD_PREP(DBGDIDR_CTX_CMPS, FIELD_GET(ID_AA64DFR0_EL1_CTX_CMPS, dfr0)) |
           FIELD_PREP(DBGDIDR_VERSION, FIELD_GET(ID_AA64DFR0_EL1_DEBUGVER, dfr0)) | DBGDIDR_RES1;
}

// OSLSR_EL1 is the hardware's register. But while the monitor steps the vCPU, EL2 keeps the OS lock open for the step,
// and the guest reads the lock as it left it.
static enum hv_status read_oslsr(const struct vcpu *vcpu, unsigned int index, uint64_t *value)
{
    if (!sysreg_access_read(index, value))
        return HV_ERR_UNSUPPORTED;
    if (vcpu->step_owned)
        *value = (*value & ~OSLSR_EL1_OSLK) | (vcpu->guest_os_lock ? OSLSR_EL1_OSLK : 0);
    return HV_OK;
}

// A row that can be read, and whose kind sysreg_read has a case for.
bool sysreg_is_readable(unsigned int key)
{
    unsigned int index = INDEX(key);

    if (index >= SYSREG_COUNT || !(info[index] & SYSREG_RO))
        return false;
    switch (kind_of(index)) {
    case SYSREG_ID:
    case SYSREG_RAZ:
    case SYSREG_DIDR:
    case SYSREG_TIMER:
    case SYSREG_MDSCR:
    case SYSREG_OSLOCK:
    case SYSREG_HW:
    case SYSREG_WI:
        return true;
    default:
        return false;
    }
}

// By kind. Those that break out of the switch are the hardware's own registers, which this CPU may lack: the access is
// made with care, and answers UNSUPPORTED then (sysreg_access.S).
enum hv_status sysreg_read(struct vcpu *vcpu, unsigned int key, uint64_t *value)
{
    unsigned int index = INDEX(key);
    if (index >= SYSREG_COUNT || !(info[index] & SYSREG_RO))
        return HV_ERR_INVALID;
    switch (kind_of(index)) {
    case SYSREG_ID:
        *value = vcpu->vm->id_value[index];
        return HV_OK;
    case SYSREG_RAZ:
        *value = 0;
        return HV_OK;
    case SYSREG_DIDR:
        *value = debug_id(vcpu->vm);
        return HV_OK;
    case SYSREG_TIMER:
        *value = vtimer_physical_read(vcpu, timer_register(key));
        return HV_OK;
    case SYSREG_MDSCR:
        if (vcpu->step_owned) {
            *value = vcpu->guest_mdscr;
            return HV_OK;
        }
        break;
    case SYSREG_OSLOCK:
        return read_oslsr(vcpu, index, value);
    case SYSREG_HW:
    case SYSREG_WI:
        break;
    default:
        return HV_ERR_UNSUPPORTED;
    }
    return sysreg_access_read(index, value) ? HV_OK : HV_ERR_UNSUPPORTED;
}

// The same for writes. What RAZ and WI ignore is done, and nothing happens.
enum hv_status sysreg_write(struct vcpu *vcpu, unsigned int key, uint64_t value)
{
    unsigned int index = INDEX(key);
    if (index >= SYSREG_COUNT || !(info[index] & SYSREG_WO))
        return HV_ERR_INVALID;
    switch (kind_of(index)) {
    case SYSREG_RAZ:
    case SYSREG_WI:
        return HV_OK;
    case SYSREG_VA:
        return write_by_address(vcpu, key, value);
    case SYSREG_TIMER:
        vtimer_physical_write(vcpu, timer_register(key), value);
        return HV_OK;
    case SYSREG_DIR:
        vgic_write_dir(vcpu, value);
        return HV_OK;
    case SYSREG_MDSCR:
        if (vcpu->step_owned) {
            vcpu->guest_mdscr = value;
            return HV_OK;
        }
        break;
    case SYSREG_OSLOCK:
        if (vcpu->step_owned) {
            vcpu->guest_os_lock = value & OSLAR_EL1_OSLK;
            return HV_OK;
        }
        break;
    // Maintenance by set and way reaches lines of other guests and of EL2 too. A mere invalidate would lose their data,
    // so each of these instructions is done as DC CISW, which cleans as well.
    case SYSREG_SET_WAY:
        index = INDEX(KEY_DC_CISW);
        break;
    case SYSREG_HW:
        break;
    default:
        return HV_ERR_UNSUPPORTED;
    }
    return sysreg_access_write(index, value) ? HV_OK : HV_ERR_UNSUPPORTED;
}

// All but reads of ID registers, which sysreg_emulate answers first: they are the most frequent.
static enum trap_result emulate_other(struct vcpu *vcpu, struct event *event)
{
    enum hv_status status;

    if (info[INDEX(event->key)] == (SYSREG_WO | SYSREG_SGI) && event->write) {
        // The guest's GIC has one Security state (GICD_CTLR.DS = 1). There ICC_ASGI1R_EL1 sends an interrupt of Group
        // 0, as ICC_SGI0R_EL1 does (IHI 0069 12.2).
        if (event->key == KEY_ICC_SGI1R_EL1)
            vgic_write_sgi1r(vcpu, event->value);
        else
            vgic_write_sgi0r(vcpu, event->value);
        return TRAP_DONE;
    }
    status = event->write ? sysreg_write(vcpu, event->key, event->value) : sysreg_read(vcpu, event->key, &event->value);
    return status == HV_OK ? TRAP_DONE : TRAP_INJECT_UNDEF;
}

enum trap_result sysreg_emulate(struct vcpu *vcpu, struct event *event)
{
    if (event->write || kind_of(INDEX(event->key)) != SYSREG_ID)
        return emulate_other(vcpu, event);
    event->value = vcpu->vm->id_value[INDEX(event->key)];
    return TRAP_DONE;
}
