// SPDX-License-Identifier: Apache-2.0
// The whole way of an exit. A guest has taken an exception to EL2, and vectors.S has put all of its registers into the
// trap frame. Here the exception becomes a struct event, its class (ESR_EL2.EC) chooses who handles it, and the handler
// answers with an enum trap_result: what becomes of the guest. This file then does that to the guest. The rule: no
// other code moves the guest's PC, so that an instruction is skipped once or not at all, whatever a handler does.
//
// For example, MRS X3, CNTPCT_EL0 arrives with EC 0x18. trap_sysreg64 finds the register's key, trap_sysreg
// (dispatch.c) asks the policy and reads the counter, the result is TRAP_DONE, X3 of the frame gets the value, and
// ELR_EL2 of the frame moves by 4.

#include <hv/arch/trap.h>

#include <hv/arch/aarch32.h>
#include <hv/arch/abort.h>
#include <hv/arch/inject.h>
#include <hv/arch/registers.h>
#include <hv/arch/step.h>
#include <hv/arch/sysreg.h>
#include <hv/gicv3.h>
#include <hv/irq.h>
#include <hv/telemetry.h>
#include <hv/trace_exit.h>
#include <hv/trap.h>
#include <hv/vgic.h>
#include <hv/vm.h>

#define SMC_HVC_IMMEDIATE(syndrome) ((syndrome) & ESR_ELX_ISS_IMM16)

// A handler gets the vCPU whose frame holds the registers, and the event with its PC, syndrome and cause filled in. It
// completes the event (key, direction, address, value, row, verdict) and returns what becomes of the guest.
typedef enum trap_result (*trap_fn)(struct vcpu *vcpu, struct event *event);

struct trap_class {
    trap_fn handle;
    uint8_t cause;   // row of CAUSE_TABLE
    uint8_t advance; // bytes the PC moves on TRAP_DONE, for AArch64
};

static enum trap_result trap_hvc64(struct vcpu *vcpu, struct event *event)
{
    // The preferred return address of HVC is the instruction after it (DDI 0487 D1.3.1), unlike that of a trapped SMC.
    // The PC goes back to the HVC, so that the event names the call, and a policy row that pauses can have it done
    // again.
    event->pc -= 4;
    vcpu->frame->elr_el2 = event->pc;
    return trap_call(vcpu, event);
}

// A call by SMC has the keys of one by HVC.
static COLD enum trap_result trap_smc64(struct vcpu *vcpu, struct event *event)
{
    enum trap_result result = trap_call(vcpu, event);

    telemetry_note_class(vcpu->telemetry, event);
    return result;
}

// A fetch that stage 2 refuses has the key of a data access when it is of guest RAM.
static COLD enum trap_result trap_fetch(struct vcpu *vcpu, struct event *event)
{
    enum trap_result result = abort_handle(vcpu, event);

    telemetry_note_class(vcpu->telemetry, event);
    return result;
}

// MRS, MSR and the system instructions (DC, TLBI, AT ...), which are encoded as writes. ISS names the register by op0,
// op1, CRn, CRm and op2, the general register by Rt, and the direction by bit 0: 1 is a read. Rt = 31 is XZR:
// vcpu_get_reg gives 0 for it and vcpu_set_reg forgets the value. Rt is written only when the access was done; an
// UNDEFINED one leaves it.
static enum trap_result trap_sysreg64(struct vcpu *vcpu, struct event *event)
{
    unsigned int rt = FIELD_GET(ISS_SYSREG_RT, event->syndrome);

    event->key = (uint16_t)sysreg_key(event->syndrome);
    event->write = !(event->syndrome & ISS_SYSREG_DIRECTION);
    if (event->write) {
        event->value = vcpu_get_reg(vcpu, rt);
        return trap_sysreg(vcpu, event);
    }
    enum trap_result result = trap_sysreg(vcpu, event);
    if (result == TRAP_DONE)
        vcpu_set_reg(vcpu, rt, event->value);
    return result;
}

// ISS.TI (DDI 0487 D19.2.37): 0 WFI, 1 WFE, 2 WFIT, 3 WFET. An instruction with a time-out is judged by the row of the
// one without.
static enum trap_result trap_wf(struct vcpu *vcpu, struct event *event)
{
    event->cause = event->syndrome & ESR_ELX_ISS_WFX_TI_WFE ? KEY_CAUSE_WFE : KEY_CAUSE_WFI;
    event->key = event->cause;
    event->write = 0;
    return aarch32_is_skipped(vcpu, event) ? TRAP_DONE : trap_wfx(vcpu, event);
}

// What no other handler knows more about: SVE, pointer authentication, an illegal state. Its cause is its key, and a
// row of the policy that names it says what the guest gets.
static COLD enum trap_result trap_named(struct vcpu *vcpu, struct event *event)
{
    event->key = event->cause;
    return trap_other(vcpu, event);
}

// SIMD and floating point, where the policy traps them (CPTR_EL2.TFP). An AArch32 instruction whose condition fails is
// not executed, and may trap all the same (DDI 0487, "Conditional execution"): then it is only skipped.
static COLD enum trap_result trap_fp(struct vcpu *vcpu, struct event *event)
{
    event->key = event->cause;
    event->write = 0;
    return aarch32_is_skipped(vcpu, event) ? TRAP_DONE : trap_other(vcpu, event);
}

// Completes an event that moves no data and that EL2 handles by itself: an interrupt, or a step of the monitor's. No
// row of the policy decides about it. Slots of events are used again and again, so the fields that say nothing here are
// cleared of what an older event left.
static void note(struct event *event, uint8_t cause)
{
    event->cause = cause;
    event->key = cause;
    event->row = POLICY_ROW_NONE;
    event->verdict = POLICY_EMULATE;
    event->result = TRAP_RETRY;
    event->address = 0;
    event->value = 0;
    event->write = 0;
}

// Breakpoints, watchpoints, BRK and the software step come to EL2 while MDCR_EL2.TDE is set. If the monitor is making
// this vCPU step, the step's exception is its own and the guest hears nothing of it. All others are the guest's, and go
// back to it (TRAP_REFLECT) unless a row of the policy wants something else.
static COLD enum trap_result trap_debug_exception(struct vcpu *vcpu, struct event *event)
{
    if (event->cause == KEY_CAUSE_STEP && step_take(vcpu)) {
        note(event, KEY_CAUSE_STEP);
        return TRAP_RETRY;
    }
    event->key = event->cause;
    return trap_debug(vcpu, event);
}

// Who handles an exception, by its class: ESR_EL2.EC (DDI 0487 D19.2.37).
static const struct trap_class trap_classes[64] = {
    [0x00] = {trap_named, KEY_CAUSE_UNKNOWN, 0},
    [0x01] = {trap_wf, KEY_CAUSE_WFI, 4},
    [0x03] = {aarch32_coprocessor, KEY_CAUSE_SYSREG, 0},
    [0x04] = {aarch32_coprocessor, KEY_CAUSE_SYSREG, 0},
    [0x05] = {aarch32_coprocessor, KEY_CAUSE_SYSREG, 0},
    [0x07] = {trap_fp, KEY_CAUSE_FP, 0},
    [0x08] = {aarch32_coprocessor, KEY_CAUSE_SYSREG, 0},
    [0x09] = {trap_named, KEY_CAUSE_PAC, 0},
    [0x0a] = {trap_named, KEY_CAUSE_LS64, 0},
    [0x0c] = {aarch32_coprocessor, KEY_CAUSE_SYSREG, 0},
    [0x0d] = {trap_named, KEY_CAUSE_BTI, 0},
    [0x0e] = {trap_named, KEY_CAUSE_ILLEGAL, 0},
    [0x16] = {trap_hvc64, KEY_CAUSE_HVC, 4},
    [0x17] = {trap_smc64, KEY_CAUSE_SMC, 4},
    [0x18] = {trap_sysreg64, KEY_CAUSE_SYSREG, 4},
    [0x19] = {trap_named, KEY_CAUSE_SVE, 0},
    [0x1d] = {trap_named, KEY_CAUSE_SME, 0},
    [0x20] = {trap_fetch, KEY_CAUSE_IABT, 0},
    [0x22] = {trap_named, KEY_CAUSE_PC_ALIGN, 0},
    [0x24] = {abort_handle, KEY_CAUSE_DABT, 4},
    [0x30] = {trap_debug_exception, KEY_CAUSE_BREAKPOINT, 0},
    [0x32] = {trap_debug_exception, KEY_CAUSE_STEP, 0},
    [0x34] = {trap_debug_exception, KEY_CAUSE_WATCHPOINT, 0},
    [0x38] = {trap_debug_exception, KEY_CAUSE_BRK, 0},
    [0x3c] = {trap_debug_exception, KEY_CAUSE_BRK, 0},
};

// Classes that the table does not have (LDC and STC of AArch32, future ones) are refused under the key "unknown".
static const struct trap_class unknown_class = {trap_named, KEY_CAUSE_UNKNOWN, 0};

// Every result but the common one, which is an A64 instruction that is done. TRAP_RETRY leaves the PC where it is, so
// that the guest executes the instruction again. After TRAP_STOP the vCPU waits, at the end of this exit
// (serve_requests).
static COLD void finish_slowly(struct vcpu *vcpu, enum trap_result result)
{
    switch (result) {
    case TRAP_DONE:
        aarch32_advance(vcpu->frame);
        break;
    case TRAP_INJECT_UNDEF:
        inject_undef(vcpu);
        break;
    case TRAP_INJECT_ABORT:
        abort_inject(vcpu);
        break;
    case TRAP_REFLECT:
        if (!inject_debug(vcpu, (uint32_t)vcpu->frame->esr_el2))
            vcpu->frame->spsr_el2 |= SPSR_ELX_SS;
        break;
    case TRAP_STOP:
    case TRAP_RETRY:
    default:
        break;
    }
}

// Does what was asked of this vCPU (vcpu->request): to wait until its VM runs, to wait for an interrupt, to step. A
// wait serves interrupts, and these may ask for more, so the requests are read again until none is left but the step,
// which takes effect by the eret.
static COLD void serve_requests(struct vcpu *vcpu, bool done)
{
    uint32_t request;

    trace_finish(vcpu);
    while (((request = __atomic_load_n(&vcpu->request, __ATOMIC_RELAXED)) & ~VCPU_REQUEST_STEP) != 0) {
        if (request & VCPU_REQUEST_WAIT) {
            step_cancel_if_stopped(vcpu);
            vcpu_wait(vcpu);
        } else {
            vcpu_wait_for_interrupt(vcpu);
        }
        vgic_flush(vcpu);
    }
    if (vcpu->request & VCPU_REQUEST_STEP)
        step_arm(vcpu, done);
}

// The event's slot is used again by exits of the shorter way, which do not write `logged`: so the mark leaves the slot,
// and the trace's record has it from the vCPU.
static COLD void keep_logged(struct vcpu *vcpu, struct event *event)
{
    telemetry_keep(vcpu->telemetry, event);
    vcpu->traced.logged = true;
    event->logged = 0;
}

// Closes the event, and does what was asked of this vCPU since the exit began. It is the last C before the eret.
static inline void leave(struct vcpu *vcpu, struct event *event)
{
    vgic_flush(vcpu);
    uint64_t exit = READ_SYSREG(CNTPCT_EL0);
    telemetry_end_with(vcpu->telemetry, event, exit - event->exit, exit);
    if (event->logged)
        keep_logged(vcpu, event);
    if (__atomic_load_n(&vcpu->request, __ATOMIC_RELAXED) != 0)
        serve_requests(vcpu, event->result != TRAP_RETRY);
}

// Opens the event of this exit. The time of its entry is written before its number, because the watchdog of another CPU
// takes a slot that has the number of the next exit for one that has begun, and looks at that time (vm/watchdog.c).
static inline struct event *arrive(struct vcpu *vcpu, const struct trap_frame *frame)
{
    struct event *event = telemetry_begin(vcpu->telemetry);
    telemetry_enter(event, READ_SYSREG(CNTPCT_EL0));
    event->sequence = vcpu->telemetry->sequence;
    event->logged = 0;
    event->pc = frame->elr_el2;
    event->syndrome = (uint32_t)frame->esr_el2;
    return event;
}

// A synchronous exception: what the guest's instruction did. An A64 instruction that is done is skipped by hand here,
// as hardware would have done: the PC moves by 4, and PSTATE loses what each instruction resets (frame_pstate_after).
void trap_from_sync(struct trap_frame *frame)
{
    struct vcpu *vcpu = vcpu_current();
    struct event *event = arrive(vcpu, frame);
    const struct trap_class *class = &trap_classes[FIELD_GET(ESR_ELX_EC, event->syndrome)];

    if (class->handle == NULL)
        class = &unknown_class;
    event->cause = class->cause;
    enum trap_result result = class->handle(vcpu, event);
    event->result = (uint8_t)result;
    if (__builtin_expect(result == TRAP_DONE && !(frame->spsr_el2 & SPSR_ELX_M4), 1)) {
        frame->elr_el2 += class->advance;
        frame->spsr_el2 = frame_pstate_after(frame->spsr_el2);
    } else {
        finish_slowly(vcpu, result);
    }
    leave(vcpu, event);
}

// IRQ, FIQ and SError. An IRQ or FIQ does not write ESR_EL2: what the register holds is an older exception's, and
// the event says 0.
static void trap_asynchronous(struct trap_frame *frame, uint8_t cause, unsigned int intid)
{
    struct vcpu *vcpu = vcpu_current();
    struct event *event = arrive(vcpu, frame);

    note(event, cause);
    if (cause == KEY_CAUSE_SERROR) {
        event->result = (uint8_t)trap_serror(vcpu, event);
    } else {
        event->syndrome = 0;
        event->address = intid;
        irq_serve(intid);
    }
    leave(vcpu, event);
}

void trap_from_irq(struct trap_frame *frame, unsigned int intid)
{
    trap_asynchronous(frame, KEY_CAUSE_IRQ, intid);
}

void trap_from_fiq(struct trap_frame *frame)
{
    trap_asynchronous(frame, KEY_CAUSE_FIQ, gicv3_acknowledge());
}

void trap_from_serror(struct trap_frame *frame)
{
    trap_asynchronous(frame, KEY_CAUSE_SERROR, 0);
}
