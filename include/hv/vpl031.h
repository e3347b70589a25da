// SPDX-License-Identifier: Apache-2.0
// The PL031 that the guest sees (Arm DDI 0224): a clock of seconds, an alarm, and its interrupt, PL031_INTID. It shows
// the machine's own clock plus an offset, which is all that a guest changes when it sets the clock. Being wall time, it
// goes on while the VM is paused.
#pragma once

#include <hv/mmio.h>
#include <hv/spinlock.h>
#include <hv/trap.h>
#include <hv/types.h>

struct vm;

struct vpl031 {
    struct spinlock lock; // guards all
    uint32_t offset;      // the guest's clock less the machine's, in seconds, modulo 2^32
    uint32_t load;        // RTCLR as written last
    uint32_t match;       // RTCMR
    uint32_t mask;        // RTCIMSC
    uint32_t raw;         // RTCRIS
    bool level;           // what the interrupt line was last set to
    bool armed;           // the alarm is to come,
    uint32_t due;         // when the machine's clock shows this
};

// The machine's clock; no alarm. On the boot CPU, before any vCPU runs.
void vpl031_init(struct vm *vm);
// TRAP_DONE; TRAP_INJECT_ABORT outside the device. On vcpu's own CPU, whose timer (hyp_timer.h) is set for the alarm.
enum trap_result vpl031_access(struct vcpu *vcpu, uint32_t offset, unsigned int access, uint64_t *value);
