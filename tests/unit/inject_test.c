// SPDX-License-Identifier: Apache-2.0
// Exceptions into EL1: vector, syndrome, return state and the handler's PSTATE.
// Links: arch/aarch64/inject.c

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <hv/arch/frame.h>
#include <hv/arch/inject.h>
#include <hv/arch/registers.h>

#define VBAR   UINT64_C(0xffff800010010800)
#define PC     UINT64_C(0x40001234)
#define FAR    UINT64_C(0xffff000012345678)
#define EL0    0x0
#define EL0_32 0x10
#define EL1T   0x4
#define EL1H   0x5
#define DAIF   0x3c0
#define IL     0x02000000

static struct trap_frame frame;
static struct vcpu vcpu = {.frame = &frame};

static int set_up(void **state)
{
    (void)state;
    fake_sysreg_reset();
    fake_sysreg_set("VBAR_EL1", VBAR | 0x7ff); // RES0 bits a guest may have written
    fake_sysreg_set("SCTLR_EL1", SCTLR_EL1_SPAN);
    frame = (struct trap_frame){.elr_el2 = PC, .far_el2 = FAR, .spsr_el2 = EL1H};
    vcpu = (struct vcpu){.frame = &frame};
    return 0;
}

static void expect(uint64_t esr, uint64_t vector, uint64_t pstate, uint64_t handler)
{
    assert_true(fake_sysreg_get("ESR_EL1") == esr);
    assert_true(fake_sysreg_get("ELR_EL1") == PC);
    assert_true(fake_sysreg_get("SPSR_EL1") == pstate);
    assert_true(frame.elr_el2 == VBAR + vector);
    assert_true(frame.spsr_el2 == handler);
}

static void test_vectors(void **state)
{
    static const struct {
        uint64_t pstate, vector, ec;
    } cases[] = {{EL1T, 0x000, 0x25}, {EL1H, 0x200, 0x25}, {EL0, 0x400, 0x24}, {EL0_32, 0x600, 0x24}};

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        set_up(state);
        frame.spsr_el2 = cases[i].pstate;
        inject_undef(&vcpu);
        expect(IL, cases[i].vector, cases[i].pstate, EL1H | DAIF);

        set_up(state);
        frame.spsr_el2 = cases[i].pstate;
        inject_abort(&vcpu, gva_make(FAR), false, true);
        expect(cases[i].ec << 26 | IL | 0x50, cases[i].vector, cases[i].pstate, EL1H | DAIF);
        assert_true(fake_sysreg_get("FAR_EL1") == FAR);

        set_up(state);
        frame.spsr_el2 = cases[i].pstate;
        inject_abort(&vcpu, gva_make(FAR), true, true);
        expect((cases[i].ec - 4) << 26 | IL | 0x10, cases[i].vector, cases[i].pstate, EL1H | DAIF);
    }
}

static void test_pstate(void **state)
{
    uint64_t pstate = 0xf3f00000 | 0xc00 | EL1H; // NZCV, TCO, DIT, UAO, PAN, SS, IL, BTYPE

    (void)state;
    frame.spsr_el2 = pstate;
    inject_undef(&vcpu);
    expect(IL, 0x200, pstate, 0xf0000000 | SPSR_ELX_DIT | SPSR_ELX_PAN | DAIF | EL1H);
}

static void test_features(void **state)
{
    fake_sysreg_set("SCTLR_EL1", SCTLR_ELX_DSSBS);
    inject_undef(&vcpu); // a CPU that has none of them
    assert_int_equal(frame.spsr_el2, DAIF | EL1H);
    set_up(state);
    fake_sysreg_set("ID_AA64MMFR1_EL1", FIELD_PREP(ID_AA64MMFR1_EL1_PAN, 1));
    fake_sysreg_set("ID_AA64PFR1_EL1", FIELD_PREP(ID_AA64PFR1_EL1_SSBS, 1) | FIELD_PREP(ID_AA64PFR1_EL1_MTE, 2));
    inject_undef(&vcpu); // SPAN = 1, DSSBS = 0
    assert_int_equal(frame.spsr_el2, DAIF | EL1H | SPSR_ELX_TCO);
    fake_sysreg_set("SCTLR_EL1", SCTLR_ELX_DSSBS);
    frame.spsr_el2 = EL1H;
    inject_undef(&vcpu);
    assert_int_equal(frame.spsr_el2, DAIF | EL1H | SPSR_ELX_TCO | SPSR_ELX_PAN | SPSR_ELX_SSBS);
}

static uint64_t trapped(uint64_t esr, unsigned int level)
{
    set_up(NULL);
    frame.esr_el2 = esr;
    inject_abort_trapped(&vcpu, level);
    return fake_sysreg_get("ESR_EL1");
}

// A misaligned PC is seen before the fetch (DDI 0487 D1.3.5): EC 0x22 without an ISS, FAR_EL1 = the PC. T32 code may
// stand at any even address.
static void test_a_fetch_from_a_misaligned_pc(void **state)
{
    (void)state;
    for (unsigned int low = 1; low < 4; low++) {
        set_up(state);
        frame.elr_el2 = PC + low;
        frame.far_el2 = PC + low;
        frame.esr_el2 = 0x82000007;
        inject_abort_trapped(&vcpu, 0);
        assert_int_equal(fake_sysreg_get("ESR_EL1"), 0x8a000000);
        assert_true(fake_sysreg_get("FAR_EL1") == PC + low);
        assert_true(fake_sysreg_get("ELR_EL1") == PC + low);
    }
    set_up(state);
    frame.spsr_el2 = EL0_32;
    frame.elr_el2 = PC + 2;
    frame.esr_el2 = 0x82000007;
    inject_abort_trapped(&vcpu, 0);
    assert_int_equal(fake_sysreg_get("ESR_EL1"), 0x82000010);
}

static void test_abort_trapped(void **state)
{
    (void)state;
    assert_int_equal(trapped(0x93c08045, 0), 0x96000050); // ISV: nothing of it is the guest's business
    assert_int_equal(trapped(0x92000146, 0), 0x96000150); // CM
    assert_int_equal(trapped(0x92000087, 2), 0x96000016); // S1PTW
    assert_int_equal(trapped(0x82000087, 3), 0x86000017); // S1PTW of a fetch
    assert_int_equal(trapped(0x82000007, 0), 0x86000010);
    assert_int_equal(trapped(0x92000410, 0), 0x96000410); // FnV
    assert_int_equal(trapped(0x92000015, 0), 0x96000015); // physical, on a walk
    assert_int_equal(trapped(0x92000075, 0), 0x96000075); // unsupported atomic
    assert_int_equal(trapped(0x9200002b, 0), 0x96000010); // translation fault of level -1
    assert_true(fake_sysreg_get("FAR_EL1") == FAR);
}

static void test_debug(void **state)
{
    assert_true(inject_debug(&vcpu, 0xf200abcd)); // BRK #0xabcd
    expect(0xf200abcd, 0x200, EL1H, EL1H | DAIF);
    set_up(state);
    assert_false(inject_debug(&vcpu, 0xc2000022)); // a breakpoint at EL1 without KDE
    assert_true(frame.elr_el2 == PC);
    fake_sysreg_set("MDSCR_EL1", MDSCR_EL1_KDE);
    frame.spsr_el2 = EL1H | SPSR_ELX_D;
    assert_false(inject_debug(&vcpu, 0xc2000022));
    frame.spsr_el2 = EL1H;
    assert_true(inject_debug(&vcpu, 0xc2000022));
    expect(0xc6000022, 0x200, EL1H, EL1H | DAIF);
    set_up(state);
    frame.spsr_el2 = EL0;
    assert_true(inject_debug(&vcpu, 0xd2000062)); // a watchpoint at EL0
    expect(0xd2000062, 0x400, EL0, EL1H | DAIF);
    assert_true(fake_sysreg_get("FAR_EL1") == FAR);
    set_up(state);
    vcpu.step_owned = true;
    vcpu.guest_mdscr = MDSCR_EL1_KDE;
    assert_true(inject_debug(&vcpu, 0xca000022)); // a step
    expect(0xce000022, 0x200, EL1H, EL1H | DAIF);
}

static void test_serror(void **state)
{
    (void)state;
    fake_sysreg_set("HCR_EL2", HCR_EL2_VM);
    fake_sysreg_set("S3_4_C5_C2_3", 7);
    assert_false(inject_serror_pending());
    inject_serror(&vcpu);
    assert_true(fake_sysreg_get("HCR_EL2") == (HCR_EL2_VM | HCR_EL2_VSE));
    assert_int_equal(fake_sysreg_get("S3_4_C5_C2_3"), 7); // not there without FEAT_RAS
    assert_true(inject_serror_pending());
    fake_sysreg_set("ID_AA64PFR0_EL1", FIELD_PREP(ID_AA64PFR0_EL1_RAS, 1));
    inject_serror(&vcpu);
    assert_int_equal(fake_sysreg_get("S3_4_C5_C2_3"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_vectors, set_up),
        cmocka_unit_test_setup(test_pstate, set_up),
        cmocka_unit_test_setup(test_features, set_up),
        cmocka_unit_test_setup(test_abort_trapped, set_up),
        cmocka_unit_test_setup(test_a_fetch_from_a_misaligned_pc, set_up),
        cmocka_unit_test_setup(test_debug, set_up),
        cmocka_unit_test_setup(test_serror, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
