// SPDX-License-Identifier: Apache-2.0
// The PL031 that the guest sees (Arm DDI 0224): a clock of seconds, an alarm, and its interrupt, PL031_INTID. It shows
// the machine's own clock plus an offset, which is all that a guest changes when it sets the clock. Being wall time, it
// goes on while the VM is paused.
#pragma once

#include <hv/mmio.h>
#include <hv/trap.h>
#include <hv/types.h>
#include <hv/vpl031_state.h>

struct vm;

// The machine's clock; no alarm. On the boot CPU, before any vCPU runs.
void vpl031_init(struct vm *vm);
// TRAP_DONE; TRAP_INJECT_ABORT outside the device. On vcpu's own CPU, whose timer (hyp_timer.h) is set for the alarm.
enum trap_result vpl031_access(struct vcpu *vcpu, uint32_t offset, unsigned int access, uint64_t *value);
