// SPDX-License-Identifier: Apache-2.0
// What an instruction or data abort of the guest was, and what ariel means to do about it.
#pragma once

#include <hv/arch/abort_decode.h>
#include <hv/vcpu.h>

enum abort_verdict {
    ABORT_DEVICE, // emulate the access: address and abort_access are valid
    ABORT_SKIP,   // has no effect there: go on after the instruction
    ABORT_RETRY,  // the stage-2 entry is valid now: execute again
    ABORT_INJECT, // abort into the guest; reason says why, status as what
    ABORT_STOP,   // the VM stops; reason says why
};

struct abort_plan {
    enum abort_verdict verdict;
    const char *reason; // constant words for the log: "an exclusive access", "a hole in guest RAM" ...; NULL for DEVICE
    uint8_t status;     // of ABORT_INJECT: fault status code for the guest; 0: what the syndrome's becomes (inject.h)
    ipa_t address;      // of the first byte; 0 when not known
    struct abort_access access;
};

// Classifies the abort in vcpu->frame (EC 0x20 or 0x24; esr, far and hpfar saved). Fetches the instruction when ISV =
// 0. On the vCPU's own CPU.
void abort_classify(struct vcpu *vcpu, struct abort_plan *plan);

// The level of the guest's stage-1 table that an abort on a walk (S1PTW) could not read.
unsigned int abort_walk_level(struct vcpu *vcpu);
