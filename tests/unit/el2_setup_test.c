// SPDX-License-Identifier: Apache-2.0
// EL2's registers at boot: each that this CPU has is written, and no other; stage 2 is set before its TLB entries go.
// Links: arch/aarch64/el2_setup.c arch/aarch64/tlb.c

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <hv/arch/el2_setup.h>
#include <hv/arch/registers.h>

static const struct el2_values values = {
    .hcr_el2 = HCR_EL2_TWI,
    .mdcr_el2 = MDCR_EL2_TDA,
    .cptr_el2 = CPTR_EL2_TFP,
    .hstr_el2 = 0x8000,
    .cnthctl_el2 = CNTHCTL_EL2_EL1PCTEN,
    .vttbr_el2 = 0x1000047000000,
    .vmpidr_el2 = 0x80000003,
    .ipa_bits = 39,
};

static int set_up(void **state)
{
    (void)state;
    fake_sysreg_reset();
    fake_trace_reset();
    return 0;
}

static bool was_written(const char *name)
{
    for (unsigned int i = 0; i < fake_trace_count; i++)
        if (fake_trace[i].operation == FAKE_SYSREG_WRITE && strcmp(fake_trace[i].name, name) == 0)
            return true;
    return false;
}

// Registers of later architectures by their encoding (DDI 0487 D19.2), the ID field that offers them, its least value,
// and what they must hold, so that nothing that EL1 could write is let through.
static const struct {
    const char *accessor, *id;
    unsigned int shift;
    uint64_t least, value;
} optional[] = {
    {"S3_4_C1_C2_2", "ID_AA64MMFR1_EL1", 40, 1, 0},                 // HCRX_EL2
    {"S3_4_C1_C1_4", "ID_AA64MMFR0_EL1", 56, 1, 0},                 // HFGRTR_EL2
    {"S3_4_C1_C1_5", "ID_AA64MMFR0_EL1", 56, 1, 0},                 // HFGWTR_EL2
    {"S3_4_C1_C1_6", "ID_AA64MMFR0_EL1", 56, 1, 0},                 // HFGITR_EL2
    {"S3_4_C3_C1_4", "ID_AA64MMFR0_EL1", 56, 1, 0},                 // HDFGRTR_EL2
    {"S3_4_C3_C1_5", "ID_AA64MMFR0_EL1", 56, 1, 0},                 // HDFGWTR_EL2
    {"S3_4_C3_C1_2", "ID_AA64MMFR0_EL1", 56, 2, 0},                 // HFGRTR2_EL2
    {"S3_4_C3_C1_3", "ID_AA64MMFR0_EL1", 56, 2, 0},                 // HFGWTR2_EL2
    {"S3_4_C3_C1_7", "ID_AA64MMFR0_EL1", 56, 2, 0},                 // HFGITR2_EL2
    {"S3_4_C3_C1_0", "ID_AA64MMFR0_EL1", 56, 2, 0},                 // HDFGRTR2_EL2
    {"S3_4_C3_C1_1", "ID_AA64MMFR0_EL1", 56, 2, 0},                 // HDFGWTR2_EL2
    {"S3_4_C2_C0_3", "S3_0_C0_C7_3", 0, 1, 0},                      // TCR2_EL2
    {"S3_4_C1_C0_3", "S3_0_C0_C7_3", 4, 1, 0},                      // SCTLR2_EL2
    {"S3_4_C1_C2_1", "ID_AA64DFR0_EL1", 40, 1, 0},                  // TRFCR_EL2
    {"S3_4_C9_C9_0", "ID_AA64DFR0_EL1", 32, 1, 0},                  // PMSCR_EL2
    {"S2_4_C9_C0_0", "ID_AA64DFR0_EL1", 52, 1, 0},                  // BRBCR_EL2
    {"S3_4_C14_C0_6", "ID_AA64MMFR0_EL1", 60, 2, 0},                // CNTPOFF_EL2
    {"S3_4_C14_C3_1", "ID_AA64MMFR1_EL1", 8, 1, 0},                 // CNTHV_CTL_EL2
    {"S3_4_C12_C1_1", "ID_AA64PFR0_EL1", 28, 1, 0},                 // VDISR_EL2
    {"S3_4_C5_C2_3", "ID_AA64PFR0_EL1", 28, 1, 0},                  // VSESR_EL2
    {"S3_4_C10_C5_0", "ID_AA64PFR0_EL1", 40, 1, UINT64_C(3) << 48}, // MPAM2_EL2: MPAM0_EL1 and MPAM1_EL1 trap
    {"S3_4_C10_C5_0", "ID_AA64PFR1_EL1", 16, 1, UINT64_C(3) << 48}, // of MPAM v0.1
};

static void what_the_cpu_has_is_written_and_nothing_else(void **state)
{
    for (size_t i = 0; i < ARRAY_COUNT(optional); i++)
        for (uint64_t field = 0; field < 3; field++) {
            set_up(state);
            fake_sysreg_set(optional[i].id, field << optional[i].shift);
            fake_sysreg_set(optional[i].accessor, 0x5a5a);
            el2_setup(&values);
            bool there = field >= optional[i].least;
            assert_int_equal(was_written(optional[i].accessor), there);
            assert_true(fake_sysreg_get(optional[i].accessor) == (there ? optional[i].value : 0x5a5a));
        }
}

static void what_takes_two_fields_takes_both(void **state)
{
    fake_sysreg_set("ID_AA64MMFR0_EL1", UINT64_C(1) << 56);
    el2_setup(&values);
    assert_false(was_written("S3_4_C3_C1_6")); // HAFGRTR_EL2
    fake_sysreg_set("ID_AA64PFR0_EL1", UINT64_C(1) << 44);
    el2_setup(&values);
    assert_true(was_written("S3_4_C3_C1_6"));
    set_up(state);
    fake_sysreg_set("S3_0_C10_C4_4", MPAMIDR_EL1_HAS_HCR);
    el2_setup(&values);
    assert_false(was_written("S3_4_C10_C4_0")); // MPAMHCR_EL2
    fake_sysreg_set("ID_AA64PFR0_EL1", UINT64_C(1) << 40);
    el2_setup(&values);
    assert_int_equal(fake_sysreg_get("S3_4_C10_C4_0"), UINT64_C(1) << 31); // MPAMIDR_EL1 traps
    set_up(state);
    fake_sysreg_set("ID_AA64MMFR1_EL1", UINT64_C(1) << 40);
    fake_sysreg_set("ID_AA64PFR1_EL1", UINT64_C(1) << 36);
    el2_setup(&values);
    assert_int_equal(fake_sysreg_get("S3_4_C1_C2_2"), 1 << 6); // HCRX_EL2.TALLINT
}

static void an_old_cpu_gets_the_old_registers(void **state)
{
    static const char *const names[] = {"HCR_EL2",  "VTCR_EL2",    "VTTBR_EL2", "CPTR_EL2",     "HSTR_EL2",
                                        "MDCR_EL2", "CNTHCTL_EL2", "VPIDR_EL2", "S3_4_C1_C1_7", "VMPIDR_EL2"};
    unsigned int writes = 0;

    (void)state;
    fake_sysreg_set("MIDR_EL1", 0x411fd070);
    el2_setup(&values);
    for (size_t i = 0; i < ARRAY_COUNT(names); i++)
        assert_true(was_written(names[i]));
    for (unsigned int i = 0; i < fake_trace_count; i++)
        writes += fake_trace[i].operation == FAKE_SYSREG_WRITE;
    assert_int_equal(writes, ARRAY_COUNT(names));
    assert_int_equal(fake_sysreg_get("VPIDR_EL2"), 0x411fd070);
    static const enum fake_operation last[] = {FAKE_ISB, FAKE_TLBI_ALLE1, FAKE_DSB_ISH, FAKE_ISB};
    for (size_t i = 0; i < ARRAY_COUNT(last); i++)
        assert_int_equal(fake_trace[fake_trace_count - ARRAY_COUNT(last) + i].operation, last[i]);
}

// What a VM adds is set beside what EL2 sets itself, and the guest's MPIDR_EL1 is the one that it was given.
static void the_values_of_the_vm_are_set(void **state)
{
    (void)state;
    fake_sysreg_set("MPIDR_EL1", 0x80000000);
    fake_sysreg_set("ID_AA64MMFR0_EL1", 2); // 40 bits of physical address
    el2_setup(&values);
    assert_true((fake_sysreg_get("HCR_EL2") & (HCR_EL2_TWI | HCR_EL2_VM)) == (HCR_EL2_TWI | HCR_EL2_VM));
    assert_true(fake_sysreg_get("MDCR_EL2") == MDCR_EL2_TDA); // no PMU: HPMN is 0
    assert_true((fake_sysreg_get("CPTR_EL2") & (CPTR_EL2_TFP | CPTR_EL2_TZ)) == (CPTR_EL2_TFP | CPTR_EL2_TZ));
    assert_int_equal(fake_sysreg_get("HSTR_EL2"), 0x8000);
    assert_int_equal(fake_sysreg_get("CNTHCTL_EL2"), CNTHCTL_EL2_EL1PCTEN);
    assert_int_equal(fake_sysreg_get("VTTBR_EL2"), 0x1000047000000);
    assert_int_equal(fake_sysreg_get("VMPIDR_EL2"), 0x80000003);
    assert_int_equal(FIELD_GET(VTCR_EL2_T0SZ, fake_sysreg_get("VTCR_EL2")), 64 - 39);
    assert_int_equal(FIELD_GET(VTCR_EL2_PS, fake_sysreg_get("VTCR_EL2")), 2);
    fake_sysreg_set("ID_AA64DFR0_EL1", 4 << 8); // PMUv3 for Armv8.1, with six counters
    fake_sysreg_set("PMCR_EL0", 6 << 11);
    el2_setup(&values);
    assert_int_equal(FIELD_GET(MDCR_EL2_HPMN, fake_sysreg_get("MDCR_EL2")), 6);
}

static void features_are_those_of_the_id_registers(void **state)
{
    (void)state;
    fake_sysreg_set("MIDR_EL1", 0x411fd070);
    fake_sysreg_set("ID_AA64MMFR0_EL1", UINT64_C(0x2100000000000005));
    fake_sysreg_set("ID_AA64MMFR1_EL1", UINT64_C(0x10000122));
    fake_sysreg_set("ID_AA64PFR0_EL1", 1 << 24);
    struct cpu_features features = cpu_features_read();
    assert_int_equal(features.midr, 0x411fd070);
    assert_int_equal(features.pa_bits, 48);
    assert_int_equal(features.fgt, 1);
    assert_int_equal(features.ecv, 2);
    assert_int_equal(features.vmid_bits, 16);
    assert_int_equal(features.hafdbs, 2);
    assert_int_equal(features.vhe, 1);
    assert_int_equal(features.xnx, 1);
    assert_int_equal(features.gic, 1);
    fake_sysreg_set("ID_AA64MMFR0_EL1", 0xf); // reserved: the widest that there is
    fake_sysreg_set("ID_AA64MMFR1_EL1", 0);
    features = cpu_features_read();
    assert_int_equal(features.pa_bits, 52);
    assert_int_equal(features.vmid_bits, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_the_cpu_has_is_written_and_nothing_else, set_up),
        cmocka_unit_test_setup(what_takes_two_fields_takes_both, set_up),
        cmocka_unit_test_setup(an_old_cpu_gets_the_old_registers, set_up),
        cmocka_unit_test_setup(the_values_of_the_vm_are_set, set_up),
        cmocka_unit_test_setup(features_are_those_of_the_id_registers, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
