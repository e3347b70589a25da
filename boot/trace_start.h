// SPDX-License-Identifier: Apache-2.0
// Private to boot/.
#pragma once

#include <hv/types.h>

struct vm;

// Makes what the trace begins with, and connects it to its port. Everything is traced from now on when there is a port,
// or when it was asked for (everything); else what rows of the policy say. On the boot CPU, when all CPUs run and vm's
// guest is loaded, and before it runs.
void trace_start(struct vm *vm, bool everything);
