// SPDX-License-Identifier: Apache-2.0
// Which VM and which vCPU a monitor command is about where it names none: values of the client (monitor_client.h), not
// constants. Used on the CPU that owns the serial line only.
#pragma once

#include <hv/types.h>

struct vm;
struct vcpu;

// The VM that commands are about from now on; its vCPU 0 is the one that is meant.
void monitor_choose_vm(struct vm *vm);
// That VM. NULL only before the first call of monitor_choose_vm, which is at boot.
struct vm *monitor_vm(void);
// "running", "paused", "stopped".
const char *monitor_vm_state(void);

// NULL, or the error that there is neither a vCPU nor guest memory, because the machine was refused at boot.
const char *monitor_refused(void);
// The vCPU whose number word is (word NULL: the chosen one, 0 at first); NULL and *vcpu, or the error.
const char *monitor_vcpu(const char *word, struct vcpu **vcpu);
// The vCPU that is meant where none is named, from now on.
void monitor_choose_vcpu(const struct vcpu *vcpu);
