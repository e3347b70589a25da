// SPDX-License-Identifier: Apache-2.0
// Exceptions into the guest's EL1, as the architecture would have taken them (DDI 0487 D1.3, AArch64.TakeException).
// All work on the vCPU of this CPU: they move frame->elr_el2 and frame->spsr_el2 and write the EL1 registers. The PC
// (frame->elr_el2) must stand at the instruction that gets the exception. At most one synchronous exception per exit.
#pragma once

#include <hv/machine.h>

// Undefined Instruction (ESR_EL1.EC = 0) at the trapped instruction.
void inject_undef(struct vcpu *vcpu);
// Synchronous external abort: data or instruction as instruction_fetch says, same or lower EL from SPSR_EL2; FAR_EL1 =
// far. write sets ESR_EL1.WnR.
void inject_abort(struct vcpu *vcpu, gva_t far, bool instruction_fetch, bool write);
// The abort that the trapped syndrome (frame: EC 0x20 or 0x24) becomes for the guest: as inject_abort, with WnR, CM,
// FnV and FAR of the trapped access; on a stage-1 walk (S1PTW) an external abort on the walk with level (0..3). A fetch
// from a misaligned PC is a PC alignment fault (EC 0x22) instead, which comes first (DDI 0487 D1.3.5).
void inject_abort_trapped(struct vcpu *vcpu, unsigned int level);
// Debug exception that was routed to EL2 (EC 0x30, 0x32, 0x34, 0x38, 0x3c) and that the monitor does not own. syndrome
// is ESR_EL2. False, and nothing done, when the guest's own PSTATE.D or MDSCR_EL1.KDE masks it: the caller then makes
// the guest go on. A BRK is never masked.
bool inject_debug(struct vcpu *vcpu, uint32_t syndrome);
// Virtual SError by HCR_EL2.VSE: taken when the guest unmasks it, which clears VSE (in hardware).
void inject_serror(struct vcpu *vcpu);
// Whether an injected SError still waits to be taken.
bool inject_serror_pending(void);
