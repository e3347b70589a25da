// SPDX-License-Identifier: Apache-2.0
// The world of the tests of stage 2: one address space with a pool of tables, and short words for what is done to it.
// Links: mm/stage2.c mm/pool.c arch/aarch64/s2_pte.c arch/aarch64/tlb.c
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <fake_trace.h>
#include <hv/arch/s2_pte.h>
#include <hv/arch/registers.h>
#include <hv/bits.h>
#include <hv/pool.h>
#include <hv/stage2.h>

#define RWX (STAGE2_READ | STAGE2_WRITE | STAGE2_EXECUTE)
#define RX  (STAGE2_READ | STAGE2_EXECUTE)
#define RW  (STAGE2_READ | STAGE2_WRITE)
#define IPA UINT64_C(0x40000000)
#define PA  UINT64_C(0x42000000)

static _Alignas(4096) uint64_t root[512];
#define POOL_PAGES 64

static _Alignas(4096) uint8_t pages[POOL_PAGES][4096];
static struct pool pool;
static struct stage2 view;

static inline int setup(void **state)
{
    (void)state;
    memset(root, 0xa5, sizeof(root));
    memset(pages, 0xa5, sizeof(pages));
    pool_init(&pool, pages, POOL_PAGES);
    stage2_init(&view, root, &pool, 7);
    fake_sysreg_reset();
    fake_sysreg_set("VTTBR_EL2", stage2_vttbr(&view));
    fake_trace_reset();
    return 0;
}

static inline struct ipa_range range(uint64_t base, uint64_t size)
{
    return (struct ipa_range){.base = {base}, .size = size};
}

static inline enum hv_status map(uint64_t ipa, uint64_t size, uint64_t pa, uint32_t permissions)
{
    struct ipa_range r = range(ipa, size);

    return stage2_map(&view, &r, pa_make(pa), permissions);
}

static inline enum hv_status unmap(uint64_t ipa, uint64_t size)
{
    struct ipa_range r = range(ipa, size);

    return stage2_unmap(&view, &r);
}

static inline enum hv_status protect(uint64_t ipa, uint64_t size, uint32_t permissions)
{
    struct ipa_range r = range(ipa, size);

    return stage2_protect(&view, &r, permissions);
}

static inline struct stage2_entry query(uint64_t ipa)
{
    struct stage2_entry entry;

    assert_int_equal(stage2_query(&view, ipa_make(ipa), &entry), HV_OK);
    return entry;
}

static inline unsigned int tables(void)
{
    assert_int_equal(pool.reserved, 0); // between operations
    return pool.used;
}

static inline void assert_maps(uint64_t ipa, uint64_t pa, uint32_t permissions, uint64_t size)
{
    struct stage2_entry entry = query(ipa);
    pa_t out = pa_make(0);

    assert_true(entry.valid);
    assert_int_equal(entry.size, size);
    assert_int_equal(entry.permissions, permissions);
    assert_int_equal(entry.pa.v + ipa % size, pa);
    assert_int_equal(entry.descriptor, s2_pte_leaf(entry.level, entry.pa, permissions));
    assert_int_equal(stage2_translate(&view, ipa_make(ipa), &out), HV_OK);
    assert_int_equal(out.v, pa);
}

static inline void assert_hole(uint64_t ipa, unsigned int level)
{
    struct stage2_entry entry = query(ipa);
    pa_t out = pa_make(42);

    assert_false(entry.valid);
    assert_int_equal(entry.level, level);
    assert_int_equal(stage2_translate(&view, ipa_make(ipa), &out), HV_ERR_NOT_FOUND);
    assert_int_equal(out.v, 42);
}

static inline unsigned int flushes_of_ipa(void)
{
    return fake_trace_count_of(FAKE_TLBI_IPAS2E1IS);
}

static inline unsigned int flushes_of_all(void)
{
    return fake_trace_count_of(FAKE_TLBI_VMALLS12E1IS);
}

// The steps since the last reset, without the locks', and of a TLB recipe its first instruction alone (tlb_test.c).
static inline void assert_steps(const struct fake_step *steps, size_t count)
{
    size_t at = 0;

    for (uint64_t i = 0; i < fake_trace_count; i++) {
        switch (fake_trace[i].operation) {
        case FAKE_LOCK_ACQUIRE:
        case FAKE_LOCK_RELEASE:
        case FAKE_TLBI_VMALLE1IS:
        case FAKE_DSB_ISH:
        case FAKE_ISB:
            continue;
        default:
            break;
        }
        assert_true(at < count);
        assert_int_equal(fake_trace[i].operation, steps[at].operation);
        assert_int_equal(fake_trace[i].argument, steps[at].argument);
        assert_int_equal(fake_trace[i].watched, steps[at].watched);
        at++;
    }
    assert_int_equal(at, count);
}

static inline uint64_t *table_of(uint64_t descriptor)
{
    return (uint64_t *)(uintptr_t)s2_pte_address(descriptor, 1).v;
}
