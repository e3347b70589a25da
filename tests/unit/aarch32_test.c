// SPDX-License-Identifier: Apache-2.0
// A32 and T32 traps: which register a coprocessor access names, in which registers 64 bits move, what a condition and
// the IT state make of an instruction.
// Links: trap/aarch32.c

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <hv/arch/aarch32.h>
#include <hv/arch/sysreg.h>
#include <hv/policy.h>

#include <policy_tables.c>

#define PC UINT64_C(0x40001000)

static struct trap_frame frame;
static struct vm vm = {.policy = &policy_built};
static struct vcpu vcpu = {.vm = &vm, .frame = &frame};
static struct event event;
static uint64_t hardware;
static enum trap_result answer;
static unsigned int asked;

enum trap_result trap_sysreg(struct vcpu *target, struct event *what)
{
    assert_ptr_equal(target, &vcpu);
    asked++;
    if (!what->write)
        what->value = hardware;
    return answer;
}

enum hv_status sysreg_read(struct vcpu *of, unsigned int key, uint64_t *value)
{
    (void)of;
    (void)key;
    *value = hardware;
    return HV_OK;
}

static int set_up(void **state)
{
    (void)state;
    memset(&frame, 0, sizeof(frame));
    for (unsigned int n = 0; n < 31; n++)
        frame.x[n] = 0x1000 + n;
    frame.elr_el2 = PC;
    frame.spsr_el2 = 0x1d0;
    event = (struct event){.cause = KEY_CAUSE_SYSREG, .value = 0x77};
    hardware = 0x1122334455667788;
    answer = TRAP_DONE;
    asked = 0;
    return 0;
}

#define ALWAYS (UINT32_C(1) << 24 | UINT32_C(0xe) << 20)

static uint32_t mrc(unsigned int ec, unsigned int opc1, unsigned int crn, unsigned int crm, unsigned int opc2)
{
    return ec << 26 | 1u << 25 | ALWAYS | opc2 << 17 | opc1 << 14 | crn << 10 | 2u << 5 | crm << 1 | 1;
}

static uint32_t mrrc(unsigned int ec, unsigned int opc1, unsigned int crm)
{
    return ec << 26 | 1u << 25 | ALWAYS | opc1 << 16 | 3u << 10 | 2u << 5 | crm << 1 | 1;
}

static enum trap_result run(uint32_t syndrome)
{
    event.syndrome = syndrome;
    frame.esr_el2 = syndrome;
    return aarch32_coprocessor(&vcpu, &event);
}

// DDI 0487 G8: every register that EL0 can reach and an EL2 can trap, but for event counter n (below).
static void registers_have_their_aarch64_names(void **state)
{
    const struct {
        uint32_t syndrome;
        unsigned int key;
    } rows[] = {
        {mrc(3, 0, 9, 12, 0), KEY_PMCR_EL0},
        {mrc(3, 0, 9, 12, 1), KEY_PMCNTENSET_EL0},
        {mrc(3, 0, 9, 12, 2), KEY_PMCNTENCLR_EL0},
        {mrc(3, 0, 9, 12, 3), KEY_PMOVSCLR_EL0},
        {mrc(3, 0, 9, 12, 4), KEY_PMSWINC_EL0},
        {mrc(3, 0, 9, 12, 5), KEY_PMSELR_EL0},
        {mrc(3, 0, 9, 12, 6), KEY_PMCEID0_EL0},
        {mrc(3, 0, 9, 12, 7), KEY_PMCEID1_EL0},
        {mrc(3, 0, 9, 13, 0), KEY_PMCCNTR_EL0},
        {mrc(3, 0, 9, 13, 1), KEY_PMXEVTYPER_EL0},
        {mrc(3, 0, 9, 13, 2), KEY_PMXEVCNTR_EL0},
        {mrc(3, 0, 9, 14, 0), KEY_PMUSERENR_EL0},
        {mrc(3, 0, 9, 14, 3), KEY_PMOVSSET_EL0},
        {mrc(3, 0, 9, 14, 4), KEY_PMCEID0_EL0},
        {mrc(3, 0, 9, 14, 5), KEY_PMCEID1_EL0},
        {mrc(3, 0, 14, 15, 7), KEY_PMCCFILTR_EL0},
        {mrc(3, 0, 13, 2, 0), KEY_AMCR_EL0},
        {mrc(3, 0, 13, 2, 3), KEY_AMUSERENR_EL0},
        {mrc(3, 0, 14, 2, 0), KEY_CNTP_TVAL_EL0},
        {mrc(3, 0, 14, 2, 1), KEY_CNTP_CTL_EL0},
        {mrc(5, 0, 0, 0, 0), KEY_DBGDIDR},
        {mrc(5, 0, 0, 1, 0), KEY_MDCCSR_EL0},
        {mrc(5, 0, 0, 5, 0), KEY_DBGDTRRX_EL0},
        {mrc(5, 0, 1, 0, 0), KEY_MDRAR_EL1},
        {mrc(5, 0, 2, 0, 0), KEY_DBGDSAR},
        {mrc(8, 7, 7, 0, 0), KEY_MVFR0_EL1},
        {mrc(8, 7, 6, 0, 0), KEY_MVFR1_EL1},
        {mrc(8, 7, 5, 0, 0), KEY_MVFR2_EL1},
        {mrrc(4, 0, 14), KEY_CNTPCT_EL0},
        {mrrc(4, 2, 14), KEY_CNTP_CVAL_EL0},
        {mrrc(4, 8, 14), KEY_CNTPCTSS_EL0},
        {mrrc(4, 0, 9), KEY_PMCCNTR_EL0},
        {mrrc(4, 3, 0), KEY_AMEVCNTR03_EL0},
        {mrrc(12, 0, 1), KEY_MDRAR_EL1},
        {mrrc(12, 0, 2), KEY_DBGDSAR},
        // what is none, or none that EL0 reaches
        {mrc(3, 0, 1, 0, 0), KEY_SYSREG_UNKNOWN},
        {mrc(3, 1, 9, 12, 0), KEY_SYSREG_UNKNOWN},
        {mrc(5, 0, 9, 12, 0), KEY_SYSREG_UNKNOWN},
        {mrc(5, 1, 0, 1, 0), KEY_SYSREG_UNKNOWN},
        {mrc(5, 0, 0, 5, 2), KEY_SYSREG_UNKNOWN},
        {mrrc(4, 1, 14), KEY_SYSREG_UNKNOWN},
        {mrrc(4, 0, 2), KEY_SYSREG_UNKNOWN},
        {mrrc(12, 1, 1), KEY_SYSREG_UNKNOWN},
        {mrrc(12, 0, 14), KEY_SYSREG_UNKNOWN},
        {mrrc(4, 0, 1), KEY_SYSREG_UNKNOWN},
    };

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        bool upper;
        assert_int_equal(aarch32_register_key(rows[i].syndrome, &upper), rows[i].key);
        assert_int_equal(upper, rows[i].syndrome == mrc(3, 0, 9, 14, 4) || rows[i].syndrome == mrc(3, 0, 9, 14, 5));
        set_up(state);
        assert_int_equal(run(rows[i].syndrome), TRAP_DONE); // policy is asked about those that are none as well
        assert_int_equal(event.key, rows[i].key);
        assert_int_equal(asked, 1);
    }
    for (unsigned int n = 0; n < 31; n++) {
        bool upper;
        assert_int_equal(aarch32_register_key(mrc(3, 0, 14, 8 + n / 8, n % 8), &upper), KEY_PMEVCNTR0_EL0 + n);
        assert_int_equal(aarch32_register_key(mrc(3, 0, 14, 12 + n / 8, n % 8), &upper), KEY_PMEVTYPER0_EL0 + n);
    }
}

static void reads_fill_one_register_or_two(void **state)
{
    assert_int_equal(run(mrc(3, 0, 9, 13, 0)), TRAP_DONE);
    assert_true(frame.x[2] == 0x55667788 && frame.x[3] == 0x1003);
    assert_false(event.write);
    set_up(state);
    assert_int_equal(run(mrrc(4, 0, 14)), TRAP_DONE);
    assert_true(frame.x[2] == 0x55667788 && frame.x[3] == 0x11223344);
    set_up(state);
    assert_int_equal(run(mrc(3, 0, 9, 14, 4)), TRAP_DONE); // PMCEID2
    assert_true(frame.x[2] == 0x11223344);
    set_up(state);
    answer = TRAP_INJECT_UNDEF;
    assert_int_equal(run(mrrc(4, 0, 14)), TRAP_INJECT_UNDEF);
    assert_true(frame.x[2] == 0x1002 && frame.x[3] == 0x1003);
}

static void writes_come_from_one_register_or_two(void **state)
{
    frame.x[2] = 0xffffffffdeadbeef; // of AArch64 code: not seen
    assert_int_equal(run(mrc(3, 0, 14, 2, 1) & ~1u), TRAP_DONE);
    assert_true(event.write && event.value == 0xdeadbeef);
    assert_int_equal(run(mrrc(4, 2, 14) & ~1u), TRAP_DONE);
    assert_true(event.value == 0x1003deadbeef);
    assert_int_equal(run(mrc(3, 0, 9, 13, 0) & ~1u), TRAP_DONE); // the other half of PMCCNTR stays
    assert_true(event.value == 0x11223344deadbeef);
    assert_int_equal(run(mrc(3, 0, 14, 8, 5) & ~1u), TRAP_DONE);
    assert_true(event.value == 0x11223344deadbeef);
    set_up(state);
    assert_int_equal(run((mrc(3, 0, 14, 2, 1) & ~1u) | 15u << 5), TRAP_DONE);
    assert_true(event.value == 0);
}

static void r15_is_the_flags(void **state)
{
    for (unsigned int rt = 15; rt <= 31; rt += 16) {
        set_up(state);
        hardware = 0xa0000fff;
        assert_int_equal(run((mrc(5, 0, 0, 1, 0) & ~(31u << 5)) | rt << 5), TRAP_DONE);
        assert_true(frame.spsr_el2 == 0xa00001d0);
        assert_true(frame.x[15] == 0x100f);
    }
}

// DDI 0487 F2.3.1. Each condition over each NZCV, from the table of the manual.
static bool manual(unsigned int condition, unsigned int nzcv)
{
    bool n = nzcv & 8, z = nzcv & 4, c = nzcv & 2, v = nzcv & 1;

    switch (condition) {
    case 0: // EQ
        return z;
    case 1: // NE
        return !z;
    case 2: // CS
        return c;
    case 3: // CC
        return !c;
    case 4: // MI
        return n;
    case 5: // PL
        return !n;
    case 6: // VS
        return v;
    case 7: // VC
        return !v;
    case 8: // HI
        return c && !z;
    case 9: // LS
        return !c || z;
    case 10: // GE
        return n == v;
    case 11: // LT
        return n != v;
    case 12: // GT
        return !z && n == v;
    case 13: // LE
        return z || n != v;
    default:
        return true;
    }
}

static uint64_t it_state(unsigned int it)
{
    return FIELD_PREP(SPSR_AARCH32_IT_LOW, it) | FIELD_PREP(SPSR_AARCH32_IT_HIGH, it >> 2);
}

static void a_condition_that_fails_moves_nothing(void **state)
{
    for (unsigned int condition = 0; condition < 16; condition++)
        for (unsigned int nzcv = 0; nzcv < 16; nzcv++)
            for (unsigned int valid = 0; valid < 2; valid++) {
                uint32_t syndrome = (mrc(3, 0, 9, 13, 0) & ~(ALWAYS)) | valid << 24 | (valid ? condition : 0) << 20;
                bool executes = manual(condition, nzcv);

                set_up(state);
                frame.spsr_el2 |= (uint64_t)nzcv << 28 | (valid ? 0 : it_state(condition << 4 | 8));
                assert_int_equal(run(syndrome), TRAP_DONE);
                assert_int_equal(asked, executes);
                assert_true(frame.x[2] == (executes ? 0x55667788 : 0x1002));
                assert_true(executes || (event.value == 0 && event.address == 0));
                assert_true(executes || (event.row == POLICY_ROW_NONE && event.verdict == POLICY_ALLOW));
            }
    set_up(state);
    event.syndrome = 0;
    frame.spsr_el2 = SPSR_M_EL0T; // A64 has no conditions
    assert_false(aarch32_is_skipped(&vcpu, &event));
    frame.spsr_el2 = 0x1f0; // T32 outside an IT block
    assert_false(aarch32_is_skipped(&vcpu, &event));
}

// ITAdvance, DDI 0487 F2: the block ends with its last instruction.
static void the_it_state_advances(void **state)
{
    const struct {
        unsigned int before, after;
    } cases[] = {{0x00, 0x00}, {0x08, 0x00}, {0x04, 0x08}, {0x0c, 0x18}, {0xe1, 0xe2}, {0x17, 0x0e}, {0x1f, 0x1e}};

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
        for (unsigned int il = 0; il < 2; il++) {
            set_up(state);
            frame.esr_el2 = (uint64_t)il << 25;
            frame.spsr_el2 = 0x600001f0 | SPSR_ELX_SS | it_state(cases[i].before);
            aarch32_advance(&frame);
            assert_true(frame.elr_el2 == PC + (il ? 4 : 2));
            assert_true(frame.spsr_el2 == (0x600001f0 | it_state(cases[i].after)));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(registers_have_their_aarch64_names, set_up),
        cmocka_unit_test_setup(reads_fill_one_register_or_two, set_up),
        cmocka_unit_test_setup(writes_come_from_one_register_or_two, set_up),
        cmocka_unit_test_setup(r15_is_the_flags, set_up),
        cmocka_unit_test_setup(a_condition_that_fails_moves_nothing, set_up),
        cmocka_unit_test_setup(the_it_state_advances, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
