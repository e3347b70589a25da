// SPDX-License-Identifier: Apache-2.0
// What an access to a trapped system register does, when the policy does not refuse it. The columns of sysreg_table.h
// say it: `access` which directions there are, `emulation` how the register behaves, which is a struct sysreg_ops of
// that name (sysreg_ops.h). The behaviours that several rows share, or that need what is here, are in this file.
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
#include "sysreg_ops.h"

#define INDEX(key) ((key) - KEY_SYSREG_FIRST)

// Two rows with one encoding would make the same enumerator twice, which the compiler refuses.
#define SYSREG_ENCODING_ENUM(name, op0, op1, crn, crm, op2, ...) SYSREG_AT_##op0##_##op1##_##crn##_##crm##_##op2,
enum { SYSREG_TABLE(SYSREG_ENCODING_ENUM) };

#define SYSREG_RO 1
#define SYSREG_WO 2
#define SYSREG_RW (SYSREG_RO | SYSREG_WO)

// By key - KEY_SYSREG_FIRST. The last is that of KEY_SYSREG_UNKNOWN, which has no direction.
static const struct row {
    const struct sysreg_ops *ops;
    unsigned int access; // SYSREG_RO, SYSREG_WO or both
} rows[SYSREG_COUNT + 1] = {
#define SYSREG_ROW(name, op0, op1, crn, crm, op2, class, access, control, emulation)                                   \
    {&sysreg_##emulation, SYSREG_##access},
    SYSREG_TABLE(SYSREG_ROW){&sysreg_UNDEF, 0},
};

// The ID registers do not change, so what a VM's guest is to see of them is made once. A guest whose policy passes
// pointer authentication through sees it there, and no other does.
void sysreg_init(struct vm *vm)
{
    bool pauth = (vm->controls.hcr_el2 & (HCR_EL2_API | HCR_EL2_APK)) == (HCR_EL2_API | HCR_EL2_APK);
    for (unsigned int index = 0; index < SYSREG_COUNT; index++) {
        uint64_t value = 0;
        if (rows[index].ops == &sysreg_ID && sysreg_access_read(index, &value))
            vm->id_value[index] = sysreg_id_visible(index + KEY_SYSREG_FIRST, value, pauth);
    }
}

// ---- Behaviours

static enum hv_status read_hardware(struct vcpu *vcpu, unsigned int key, uint64_t *value)
{
    (void)vcpu;
    return sysreg_access_read(INDEX(key), value) ? HV_OK : HV_ERR_UNSUPPORTED;
}

static enum hv_status write_hardware(struct vcpu *vcpu, unsigned int key, uint64_t value)
{
    (void)vcpu;
    return sysreg_access_write(INDEX(key), value) ? HV_OK : HV_ERR_UNSUPPORTED;
}

static enum hv_status read_zero(struct vcpu *vcpu, unsigned int key, uint64_t *value)
{
    (void)vcpu, (void)key;
    *value = 0;
    return HV_OK;
}

static enum hv_status ignore(struct vcpu *vcpu, unsigned int key, uint64_t value)
{
    (void)vcpu, (void)key, (void)value;
    return HV_OK;
}

const struct sysreg_ops sysreg_UNDEF = {NULL, NULL};
const struct sysreg_ops sysreg_NONE = {NULL, NULL};
const struct sysreg_ops sysreg_HW = {read_hardware, write_hardware};
const struct sysreg_ops sysreg_RAZ = {read_zero, ignore};
const struct sysreg_ops sysreg_WI = {read_hardware, ignore};

static enum hv_status read_id(struct vcpu *vcpu, unsigned int key, uint64_t *value)
{
    *value = vcpu->vm->id_value[INDEX(key)];
    return HV_OK;
}

const struct sysreg_ops sysreg_ID = {read_id, NULL};

// Maintenance by set and way reaches lines of other guests and of EL2 too. A mere invalidate would lose their data, so
// each of these instructions is done as DC CISW, which cleans as well.
static enum hv_status write_set_way(struct vcpu *vcpu, unsigned int key, uint64_t value)
{
    (void)key;
    return write_hardware(vcpu, KEY_DC_CISW, value);
}

const struct sysreg_ops sysreg_SET_WAY = {NULL, write_set_way};

// Cache maintenance by an address of the guest's (DC CVAC and others). EL2 asks the MMU which physical address the
// guest's tables give it, and does the maintenance there by its own address: EL2 maps guest RAM at its PA, and a cache
// line belongs to its PA whoever names it. Where the guest's tables lead nowhere, or not to guest RAM, there is no line
// of the guest's and nothing to do; DC ZVA writes memory, so there it is a fault.
static enum hv_status write_by_address(struct vcpu *vcpu, unsigned int key, uint64_t value)
{
    // PSTATE is taken from the frame: SPSR_EL2 itself is overwritten when a guarded access of EL2 faults (guarded.h).
    bool el0 = FIELD_GET(SPSR_ELX_M_EL, vcpu->frame->spsr_el2) == 0;
    bool zero = key == KEY_DC_ZVA;
    if (key == KEY_IC_IVAU) // by EL2's address it would miss lines that a VIPT cache has by the guest's
        return write_hardware(vcpu, KEY_IC_IALLUIS, 0);
    uint64_t par = sysreg_access_translate(gva_make(value), el0, zero);
    uint64_t pa = (par & PAR_EL1_PA) | (value & (KIB(4) - 1));
    if ((par & PAR_EL1_F) || !space_owns(&vcpu->vm->space, pa_make(pa)))
        return zero ? HV_ERR_FAULT : HV_OK;
    if (key == KEY_DC_IVAC) // with HCR_EL2.VM set it cleans as well (DDI 0487 D7.5.9)
        key = KEY_DC_CIVAC;
    return write_hardware(vcpu, key, pa);
}

const struct sysreg_ops sysreg_VA = {NULL, write_by_address};

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

static enum hv_status read_timer(struct vcpu *vcpu, unsigned int key, uint64_t *value)
{
    *value = vtimer_physical_read(vcpu, timer_register(key));
    return HV_OK;
}

static enum hv_status write_timer(struct vcpu *vcpu, unsigned int key, uint64_t value)
{
    vtimer_physical_write(vcpu, timer_register(key), value);
    return HV_OK;
}

const struct sysreg_ops sysreg_TIMER = {read_timer, write_timer};

// DBGDIDR, which says to AArch32 code what ID_AA64DFR0_EL1 says to AArch64 code (DDI 0487 G8.3.9). Bits 14 and 12,
// which tell of EL3, are 0: the guest's CPU has none. Where the policy does not trap the register, a guest reads the
// CPU's own, and EL2 cannot read it: it has no encoding in AArch64.
static enum hv_status read_dbgdidr(struct vcpu *vcpu, unsigned int key, uint64_t *value)
{
    uint64_t dfr0 = vcpu->vm->id_value[INDEX(KEY_ID_AA64DFR0_EL1)];

    (void)key;
    *value = FIELD_PREP(DBGDIDR_WRPS, FIELD_GET(ID_AA64DFR0_EL1_WRPS, dfr0)) |
             FIELD_PREP(DBGDIDR_BRPS, FIELD_GET(ID_AA64DFR0_EL1_BRPS, dfr0)) |
             FIELD_PREP(DBGDIDR_CTX_CMPS, FIELD_GET(ID_AA64DFR0_EL1_CTX_CMPS, dfr0)) |
             FIELD_PREP(DBGDIDR_VERSION, FIELD_GET(ID_AA64DFR0_EL1_DEBUGVER, dfr0)) | DBGDIDR_RES1;
    return HV_OK;
}

const struct sysreg_ops sysreg_DIDR = {read_dbgdidr, NULL};

// While the monitor steps the vCPU, MDSCR_EL1 in the hardware is EL2's, and the guest has a copy.
static enum hv_status read_mdscr(struct vcpu *vcpu, unsigned int key, uint64_t *value)
{
    if (!vcpu->step_owned)
        return read_hardware(vcpu, key, value);
    *value = vcpu->guest_mdscr;
    return HV_OK;
}

static enum hv_status write_mdscr(struct vcpu *vcpu, unsigned int key, uint64_t value)
{
    if (!vcpu->step_owned)
        return write_hardware(vcpu, key, value);
    vcpu->guest_mdscr = value;
    return HV_OK;
}

const struct sysreg_ops sysreg_MDSCR = {read_mdscr, write_mdscr};

// OSLSR_EL1 is the hardware's register. But while the monitor steps the vCPU, EL2 keeps the OS lock open for the step,
// and the guest reads the lock as it left it.
static enum hv_status read_oslsr(struct vcpu *vcpu, unsigned int key, uint64_t *value)
{
    if (!sysreg_access_read(INDEX(key), value))
        return HV_ERR_UNSUPPORTED;
    if (vcpu->step_owned)
        *value = (*value & ~OSLSR_EL1_OSLK) | (vcpu->guest_os_lock ? OSLSR_EL1_OSLK : 0);
    return HV_OK;
}

static enum hv_status write_oslar(struct vcpu *vcpu, unsigned int key, uint64_t value)
{
    if (!vcpu->step_owned)
        return write_hardware(vcpu, key, value);
    vcpu->guest_os_lock = value & OSLAR_EL1_OSLK;
    return HV_OK;
}

const struct sysreg_ops sysreg_OSLOCK = {read_oslsr, write_oslar};

// The guest's GIC has one Security state (GICD_CTLR.DS = 1). There ICC_ASGI1R_EL1 sends an interrupt of Group 0, as
// ICC_SGI0R_EL1 does (IHI 0069 12.2).
static enum hv_status write_sgi(struct vcpu *vcpu, unsigned int key, uint64_t value)
{
    if (key == KEY_ICC_SGI1R_EL1)
        vgic_write_sgi1r(vcpu, value);
    else
        vgic_write_sgi0r(vcpu, value);
    return HV_OK;
}

const struct sysreg_ops sysreg_SGI = {NULL, write_sgi};

static enum hv_status write_dir(struct vcpu *vcpu, unsigned int key, uint64_t value)
{
    (void)key;
    vgic_write_dir(vcpu, value);
    return HV_OK;
}

const struct sysreg_ops sysreg_DIR = {NULL, write_dir};

// ---- Accesses

// The behaviour of a row that has the direction; NULL for others, and where no row has the key.
static const struct sysreg_ops *ops_of(unsigned int key, unsigned int direction)
{
    unsigned int index = INDEX(key);

    return index < SYSREG_COUNT && (rows[index].access & direction) ? rows[index].ops : NULL;
}

bool sysreg_is_readable(unsigned int key)
{
    const struct sysreg_ops *ops = ops_of(key, SYSREG_RO);

    return ops != NULL && ops->read != NULL;
}

// By kind. Those that break out of the switch are the hardware's own registers, which this CPU may lack: the access is
// made with care, and answers UNSUPPORTED then (sysreg_access.S).
enum hv_status sysreg_read(struct vcpu *vcpu, unsigned int key, uint64_t *value)
{
    const struct sysreg_ops *ops = ops_of(key, SYSREG_RO);

    if (ops == NULL)
        return HV_ERR_INVALID;
    return ops->read != NULL ? ops->read(vcpu, key, value) : HV_ERR_UNSUPPORTED;
}

// The same for writes. What RAZ and WI ignore is done, and nothing happens.
enum hv_status sysreg_write(struct vcpu *vcpu, unsigned int key, uint64_t value)
{
    const struct sysreg_ops *ops = ops_of(key, SYSREG_WO);

    if (ops == NULL)
        return HV_ERR_INVALID;
    return ops->write != NULL ? ops->write(vcpu, key, value) : HV_ERR_UNSUPPORTED;
}

enum trap_result sysreg_emulate(struct vcpu *vcpu, struct event *event)
{
    enum hv_status status;

    status = event->write ? sysreg_write(vcpu, event->key, event->value) : sysreg_read(vcpu, event->key, &event->value);
    return status == HV_OK ? TRAP_DONE : TRAP_INJECT_UNDEF;
}
