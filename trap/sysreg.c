// SPDX-License-Identifier: Apache-2.0
// What a trapped system register does. The guest's ID registers are made once at boot: the CPU's own values without
// what ariel does not virtualize, so that a trapped read of one is a load. Everything else goes by the emulation column
// of sysreg_table.h. No access from here can fault: sysreg_access.S answers false for a register that is not there.

#include <hv/arch/sysreg.h>

#include <hv/arch/registers.h>
#include <hv/arch/sysreg_access.h>
#include <hv/policy.h>
#include <hv/vcpu.h>
#include <hv/vgic.h>
#include <hv/vm.h>
#include <hv/vtimer.h>

#include "sysreg_id.h"

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

#define SYSREG_RO 0x10
#define SYSREG_WO 0x20
#define SYSREG_RW (SYSREG_RO | SYSREG_WO)

#define INDEX(key) ((key) - KEY_SYSREG_FIRST)

// Of the two rows with one encoding, the enumerators are the same: an error of the compiler.
#define SYSREG_ENCODING_ENUM(name, op0, op1, crn, crm, op2, ...) SYSREG_AT_##op0##_##op1##_##crn##_##crm##_##op2,
enum { SYSREG_TABLE(SYSREG_ENCODING_ENUM) };

#define SYSREG_INFO_ROW(name, op0, op1, crn, crm, op2, class, access, control, kind) (SYSREG_##access | SYSREG_##kind),
static const uint8_t info[SYSREG_COUNT + 1] = {SYSREG_TABLE(SYSREG_INFO_ROW) SYSREG_UNDEF};

uint64_t sysreg_id_value[SYSREG_COUNT + 1];

static enum sysreg_kind kind_of(unsigned int index)
{
    return (enum sysreg_kind)(info[index] & 0xf);
}

void sysreg_init(const struct policy *policy)
{
    bool pauth = (policy->controls.hcr_el2 & (HCR_EL2_API | HCR_EL2_APK)) == (HCR_EL2_API | HCR_EL2_APK);
    for (unsigned int index = 0; index < SYSREG_COUNT; index++) {
        uint64_t value = 0;
        if (kind_of(index) == SYSREG_ID && sysreg_access_read(index, &value))
            sysreg_id_value[index] = sysreg_id_visible(index + KEY_SYSREG_FIRST, value, pauth);
    }
}

// Cache maintenance by guest address: EL2 maps guest RAM at its PA, and a line has the same PA whoever names it. Where
// the guest's tables lead nowhere, or not to its RAM, there is no line of the guest's.
static enum hv_status write_by_address(unsigned int key, uint64_t value)
{
    // Of the frame: SPSR_EL2 is no longer the guest's after an exception in EL2 (guarded.h).
    bool el0 = FIELD_GET(SPSR_ELX_M_EL, vcpu_current()->frame->spsr_el2) == 0;
    bool zero = key == KEY_DC_ZVA;
    if (key == KEY_IC_IVAU) // by address it would miss aliases in a VIPT instruction cache
        return sysreg_access_write(INDEX(KEY_IC_IALLUIS), 0) ? HV_OK : HV_ERR_UNSUPPORTED;
    uint64_t par = sysreg_access_translate(gva_make(value), el0, zero);
    uint64_t pa = (par & PAR_EL1_PA) | (value & (KIB(4) - 1));
    if ((par & PAR_EL1_F) || !space_owns(&vcpu_current()->vm->space, pa_make(pa)))
        return zero ? HV_ERR_FAULT : HV_OK;
    if (key == KEY_DC_IVAC) // what stage 2 makes of it (DDI 0487 D7.5.9)
        key = KEY_DC_CIVAC;
    return sysreg_access_write(INDEX(key), pa) ? HV_OK : HV_ERR_UNSUPPORTED;
}

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

// DBGDIDR of a CPU without EL3 (DDI 0487 G8.3.9).
static uint64_t debug_id(void)
{
    uint64_t dfr0 = sysreg_id_value[INDEX(KEY_ID_AA64DFR0_EL1)];

    return FIELD_PREP(DBGDIDR_WRPS, FIELD_GET(ID_AA64DFR0_EL1_WRPS, dfr0)) |
           FIELD_PREP(DBGDIDR_BRPS, FIELD_GET(ID_AA64DFR0_EL1_BRPS, dfr0)) |
           FIELD_PREP(DBGDIDR_CTX_CMPS, FIELD_GET(ID_AA64DFR0_EL1_CTX_CMPS, dfr0)) |
           FIELD_PREP(DBGDIDR_VERSION, FIELD_GET(ID_AA64DFR0_EL1_DEBUGVER, dfr0)) | DBGDIDR_RES1;
}

// The hardware's, but for the lock while the monitor steps, which is not the guest's then.
static enum hv_status read_oslsr(unsigned int index, uint64_t *value)
{
    if (!sysreg_access_read(index, value))
        return HV_ERR_UNSUPPORTED;
    if (vcpu_current()->step_owned)
        *value = (*value & ~OSLSR_EL1_OSLK) | (vcpu_current()->guest_os_lock ? OSLSR_EL1_OSLK : 0);
    return HV_OK;
}

enum hv_status sysreg_read(unsigned int key, uint64_t *value)
{
    unsigned int index = INDEX(key);
    if (index >= SYSREG_COUNT || !(info[index] & SYSREG_RO))
        return HV_ERR_INVALID;
    switch (kind_of(index)) {
    case SYSREG_ID:
        *value = sysreg_id_value[index];
        return HV_OK;
    case SYSREG_RAZ:
        *value = 0;
        return HV_OK;
    case SYSREG_DIDR:
        *value = debug_id();
        return HV_OK;
    case SYSREG_TIMER:
        *value = vtimer_physical_read(vcpu_current(), timer_register(key));
        return HV_OK;
    case SYSREG_MDSCR:
        if (vcpu_current()->step_owned) {
            *value = vcpu_current()->guest_mdscr;
            return HV_OK;
        }
        break;
    case SYSREG_OSLOCK:
        return read_oslsr(index, value);
    case SYSREG_HW:
    case SYSREG_WI:
        break;
    default:
        return HV_ERR_UNSUPPORTED;
    }
    return sysreg_access_read(index, value) ? HV_OK : HV_ERR_UNSUPPORTED;
}

enum hv_status sysreg_write(unsigned int key, uint64_t value)
{
    unsigned int index = INDEX(key);
    if (index >= SYSREG_COUNT || !(info[index] & SYSREG_WO))
        return HV_ERR_INVALID;
    switch (kind_of(index)) {
    case SYSREG_RAZ:
    case SYSREG_WI:
        return HV_OK;
    case SYSREG_VA:
        return write_by_address(key, value);
    case SYSREG_TIMER:
        vtimer_physical_write(vcpu_current(), timer_register(key), value);
        return HV_OK;
    case SYSREG_DIR:
        vgic_write_dir(vcpu_current(), value);
        return HV_OK;
    case SYSREG_MDSCR:
        if (vcpu_current()->step_owned) {
            vcpu_current()->guest_mdscr = value;
            return HV_OK;
        }
        break;
    case SYSREG_OSLOCK:
        if (vcpu_current()->step_owned) {
            vcpu_current()->guest_os_lock = value & OSLAR_EL1_OSLK;
            return HV_OK;
        }
        break;
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

static enum trap_result emulate_other(struct vcpu *vcpu, struct event *event)
{
    enum hv_status status;

    if (info[INDEX(event->key)] == (SYSREG_WO | SYSREG_SGI) && event->write) {
        // With GICD_CTLR.DS = 1 there is no other Security state, and what ASGI1R sends is Group 0, as SGI0R's.
        if (event->key == KEY_ICC_SGI1R_EL1)
            vgic_write_sgi1r(vcpu, event->value);
        else
            vgic_write_sgi0r(vcpu, event->value);
        return TRAP_DONE;
    }
    status = event->write ? sysreg_write(event->key, event->value) : sysreg_read(event->key, &event->value);
    return status == HV_OK ? TRAP_DONE : TRAP_INJECT_UNDEF;
}

enum trap_result sysreg_emulate(struct vcpu *vcpu, struct event *event)
{
    if (event->write || kind_of(INDEX(event->key)) != SYSREG_ID)
        return emulate_other(vcpu, event);
    event->value = sysreg_id_value[INDEX(event->key)];
    return TRAP_DONE;
}
