// SPDX-License-Identifier: Apache-2.0
// A vCPU's registers at reset: every row of the table that this CPU has is written with its value, and no other; what
// no row can say (frame, V registers, ACTLR_EL1, a pending SError).
// Links: arch/aarch64/vcpu_reset.c arch/aarch64/vcpu_registers.c

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <hv/arch/frame.h>
#include <hv/arch/registers.h>
#include <hv/arch/simd_access.h>
#include <hv/arch/vcpu_registers.h>
#include <hv/vcpu.h>

static uint64_t hardware[VCPU_REGISTER_COUNT];
static unsigned int order[VCPU_REGISTER_COUNT], writes, simd_writes;
static struct trap_frame frame;
static struct vcpu vcpu = {.frame = &frame};

bool vcpu_register_write(unsigned int number, uint64_t value)
{
    assert_true(number < VCPU_REGISTER_COUNT && writes < VCPU_REGISTER_COUNT);
    hardware[number] = value;
    order[writes++] = number;
    return number != VCPU_REGISTER_OSECCR_EL1; // one that this CPU lacks after all
}

void simd_write(unsigned int n, const struct simd_value *value)
{
    assert_int_equal(n, simd_writes++);
    assert_true((value->part[0] | value->part[1]) == 0);
}

static int set_up(void **state)
{
    (void)state;
    fake_sysreg_reset();
    memset(hardware, 0x5a, sizeof(hardware));
    memset(&frame, 0x5a, sizeof(frame));
    writes = simd_writes = 0;
    vcpu = (struct vcpu){.frame = &frame};
    return 0;
}

// A CPU of the largest kind.
static void have_everything(void)
{
    fake_sysreg_set("ID_AA64DFR0_EL1", FIELD_PREP(ID_AA64DFR0_EL1_BRPS, 15) | FIELD_PREP(ID_AA64DFR0_EL1_WRPS, 15) |
                                           FIELD_PREP(ID_AA64DFR0_EL1_PMUVER, 6));
    fake_sysreg_set("ID_AA64PFR0_EL1", FIELD_PREP(ID_AA64PFR0_EL1_EL1, 2) | FIELD_PREP(ID_AA64PFR0_EL1_RAS, 1));
    fake_sysreg_set("ID_AA64PFR1_EL1", FIELD_PREP(ID_AA64PFR1_EL1_SME, 1));
    fake_sysreg_set("ID_AA64ISAR1_EL1", 0x10);
    fake_sysreg_set("PMCR_EL0", FIELD_PREP(PMCR_EL0_N, 31));
}

static bool was_written(unsigned int number)
{
    return hardware[number] != 0x5a5a5a5a5a5a5a5a;
}

static void every_register_gets_its_value(void **state)
{
    (void)state;
    have_everything();
    vcpu_reset(&vcpu, 0x40001000, 0x77);
    assert_int_equal(writes, VCPU_REGISTER_COUNT);
    for (unsigned int i = 0; i < VCPU_REGISTER_COUNT; i++) {
        assert_int_equal(order[i], i);
        assert_true(hardware[i] == vcpu_registers[i].reset);
    }
    assert_int_equal(order[0], VCPU_REGISTER_OSLAR_EL1); // the registers that only the OS lock opens come after it
    assert_int_equal(hardware[VCPU_REGISTER_SCTLR_EL1], 0x30d00800);
    assert_int_equal(simd_writes, 32);
}

static void what_this_cpu_lacks_is_left_alone(void **state)
{
    const struct {
        unsigned int number;
        const char *id;
        uint64_t without, with;
    } rows[] = {
        {VCPU_REGISTER_DBGBVR3_EL1, "ID_AA64DFR0_EL1", 2 << 12, 3 << 12},
        {VCPU_REGISTER_DBGWCR15_EL1, "ID_AA64DFR0_EL1", 14 << 20, 15 << 20},
        {VCPU_REGISTER_APIAKeyLo_EL1, "ID_AA64ISAR1_EL1", 0x00f0000f, 0x00000010},
        {VCPU_REGISTER_APGAKeyHi_EL1, "ID_AA64ISAR1_EL1", 0, UINT64_C(1) << 28},
        {VCPU_REGISTER_APDBKeyHi_EL1, "ID_AA64ISAR2_EL1", 0, 0x1000},
        {VCPU_REGISTER_TPIDR2_EL0, "ID_AA64PFR1_EL1", 0, 1 << 24},
        {VCPU_REGISTER_VDISR_EL2, "ID_AA64PFR0_EL1", 0, 1 << 28},
        {VCPU_REGISTER_DACR32_EL2, "ID_AA64PFR0_EL1", 1 << 4, 2 << 4},
        {VCPU_REGISTER_FPEXC32_EL2, "ID_AA64PFR0_EL1", 2 << 4 | 0xf << 16, 2 << 4},
        {VCPU_REGISTER_FPCR, "ID_AA64PFR0_EL1", 0xf << 16, 1 << 16},
        {VCPU_REGISTER_PMCR_EL0, "ID_AA64DFR0_EL1", 0xf << 8, 1 << 8},
        {VCPU_REGISTER_PMUSERENR_EL0, "ID_AA64DFR0_EL1", 0, 8 << 8},
    };

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        for (unsigned int with = 0; with < 2; with++) {
            set_up(state);
            fake_sysreg_set(rows[i].id, with ? rows[i].with : rows[i].without);
            vcpu_registers_reset();
            assert_int_equal(was_written(rows[i].number), with);
            assert_true(was_written(VCPU_REGISTER_TPIDR_EL1) && was_written(VCPU_REGISTER_DBGBVR0_EL1));
        }
}

static void event_counters_end_with_pmcr_n(void **state)
{
    (void)state;
    fake_sysreg_set("ID_AA64DFR0_EL1", FIELD_PREP(ID_AA64DFR0_EL1_PMUVER, 4));
    fake_sysreg_set("PMCR_EL0", FIELD_PREP(PMCR_EL0_N, 6));
    vcpu_registers_reset();
    assert_true(was_written(VCPU_REGISTER_PMEVCNTR5_EL0) && was_written(VCPU_REGISTER_PMEVTYPER5_EL0));
    assert_false(was_written(VCPU_REGISTER_PMEVCNTR6_EL0) || was_written(VCPU_REGISTER_PMEVTYPER6_EL0));
}

// Under CPTR_EL2.TFP an access would trap to EL2 itself, and no guest had any.
static void fp_is_not_touched_where_it_traps(void **state)
{
    (void)state;
    have_everything();
    fake_sysreg_set("CPTR_EL2", CPTR_EL2_TFP);
    vcpu_reset(&vcpu, 0, 0);
    assert_int_equal(simd_writes, 0);
    assert_false(was_written(VCPU_REGISTER_FPCR) || was_written(VCPU_REGISTER_FPSR) ||
                 was_written(VCPU_REGISTER_FPEXC32_EL2));
    assert_true(was_written(VCPU_REGISTER_IFSR32_EL2));
}

static void the_frame_begins_anew(void **state)
{
    (void)state;
    vcpu_reset(&vcpu, 0x40001000, 0x77);
    for (unsigned int n = 1; n < 31; n++)
        assert_true(frame.x[n] == 0);
    assert_true(frame.x[0] == 0x77 && frame.elr_el2 == 0x40001000 && frame.spsr_el2 == 0x3c5);
    assert_true((frame.sp_el0 | frame.sp_el1 | frame.esr_el2 | frame.far_el2 | frame.hpfar_el2) == 0);
}

static void actlr_is_what_it_was_before_any_guest(void **state)
{
    (void)state;
    fake_sysreg_set("ACTLR_EL1", 0x123);
    vcpu_reset(&vcpu, 0, 0);
    assert_int_equal(fake_sysreg_get("ACTLR_EL1"), 0x123);
    fake_sysreg_set("ACTLR_EL1", 0x456); // the guest
    writes = simd_writes = 0;
    vcpu_reset(&vcpu, 0, 0);
    assert_int_equal(fake_sysreg_get("ACTLR_EL1"), 0x123);
}

static void a_waiting_serror_is_of_the_former_life(void **state)
{
    (void)state;
    fake_sysreg_set("HCR_EL2", HCR_EL2_VM | HCR_EL2_VSE);
    vcpu_reset(&vcpu, 0, 0);
    assert_int_equal(fake_sysreg_get("HCR_EL2"), HCR_EL2_VM);
}

static void names_are_found(void **state)
{
    (void)state;
    assert_int_equal(vcpu_register_find("tpidr2_el0"), VCPU_REGISTER_TPIDR2_EL0);
    assert_int_equal(vcpu_register_find("OSLAR_EL1"), 0);
    assert_int_equal(vcpu_register_find("TPIDR"), VCPU_REGISTER_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_register_gets_its_value, set_up),
        cmocka_unit_test_setup(what_this_cpu_lacks_is_left_alone, set_up),
        cmocka_unit_test_setup(event_counters_end_with_pmcr_n, set_up),
        cmocka_unit_test_setup(fp_is_not_touched_where_it_traps, set_up),
        cmocka_unit_test_setup(the_frame_begins_anew, set_up),
        cmocka_unit_test_setup(actlr_is_what_it_was_before_any_guest, set_up),
        cmocka_unit_test_setup(a_waiting_serror_is_of_the_former_life, set_up),
        cmocka_unit_test_setup(names_are_found, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
