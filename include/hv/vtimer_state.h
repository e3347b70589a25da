// SPDX-License-Identifier: Apache-2.0
// What vdev/vtimer.c keeps of one vCPU's timers.
#pragma once

#include <hv/types.h>

#define VTIMER_LATE_BUCKETS 24 // the last one: from 67 ms at 62.5 MHz

// Per vCPU. Touched by its own CPU only; the monitor reads it through vtimer_snapshot.
struct vtimer {
    uint64_t physical_cval;             // CNTP_CVAL_EL0 as the guest wrote it
    uint32_t physical_ctl;              // CNTP_CTL_EL0.{IMASK, ENABLE}
    bool held;                          // the virtual timer's interrupt came while the vCPU waited in EL2
    uint64_t late[VTIMER_LATE_BUCKETS]; // virtual timer interrupts by log2 of the ticks past the deadline at EL2
};
