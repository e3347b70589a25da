// SPDX-License-Identifier: Apache-2.0
// From a call to its row in call_table.h: which key a number is.

#include <hv/call.h>

#include <hv/guest_abi.h>

#define CALL_IMMEDIATE 0xffffu // ISS of HVC and SMC (DDI 0487 D19.2.37)

#define SMCCC_KEY(id, number, ...) [CALL_PLACE(number)] = KEY_##id,
const uint16_t call_smccc_keys[CALL_PLACES] = {SMCCC_CALL_TABLE(SMCCC_KEY)};

#define SMCCC_PLACE_CHECK(id, number, ...) _Static_assert(CALL_HAS_PLACE(number), #id ": see call_place in call.h");
SMCCC_CALL_TABLE(SMCCC_PLACE_CHECK)

// Hypercalls are numbered from 0 without a gap, so that key and number differ by KEY_HVC_FIRST, and guests know the
// same numbers.
#define HVC_NUMBER_CHECK(id, number, ...)                                                                              \
    _Static_assert(HVC_##id == (number) && KEY_HVC_##id - KEY_HVC_FIRST == (number));
HVC_CALL_TABLE(HVC_NUMBER_CHECK)

// ariel's own calls come by HVC only, and SMCCC's by HVC and SMC alike (DEN 0028). The number is a 32-bit one: what X0
// holds above bit 31 does not count.
unsigned int call_key(unsigned int cause, uint32_t syndrome, uint64_t number)
{
    bool hvc = cause == KEY_CAUSE_HVC;

    if ((syndrome & CALL_IMMEDIATE) != 0)
        return hvc ? KEY_HVC_IMMEDIATE : KEY_SMC_IMMEDIATE;
    if (hvc)
        return call_hvc_key(number);
    return (uint32_t)number >= SMCCC_FIRST ? call_smccc_key((uint32_t)number) : KEY_SMCCC_UNKNOWN;
}
