// SPDX-License-Identifier: Apache-2.0
// What becomes of a guest that has come to EL2, as struct event's result has it.
#pragma once

// On the whole way trap/trap.c alone acts on it and moves the guest's PC; the shorter way skips its own instruction.
enum trap_result {
    TRAP_DONE,         // done: go on after the instruction
    TRAP_RETRY,        // execute the instruction again
    TRAP_INJECT_UNDEF, // the guest takes an Undefined Instruction exception at the instruction
    TRAP_INJECT_ABORT, // the guest takes an abort (data or instruction, external or alignment, from its own syndrome)
    TRAP_REFLECT,      // the guest takes the debug exception that was routed to EL2
    TRAP_STOP,         // the VM stops, vm->stop_reason says why
    TRAP_RESULT_COUNT,
};

// "done", "retry", "undef", "abort", "reflect", "stop"; "?" when out of range.
const char *trap_result_name(unsigned int result);
