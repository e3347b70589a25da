// SPDX-License-Identifier: Apache-2.0
// Calls by number: ariel's own hypercalls (guest_abi.h), SMCCC and PSCI 1.1, through HVC and SMC alike.
#pragma once

#include <hv/arch/barrier.h>
#include <hv/event_key.h>
#include <hv/guest_abi.h>
#include <hv/telemetry.h>
#include <hv/vcpu.h>

#define HVC_COUNT   (KEY_HVC_UNKNOWN - KEY_HVC_FIRST)
#define SMCCC_FIRST 0x80000000u
#define SMCCC_64    0x40000000u
#define PSCI_FIRST  0x84000000u
#define PSCI_COUNT  0x20u

// The keys of PSCI's functions by number from PSCI_FIRST: [0] 32-bit, [1] 64-bit; 0 where there is none.
extern const uint16_t call_psci_keys[2][PSCI_COUNT];

static inline unsigned int call_smccc_key(uint32_t number)
{
    uint32_t offset = (number & ~SMCCC_64) - PSCI_FIRST;
    if (offset < PSCI_COUNT) {
        unsigned int key = call_psci_keys[(number & SMCCC_64) != 0][bounded_index(offset, PSCI_COUNT)];
        return key != 0 ? key : KEY_SMCCC_UNKNOWN;
    }
    return number - SMCCC_FIRST < 2 ? KEY_SMCCC_VERSION + (number - SMCCC_FIRST) : KEY_SMCCC_UNKNOWN;
}

// The key of hvc #0 with this number in x0. An SMCCC function number is W0 alone (DEN 0028 2.5).
static inline unsigned int call_hvc_key(uint64_t number)
{
    if ((uint32_t)number >= SMCCC_FIRST)
        return call_smccc_key((uint32_t)number);
    if (number >= HVC_COUNT)
        return KEY_HVC_UNKNOWN;
    return KEY_HVC_FIRST + (unsigned int)bounded_index(number, HVC_COUNT);
}

// The key of any call: cause is KEY_CAUSE_HVC or KEY_CAUSE_SMC, syndrome ESR_EL2, number x0.
unsigned int call_key(unsigned int cause, uint32_t syndrome, uint64_t number);

// The calls that only return a number: true, and *value is the answer.
static inline bool call_constant(const struct vcpu *vcpu, unsigned int key, int64_t *value)
{
    if (__builtin_expect(key == KEY_PSCI_VERSION, 1) || key == KEY_SMCCC_VERSION)
        *value = 0x00010001; // 1.1, of both
    else if (key == KEY_HVC_GET_HV_ID)
        *value = HV_ID;
    else if (key == KEY_HVC_GET_STATUS)
        *value = (int64_t)vcpu->telemetry->sequence;
    else
        return false;
    return true;
}

// Answers a call: arguments in the guest's x1-x3; the result belongs in x0.
int64_t call_handle(struct vcpu *vcpu, unsigned int key);
// PSCI and SMCCC, keys KEY_SMCCC_FIRST .. KEY_SMCCC_UNKNOWN, but for call_constant's.
int64_t psci_call(struct vcpu *vcpu, unsigned int key);
