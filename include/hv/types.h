// SPDX-License-Identifier: Apache-2.0
// Boxed address scalars: an IPA, a PA and a guest VA cannot be mixed up, and cost what a uint64_t costs.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t v;
} pa_t; // physical address
typedef struct {
    uint64_t v;
} ipa_t; // intermediate physical address: what the guest calls physical
typedef struct {
    uint64_t v;
} gva_t; // guest virtual address

static inline pa_t pa_make(uint64_t v)
{
    return (pa_t){v};
}

static inline ipa_t ipa_make(uint64_t v)
{
    return (ipa_t){v};
}

static inline gva_t gva_make(uint64_t v)
{
    return (gva_t){v};
}

static inline pa_t pa_add(pa_t a, uint64_t n)
{
    return (pa_t){a.v + n};
}

static inline ipa_t ipa_add(ipa_t a, uint64_t n)
{
    return (ipa_t){a.v + n};
}

static inline gva_t gva_add(gva_t a, uint64_t n)
{
    return (gva_t){a.v + n};
}

#define KIB(n) ((uint64_t)(n) << 10)
#define MIB(n) ((uint64_t)(n) << 20)
#define GIB(n) ((uint64_t)(n) << 30)

// A function that seldom runs: small, and out of line, so that its callers need not save registers for it.
#define COLD __attribute__((cold, noinline))

// An object that boot does not clear (hypervisor.ld.S): whoever uses it writes it before reading it.
#define UNSET __attribute__((section(".bss.unset")))

// An object that nobody can write once stage 1 is on (stage1.c). Boot clears it, and writes it before that.
#define SEALED __attribute__((section(".bss.sealed")))

#define ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))
