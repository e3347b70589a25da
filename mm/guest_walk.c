// SPDX-License-Identifier: Apache-2.0
// A walk of the guest's stage 1 in software (DDI 0487 D8.2 to D8.4), for granules of 4, 16 and 64 KiB and both halves
// of the address space.
//
// The problem: an AT instruction says whether an address translates, but not through which descriptors, and only with
// the tables that are loaded now. The monitor shows each step, for the kernel's tables as well as the program's. The
// tables are the guest's and may hold anything, also pointers to themselves. The rule: each descriptor is read once,
// through guest_mem_read, and a walk goes down one level with each, so that it ends after at most four. Nothing is
// written. For example, with 4 KiB pages and a 48-bit address, bits 47:39 choose the entry of the level 0 table, bits
// 38:30 that of level 1, bits 29:21 that of level 2, bits 20:12 that of level 3.
#include <hv/guest_walk.h>

#include <hv/arch/descriptor.h>
#include <hv/arch/registers.h>
#include <hv/guest_mem.h>

// The tables of the last level, 3, name pages, whatever the granule. FLAT_BITS: an address with a bit above these is
// refused while the MMU is off. IPS_52_BITS: from this value of TCR_EL1.IPS on, output addresses have 52 bits.
// TNSZ_MAX: the largest TCR_EL1.TnSZ, that is the smallest half of the address space: 64 - 48 = 16 bits.
#define LAST_LEVEL  3
#define FLAT_BITS   48
#define IPS_52_BITS 6
#define TNSZ_MAX    48

// What TCR_EL1 says about the half of the address space that an address lies in.
struct region {
    uint64_t ttbr;
    unsigned int tnsz;
    unsigned int page_shift; // 0 when TGn is reserved
    bool upper;
    bool disabled;         // EPDn
    bool top_byte_ignored; // TBIn
    bool no_table_limits;  // HPDn
    bool wide;             // output addresses have 52 bits
    unsigned int pa_bits;  // IPS
};

// What the table descriptors on the way take away.
struct limits {
    bool no_el0;
    bool read_only;
    bool uxn;
    bool pxn;
};

// Picks out of TCR_EL1 what holds for the half of the address space that va lies in. Bit 55 tells the halves apart, and
// not bit 63, since the top byte may be a tag that translation ignores (TBIn). The same granule has another number in
// TG0 than in TG1: 4 KiB is 0 in the one and 2 in the other. A shift of 0 marks the number that is reserved.
static struct region find_region(const struct guest_walk_registers *registers, gva_t va)
{
    static const uint8_t tg0_shift[] = {12, 16, 14, 0};
    static const uint8_t tg1_shift[] = {0, 14, 12, 16};
    static const uint8_t ips_bits[] = {32, 36, 40, 42, 44, 48, 52, 52};
    uint64_t tcr = registers->tcr_el1;
    bool upper = (va.v & BIT64(55)) != 0;

    return (struct region){
        .ttbr = upper ? registers->ttbr1_el1 : registers->ttbr0_el1,
        .tnsz = (unsigned int)(upper ? FIELD_GET(TCR_EL1_T1SZ, tcr) : FIELD_GET(TCR_EL1_T0SZ, tcr)),
        .page_shift = upper ? tg1_shift[FIELD_GET(TCR_EL1_TG1, tcr)] : tg0_shift[FIELD_GET(TCR_EL1_TG0, tcr)],
        .upper = upper,
        .disabled = (tcr & (upper ? TCR_EL1_EPD1 : TCR_EL1_EPD0)) != 0,
        .top_byte_ignored = (tcr & (upper ? TCR_EL1_TBI1 : TCR_EL1_TBI0)) != 0,
        .no_table_limits = (tcr & (upper ? TCR_EL1_HPD1 : TCR_EL1_HPD0)) != 0,
        .wide = FIELD_GET(TCR_EL1_IPS, tcr) >= IPS_52_BITS,
        .pa_bits = ips_bits[FIELD_GET(TCR_EL1_IPS, tcr)],
    };
}

// Notes where and why the walk ends. It returns false, which is what the caller then returns.
static bool fail(struct guest_walk *walk, enum guest_walk_fault fault, unsigned int level)
{
    walk->fault = (uint8_t)fault;
    walk->fault_level = (uint8_t)level;
    return false;
}

// What can be wrong before the first descriptor is read. TCR_EL1.DS = 1 changes the format of the descriptors, which
// this file does not know. TnSZ below 16 is an address of more than 48 bits; here only the granule of 64 KiB has it.
static enum guest_walk_fault check_region(const struct region *region, uint64_t tcr, gva_t va)
{
    unsigned int least = region->page_shift == 16 ? 12 : 16;
    uint64_t above;

    if ((tcr & TCR_EL1_DS) != 0)
        return GUEST_WALK_UNSUPPORTED;
    if (region->page_shift == 0)
        return GUEST_WALK_GRANULE;
    if (region->tnsz < least || region->tnsz > TNSZ_MAX - (region->page_shift == 16))
        return GUEST_WALK_TNSZ;
    // The bits above the region repeat bit 55.
    above = GENMASK64(region->top_byte_ignored ? 55 : 63, 64 - region->tnsz);
    if ((va.v & above) != (region->upper ? above : 0))
        return GUEST_WALK_VA_RANGE;
    return region->disabled ? GUEST_WALK_EPD : GUEST_WALK_NONE;
}

// How many bits of an address one level translates. A table fills one granule with entries of 8 bytes, so that 4 KiB
// (12 bits) have 512 entries: 12 - 3 = 9 bits.
static unsigned int stride(const struct region *region)
{
    return region->page_shift - 3;
}

// How many bits of an address lie below those that choose an entry at this level: 12 at level 3 with 4 KiB pages, 21 at
// level 2.
static unsigned int level_shift(const struct region *region, unsigned int level)
{
    return region->page_shift + stride(region) * (LAST_LEVEL - level);
}

// The level of the table that TTBRn names. It is as far above the last one as the address has bits to translate. For
// example, with 4 KiB pages an address of 48 bits has 48 - 12 = 36 of them, which are four levels of 9 bits: the first
// is level 0. With 39 bits it is level 1.
static unsigned int first_level(const struct region *region)
{
    unsigned int bits = 64 - region->tnsz - region->page_shift;

    return LAST_LEVEL + 1 - (bits + stride(region) - 1) / stride(region);
}

// The address of TTBRn's table. The hardware ignores the bits of BADDR below the table's size, and so does this
// function. A first table may be smaller than a granule: with 42 bits and 4 KiB pages, 3 bits are left for level 0, and
// the table has 8 entries of 8 bytes. With addresses of 52 bits, bits 5:2 of TTBRn hold bits 51:48.
static uint64_t first_table(const struct region *region)
{
    uint64_t size = 8 * BIT64(64 - region->tnsz - level_shift(region, first_level(region)));
    uint64_t base = region->ttbr & TTBR_EL1_BADDR & ~(size - 1);

    if (region->wide)
        base = (base & ~UINT64_C(63)) | FIELD_GET(TTBR_EL1_BADDR_HIGH, region->ttbr) << 48;
    return base;
}

// The address in a descriptor, of the next table or of the memory. With pages of 64 KiB and 52 bits of address, bits
// 15:12 of the descriptor hold bits 51:48.
static uint64_t output_address(const struct region *region, uint64_t descriptor)
{
    uint64_t address = descriptor & GENMASK64(47, region->page_shift);

    if (region->wide && region->page_shift == 16)
        address |= FIELD_GET(DESC_ADDRESS_HIGH, descriptor) << 48;
    return address;
}

// Whether a descriptor at level is a table, a page, or a block where the granule has blocks. Bit 1 says table at levels
// 0 to 2 and page at level 3. Where it is 0 the descriptor is a block. Blocks stand at level 2, with 4 KiB pages at
// level 1 too, and with 64 KiB pages there when addresses have 52 bits. At level 3 there are none: such a descriptor is
// invalid.
static bool is_valid(const struct region *region, unsigned int level, uint64_t descriptor)
{
    if ((descriptor & DESC_VALID) == 0)
        return false;
    if ((descriptor & DESC_TABLE) != 0)
        return true;
    return level == 2 || (level == 1 && (region->page_shift == 12 || (region->page_shift == 16 && region->wide)));
}

// An output address with a bit above TCR_EL1.IPS is an address size fault.
static bool too_large(const struct region *region, uint64_t address)
{
    return address >> region->pa_bits != 0;
}

// Reads one descriptor of the guest's. SCTLR_EL1.EE is the byte order of table walks too: EL2 is little-endian, so that
// a big-endian descriptor must be turned around.
static bool read_descriptor(struct space *space, const struct guest_walk_registers *registers, ipa_t address,
                            uint64_t *descriptor)
{
    if (guest_mem_read(space, address, descriptor, sizeof(*descriptor)) != HV_OK)
        return false;
    if ((registers->sctlr_el1 & SCTLR_ELX_EE) != 0)
        *descriptor = __builtin_bswap64(*descriptor);
    return true;
}

// A table descriptor can take rights away from all that lies below it (APTable, UXNTable, PXNTable). Nothing gives them
// back, so that the limits of a walk only grow. TCR_EL1.HPDn turns them off.
static void add_limits(struct limits *limits, uint64_t descriptor)
{
    limits->no_el0 |= (descriptor & S1_DESC_AP_TABLE_EL0) != 0;
    limits->read_only |= (descriptor & S1_DESC_AP_TABLE_RO) != 0;
    limits->uxn |= (descriptor & S1_DESC_UXN_TABLE) != 0;
    limits->pxn |= (descriptor & S1_DESC_PXN_TABLE) != 0;
}

// DDI 0487 D8.4: data access permissions, then what they and WXN leave of instruction fetch.
static void set_permissions(struct guest_walk *walk, const struct limits *limits, bool wxn)
{
    uint64_t leaf = walk->leaf;
    bool write = (leaf & S1_DESC_AP_RO) == 0 && !limits->read_only;

    walk->el1_write = write;
    walk->el0_read = (leaf & S1_DESC_AP_EL0) != 0 && !limits->no_el0;
    walk->el0_write = walk->el0_read && write;
    walk->el0_exec = (leaf & S1_DESC_UXN) == 0 && !limits->uxn && !(wxn && walk->el0_write);
    // Memory that EL0 may write is never executable at EL1.
    walk->el1_exec = (leaf & S1_DESC_PXN) == 0 && !limits->pxn && !walk->el0_write && !(wxn && walk->el1_write);
}

// The leaf has been reached: the last step's descriptor, a block or a page. The result is filled in also when the
// access flag is clear, so that the monitor can show the leaf that would fault.
static bool finish(const struct guest_walk_registers *registers, const struct region *region, gva_t va,
                   const struct limits *limits, struct guest_walk *walk)
{
    const struct guest_walk_step *last = &walk->steps[walk->step_count - 1];
    uint64_t size = BIT64(level_shift(region, last->level));
    uint64_t base = output_address(region, last->descriptor) & ~(size - 1);

    if (too_large(region, base))
        return fail(walk, GUEST_WALK_ADDRESS_SIZE, last->level);
    walk->ipa = ipa_make(base | (va.v & (size - 1)));
    walk->size = size;
    walk->leaf = last->descriptor;
    walk->memory = (uint8_t)(registers->mair_el1 >> (8 * FIELD_GET(S1_DESC_ATTRINDX, walk->leaf)));
    set_permissions(walk, limits, (registers->sctlr_el1 & SCTLR_ELX_WXN) != 0);
    // With TCR_EL1.HA the hardware sets the flag itself.
    if ((walk->leaf & DESC_AF) == 0 && (registers->tcr_el1 & TCR_EL1_HA) == 0)
        return fail(walk, GUEST_WALK_ACCESS_FLAG, last->level);
    return true;
}

// One descriptor is read at each level. The loop ends at a fault, at a block, or at level 3, where no descriptor can be
// a table.
static bool walk_tables(struct space *space, const struct guest_walk_registers *registers, const struct region *region,
                        gva_t va, struct guest_walk *walk)
{
    // What is above the region only chose the half: the index of the first table must not contain it.
    uint64_t va_bits = va.v & GENMASK64(63 - region->tnsz, 0);
    uint64_t table = first_table(region);
    struct limits limits = {};

    if (too_large(region, table))
        return fail(walk, GUEST_WALK_ADDRESS_SIZE, 0);
    for (unsigned int level = first_level(region);; level++) {
        uint64_t index = (va_bits >> level_shift(region, level)) & (BIT64(stride(region)) - 1);
        struct guest_walk_step *step = &walk->steps[walk->step_count];

        *step = (struct guest_walk_step){.level = (uint8_t)level, .address = ipa_make(table + index * 8)};
        if (!read_descriptor(space, registers, step->address, &step->descriptor))
            return fail(walk, GUEST_WALK_TABLE_READ, level);
        walk->step_count++;
        if (!is_valid(region, level, step->descriptor))
            return fail(walk, GUEST_WALK_TRANSLATION, level);
        if (level == LAST_LEVEL || (step->descriptor & DESC_TABLE) == 0)
            return finish(registers, region, va, &limits, walk);
        if (!region->no_table_limits)
            add_limits(&limits, step->descriptor);
        table = output_address(region, step->descriptor);
        if (too_large(region, table))
            return fail(walk, GUEST_WALK_ADDRESS_SIZE, level);
    }
}

// With the MMU off, every address is its IPA and everything is allowed (DDI 0487 D8.2.10).
static bool walk_flat(const struct region *region, gva_t va, struct guest_walk *walk)
{
    uint64_t address = region->top_byte_ignored ? va.v & GENMASK64(55, 0) : va.v;

    walk->flat = true;
    if (address >> FLAT_BITS != 0)
        return fail(walk, GUEST_WALK_ADDRESS_SIZE, 0);
    walk->ipa = ipa_make(address);
    walk->size = KIB(4);
    walk->el1_write = walk->el1_exec = walk->el0_read = walk->el0_write = walk->el0_exec = true;
    return true;
}

bool guest_walk(struct space *space, const struct guest_walk_registers *registers, gva_t va, struct guest_walk *walk)
{
    struct region region = find_region(registers, va);
    enum guest_walk_fault fault;

    //@ split region.page_shift;
    //@ split region.tnsz;
    *walk = (struct guest_walk){.ttbr = region.upper};
    if ((registers->sctlr_el1 & SCTLR_ELX_M) == 0)
        return walk_flat(&region, va, walk);
    fault = check_region(&region, registers->tcr_el1, va);
    if (fault != GUEST_WALK_NONE)
        return fail(walk, fault, 0);
    return walk_tables(space, registers, &region, va, walk);
}

void guest_walk_registers_read(struct guest_walk_registers *registers)
{
    *registers = (struct guest_walk_registers){
        .sctlr_el1 = READ_SYSREG(SCTLR_EL1),
        .tcr_el1 = READ_SYSREG(TCR_EL1),
        .ttbr0_el1 = READ_SYSREG(TTBR0_EL1),
        .ttbr1_el1 = READ_SYSREG(TTBR1_EL1),
        .mair_el1 = READ_SYSREG(MAIR_EL1),
    };
}

const char *guest_walk_fault_name(unsigned int fault)
{
    static const char *const sentences[] = {
#define GUEST_WALK_FAULT_SENTENCE(id, sentence) sentence,
        GUEST_WALK_FAULT_TABLE(GUEST_WALK_FAULT_SENTENCE)};

    return fault < ARRAY_COUNT(sentences) ? sentences[fault] : "?";
}
