// SPDX-License-Identifier: Apache-2.0
// mm/space.c for tests of the one device whose page a guest may read by itself: whether the page is shown.
#pragma once

#include <stddef.h>

#include <fake_effect.h>

#include <hv/space.h>

struct fake_shadow {
    bool shown;
    unsigned int changes;      // calls
    const struct space *space; // of the last one
    ipa_t page;
};
__attribute__((weak)) struct fake_shadow fake_shadow;

__attribute__((weak)) enum hv_status space_show_shadow(struct space *space, const struct ipa_range *range, bool show)
{
    fake_effect(FAKE_SHADOW, show);
    fake_shadow.space = space;
    fake_shadow.page = range->base;
    fake_shadow.shown = show;
    fake_shadow.changes++;
    return HV_OK;
}
