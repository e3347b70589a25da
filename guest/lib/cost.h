// SPDX-License-Identifier: Apache-2.0
// What one privileged operation costs, measured from EL1 by the virtual counter.
#pragma once

// Times each operation over COST_ROUNDS rounds and prints a line `# cost <operation> <ns>` for each: the average in
// nanoseconds, the loop of 2 to 4 instructions included. Under QEMU's -icount shift=0,sleep=off one instruction takes
// one nanosecond, so that the figures are executed instructions.
void cost_run(void);
