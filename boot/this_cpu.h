// SPDX-License-Identifier: Apache-2.0
// What each CPU does for itself on its way to the guest.
#pragma once

#include <hv/machine.h>

// The vCPU of this CPU, whose number is cpu: its frame lies on top of this CPU's stack (boot.S), and TPIDR_EL2 names it
// from now on. First of all, before anything that may take an exception.
struct vcpu *this_cpu_adopt(unsigned int cpu);
// EL2's registers with what the VM wants trapped, the GIC's CPU interface, and the timers. After vm_build.
void this_cpu_prepare(struct vcpu *vcpu);
// Waits until the vCPU may run, and enters the guest.
_Noreturn void this_cpu_run(struct vcpu *vcpu);
