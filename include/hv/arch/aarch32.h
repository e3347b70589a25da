// SPDX-License-Identifier: Apache-2.0
// Traps from A32 and T32 code at EL0: the registers of coprocessors 14 and 15 under the names that policy has for them,
// conditions, and the IT state (DDI 0487 G1.12, D19.2.37).
#pragma once

#include <hv/event.h>
#include <hv/trap.h>
#include <hv/vcpu.h>

// MCR, MRC, VMRS (EC 0x03, 0x05, 0x08), MCRR, MRRC (EC 0x04, 0x0c): event->key becomes that of the AArch64 register
// which is the same register, or KEY_SYSREG_UNKNOWN; its verdict decides, as for MSR and MRS. An instruction whose
// condition fails is done and moves nothing.
enum trap_result aarch32_coprocessor(struct vcpu *vcpu, struct event *event);

// True when the trapped instruction is one whose condition fails, which a CPU may trap all the same (DDI 0487 G1.14):
// it is done as it stands, and policy is not asked. Fills in what is left of the event. False for A64. The syndrome is
// of an exception class whose ISS has COND; event->key and event->write are set.
bool aarch32_is_skipped(const struct vcpu *vcpu, struct event *event);

// Moves the PC over the trapped instruction, and the IT state with it.
void aarch32_advance(struct trap_frame *frame);

// The key of the register in a syndrome of EC 0x03, 0x04, 0x05, 0x08 or 0x0c; KEY_SYSREG_UNKNOWN when policy has no
// name for it. *upper: the instruction sees bits 63:32 of the AArch64 register as its 32 bits.
unsigned int aarch32_register_key(uint32_t syndrome, bool *upper);
