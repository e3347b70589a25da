// SPDX-License-Identifier: Apache-2.0
// TLB maintenance: the instructions and barriers of each recipe in their order, and which VMID stands in VTTBR_EL2 at
// each of them.
// Links: arch/aarch64/tlb.c
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fake_trace.h>
#include <hv/arch/registers.h>
#include <hv/arch/tlb.h>

#define MINE  (UINT64_C(1) << 48 | 0x47000000) // of the guest that this CPU runs
#define OTHER (UINT64_C(2) << 48 | 0x48000000)
#define IPA   UINT64_C(0x40123000)

// What VTTBR_EL2 held at each step.
static uint64_t loaded[64];

static void note_vttbr(enum fake_operation operation)
{
    (void)operation;
    loaded[fake_trace_count - 1] = fake_sysreg_get("VTTBR_EL2");
}

static int setup(void **state)
{
    (void)state;
    fake_sysreg_reset();
    fake_sysreg_set("VTTBR_EL2", MINE);
    fake_trace_reset();
    fake_trace_hook = note_vttbr;
    return 0;
}

static void assert_steps(const enum fake_operation *wanted, size_t count)
{
    assert_int_equal(fake_trace_count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(fake_trace[i].operation, wanted[i]);
}

#define ASSERT_STEPS(...)                                                                                              \
    assert_steps((const enum fake_operation[]){__VA_ARGS__},                                                           \
                 sizeof((const enum fake_operation[]){__VA_ARGS__}) / sizeof(enum fake_operation))

static void one_page_of_this_cpus_guest_switches_nothing(void **state)
{
    (void)state;
    tlb_flush_stage2_ipa(MINE, ipa_make(IPA));
    ASSERT_STEPS(FAKE_TLBI_IPAS2E1IS, FAKE_DSB_ISH, FAKE_TLBI_VMALLE1IS, FAKE_DSB_ISH, FAKE_ISB);
    assert_int_equal(fake_trace[0].argument, IPA);
}

static void everything_of_this_cpus_guest_switches_nothing(void **state)
{
    (void)state;
    tlb_flush_stage2_all(MINE);
    ASSERT_STEPS(FAKE_TLBI_VMALLS12E1IS, FAKE_DSB_ISH, FAKE_ISB);
}

// A view of the same guest with another root has the same VMID: TLBI looks at nothing else.
static void the_root_alone_is_no_reason_to_switch(void **state)
{
    (void)state;
    tlb_flush_stage2_all(MINE ^ 0x1000);
    ASSERT_STEPS(FAKE_TLBI_VMALLS12E1IS, FAKE_DSB_ISH, FAKE_ISB);
}

static void one_page_of_another_guest_goes_under_its_vmid(void **state)
{
    (void)state;
    tlb_flush_stage2_ipa(OTHER, ipa_make(IPA));
    ASSERT_STEPS(FAKE_DSB_ISH, FAKE_SYSREG_WRITE, FAKE_ISB, FAKE_TLBI_IPAS2E1IS, FAKE_DSB_ISH, FAKE_TLBI_VMALLE1IS,
                 FAKE_DSB_ISH, FAKE_SYSREG_WRITE, FAKE_ISB);
    for (unsigned int i = 2; i <= 6; i++)
        assert_true(loaded[i] == OTHER); // from the ISB to the last DSB
    assert_true(loaded[8] == MINE);
}

static void everything_of_another_guest_goes_under_its_vmid(void **state)
{
    (void)state;
    tlb_flush_stage2_all(OTHER);
    ASSERT_STEPS(FAKE_DSB_ISH, FAKE_SYSREG_WRITE, FAKE_ISB, FAKE_TLBI_VMALLS12E1IS, FAKE_DSB_ISH, FAKE_SYSREG_WRITE,
                 FAKE_ISB);
    assert_true(loaded[3] == OTHER && loaded[4] == OTHER && loaded[6] == MINE);
    assert_string_equal(fake_trace[1].name, "VTTBR_EL2");
}

static void a_reset_leaves_no_entry_of_any_guest(void **state)
{
    (void)state;
    tlb_flush_all_guests();
    ASSERT_STEPS(FAKE_TLBI_ALLE1, FAKE_DSB_ISH, FAKE_ISB);
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_page_of_this_cpus_guest_switches_nothing),    TEST(everything_of_this_cpus_guest_switches_nothing),
        TEST(the_root_alone_is_no_reason_to_switch),           TEST(one_page_of_another_guest_goes_under_its_vmid),
        TEST(everything_of_another_guest_goes_under_its_vmid), TEST(a_reset_leaves_no_entry_of_any_guest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
