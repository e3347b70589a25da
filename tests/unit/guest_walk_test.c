// SPDX-License-Identifier: Apache-2.0
// The guest's stage 1 in software: every granule, both halves, every fault, and tables full of noise.
// Links: mm/guest_walk.c mm/guest_mem.c mm/space.c
// Links: mm/stage2.c mm/pool.c arch/aarch64/tlb.c arch/aarch64/s2_pte.c lib/range.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <hv/arch/descriptor.h>
#include <hv/arch/registers.h>
#include <hv/guest_walk.h>
#include <guest_ram.h>
#include <hv/pool.h>
#include <hv/vm.h>

#define RAM       ((uint64_t)GUEST_RAM_IPA)
#define RAM_SIZE  KIB(512)
#define TABLE     (DESC_VALID | DESC_TABLE)
#define PAGE      (DESC_VALID | DESC_TABLE | DESC_AF)
#define BLOCK     (DESC_VALID | DESC_AF)
#define UPPER     UINT64_C(0xffff000000000000)
#define IPS_48    FIELD_PREP(TCR_EL1_IPS, 5)
#define TG0(n)    FIELD_PREP(TCR_EL1_TG0, n)
#define TG1(n)    FIELD_PREP(TCR_EL1_TG1, n)
#define SIZES(n)  (FIELD_PREP(TCR_EL1_T0SZ, n) | FIELD_PREP(TCR_EL1_T1SZ, n))
#define TCR_4K_48 (SIZES(16) | TG0(0) | TG1(2) | IPS_48)

static _Alignas(4096) uint8_t memory[RAM_SIZE];
static _Alignas(4096) uint64_t root[512];
static _Alignas(4096) uint8_t pages[64][4096];
static struct pool pool;
static struct vm vm;
static struct guest_walk_registers registers;
static struct guest_walk walk;

// Tables lie at these IPAs: 64 KiB apart, so that they are aligned for every granule.
static uint64_t table(unsigned int n)
{
    return RAM + n * KIB(64);
}

static int setup(void **state)
{
    struct ipa_range range = {.base = {RAM}, .size = RAM_SIZE};

    (void)state;
    memset(memory, 0, sizeof(memory));
    pool_init(&pool, pages, ARRAY_COUNT(pages));
    space_init(&vm.space, root, &pool, 1);
    fake_guest_ram(&vm.space);
    assert_int_equal(stage2_map(&vm.space.stage2, &range, pa_make((uintptr_t)memory), STAGE2_READ), HV_OK);
    registers = (struct guest_walk_registers){
        .sctlr_el1 = SCTLR_ELX_M,
        .tcr_el1 = TCR_4K_48,
        .ttbr0_el1 = table(0),
        .ttbr1_el1 = table(4),
        .mair_el1 = 0xff440c0400,
    };
    return 0;
}

static void put(unsigned int n, uint64_t index, uint64_t descriptor)
{
    memcpy(memory + n * KIB(64) + index * 8, &descriptor, 8);
}

static bool walk_to(uint64_t va)
{
    return guest_walk(&vm.space, &registers, gva_make(va), &walk);
}

static void assert_ipa(uint64_t va, uint64_t ipa, uint64_t size)
{
    assert_true(walk_to(va));
    assert_int_equal(walk.fault, GUEST_WALK_NONE);
    assert_int_equal(walk.ipa.v, ipa);
    assert_int_equal(walk.size, size);
    assert_int_equal(walk.leaf, walk.steps[walk.step_count - 1].descriptor);
}

static void assert_fault(uint64_t va, enum guest_walk_fault fault, unsigned int level)
{
    assert_false(walk_to(va));
    assert_int_equal(walk.fault, fault);
    assert_int_equal(walk.fault_level, level);
}

// ---- Granules -------------------------------------------------------------------------------------------------------

static void walks_4k_tables_of_four_levels(void **state)
{
    const uint64_t va = (UINT64_C(3) << 39) | (UINT64_C(5) << 30) | (7 << 21) | (9 << 12) | 0x123;

    (void)state;
    put(0, 3, table(1) | TABLE);
    put(1, 5, table(2) | TABLE);
    put(2, 7, table(3) | TABLE);
    put(3, 9, 0x50003000 | PAGE);
    assert_ipa(va, 0x50003123, KIB(4));
    assert_int_equal(walk.step_count, 4);
    assert_int_equal(walk.ttbr, 0);
    for (unsigned int i = 0; i < 4; i++)
        assert_int_equal(walk.steps[i].level, i);
    assert_int_equal(walk.steps[0].address.v, table(0) + 3 * 8);
    assert_int_equal(walk.steps[1].address.v, table(1) + 5 * 8);
    assert_int_equal(walk.steps[2].address.v, table(2) + 7 * 8);
    assert_int_equal(walk.steps[3].address.v, table(3) + 9 * 8);
    assert_int_equal(walk.steps[2].descriptor, table(3) | TABLE);

    put(2, 8, 0x50200000 | BLOCK);
    assert_ipa((UINT64_C(3) << 39) | (UINT64_C(5) << 30) | (8 << 21) | 0x12345, 0x50212345, MIB(2));
    put(1, 6, 0x80000000 | BLOCK);
    assert_ipa((UINT64_C(3) << 39) | (UINT64_C(6) << 30) | 0x12345678, 0x92345678, GIB(1));
}

static void walks_4k_tables_of_three_levels_from_the_upper_half(void **state)
{
    (void)state;
    registers.tcr_el1 = SIZES(25) | TG0(0) | TG1(2) | IPS_48; // 39 bits, as Linux
    registers.ttbr1_el1 = table(4) | UINT64_C(1) << 48 | 1;   // ASID and CnP are not address
    put(4, 0x1ff, 0x40000000 | BLOCK);
    assert_ipa(0xffffffffc0001234, 0x40001234, GIB(1));
    assert_int_equal(walk.step_count, 1);
    assert_int_equal(walk.steps[0].level, 1);
    assert_int_equal(walk.ttbr, 1);
}

static void small_spaces_start_at_lower_levels(void **state)
{
    (void)state;
    registers.tcr_el1 = SIZES(34) | TG0(0) | IPS_48; // 30 bits: level 2
    put(0, 511, 0x48000000 | BLOCK);
    assert_ipa(0x3fe00010, 0x48000010, MIB(2));
    registers.tcr_el1 = SIZES(48) | TG0(0) | IPS_48; // 16 bits: level 3, a table of 16 entries
    registers.ttbr0_el1 = table(0) + 128;
    put(0, 16 + 15, 0x48001000 | PAGE);
    assert_ipa(0xf00f, 0x4800100f, KIB(4));
    assert_int_equal(walk.steps[0].level, 3);
}

static void a_misaligned_ttbr_is_taken_as_the_hardware_does(void **state)
{
    (void)state;
    registers.ttbr0_el1 = table(0) + 0x7f8;
    put(0, 0, table(1) | TABLE);
    put(1, 0, 0x40000000 | BLOCK);
    assert_ipa(0x1000, 0x40001000, GIB(1));
    assert_int_equal(walk.steps[0].address.v, table(0));
}

static void walks_16k_tables(void **state)
{
    const uint64_t va = (UINT64_C(1) << 47) | (UINT64_C(5) << 36) | (7 << 25) | (2047 << 14) | 0x2345;

    (void)state;
    registers.tcr_el1 = SIZES(16) | TG0(2) | TG1(1) | IPS_48;
    put(0, 1, table(1) | TABLE); // level 0 has two entries
    put(1, 5, table(2) | TABLE);
    put(2, 7, table(3) | TABLE);
    put(3, 2047, 0x50004000 | PAGE);
    assert_ipa(va, 0x50006345, KIB(16));
    assert_int_equal(walk.step_count, 4);
    put(2, 8, 0x52000000 | BLOCK);
    assert_ipa((UINT64_C(1) << 47) | (UINT64_C(5) << 36) | (8 << 25) | 0x1234567, 0x53234567, MIB(32));
    put(1, 6, 0x52000000 | BLOCK); // no blocks at level 1
    assert_fault((UINT64_C(1) << 47) | (UINT64_C(6) << 36), GUEST_WALK_TRANSLATION, 1);
    put(4, 1, 0x52000000 | TABLE);
    assert_fault(UPPER | (UINT64_C(1) << 47), GUEST_WALK_TABLE_READ, 1); // the upper half has 16 KiB granules too
}

static void walks_64k_tables(void **state)
{
    const uint64_t va = (UINT64_C(63) << 42) | (UINT64_C(8191) << 29) | (3 << 16) | 0xabcd;

    (void)state;
    registers.tcr_el1 = SIZES(16) | TG0(1) | TG1(3) | IPS_48;
    put(0, 63, table(1) | TABLE); // level 1 has 64 entries
    put(1, 8191, table(2) | TABLE);
    put(2, 3, 0x50010000 | 0xf000 | PAGE); // low address bits are not address at 48 bits
    assert_ipa(va, 0x5001abcd, KIB(64));
    assert_int_equal(walk.step_count, 3);
    assert_int_equal(walk.steps[0].level, 1);
    put(1, 8190, 0x60000000 | BLOCK);
    assert_ipa((UINT64_C(63) << 42) | (UINT64_C(8190) << 29) | 0x1234567, 0x61234567, MIB(512));
    put(0, 62, 0x60000000 | BLOCK); // no blocks at level 1 below 52 bits
    assert_fault(UINT64_C(62) << 42, GUEST_WALK_TRANSLATION, 1);
    put(4, 63, table(1) | TABLE);
    assert_ipa(UPPER | va, 0x5001abcd, KIB(64));
}

static void walks_64k_tables_of_52_bits(void **state)
{
    (void)state;
    registers.tcr_el1 = SIZES(12) | TG0(1) | TG1(3) | FIELD_PREP(TCR_EL1_IPS, 6);
    put(0, 1023, table(1) | TABLE);
    put(1, 1, table(2) | TABLE);
    put(2, 0, 0x50010000 | (0x5 << 12) | PAGE); // PA[51:48] = 5
    assert_ipa((UINT64_C(1023) << 42) | (1 << 29) | 8, 0x5000050010008, KIB(64));
    put(0, 1022, (UINT64_C(3) << 42) | BLOCK);
    assert_ipa((UINT64_C(1022) << 42) | 8, (UINT64_C(3) << 42) | 8, BIT64(42));
    registers.ttbr0_el1 = table(0) | (1 << 2); // PA[51:48] = 1
    assert_fault(8, GUEST_WALK_TABLE_READ, 1);
    assert_int_equal(walk.steps[0].address.v, table(0) | BIT64(48));
}

static void big_endian_tables(void **state)
{
    (void)state;
    registers.sctlr_el1 |= SCTLR_ELX_EE;
    put(0, 0, __builtin_bswap64(table(1) | TABLE));
    put(1, 1, __builtin_bswap64(0x40000000 | BLOCK));
    assert_ipa(0x40000008, 0x40000008, GIB(1));
    assert_int_equal(walk.leaf, 0x40000000 | BLOCK);
}

// ---- Attributes -----------------------------------------------------------------------------------------------------

static void assert_allows(const char *wanted)
{
    const bool can[] = {walk.el1_write, walk.el1_exec, walk.el0_read, walk.el0_write, walk.el0_exec};
    char text[6] = "";

    for (size_t i = 0; i < ARRAY_COUNT(can); i++)
        strcat(text, can[i] ? &"w\0x\0r\0w\0x"[i * 2] : "-");
    assert_string_equal(text, wanted);
}

static void permissions_follow_the_manual(void **state)
{
    static const struct {
        uint64_t table, leaf, sctlr;
        const char *allows; // EL1 write, execute; EL0 read, write, execute
    } rows[] = {
        {0, 0, 0, "wx--x"},
        {0, S1_DESC_AP_EL0, 0, "w-rwx"}, // EL0 may write: EL1 may not execute
        {0, S1_DESC_AP_RO, 0, "-x--x"},
        {0, S1_DESC_AP_EL0 | S1_DESC_AP_RO, 0, "-xr-x"},
        {0, S1_DESC_PXN, 0, "w---x"},
        {0, S1_DESC_UXN, 0, "wx---"},
        {0, S1_DESC_PXN | S1_DESC_UXN | S1_DESC_AP_EL0, 0, "w-rw-"},
        {S1_DESC_AP_TABLE_EL0, S1_DESC_AP_EL0, 0, "wx--x"},
        {S1_DESC_AP_TABLE_RO, S1_DESC_AP_EL0, 0, "-xr-x"},
        {S1_DESC_AP_TABLE_RO | S1_DESC_AP_TABLE_EL0, S1_DESC_AP_EL0, 0, "-x--x"},
        {S1_DESC_PXN_TABLE, 0, 0, "w---x"},
        {S1_DESC_UXN_TABLE, 0, 0, "wx---"},
        {0, 0, SCTLR_ELX_WXN, "w---x"},
        {0, S1_DESC_AP_EL0, SCTLR_ELX_WXN, "w-rw-"},
        {0, S1_DESC_AP_EL0 | S1_DESC_AP_RO, SCTLR_ELX_WXN, "-xr-x"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        registers.sctlr_el1 = SCTLR_ELX_M | rows[i].sctlr;
        put(0, 0, table(1) | TABLE | rows[i].table);
        put(1, 0, 0x40000000 | BLOCK | rows[i].leaf);
        assert_ipa(0, 0x40000000, GIB(1));
        assert_allows(rows[i].allows);
    }
    // TCR_EL1.HPD0: the tables' limits do not count
    registers.tcr_el1 |= TCR_EL1_HPD0;
    registers.sctlr_el1 = SCTLR_ELX_M;
    put(0, 0, table(1) | TABLE | S1_DESC_AP_TABLE_RO | S1_DESC_PXN_TABLE | S1_DESC_UXN_TABLE);
    put(1, 0, 0x40000000 | BLOCK);
    assert_ipa(0, 0x40000000, GIB(1));
    assert_allows("wx--x");
}

static void memory_is_the_mair_byte(void **state)
{
    static const uint8_t bytes[] = {0x00, 0x04, 0x0c, 0x44, 0xff, 0, 0, 0};

    (void)state;
    put(0, 0, table(1) | TABLE);
    for (uint64_t i = 0; i < 8; i++) {
        put(1, 0, 0x40000000 | BLOCK | FIELD_PREP(S1_DESC_ATTRINDX, i));
        assert_ipa(0, 0x40000000, GIB(1));
        assert_int_equal(walk.memory, bytes[i]);
    }
}

static void the_access_flag_fails_but_the_address_is_told(void **state)
{
    (void)state;
    put(0, 0, table(1) | TABLE);
    put(1, 0, 0x40000000 | DESC_VALID);
    assert_fault(0x1234, GUEST_WALK_ACCESS_FLAG, 1);
    assert_int_equal(walk.ipa.v, 0x40001234);
    registers.tcr_el1 |= TCR_EL1_HA; // the hardware sets it
    assert_ipa(0x1234, 0x40001234, GIB(1));
}

static void with_the_mmu_off_addresses_are_ipas(void **state)
{
    (void)state;
    registers = (struct guest_walk_registers){0};
    assert_true(walk_to(0x40001234));
    assert_true(walk.flat);
    assert_int_equal(walk.ipa.v, 0x40001234);
    assert_int_equal(walk.step_count, 0);
    assert_allows("wxrwx");
    assert_fault(BIT64(48), GUEST_WALK_ADDRESS_SIZE, 0);
    assert_fault(0x7f00000040001234, GUEST_WALK_ADDRESS_SIZE, 0);
    registers.tcr_el1 = TCR_EL1_TBI0;
    assert_true(walk_to(0x7f00000040001234));
    assert_int_equal(walk.ipa.v, 0x40001234);
}

// ---- Faults ---------------------------------------------------------------------------------------------------------

static void addresses_outside_the_halves_fault(void **state)
{
    (void)state;
    put(0, 0, table(1) | TABLE);
    put(1, 0, 0x40000000 | BLOCK);
    put(4, 0, table(1) | TABLE);
    assert_fault(BIT64(48), GUEST_WALK_VA_RANGE, 0);
    assert_fault(UPPER & ~BIT64(48), GUEST_WALK_VA_RANGE, 0);
    assert_fault(BIT64(63), GUEST_WALK_VA_RANGE, 0);
    assert_fault(UPPER & ~BIT64(63), GUEST_WALK_VA_RANGE, 0);
    registers.tcr_el1 |= TCR_EL1_TBI0; // the lower half's top byte is a tag now, the upper half's is not
    assert_ipa(0xa500000000001234, 0x40001234, GIB(1));
    assert_fault(UPPER & ~BIT64(63), GUEST_WALK_VA_RANGE, 0);
    registers.tcr_el1 |= TCR_EL1_TBI1;
    assert_ipa((UPPER & ~BIT64(63)) | 0x1234, 0x40001234, GIB(1));
    assert_fault(BIT64(48), GUEST_WALK_VA_RANGE, 0);
}

static void registers_that_allow_no_walk_fault(void **state)
{
    (void)state;
    registers.tcr_el1 = TCR_4K_48 | TCR_EL1_EPD0;
    assert_fault(0, GUEST_WALK_EPD, 0);
    registers.tcr_el1 = TCR_4K_48 | TCR_EL1_EPD1;
    assert_fault(UPPER, GUEST_WALK_EPD, 0);
    registers.tcr_el1 = SIZES(16) | TG0(3) | TG1(0) | IPS_48;
    assert_fault(0, GUEST_WALK_GRANULE, 0);
    assert_fault(UPPER, GUEST_WALK_GRANULE, 0);
    registers.tcr_el1 = SIZES(15) | TG0(0) | TG1(2) | IPS_48;
    assert_fault(0, GUEST_WALK_TNSZ, 0);
    assert_fault(UPPER, GUEST_WALK_TNSZ, 0);
    registers.tcr_el1 = SIZES(49) | TG0(0) | TG1(2) | IPS_48;
    assert_fault(0, GUEST_WALK_TNSZ, 0);
    registers.tcr_el1 = SIZES(48) | TG0(1) | IPS_48;
    assert_fault(0, GUEST_WALK_TNSZ, 0);
    registers.tcr_el1 = SIZES(11) | TG0(1) | IPS_48;
    assert_fault(0, GUEST_WALK_TNSZ, 0);
    registers.tcr_el1 = TCR_4K_48 | TCR_EL1_DS;
    assert_fault(0, GUEST_WALK_UNSUPPORTED, 0);
}

static void invalid_descriptors_name_their_level(void **state)
{
    (void)state;
    assert_fault(0, GUEST_WALK_TRANSLATION, 0);
    put(0, 0, 0x40000000 | BLOCK); // no blocks at level 0
    assert_fault(0, GUEST_WALK_TRANSLATION, 0);
    put(0, 0, table(1) | TABLE);
    assert_fault(0, GUEST_WALK_TRANSLATION, 1);
    put(1, 0, table(2) | TABLE);
    assert_fault(0, GUEST_WALK_TRANSLATION, 2);
    put(2, 0, table(3) | TABLE);
    assert_fault(0, GUEST_WALK_TRANSLATION, 3);
    put(3, 0, 0x40000000 | BLOCK); // reserved at level 3
    assert_fault(0, GUEST_WALK_TRANSLATION, 3);
    put(3, 0, ~DESC_VALID);
    assert_fault(0, GUEST_WALK_TRANSLATION, 3);
    assert_int_equal(walk.step_count, 4);
    assert_int_equal(walk.steps[3].descriptor, ~DESC_VALID);
}

static void tables_outside_guest_ram_are_not_read(void **state)
{
    static const uint64_t places[] = {0x09000000,           0x08000000,    0, RAM - 4096, RAM + RAM_SIZE,
                                      RAM + GUEST_RAM_SIZE, 0xfffffffff000};

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
        registers.ttbr0_el1 = places[i];
        assert_fault(0, GUEST_WALK_TABLE_READ, 0);
        assert_int_equal(walk.step_count, 0);
        assert_int_equal(walk.steps[0].address.v, places[i]);
        registers.ttbr0_el1 = table(0);
        put(0, 0, places[i] | TABLE);
        assert_fault(0, GUEST_WALK_TABLE_READ, 1);
        assert_int_equal(walk.step_count, 1);
        assert_int_equal(walk.steps[1].address.v, places[i]);
    }
}

static void output_addresses_are_held_to_ips(void **state)
{
    (void)state;
    registers.tcr_el1 = SIZES(16); // IPS = 0: 32 bits
    put(0, 0, table(1) | TABLE);
    put(1, 0, GIB(3) | BLOCK);
    assert_ipa(5, GIB(3) + 5, GIB(1));
    put(1, 0, GIB(4) | BLOCK);
    assert_fault(5, GUEST_WALK_ADDRESS_SIZE, 1);
    put(0, 0, GIB(4) | TABLE);
    assert_fault(5, GUEST_WALK_ADDRESS_SIZE, 0);
    registers.ttbr0_el1 = GIB(4);
    assert_fault(5, GUEST_WALK_ADDRESS_SIZE, 0);
}

static void a_table_that_points_to_itself_ends(void **state)
{
    (void)state;
    put(0, 0, table(0) | PAGE);
    assert_ipa(0, table(0), KIB(4));
    assert_int_equal(walk.step_count, 4);
}

static void noise_in_tables_and_registers_ends(void **state)
{
    (void)state;
    srand(2);
    for (unsigned int round = 0; round < 20000; round++) {
        uint64_t noise[8];

        for (size_t i = 0; i < ARRAY_COUNT(noise); i++)
            noise[i] = (uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand();
        // Often near something sensible, so that walks get deep.
        put((unsigned int)rand() % 8, (uint64_t)rand() % 8192, (noise[0] & 0xffff00000000ffff) | table(rand() % 8));
        put((unsigned int)rand() % 8, 0, table((unsigned int)rand() % 8) | (noise[1] & 0xf000000000000fff) | 1);
        registers.tcr_el1 = rand() % 2 ? noise[2] : noise[2] & ~TCR_EL1_DS & ~GENMASK64(31, 0);
        registers.tcr_el1 |= rand() % 2 ? SIZES(16) | TG1(2) : 0;
        registers.sctlr_el1 = noise[3];
        registers.ttbr0_el1 = rand() % 2 ? noise[4] : table(0);
        registers.ttbr1_el1 = rand() % 2 ? noise[5] : table(1);
        bool done = walk_to(rand() % 2 ? noise[6] : rand() % 2 ? UPPER : 0);

        assert_int_equal(done, walk.fault == GUEST_WALK_NONE);
        assert_in_range(walk.step_count, 0, GUEST_WALK_LEVELS);
        assert_true(walk.fault < GUEST_WALK_FAULT_COUNT);
    }
}

static void registers_come_from_this_cpu(void **state)
{
    (void)state;
    fake_sysreg_reset();
    fake_sysreg_set("SCTLR_EL1", 1);
    fake_sysreg_set("TCR_EL1", 2);
    fake_sysreg_set("TTBR0_EL1", 3);
    fake_sysreg_set("TTBR1_EL1", 4);
    fake_sysreg_set("MAIR_EL1", 5);
    guest_walk_registers_read(&registers);
    assert_int_equal(registers.sctlr_el1, 1);
    assert_int_equal(registers.tcr_el1, 2);
    assert_int_equal(registers.ttbr0_el1, 3);
    assert_int_equal(registers.ttbr1_el1, 4);
    assert_int_equal(registers.mair_el1, 5);
}

static void every_fault_has_a_sentence(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < GUEST_WALK_FAULT_COUNT; i++)
        assert_true(strlen(guest_walk_fault_name(i)) > 1);
    assert_string_equal(guest_walk_fault_name(GUEST_WALK_TRANSLATION), "invalid descriptor");
    assert_string_equal(guest_walk_fault_name(GUEST_WALK_FAULT_COUNT), "?");
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(walks_4k_tables_of_four_levels),
        TEST(walks_4k_tables_of_three_levels_from_the_upper_half),
        TEST(small_spaces_start_at_lower_levels),
        TEST(a_misaligned_ttbr_is_taken_as_the_hardware_does),
        TEST(walks_16k_tables),
        TEST(walks_64k_tables),
        TEST(walks_64k_tables_of_52_bits),
        TEST(big_endian_tables),
        TEST(permissions_follow_the_manual),
        TEST(memory_is_the_mair_byte),
        TEST(the_access_flag_fails_but_the_address_is_told),
        TEST(with_the_mmu_off_addresses_are_ipas),
        TEST(addresses_outside_the_halves_fault),
        TEST(registers_that_allow_no_walk_fault),
        TEST(invalid_descriptors_name_their_level),
        TEST(tables_outside_guest_ram_are_not_read),
        TEST(output_addresses_are_held_to_ips),
        TEST(a_table_that_points_to_itself_ends),
        TEST(noise_in_tables_and_registers_ends),
        TEST(registers_come_from_this_cpu),
        TEST(every_fault_has_a_sentence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
