// SPDX-License-Identifier: Apache-2.0
// The monitor's single step. The architecture's software step is made for a debugger at EL1, and the guest may have
// one. So EL2 borrows three things from the first armed entry to the last step taken, and gives them back as they were:
// MDSCR_EL1.SS, which turns stepping on; MDCR_EL2.TDE, which brings the step exception to EL2; and the OS lock, which
// has to be open because there are no step exceptions under it (DDI 0487 D2.3). What the guest writes to them meanwhile
// traps and is kept for it: MDCR_EL2.TDE traps MDSCR_EL1, and MDCR_EL2.TDOSA, which traps the OS lock, is always set.

#include <hv/arch/step.h>

#include <hv/arch/registers.h>
#include <hv/vm.h>

void step_start(struct vcpu *vcpu, uint32_t count)
{
    vcpu->step_count = count;
    vcpu_request(vcpu, VCPU_REQUEST_STEP);
}

void step_arm(struct vcpu *vcpu, bool done)
{
    uint64_t mdcr = READ_SYSREG(MDCR_EL2);

    if (!vcpu->step_owned) {
        vcpu->guest_mdscr = READ_SYSREG(MDSCR_EL1);
        vcpu->guest_os_lock = READ_SYSREG(OSLSR_EL1) & OSLSR_EL1_OSLK;
        WRITE_SYSREG(OSLAR_EL1, 0);
        vcpu->step_owned = true;
        done = false;
    }
    WRITE_SYSREG(MDCR_EL2, mdcr | MDCR_EL2_TDE);
    // TDE brings the exceptions of the guest's own breakpoints and watchpoints to EL2 as well, even those that the
    // guest has masked. With MDSCR_EL1.MDE clear there are none until the steps are over.
    WRITE_SYSREG(MDSCR_EL1, (vcpu->guest_mdscr & ~MDSCR_EL1_MDE) | MDSCR_EL1_SS);
    // SPSR_EL2.SS goes to PSTATE.SS at the ERET. With 1 the CPU executes one instruction and then takes the exception;
    // with 0 it takes the exception at once, which is right when EL2 has done the instruction in the guest's stead.
    if (done)
        vcpu->frame->spsr_el2 &= ~SPSR_ELX_SS;
    else
        vcpu->frame->spsr_el2 |= SPSR_ELX_SS;
}

bool step_take(struct vcpu *vcpu)
{
    if (!vcpu->step_owned)
        return false;
    if (--vcpu->step_count > 0)
        return true;
    step_cancel(vcpu);
    vm_break(vcpu, NOTIFY_STEP);
    return true;
}

void step_cancel(struct vcpu *vcpu)
{
    __atomic_fetch_and(&vcpu->request, ~VCPU_REQUEST_STEP, __ATOMIC_RELAXED);
    if (!vcpu->step_owned)
        return;
    vcpu->step_owned = false;
    vcpu->frame->spsr_el2 &= ~SPSR_ELX_SS;
    WRITE_SYSREG(MDSCR_EL1, vcpu->guest_mdscr);
    WRITE_SYSREG(OSLAR_EL1, vcpu->guest_os_lock ? OSLAR_EL1_OSLK : 0);
    // TDE goes back to what the policy says of it.
    WRITE_SYSREG(MDCR_EL2, (READ_SYSREG(MDCR_EL2) & ~MDCR_EL2_TDE) | (vcpu->vm->controls.mdcr_el2 & MDCR_EL2_TDE));
}

void step_cancel_if_stopped(struct vcpu *vcpu)
{
    if (vcpu->vm->state != VM_RUNNING || vcpu->power != VCPU_ON)
        step_cancel(vcpu);
}
