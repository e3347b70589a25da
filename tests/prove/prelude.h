// SPDX-License-Identifier: Apache-2.0
// Included before everything by `make prove`: what Frama-C does not know of C and GCC's builtins.
#pragma once

#include <hv/arch/descriptor.h> // which contracts of headers name
#include <hv/bits.h>

// A field's place as a constant expression, instead of __builtin_ctzll.
#undef FIELD_SHIFT
#define PROVE_BIT(mask, bits, value) ((((mask) & (0 - (mask)) & (bits)) != 0) * (value))
#define FIELD_SHIFT(mask)                                                                                              \
    (PROVE_BIT(mask, 0xaaaaaaaaaaaaaaaaULL, 1) + PROVE_BIT(mask, 0xccccccccccccccccULL, 2) +                           \
     PROVE_BIT(mask, 0xf0f0f0f0f0f0f0f0ULL, 4) + PROVE_BIT(mask, 0xff00ff00ff00ff00ULL, 8) +                           \
     PROVE_BIT(mask, 0xffff0000ffff0000ULL, 16) + PROVE_BIT(mask, 0xffffffff00000000ULL, 32))

#define _Static_assert(...) // the compilers check it
#define _Noreturn
#define _Alignas(...) // nothing that is proved depends on a place
