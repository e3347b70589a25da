// SPDX-License-Identifier: Apache-2.0
// EL2's stacks, for C, assembly and the linker script alike. Per CPU, from stacks_start up: an unmapped guard page,
// then the stack, with the trap frame at its top; and a panic stack, on which exceptions taken in EL2 itself run.
#pragma once

#define STACK_GUARD_SIZE  0x1000
#define STACK_SIZE        0x4000
#define STACK_STRIDE      (STACK_GUARD_SIZE + STACK_SIZE)
#define PANIC_STACK_SHIFT 13
#define PANIC_STACK_SIZE  (1 << PANIC_STACK_SHIFT)
