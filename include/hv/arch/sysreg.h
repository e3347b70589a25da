// SPDX-License-Identifier: Apache-2.0
// Trapped system registers: lookup by syndrome, emulation, and the hardware behind them.
#pragma once

#include <hv/arch/fields.h>
#include <hv/event_key.h>
#include <hv/status.h>
#include <hv/trap.h>

// Two levels, made by tools/policy_compile.py from sysreg_table.h: a page for each CRm[3], op0, op1, CRn (from the top)
// that has a row, else page 0; in it a key for each CRm[2:0], op2, counted from the page's
// first.
extern const uint8_t sysreg_page[1024];
extern const uint16_t sysreg_page_first[];
extern const uint8_t sysreg_page_key[][64];
#define SYSREG_NO_KEY 0xff
// The page of the ID registers: op0 3, op1 0, CRn 0, CRm 0 to 7.
extern const uint16_t sysreg_id_key[64];

// The key of the register in an EC 0x18 syndrome; KEY_SYSREG_UNKNOWN when sysreg_table.h does not have it.
static inline unsigned int sysreg_key(uint32_t syndrome)
{
    uint64_t crm = FIELD_GET(ISS_SYSREG_CRM, syndrome);
    uint64_t high =
        crm >> 3 << 9 | FIELD_GET(ISS_SYSREG_OP0, syndrome) << 7 | FIELD_GET(ISS_SYSREG_OP1 | ISS_SYSREG_CRN, syndrome);
    uint64_t low = (crm & 7) << 3 | FIELD_GET(ISS_SYSREG_OP2, syndrome);
    unsigned int page = sysreg_page[high], key = sysreg_page_key[page][low];
    return key == SYSREG_NO_KEY ? KEY_SYSREG_UNKNOWN : sysreg_page_first[page] + key;
}

// Makes the guest's ID registers from this CPU's. Once, on the boot CPU, before a guest runs.
void sysreg_init(void);

#define SYSREG_COUNT (KEY_SYSREG_UNKNOWN - KEY_SYSREG_FIRST)

// By key - KEY_SYSREG_FIRST: what the guest reads of the ID registers. Written at boot only.
extern uint64_t sysreg_id_value[];

// The emulation of POLICY_EMULATE: event->value in or out. TRAP_INJECT_UNDEF when the register does not allow the
// direction, or is no part of the guest's CPU.
enum trap_result sysreg_emulate(struct vcpu *vcpu, struct event *event);

// The access itself on this CPU's hardware, on behalf of the guest (POLICY_ALLOW on a trapped register).
// HV_ERR_UNSUPPORTED when the table says that EL2 must not do it, or this CPU does not have it; HV_ERR_INVALID for the
// wrong direction or key; HV_ERR_FAULT when the guest's translation of an address fails. Never faults.
enum hv_status sysreg_read(unsigned int key, uint64_t *value);
enum hv_status sysreg_write(unsigned int key, uint64_t value);

// For 'explain' and unknown registers: S<op0>_<op1>_C<n>_C<m>_<op2>, into buffer of at least 24 bytes.
void sysreg_encoded_name(uint32_t syndrome, char *buffer, size_t size);
