// SPDX-License-Identifier: Apache-2.0
// Checks that the running machine is as the sources say. For the monitor's "hv selftest".
#pragma once

struct vm;

// Checks memory protection on this CPU: EL2's own map (text, read-only data, data, stacks and their guard pages), that
// an access that may fault comes back, every stage-2 entry of vm, and the log ring. NULL, or what is wrong. Changes
// nothing.
const char *selftest_memory(struct vm *vm);
