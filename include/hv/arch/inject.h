// SPDX-License-Identifier: Apache-2.0
// Exceptions into the guest's EL1, as the architecture would have taken them (DDI 0487 D1.3, AArch64.TakeException).
#pragma once

#include <hv/vcpu.h>

// Undefined Instruction (ESR_EL1.EC = 0) at the trapped instruction.
void inject_undef(struct vcpu *vcpu);
// Synchronous external abort: data or instruction as instruction_fetch says, same or lower EL from SPSR_EL2; FAR_EL1 =
// far. write sets ESR_EL1.WnR.
void inject_abort(struct vcpu *vcpu, gva_t far, bool instruction_fetch, bool write);
// Virtual SError by HCR_EL2.VSE: taken when the guest unmasks it.
void inject_serror(struct vcpu *vcpu);
