// SPDX-License-Identifier: Apache-2.0
// IPA intervals. ipa_range_make is where an address that a guest or a person names becomes a range: everything after it
// may rely on base + size not wrapping, which is why the two predicates below add without a check.
#include <hv/range.h>

enum hv_status ipa_range_make(ipa_t base, uint64_t size, uint64_t align, struct ipa_range *out)
{
    if (size == 0)
        return HV_ERR_EMPTY;
    // align is a power of two; a bit below it that is set in either number is set in their OR.
    if (((base.v | size) & (align - 1)) != 0)
        return HV_ERR_ALIGN;
    if (size > UINT64_MAX - base.v)
        return HV_ERR_WRAP;
    *out = (struct ipa_range){.base = base, .size = size};
    return HV_OK;
}

bool ipa_range_contains(const struct ipa_range *outer, const struct ipa_range *inner)
{
    return inner->base.v >= outer->base.v && inner->base.v + inner->size <= outer->base.v + outer->size;
}

// A range ends at the first byte after it, so ranges that touch do not overlap: [0x1000, 0x2000) and
// [0x2000, 0x3000) have no byte in common.
bool ipa_range_overlaps(const struct ipa_range *a, const struct ipa_range *b)
{
    return a->base.v < b->base.v + b->size && b->base.v < a->base.v + a->size;
}
