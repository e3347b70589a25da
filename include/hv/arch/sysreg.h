// SPDX-License-Identifier: Apache-2.0
// Trapped system registers: lookup by syndrome, emulation, and the hardware behind them.
#pragma once

#include <hv/arch/fields.h>
#include <hv/event_key.h>
#include <hv/status.h>
#include <hv/trap.h>

// Made by tools/policy_compile.py from sysreg_table.h: a page for each op0, op1, CRn, CRm[3] that has a row. Which page
// that can be says a hash without collisions; page 0 holds nothing.
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
// The ID registers: op0 3, op1 0, CRn 0, CRm 0 to 7.
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

// Makes the guest's ID registers from this CPU's. Once, on the boot CPU, before a guest runs.
void sysreg_init(const struct policy *policy);

#define SYSREG_COUNT (KEY_SYSREG_UNKNOWN - KEY_SYSREG_FIRST)

// By key - KEY_SYSREG_FIRST: what the guest reads of the ID registers. Written at boot only. The last is that of
// KEY_SYSREG_UNKNOWN, which nobody is given.
extern uint64_t sysreg_id_value[SYSREG_COUNT + 1];

// The emulation of POLICY_EMULATE: event->value in or out. TRAP_INJECT_UNDEF when the register does not allow the
// direction, or is no part of the guest's CPU.
enum trap_result sysreg_emulate(struct vcpu *vcpu, struct event *event);

// The access itself on this CPU's hardware, on behalf of the guest (POLICY_ALLOW on a trapped register).
// HV_ERR_UNSUPPORTED when the table says that EL2 must not do it, or this CPU does not have it; HV_ERR_INVALID for the
// wrong direction or key; HV_ERR_FAULT when the guest's translation of an address fails. Never faults.
enum hv_status sysreg_read(unsigned int key, uint64_t *value);
enum hv_status sysreg_write(unsigned int key, uint64_t value);
