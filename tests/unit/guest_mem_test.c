// SPDX-License-Identifier: Apache-2.0
// Guest memory access: what may be reached, across which edges, and that nothing moves when it may not.
// Links: mm/guest_mem.c mm/space.c mm/stage2.c mm/pool.c arch/aarch64/tlb.c arch/aarch64/s2_pte.c lib/range.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <fake_trace.h>
#include <hv/arch/guarded.h>
#include <hv/guest_mem.h>
#include <guest_ram.h>
#include <hv/pool.h>
#include <hv/vm.h>

#define RW  (STAGE2_READ | STAGE2_WRITE)
#define RAM ((uint64_t)GUEST_RAM_IPA)
#define END (RAM + GUEST_RAM_SIZE)

// Guest RAM of this test: pages of the host, of which page n of the guest is not page n of the host.
static _Alignas(4096) uint8_t memory[8][4096];
static _Alignas(4096) uint64_t root[512];
static _Alignas(4096) uint8_t pages[64][4096];
static struct pool pool;
static struct vm vm;

static void map(uint64_t ipa, unsigned int page, uint32_t permissions)
{
    struct ipa_range range = {.base = {ipa}, .size = 4096};

    assert_int_equal(stage2_map(&vm.space.stage2, &range, pa_make((uintptr_t)memory[page]), permissions), HV_OK);
}

// Pages 0, 1, 2 of the guest are 3, 1, 5 of the host; a hole; a device; a page only for reading, one only for fetching;
// the last page of RAM.
static int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(memory); i++)
        memory[i / 4096][i % 4096] = (uint8_t)(i / 4096 * 31 + i);
    pool_init(&pool, pages, ARRAY_COUNT(pages));
    space_init(&vm.space, root, &pool, 1);
    fake_guest_ram(&vm.space);
    map(RAM, 3, RW);
    map(RAM + KIB(4), 1, RW);
    map(RAM + KIB(8), 5, RW);
    map(RAM + KIB(16), 0, RW | STAGE2_DEVICE);
    map(RAM + KIB(20), 2, STAGE2_READ);
    map(RAM + KIB(24), 4, STAGE2_EXECUTE);
    map(END - KIB(4), 7, RW);
    map(END, 6, RW); // mapped, but not guest RAM
    fake_guarded_fault = NULL;
    fake_trace_reset();
    return 0;
}

static void reads_and_writes_cross_pages(void **state)
{
    uint8_t buffer[4096 + 200], back[sizeof(buffer)];

    (void)state;
    assert_int_equal(guest_mem_read(&vm.space, ipa_make(RAM + 4000), buffer, sizeof(buffer)), HV_OK);
    assert_memory_equal(buffer, memory[3] + 4000, 96);
    assert_memory_equal(buffer + 96, memory[1], 4096);
    assert_memory_equal(buffer + 96 + 4096, memory[5], 104);

    for (size_t i = 0; i < sizeof(buffer); i++)
        buffer[i] = (uint8_t)(i * 3);
    assert_int_equal(guest_mem_write(&vm.space, ipa_make(RAM + 4000), buffer, sizeof(buffer)), HV_OK);
    assert_memory_equal(memory[3] + 4000, buffer, 96);
    assert_memory_equal(memory[1], buffer + 96, 4096);
    assert_memory_equal(memory[5], buffer + 96 + 4096, 104);
    assert_int_equal(guest_mem_read(&vm.space, ipa_make(RAM + 4000), back, sizeof(back)), HV_OK);
    assert_memory_equal(back, buffer, sizeof(buffer));
}

static void the_edges_of_ram_are_exact(void **state)
{
    uint8_t byte = 0x5a, two[2];

    (void)state;
    assert_int_equal(guest_mem_read(&vm.space, ipa_make(RAM), &byte, 1), HV_OK);
    assert_int_equal(byte, memory[3][0]);
    assert_int_equal(guest_mem_read(&vm.space, ipa_make(END - 1), &byte, 1), HV_OK);
    assert_int_equal(byte, memory[7][4095]);
    assert_int_equal(guest_mem_read(&vm.space, ipa_make(END - 1), two, 2), HV_ERR_BOUNDS);
    assert_int_equal(guest_mem_read(&vm.space, ipa_make(END), &byte, 1), HV_ERR_BOUNDS);
    assert_int_equal(guest_mem_read(&vm.space, ipa_make(RAM - 1), two, 2), HV_ERR_BOUNDS);
}

static void bad_ranges_move_nothing(void **state)
{
    static const struct {
        uint64_t ipa;
        size_t size;
        enum hv_status status;
    } rows[] = {
        {RAM, 0, HV_ERR_EMPTY},
        {END, 1, HV_ERR_BOUNDS},
        {0, 1, HV_ERR_BOUNDS},
        {RAM, SIZE_MAX, HV_ERR_WRAP},
        {UINT64_MAX, 1, HV_ERR_WRAP},
        {UINT64_MAX - 8, 8, HV_ERR_BOUNDS},
        {RAM, GUEST_RAM_SIZE + 1, HV_ERR_BOUNDS},
        {RAM + KIB(12), 1, HV_ERR_NOT_FOUND},       // a hole
        {RAM + KIB(12) - 16, 17, HV_ERR_NOT_FOUND}, // into a hole
        {RAM + KIB(16), 1, HV_ERR_NOT_FOUND},       // a device
        {RAM + KIB(4), KIB(256), HV_ERR_NOT_FOUND}, // across both
        {RAM, GUEST_RAM_SIZE, HV_ERR_NOT_FOUND},
    };
    static uint8_t kept[sizeof(memory)], buffer[KIB(512)];

    (void)state;
    memcpy(kept, memory, sizeof(memory));
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        buffer[0] = 0x77;
        assert_int_equal(guest_mem_read(&vm.space, ipa_make(rows[i].ipa), buffer, rows[i].size), rows[i].status);
        assert_int_equal(buffer[0], 0x77);
        assert_int_equal(guest_mem_write(&vm.space, ipa_make(rows[i].ipa), buffer, rows[i].size), rows[i].status);
        assert_int_equal(guest_mem_check(&vm.space, ipa_make(rows[i].ipa), rows[i].size, STAGE2_READ), rows[i].status);
        assert_memory_equal(kept, memory, sizeof(memory));
    }
    assert_int_equal(fake_trace_count_of(FAKE_CACHE_SYNC), 0);
}

static void check_asks_for_the_guests_permissions(void **state)
{
    uint8_t byte = 1;

    (void)state;
    assert_int_equal(guest_mem_check(&vm.space, ipa_make(RAM), KIB(12), RW), HV_OK);
    assert_int_equal(guest_mem_check(&vm.space, ipa_make(RAM + KIB(20)), 8, STAGE2_READ), HV_OK);
    assert_int_equal(guest_mem_check(&vm.space, ipa_make(RAM + KIB(20)), 8, RW), HV_ERR_NOT_FOUND);
    assert_int_equal(guest_mem_check(&vm.space, ipa_make(RAM + KIB(24)), 8, STAGE2_READ), HV_ERR_NOT_FOUND);
    assert_int_equal(guest_mem_check(&vm.space, ipa_make(RAM + KIB(24) - 4), 8, STAGE2_READ), HV_ERR_NOT_FOUND);
    // a person at the monitor may do both
    assert_int_equal(guest_mem_write(&vm.space, ipa_make(RAM + KIB(20)), &byte, 1), HV_OK);
    assert_int_equal(guest_mem_read(&vm.space, ipa_make(RAM + KIB(24)), &byte, 1), HV_OK);
}

static void a_pa_is_for_what_is_contiguous(void **state)
{
    pa_t pa = {1};

    (void)state;
    assert_int_equal(guest_mem_translate(&vm.space, ipa_make(RAM + 1), 4095, RW, &pa), HV_OK);
    assert_int_equal(pa.v, (uintptr_t)memory[3] + 1);
    assert_int_equal(guest_mem_translate(&vm.space, ipa_make(END - 1), 1, RW, &pa), HV_OK);
    assert_int_equal(pa.v, (uintptr_t)memory[7] + 4095);
    pa = pa_make(1);
    assert_int_equal(guest_mem_translate(&vm.space, ipa_make(RAM + 1), 4096, RW, &pa), HV_ERR_UNSUPPORTED);
    assert_int_equal(guest_mem_translate(&vm.space, ipa_make(RAM + 1), 8192, RW, &pa), HV_ERR_UNSUPPORTED);
    assert_int_equal(guest_mem_translate(&vm.space, ipa_make(RAM), 0, RW, &pa), HV_ERR_EMPTY);
    assert_int_equal(guest_mem_translate(&vm.space, ipa_make(UINT64_MAX), 1, RW, &pa), HV_ERR_BOUNDS);
    assert_int_equal(guest_mem_translate(&vm.space, ipa_make(END - 1), 2, RW, &pa), HV_ERR_BOUNDS);
    assert_int_equal(guest_mem_translate(&vm.space, ipa_make(END), 1, RW, &pa), HV_ERR_BOUNDS);
    assert_int_equal(guest_mem_translate(&vm.space, ipa_make(RAM + KIB(8)), 4097, RW, &pa), HV_ERR_NOT_FOUND);
    assert_int_equal(guest_mem_translate(&vm.space, ipa_make(RAM + KIB(16)), 1, RW, &pa), HV_ERR_NOT_FOUND);
    assert_int_equal(guest_mem_translate(&vm.space, ipa_make(RAM + KIB(20)), 1, STAGE2_WRITE, &pa), HV_ERR_NOT_FOUND);
    assert_int_equal(pa.v, 1);
    assert_int_equal(guest_mem_translate(&vm.space, ipa_make(RAM + KIB(20)), 1, STAGE2_READ, &pa), HV_OK);

    // Four pages of the guest that are four of the host, in order; then in order but for one.
    for (unsigned int i = 0; i < 4; i++)
        map(RAM + KIB(64 + 4 * i), 2 + i, RW);
    assert_int_equal(guest_mem_translate(&vm.space, ipa_make(RAM + KIB(64) + 8), KIB(16) - 8, RW, &pa), HV_OK);
    assert_int_equal(pa.v, (uintptr_t)memory[2] + 8);
    map(RAM + KIB(128), 2, RW);
    map(RAM + KIB(132), 6, RW);
    map(RAM + KIB(136), 4, RW);
    assert_int_equal(guest_mem_translate(&vm.space, ipa_make(RAM + KIB(128)), KIB(12), RW, &pa), HV_ERR_UNSUPPORTED);
}

static void a_range_outside_ram_costs_no_look(void **state)
{
    pa_t pa;

    (void)state;
    assert_int_equal(guest_mem_translate(&vm.space, ipa_make(RAM), UINT32_MAX, RW, &pa), HV_ERR_BOUNDS);
    assert_int_equal(fake_trace_count_of(FAKE_LOCK_ACQUIRE), 0);
}

static void what_is_shared_is_where_it_lies(void **state)
{
    void *pointer = NULL;

    (void)state;
    assert_int_equal(guest_mem_share(&vm.space, ipa_make(RAM), KIB(8), RW, &pointer), HV_ERR_UNSUPPORTED);
    assert_int_equal(guest_mem_share(&vm.space, ipa_make(END), 1, RW, &pointer), HV_ERR_BOUNDS);
    assert_int_equal(guest_mem_share(&vm.space, ipa_make(RAM + KIB(20)), 8, RW, &pointer), HV_ERR_NOT_FOUND);
    assert_null(pointer);
    assert_int_equal(guest_mem_share(&vm.space, ipa_make(RAM + 2), 6, RW, &pointer), HV_OK);
    assert_ptr_equal(pointer, memory[3] + 2);
}

// RAM as a VM has it, at first with nothing changed. One page less, and stage 2 is asked.
static void ram_that_nobody_changed_needs_no_look(void **state)
{
    static uint64_t other_root[512] __attribute__((aligned(4096)));
    struct ipa_range ram = {{RAM}, sizeof(memory)}, page = {{RAM + KIB(8)}, KIB(4)};
    uint64_t size = sizeof(memory);
    pa_t pa;

    (void)state;
    space_init(&vm.space, other_root, &pool, 1);
    assert_int_equal(space_add_ram(&vm.space, &ram, pa_make((uintptr_t)memory)), HV_OK);
    fake_trace_reset();
    assert_int_equal(guest_mem_translate(&vm.space, ipa_make(RAM), size, RW, &pa), HV_OK);
    assert_int_equal(pa.v, (uintptr_t)memory);
    assert_int_equal(guest_mem_translate(&vm.space, ipa_make(RAM + 5), size - 5, RW, &pa), HV_OK);
    assert_int_equal(pa.v, (uintptr_t)memory + 5);
    assert_int_equal(guest_mem_translate(&vm.space, ipa_make(RAM + 5), size - 4, RW, &pa), HV_ERR_BOUNDS);
    assert_int_equal(guest_mem_translate(&vm.space, ipa_make(RAM + size), 1, RW, &pa), HV_ERR_BOUNDS);
    assert_int_equal(guest_mem_translate(&vm.space, ipa_make(RAM - 1), 1, RW, &pa), HV_ERR_BOUNDS);
    assert_int_equal(guest_mem_translate(&vm.space, ipa_make(RAM), UINT64_MAX, RW, &pa), HV_ERR_BOUNDS);
    assert_int_equal(fake_trace_count, 0);

    assert_int_equal(stage2_protect(&vm.space.stage2, &page, STAGE2_READ), HV_OK);
    assert_int_equal(guest_mem_translate(&vm.space, ipa_make(RAM), size, RW, &pa), HV_ERR_NOT_FOUND);
    assert_int_equal(guest_mem_translate(&vm.space, ipa_make(RAM), size, STAGE2_READ, &pa), HV_OK);
    assert_int_equal(guest_mem_translate(&vm.space, ipa_make(RAM + KIB(12)), KIB(20), RW, &pa), HV_OK);
    assert_int_equal(pa.v, (uintptr_t)memory + KIB(12));
    assert_int_equal(stage2_unmap(&vm.space.stage2, &page), HV_OK);
    assert_int_equal(guest_mem_translate(&vm.space, ipa_make(RAM), size, STAGE2_READ, &pa), HV_ERR_NOT_FOUND);
}

static void writes_are_made_visible_to_fetches(void **state)
{
    uint32_t words[2] = {0xd503201f, 0xd503201f};
    const uint64_t first = (uintptr_t)memory[3] + 4092, second = (uintptr_t)memory[1];
    static const enum fake_operation wanted[] = {FAKE_CACHE_CLEAN, FAKE_CACHE_SYNC, FAKE_CACHE_CLEAN, FAKE_CACHE_SYNC};
    size_t at = 0;

    (void)state;
    fake_trace_watch((const uint64_t *)(const void *)(memory[1]));
    assert_int_equal(guest_mem_write(&vm.space, ipa_make(RAM + 4092), words, 8), HV_OK);
    for (uint64_t i = 0; i < fake_trace_count; i++) {
        if (fake_trace[i].operation != FAKE_CACHE_CLEAN && fake_trace[i].operation != FAKE_CACHE_SYNC)
            continue;
        assert_int_equal(fake_trace[i].operation, wanted[at]);
        assert_int_equal(fake_trace[i].argument, at < 2 ? first : second);
        if (at >= 2)
            assert_int_equal((uint32_t)fake_trace[i].watched, 0xd503201f); // written before it is cleaned
        at++;
    }
    assert_int_equal(at, 4);
}

static void memory_that_does_not_answer_is_a_fault(void **state)
{
    uint8_t buffer[KIB(8)] = {0};

    (void)state;
    fake_guarded_fault = memory[1] + 100;
    assert_int_equal(guest_mem_read(&vm.space, ipa_make(RAM), buffer, sizeof(buffer)), HV_ERR_FAULT);
    assert_memory_equal(buffer, memory[3], 4096);
    assert_memory_equal(buffer + 4096, memory[1], 100);
    assert_int_equal(buffer[4096 + 100], 0);
    assert_int_equal(guest_mem_write(&vm.space, ipa_make(RAM), buffer, sizeof(buffer)), HV_ERR_FAULT);
    assert_int_equal(fake_trace_count_of(FAKE_CACHE_SYNC), 2);
}

static void blocks_are_taken_whole(void **state)
{
    // A 2 MiB block over host memory: one translation for many pages.
    uint8_t *block = aligned_alloc(MIB(2), MIB(2));
    static uint8_t buffer[(2 << 20) - 1];
    struct ipa_range range = {.base = {RAM + MIB(4)}, .size = MIB(2)};

    (void)state;
    assert_non_null(block);
    memset(block, 0x3c, MIB(2));
    assert_int_equal(stage2_map(&vm.space.stage2, &range, pa_make((uintptr_t)block), RW), HV_OK);
    fake_trace_reset();
    assert_int_equal(guest_mem_read(&vm.space, ipa_make(RAM + MIB(4) + 1), buffer, sizeof(buffer)), HV_OK);
    assert_memory_equal(buffer, block + 1, sizeof(buffer));
    assert_int_equal(fake_trace_count_of(FAKE_LOCK_ACQUIRE), 2); // to look, and to copy
    assert_int_equal(guest_mem_read(&vm.space, ipa_make(RAM + MIB(6) - 1), buffer, 2), HV_ERR_NOT_FOUND);
    free(block);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_and_writes_cross_pages),
        TEST(the_edges_of_ram_are_exact),
        TEST(bad_ranges_move_nothing),
        TEST(check_asks_for_the_guests_permissions),
        TEST(a_pa_is_for_what_is_contiguous),
        TEST(a_range_outside_ram_costs_no_look),
        TEST(what_is_shared_is_where_it_lies),
        TEST(ram_that_nobody_changed_needs_no_look),
        TEST(writes_are_made_visible_to_fetches),
        TEST(memory_that_does_not_answer_is_a_fault),
        TEST(blocks_are_taken_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
