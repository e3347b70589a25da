// SPDX-License-Identifier: Apache-2.0
// In the place of vm/vm.c and debug/step.c: a VM's state changes at once, and the machine's end jumps back to the test.
#pragma once

#include <hv/vm.h>

#include <setjmp.h>

extern jmp_buf fake_machine_ended; // vm_reset and vm_power_off go there
extern unsigned int fake_steps;    // that were asked for
