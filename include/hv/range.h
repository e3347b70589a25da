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
/*@ predicate range_ok(struct ipa_range r) = r.size != 0 && r.base.v + r.size <= UINT64_MAX;
    predicate range_has(struct ipa_range r, integer a) = r.base.v <= a < r.base.v + r.size;
*/

// Fills *out when [base, base + size) is non-empty, does not wrap (base + size <= 2^64 - 1 counts as no wrap) and both
// are multiples of align (a power of two, 1 for bytes). Errors: HV_ERR_EMPTY, HV_ERR_ALIGN, HV_ERR_WRAP; *out
// untouched.
/*@ requires \valid(out) && align >= 1;
    assigns *out;
    ensures \result == HV_OK <==>
            size != 0 && base.v + size <= UINT64_MAX && ((base.v | size) & (uint64_t)(align - 1)) == 0;
    ensures \result == HV_OK ==> range_ok(*out) && out->base.v == base.v && out->size == size;
    ensures \result != HV_OK ==> *out == \old(*out);
*/
enum hv_status ipa_range_make(ipa_t base, uint64_t size, uint64_t align, struct ipa_range *out);

// Whether every byte of inner lies in outer.
/*@ requires \valid_read(outer) && \valid_read(inner) && range_ok(*outer) && range_ok(*inner);
    assigns \nothing;
    ensures \result != 0 ==> (\forall integer a; range_has(*inner, a) ==> range_has(*outer, a));
    ensures \result == 0 ==> !range_has(*outer, inner->base.v) || !range_has(*outer, inner->base.v + inner->size - 1);
*/
bool ipa_range_contains(const struct ipa_range *outer, const struct ipa_range *inner);

// Whether the two share a byte.
/*@ requires \valid_read(a) && \valid_read(b) && range_ok(*a) && range_ok(*b);
    assigns \nothing;
    ensures \result != 0 ==> range_has(*a, b->base.v) || range_has(*b, a->base.v);
    ensures \result == 0 ==> (\forall integer x; range_has(*a, x) ==> !range_has(*b, x));
*/
bool ipa_range_overlaps(const struct ipa_range *a, const struct ipa_range *b);
