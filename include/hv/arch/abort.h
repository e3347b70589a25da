// SPDX-License-Identifier: Apache-2.0
// The handling of instruction and data aborts from the guest (ESR_EL2.EC 0x20 and 0x24).
#pragma once

#include <hv/trap.h>

// The whole life of an abort: classify, ask policy and devices through trap_mmio, move registers, write back the base.
// event is partly filled (syndrome, pc, entry, cause); this adds the rest. An access of several parts is done in order
// of address; when one is refused no register changes, and frame->far_el2 points at the part that was.
enum trap_result abort_handle(struct vcpu *vcpu, struct event *event);

// What TRAP_INJECT_ABORT means after an abort: the frame's syndrome as an external abort of the guest.
void abort_inject(struct vcpu *vcpu);
