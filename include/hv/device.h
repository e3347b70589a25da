// SPDX-License-Identifier: Apache-2.0
// The devices that ariel emulates, by the key of their row in device_table.h.
#pragma once

#include <hv/mmio.h>
#include <hv/trap.h>

// Performs an access (mmio.h) on the device key at ipa, which lies in it. TRAP_DONE, or TRAP_INJECT_ABORT, without any
// effect but on *value, for what the device refuses and for a device that ariel does not have.
enum trap_result device_emulate(struct vcpu *vcpu, uint64_t ipa, unsigned int access, uint64_t *value,
                                unsigned int key);
