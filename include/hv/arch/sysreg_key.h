// SPDX-License-Identifier: Apache-2.0
// From the syndrome of a trapped MSR, MRS or system instruction (EC 0x18, DDI 0487 D19.2.37) to the key of its row in
// sysreg_table.h. Over three hundred rows are found by two loads and a comparison, since this is done on each such
// exit.
#pragma once

#include <hv/arch/fields.h>
#include <hv/event_key.h>

// tools/policy_compile.py makes the tables below from sysreg_table.h. There is a page for each op0, op1, CRn and CRm[3]
// that has a row. These bits of a syndrome are its place; the place times sysreg_multiplier, of which the six upper
// bits count, is the slot that has the number of the page. The compiler has chosen the multiplier so that no two pages
// have one slot. Page 0 holds nothing, and unused slots name it.
//
// For example MRS X0, MIDR_EL1 is S3_0_C0_C0_0: its place is op0 = 3 alone.
#define SYSREG_PLACE (ISS_SYSREG_OP0 | ISS_SYSREG_OP1 | ISS_SYSREG_CRN | BIT64(4))
struct sysreg_page {
    uint64_t present; // bit n: there is a row with CRm[2:0], op2 = n; these rows follow each other
    uint32_t place;   // the syndrome's SYSREG_PLACE
    uint16_t first;   // key of the first
};

#define SYSREG_SLOT_COUNT 64
extern const uint32_t sysreg_multiplier;
extern const uint8_t sysreg_slots[SYSREG_SLOT_COUNT];
extern const struct sysreg_page sysreg_pages[];
// The keys of the ID registers, S3_0_C0_C<m>_<n>, by 8 * m + n.
#define SYSREG_ID_COUNT 64
extern const uint16_t sysreg_id_key[SYSREG_ID_COUNT];

// The key of the register in an EC 0x18 syndrome; KEY_SYSREG_UNKNOWN when sysreg_table.h does not have it. Whatever is
// taken for granted before it is known (speculation), the result lies from KEY_SYSREG_FIRST to KEY_SYSREG_UNKNOWN: only
// rows of the page are counted.
static inline unsigned int sysreg_key(uint32_t syndrome)
{
    uint32_t place = syndrome & (uint32_t)SYSREG_PLACE;
    uint32_t slot = place * sysreg_multiplier / (UINT32_MAX / SYSREG_SLOT_COUNT + 1);
    uint64_t bit = BIT64((syndrome >> 1 & 7) << 3 | FIELD_GET(ISS_SYSREG_OP2, syndrome));
    const struct sysreg_page *page = &sysreg_pages[sysreg_slots[slot]];

    if (page->place != place || !(page->present & bit))
        return KEY_SYSREG_UNKNOWN;
    return page->first + bit_count(page->present & (bit - 1));
}
