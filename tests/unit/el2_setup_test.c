// SPDX-License-Identifier: Apache-2.0
// EL2's registers at boot: each that this CPU has is written, and no other; stage 2 is set before its TLB entries go.
// Links: arch/aarch64/el2_setup.c arch/aarch64/tlb.c

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <hv/arch/el2_setup.h>
#include <hv/arch/registers.h>
#include <hv/policy.h>
#include <hv/vm.h>

#include <policy_tables.c>

struct vm vm0;

uint64_t stage2_vttbr(const struct stage2 *stage2)
{
    assert_ptr_equal(stage2, &vm0.space.stage2);
    return 0x1000047000000;
}

void log_routine(int class, const char *event, const char *format, ...);
void log_routine(int class, const char *event, const char *format, ...)
{
    (void)class, (void)event, (void)format;
}

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
            el2_setup();
            bool there = field >= optional[i].least;
            assert_int_equal(was_written(optional[i].accessor), there);
            assert_true(fake_sysreg_get(optional[i].accessor) == (there ? optional[i].value : 0x5a5a));
        }
}

static void what_takes_two_fields_takes_both(void **state)
{
    fake_sysreg_set("ID_AA64MMFR0_EL1", UINT64_C(1) << 56);
    el2_setup();
    assert_false(was_written("S3_4_C3_C1_6")); // HAFGRTR_EL2
    fake_sysreg_set("ID_AA64PFR0_EL1", UINT64_C(1) << 44);
    el2_setup();
    assert_true(was_written("S3_4_C3_C1_6"));
    set_up(state);
    fake_sysreg_set("S3_0_C10_C4_4", MPAMIDR_EL1_HAS_HCR);
    el2_setup();
    assert_false(was_written("S3_4_C10_C4_0")); // MPAMHCR_EL2
    fake_sysreg_set("ID_AA64PFR0_EL1", UINT64_C(1) << 40);
    el2_setup();
    assert_int_equal(fake_sysreg_get("S3_4_C10_C4_0"), UINT64_C(1) << 31); // MPAMIDR_EL1 traps
    set_up(state);
    fake_sysreg_set("ID_AA64MMFR1_EL1", UINT64_C(1) << 40);
    fake_sysreg_set("ID_AA64PFR1_EL1", UINT64_C(1) << 36);
    el2_setup();
    assert_int_equal(fake_sysreg_get("S3_4_C1_C2_2"), 1 << 6); // HCRX_EL2.TALLINT
}

static void an_old_cpu_gets_the_old_registers(void **state)
{
    static const char *const names[] = {"HCR_EL2",  "VTCR_EL2",    "VTTBR_EL2", "CPTR_EL2",     "HSTR_EL2",
                                        "MDCR_EL2", "CNTHCTL_EL2", "VPIDR_EL2", "S3_4_C1_C1_7", "VMPIDR_EL2"};
    unsigned int writes = 0;

    (void)state;
    fake_sysreg_set("MIDR_EL1", 0x411fd070);
    el2_setup();
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_the_cpu_has_is_written_and_nothing_else, set_up),
        cmocka_unit_test_setup(what_takes_two_fields_takes_both, set_up),
        cmocka_unit_test_setup(an_old_cpu_gets_the_old_registers, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
