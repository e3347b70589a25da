// SPDX-License-Identifier: Apache-2.0
// Stage-2 descriptors of the 4 KiB granule (DDI 0487 D8.3). This is the one place that knows their bits. It is pure: it
// touches neither memory nor registers.
//
// Three choices hold for every leaf. Its access flag is set and it is inner shareable, so that no fault ever asks for
// either. MemAttr has the encoding of Armv8.0, since HCR_EL2.FWB is 0 (D8.5.5). XN has the one encoding that means the
// same with and without FEAT_XNX. For example a page at 0x42000000 that the guest may read, write and execute is
// 0x420007ff: valid page 0x3, MemAttr 0xf << 2, S2AP 3 << 6, SH 3 << 8, AF 1 << 10.
#include <hv/arch/s2_pte.h>

#include <hv/arch/descriptor.h>

#define PAGE_SHIFT  12
#define LEVEL_SHIFT 9
#define LAST_LEVEL  3

// How many bits of an address one entry at level covers: 12 at level 3 (4 KiB), 21 at level 2 (2 MiB), 30 at level 1 (1
// GiB). Each level translates 9 bits, as a table has 512 entries.
static unsigned int level_shift(unsigned int level)
{
    return PAGE_SHIFT + LEVEL_SHIFT * (LAST_LEVEL - level);
}

uint64_t s2_pte_size(unsigned int level)
{
    return BIT64(level_shift(level));
}

// Of stage 2, a descriptor of a table has an address and no permissions: those stand in the leaves alone.
uint64_t s2_pte_table(pa_t table)
{
    return (table.v & DESC_ADDRESS) | DESC_TABLE | DESC_VALID;
}

// A page at level 3 has bit 1 set, where a block at the levels above has it clear.
uint64_t s2_pte_leaf(unsigned int level, pa_t pa, uint32_t permissions)
{
    bool device = (permissions & STAGE2_DEVICE) != 0;
    uint64_t descriptor = (pa.v & DESC_ADDRESS) | DESC_VALID | DESC_AF | FIELD_PREP(DESC_SH, DESC_SH_INNER) |
                          FIELD_PREP(S2_DESC_MEMATTR, device ? S2_MEMATTR_DEVICE_NGNRE : S2_MEMATTR_NORMAL_WB);

    if (level == LAST_LEVEL)
        descriptor |= DESC_TABLE;
    if ((permissions & STAGE2_READ) != 0)
        descriptor |= S2_DESC_S2AP_R;
    if ((permissions & STAGE2_WRITE) != 0)
        descriptor |= S2_DESC_S2AP_W;
    if ((permissions & STAGE2_EXECUTE) == 0)
        descriptor |= FIELD_PREP(S2_DESC_XN, S2_XN_NEVER);
    return descriptor | FIELD_PREP(S2_DESC_SOFTWARE, FIELD_GET(STAGE2_MEANING, permissions));
}

bool s2_pte_is_valid(uint64_t descriptor)
{
    return (descriptor & DESC_VALID) != 0;
}

// Bits 1:0 = 3 say table at levels 1 and 2, but page at level 3, where no table can be.
bool s2_pte_is_table(uint64_t descriptor, unsigned int level)
{
    return level < LAST_LEVEL && (descriptor & (DESC_TABLE | DESC_VALID)) == (DESC_TABLE | DESC_VALID);
}

pa_t s2_pte_address(uint64_t descriptor, unsigned int level)
{
    uint64_t address = descriptor & DESC_ADDRESS;

    // Bits below a block's size are not address (nT, or RES0).
    return pa_make(s2_pte_is_table(descriptor, level) ? address : address & ~(s2_pte_size(level) - 1));
}

uint32_t s2_pte_meaning(uint64_t descriptor)
{
    return (uint32_t)FIELD_PREP(STAGE2_MEANING, FIELD_GET(S2_DESC_SOFTWARE, descriptor));
}

// The reverse of s2_pte_leaf: what it was given, meaning included, comes out again.
uint32_t s2_pte_permissions(uint64_t descriptor)
{
    uint32_t permissions = s2_pte_meaning(descriptor);

    if ((descriptor & S2_DESC_S2AP_R) != 0)
        permissions |= STAGE2_READ;
    if ((descriptor & S2_DESC_S2AP_W) != 0)
        permissions |= STAGE2_WRITE;
    if (FIELD_GET(S2_DESC_XN, descriptor) == 0)
        permissions |= STAGE2_EXECUTE;
    // MemAttr[3:2] = 0 is Device of some kind.
    if ((FIELD_GET(S2_DESC_MEMATTR, descriptor) & 0xc) == 0)
        permissions |= STAGE2_DEVICE;
    return permissions;
}
