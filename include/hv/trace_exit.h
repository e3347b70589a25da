// SPDX-License-Identifier: Apache-2.0
// The trace of exits that do not end by going back to the guest soon, or ever.
#pragma once

#include <hv/machine.h>

// Writes the record of the exit that this vCPU has just ended, before it waits in EL2; the way back then writes none.
// Nothing happens when the trace was off at entry, or the exit went the shorter way. On the vCPU's CPU.
void trace_finish(struct vcpu *vcpu);

// The same for an exit that never ends: the machine is about to be reset or powered off.
void trace_abandon(struct vcpu *vcpu);
