// SPDX-License-Identifier: Apache-2.0
// The MMU's answers in host tests, in place of include/hv/arch/el2_translate.h: the guest's stage 1 is
// fake_el1_translate, which gives PAR_EL1; while it is NULL, it translates nothing.
#pragma once

#include <hv/types.h>

__attribute__((weak)) uint64_t (*fake_el1_translate)(gva_t va);

static inline uint64_t el1_translate(gva_t va)
{
    return fake_el1_translate != NULL ? fake_el1_translate(va) : 1; // PAR_EL1.F
}

bool el2_may_access(const void *pointer, bool write);
