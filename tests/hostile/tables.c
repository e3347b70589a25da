// SPDX-License-Identifier: Apache-2.0
// Games with the guest's own translation. The lower half of the address space maps this program flat; the upper half
// (TTBR1) is hostile: tables in ROM, devices, holes, beyond the CPU's addresses, recursive, full of odd descriptors,
// walked with any granule and with hardware updates asked for. Then every form of access goes through it.
//
// And, for EL2's own walk of these tables (it reads the instruction that a syndrome does not describe): code runs
// through a mapping that the TLB still has, while the tables in memory have become any of the above.
#include "hostile.h"

#include "lib/cpu.h"
#include "lib/mmu.h"

#define TABLE_BYTES  4096
#define ENTRIES      512
#define TABLES       6 // of hostile descriptors, at the start of this CPU's scratch
#define ODD_ENTRIES  24
#define ACCESSES     32
#define UPPER_HALF   (~UINT64_C(0) << 39)
#define CODE_VA      (UPPER_HALF | 0x123 << 12)
#define DESC_TABLE   UINT64_C(3)
#define DESC_BLOCK   UINT64_C(1)
#define DESC_AF      (UINT64_C(1) << 10)
#define DESC_DBM     (UINT64_C(1) << 51)
#define DESC_PXN_UXN (UINT64_C(3) << 53)
#define MAIR_VALUE   UINT64_C(0xff0444ff) // as lib/mmu.c has it, and Normal non-cacheable, Device-nGnRE, write-back
#define TCR_LOWER    (UINT64_C(25) | 1 << 8 | 1 << 10 | 3 << 12 | UINT64_C(2) << 32)
#define TCR_T1SZ(n)  ((uint64_t)(n) << 16)
#define TCR_TG1(n)   ((uint64_t)(n) << 30)
#define TCR_HA_HD    (UINT64_C(3) << 39)
#define TG1_4K       2
#define SCTLR_MMU_ON (GUEST_SCTLR_OFF | 1 << 0 | 1 << 2 | 1 << 12)

static uint64_t lower[ENTRIES] __attribute__((aligned(4096)));

static uint64_t *scratch_table(unsigned int n)
{
    return (uint64_t *)(SCRATCH_IPA + cpu_index() * (uint64_t)SCRATCH_CPU_SIZE + n * (uint64_t)TABLE_BYTES);
}

// No RAM but scratch: what is stored through a descriptor must not be this program.
static uint64_t random_outside(void)
{
    static const uint64_t places[] = {0,          GICD_IPA,   GICR_IPA,   PL011_IPA,    0x09010000, 0x0a000000,
                                      0x70000000, 0x80000000, 1ull << 35, 0x4010000000, 1ull << 39, 1ull << 47};

    return (places[random_below(sizeof(places) / sizeof(places[0]))] +
            (random_below(4) ? 0 : random_below(256) << 12)) &
           ~UINT64_C(0xfff);
}

static uint64_t random_descriptor(void)
{
    uint64_t attributes = (random_next() & (DESC_DBM | 0xbfc)) | DESC_AF;
    uint64_t outside = random_outside();

    switch (random_below(8)) {
    case 0:
        return 0;
    case 1: // a block, whose size must not reach RAM
        return ((outside & ~UINT64_C(0x3fffffff)) == GUEST_RAM_IPA ? 0 : outside) | attributes | DESC_BLOCK;
    case 2:
        return outside | attributes | DESC_TABLE;
    default:
        return (uint64_t)scratch_table((unsigned int)random_below(TABLES)) | attributes | DESC_PXN_UXN | DESC_TABLE;
    }
}

static void fill(uint64_t *table)
{
    for (unsigned int i = 0; i < ODD_ENTRIES; i++)
        table[random_below(8) ? random_below(16) : random_below(ENTRIES)] = random_descriptor();
}

static void flush(void)
{
    __asm__ volatile("dsb sy\n tlbi vmalle1\n dsb sy\n isb" ::: "memory");
}

// Every CPU stores the same values.
static void mmu_on(void)
{
    lower[0] = DESC_BLOCK | DESC_AF | 1 << 2 | DESC_PXN_UXN;
    lower[1] = GUEST_RAM_IPA | DESC_BLOCK | DESC_AF | 3 << 8;
    WRITE_REG(mair_el1, MAIR_VALUE);
    WRITE_REG(tcr_el1, TCR_LOWER | TCR_T1SZ(25) | TCR_TG1(TG1_4K));
    WRITE_REG(ttbr0_el1, (uint64_t)lower);
    flush();
    WRITE_REG(sctlr_el1, SCTLR_MMU_ON);
}

static void mmu_off(void)
{
    WRITE_REG(sctlr_el1, GUEST_SCTLR_OFF);
    flush();
}

static void point_upper_half(void)
{
    uint64_t granule = random_below(4) ? TG1_4K : random_below(4);
    uint64_t size = random_below(4) ? 25 : random_below(64);
    uint64_t root = random_below(4) ? (uint64_t)scratch_table((unsigned int)random_below(TABLES)) : random_outside();

    WRITE_REG(tcr_el1, TCR_LOWER | TCR_T1SZ(size) | TCR_TG1(granule) | (random_below(4) ? 0 : TCR_HA_HD));
    WRITE_REG(ttbr1_el1, root | random_next() << 48);
    flush();
}

// Mostly through the entries that are filled. QEMU takes blocks of 64 and 512 GiB, which do not exist, for such: from 0
// on they have this program's RAM at 1 GiB.
static uint64_t random_upper(void)
{
    uint64_t va = random_below(16) << 30 | random_below(16) << 21 | random_below(16) << 12 | (random_next() & 0xff8);

    if (random_below(16) == 0)
        va = random_next();
    if ((va >> 30 & 0x3f) == 1)
        va ^= UINT64_C(1) << 31;
    return UPPER_HALF | va;
}

static void attack_walks(void)
{
    fill(scratch_table((unsigned int)random_below(TABLES)));
    point_upper_half();
    for (unsigned int i = 0; i < ACCESSES; i++) {
        uint64_t va = random_upper(), x[8] = {0};

        if (i % 16 == 0) {
            struct exception e = form_run((const struct form *)(va & ~UINT64_C(3)), x);
            account(is_own_fault(&e), "a fetch through odd tables", va, e.esr, e.elr);
        } else {
            form_attack(random_form(), va, is_own_fault);
        }
    }
}

// Behind an instruction that went wrong the return may be gone as well; or all of the code, which is then memory that
// holds none.
static bool is_stale_fault(const struct exception *e)
{
    struct exception last = *e;

    if (last.taken >= EXCEPTION_LOST && last.ec == EC_UNKNOWN)
        return true;
    if (last.taken == 2 && last.ec == EC_IABT)
        last.taken = 1;
    return is_own_fault(&last);
}

// A table's entry on the way to CODE_VA becomes something else; the TLB is not told.
static void attack_stale(void)
{
    uint64_t *root = scratch_table(TABLES), *level2 = scratch_table(TABLES + 1), *level3 = scratch_table(TABLES + 2);
    struct form *code = (struct form *)scratch_table(TABLES + 3), *alias = (struct form *)CODE_VA;
    uint64_t *way[] = {&root[0], &level2[0], &level3[0x123]}, x[8] = {0};

    *way[0] = (uint64_t)level2 | DESC_TABLE;
    *way[1] = (uint64_t)level3 | DESC_TABLE;
    *way[2] = (uint64_t)code | DESC_TABLE | DESC_AF | 3 << 8;
    for (unsigned int i = 0; i < ACCESSES; i++)
        code[i] = *random_form();
    __asm__ volatile("dsb ish\n ic ialluis\n dsb ish\n isb" ::: "memory");
    WRITE_REG(tcr_el1, TCR_LOWER | TCR_T1SZ(25) | TCR_TG1(TG1_4K));
    WRITE_REG(ttbr1_el1, (uint64_t)root);
    flush();
    x[1] = SCRATCH_IPA + SCRATCH_SIZE / 2;
    (void)form_run(alias, x);
    *way[random_below(3)] = random_below(2) ? random_descriptor() : random_next() << random_below(2) * 12;
    __asm__ volatile("dsb sy" ::: "memory");
    for (unsigned int i = 0; i < ACCESSES; i++)
        form_attack(&alias[i], random_device_address(), is_stale_fault);
}

void attack_tables(uint64_t count)
{
    mmu_on();
    for (uint64_t i = 0; i < count; i += ACCESSES) {
        if (random_below(4) == 0)
            attack_stale();
        else
            attack_walks();
    }
    mmu_off();
}
