// SPDX-License-Identifier: Apache-2.0
// A vCPU's registers by name, for the commands that show, print and write them, and for expressions.
#pragma once

#include <hv/types.h>

struct vcpu;

// Reads register name of vcpu, on that vCPU's own CPU and between two of the guest's instructions, and then, where
// write is not NULL, gives it the value *write. The name is the manual's, in any case, with or without gdb's $; PSTATE
// and cpsr are SPSR_EL2, fp is x29, lr is x30, SP is the stack pointer that the vCPU uses now. NULL and *old, what the
// register was, or the error, and then nothing is written.
const char *monitor_register(struct vcpu *vcpu, const char *name, const uint64_t *write, uint64_t *old);
// The name by which it is shown: "SPSR_EL2" for "$cpsr", "x0" for "$x0".
const char *monitor_register_name(const char *word);
