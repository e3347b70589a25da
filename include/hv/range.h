// SPDX-License-Identifier: Apache-2.0
// IPA intervals: validated once, trusted afterwards.
#pragma once

#include <hv/status.h>
#include <hv/types.h>

// [base, base + size): non-empty, does not wrap. Made by ipa_range_make only.
struct ipa_range {
    ipa_t base;
    uint64_t size; // bytes
};

// Fills *out when [base, base + size) is non-empty, does not wrap (base + size <= 2^64 - 1 counts as no wrap) and both
// are multiples of align (a power of two, 1 for bytes). Errors: HV_ERR_EMPTY, HV_ERR_ALIGN, HV_ERR_WRAP; *out
// untouched.
enum hv_status ipa_range_make(ipa_t base, uint64_t size, uint64_t align, struct ipa_range *out);

// Whether every byte of inner lies in outer.
bool ipa_range_contains(const struct ipa_range *outer, const struct ipa_range *inner);

// Whether the two share a byte.
bool ipa_range_overlaps(const struct ipa_range *a, const struct ipa_range *b);
