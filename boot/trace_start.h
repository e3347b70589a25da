// SPDX-License-Identifier: Apache-2.0
// Private to boot/.
#pragma once

struct vm;

// Makes what the trace begins with, and connects it to its port, if there is one: then everything is traced from now
// on. On the boot CPU, when all CPUs run and vm's guest is loaded, and before it runs.
void trace_start(const struct vm *vm);
