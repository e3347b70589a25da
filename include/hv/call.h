// SPDX-License-Identifier: Apache-2.0
// Calls by number: ariel's own hypercalls (guest_abi.h), SMCCC and PSCI 1.1, through HVC and SMC alike. call_table.h
// has a row for each.
#pragma once

#include <hv/arch/barrier.h>
#include <hv/event_key.h>
#include <hv/machine.h>

#define HVC_COUNT   (KEY_HVC_UNKNOWN - KEY_HVC_FIRST)
#define SMCCC_FIRST 0x80000000u

// The bits of a function number (DEN 0028 2.5): 31 a fast call, 30 the 64-bit convention, 29:24 the service that owns
// it, 15:0 the function. ariel has functions of two services, 0 (Arm Architecture) and 4 (Standard Secure, which is
// PSCI), and of the numbers 0 to 31 only. What is left of a number is its place in a table of 128: function in bits
// 4:0, service 4 or 0 in bit 5, width in bit 6. 0xc4000003, CPU_ON of 64 bits, has the place 0x63.
#define SMCCC_64       0x40000000u
#define SMCCC_STANDARD 0x04000000u
#define SMCCC_FUNCTION 0x1fu
#define CALL_PLACES    128u

#define CALL_PLACE(number)                                                                                             \
    (((number) & SMCCC_64 ? 0x40u : 0) | ((number) & SMCCC_STANDARD ? 0x20u : 0) | ((number) & SMCCC_FUNCTION))
#define CALL_HAS_PLACE(number) (((number) & ~(SMCCC_64 | SMCCC_STANDARD | SMCCC_FUNCTION)) == SMCCC_FIRST)

// The keys of SMCCC_CALL_TABLE by place; 0 where there is none.
extern const uint16_t call_smccc_keys[CALL_PLACES];

static inline unsigned int call_smccc_key(uint32_t number)
{
    if (!CALL_HAS_PLACE(number))
        return KEY_SMCCC_UNKNOWN;
    unsigned int key = call_smccc_keys[bounded_index(CALL_PLACE(number), CALL_PLACES)];
    return key != 0 ? key : KEY_SMCCC_UNKNOWN;
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

// Answers a call of this key: arguments in the guest's x1-x3; the result belongs in x0. HVC_NOT_SUPPORTED for a key
// without a row.
int64_t call_handle(struct vcpu *vcpu, unsigned int key);

// The handlers: what x0 gets. trap/hypercall.c has ariel's own, trap/psci.c the others.
#define CALL_HANDLER(id, number, name, handler, ...) int64_t handler(struct vcpu *vcpu);
HVC_CALL_TABLE(CALL_HANDLER)
SMCCC_CALL_TABLE(CALL_HANDLER)
#undef CALL_HANDLER
