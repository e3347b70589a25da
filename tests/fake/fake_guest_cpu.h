// SPDX-License-Identifier: Apache-2.0
// A guest for tests of aborts: one instruction at every PC, one walk of its own tables, one entry of stage 2, and the V
// registers. In the place of mm/guest_mem.c, mm/guest_walk.c, mm/stage2.c and arch/aarch64/simd_access.S.
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <hv/arch/registers.h>
#include <hv/arch/simd_access.h>
#include <hv/guest_mem.h>
#include <hv/guest_walk.h>
#include <hv/stage2.h>

struct fake_guest_cpu {
    struct simd_value *v; // 32 of them, the test's
    uint32_t instruction;
    bool readable;          // the instruction can be read
    bool walks;             // the guest's tables lead somewhere
    struct guest_walk walk; // where to; the offset in the page is added
    bool mapped;            // stage 2 has an entry
    uint32_t permissions;   // its permissions and its meaning
};
__attribute__((weak)) struct fake_guest_cpu fake_guest_cpu;

__attribute__((weak)) void simd_read(unsigned int n, struct simd_value *value)
{
    assert_true(n < 32);
    *value = fake_guest_cpu.v[n];
}

__attribute__((weak)) void simd_write(unsigned int n, const struct simd_value *value)
{
    assert_true(n < 32);
    fake_guest_cpu.v[n] = *value;
}

__attribute__((weak)) enum hv_status guest_mem_read(struct space *space, ipa_t ipa, void *buffer, size_t size)
{
    (void)space, (void)ipa;
    assert_int_equal(size, sizeof(fake_guest_cpu.instruction));
    if (!fake_guest_cpu.readable)
        return HV_ERR_NOT_FOUND;
    memcpy(buffer, &fake_guest_cpu.instruction, size);
    return HV_OK;
}

__attribute__((weak)) void guest_walk_registers_read(struct guest_walk_registers *registers)
{
    *registers = (struct guest_walk_registers){0};
}

__attribute__((weak)) bool guest_walk(struct space *space, const struct guest_walk_registers *registers, gva_t va,
                                      struct guest_walk *walk)
{
    (void)space, (void)registers;
    *walk = fake_guest_cpu.walk;
    walk->ipa = ipa_make(walk->ipa.v + (va.v & 0xfff));
    return fake_guest_cpu.walks;
}

// The hardware's walk of the same tables: for fake_el1_translate (hv/arch/el2_translate.h).
static inline uint64_t fake_guest_translate(gva_t va)
{
    (void)va;
    return fake_guest_cpu.walks ? fake_guest_cpu.walk.ipa.v : PAR_EL1_F;
}

__attribute__((weak)) enum hv_status stage2_query(struct stage2 *stage2, ipa_t ipa, struct stage2_entry *entry)
{
    (void)stage2, (void)ipa;
    *entry = (struct stage2_entry){.valid = fake_guest_cpu.mapped, .permissions = fake_guest_cpu.permissions};
    return HV_OK;
}

__attribute__((weak)) uint32_t stage2_meaning(const struct stage2 *stage2, ipa_t ipa)
{
    (void)stage2, (void)ipa;
    return fake_guest_cpu.permissions & STAGE2_MEANING;
}

__attribute__((weak)) uint64_t stage2_vttbr(const struct stage2 *stage2)
{
    return FIELD_PREP(VTTBR_EL2_VMID, stage2->vmid);
}
