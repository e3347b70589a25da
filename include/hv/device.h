// SPDX-License-Identifier: Apache-2.0
// The devices that ariel emulates, by the key of their row in device_table.h.
#pragma once

#include <hv/mmio.h>
#include <hv/trap.h>

// Performs access (size, write and value given; offset is filled in) on the device key at ipa. TRAP_DONE, or
// TRAP_INJECT_ABORT, without any effect, for what the device refuses and for a device that ariel does not have.
enum trap_result device_emulate(struct vcpu *vcpu, unsigned int key, uint64_t ipa, struct mmio_access *access);
