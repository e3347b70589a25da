// SPDX-License-Identifier: Apache-2.0
// Pages for translation tables: promises are kept, pages come cleared, and none is given out twice.
// Links: mm/pool.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <hv/pool.h>

static _Alignas(4096) uint8_t pages[POOL_PAGES_MAX][4096];
static struct pool pool;

static int setup(void **state)
{
    (void)state;
    memset(pages, 0xa5, sizeof(pages));
    pool_init(&pool, pages, POOL_PAGES_MAX);
    return 0;
}

static void every_page_is_given_out_once(void **state)
{
    static const uint64_t zeros[512];
    static bool seen[POOL_PAGES_MAX];

    (void)state;
    assert_true(pool_reserve(&pool, POOL_PAGES_MAX));
    for (unsigned int i = 0; i < POOL_PAGES_MAX; i++) {
        uint64_t *page = pool_take(&pool);
        size_t number = ((uintptr_t)page - (uintptr_t)pages) / 4096;

        assert_true(pool_has(&pool, (uintptr_t)page));
        assert_int_equal((uintptr_t)page % 4096, 0);
        assert_memory_equal(page, zeros, sizeof(zeros));
        assert_false(seen[number]);
        seen[number] = true;
    }
    assert_int_equal(pool.used, POOL_PAGES_MAX);
    assert_int_equal(pool.reserved, 0);
}

static void what_is_promised_is_not_promised_again(void **state)
{
    (void)state;
    pool_init(&pool, pages, 5);
    assert_true(pool_reserve(&pool, 3));
    assert_false(pool_reserve(&pool, 3));
    assert_int_equal(pool.reserved, 3); // a refusal changes nothing
    assert_true(pool_reserve(&pool, 2));
    assert_false(pool_reserve(&pool, 1));
    assert_true(pool_reserve(&pool, 0));
    pool_unreserve(&pool, 2);
    assert_true(pool_reserve(&pool, 1));
}

static void a_page_that_came_back_is_given_out_again(void **state)
{
    uint64_t *first, *second;

    (void)state;
    pool_init(&pool, pages, 2);
    assert_true(pool_reserve(&pool, 2));
    first = pool_take(&pool);
    second = pool_take(&pool);
    first[7] = 1;
    pool_give(&pool, first);
    assert_int_equal(pool.used, 1);
    assert_true(pool_reserve(&pool, 1));
    assert_false(pool_reserve(&pool, 1));
    assert_ptr_equal(pool_take(&pool), first);
    assert_int_equal(first[7], 0);
    assert_ptr_not_equal(first, second);
}

static void only_its_own_pages_are_in_it(void **state)
{
    (void)state;
    pool_init(&pool, &pages[1], 2);
    assert_false(pool_has(&pool, (uintptr_t)pages[0]));
    assert_false(pool_has(&pool, (uintptr_t)pages[1] - 1));
    assert_true(pool_has(&pool, (uintptr_t)pages[1]));
    assert_true(pool_has(&pool, (uintptr_t)pages[3] - 1));
    assert_false(pool_has(&pool, (uintptr_t)pages[3]));
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_page_is_given_out_once),
        TEST(what_is_promised_is_not_promised_again),
        TEST(a_page_that_came_back_is_given_out_again),
        TEST(only_its_own_pages_are_in_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
