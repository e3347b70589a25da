// SPDX-License-Identifier: Apache-2.0
// The record of an exit that goes the whole way: what the guest's registers were at entry, whatever the exit does to
// them; once, also when the vCPU waits before it goes back, or never does; the width of an access; who made a call.
//
// Links: trap/trap_trace.c trace/trace.c trace/trace_filter.c trace/telemetry.c mm/guest_walk.c mm/guest_mem.c
// Links: mm/space.c mm/stage2.c mm/pool.c arch/aarch64/tlb.c arch/aarch64/s2_pte.c lib/range.c

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fake_trace.h>

#include <hv/arch/guarded.h>
#include <hv/arch/trap.h>
#include <hv/guest_mem.h>
#include <hv/policy.h>
#include <hv/pool.h>
#include <hv/telemetry.h>
#include <hv/trace.h>
#include <hv/trace_exit.h>
#include <hv/trace_filter.h>
#include <hv/trap_result.h>

#include <guest_ram.h>

#define RAM       ((uint64_t)GUEST_RAM_IPA)
#define HVC       0x5a000000
#define DABT_8    0x93c00006 // ISV, SAS = 3: 8 bytes, read
#define DABT_NONE 0x92000006 // ISV = 0
#define SYSREG    0x62300000

static _Alignas(128) uint8_t memory[TRACE_SIZE];
static uint8_t filter[KEY_COUNT][2];
static _Alignas(4096) uint8_t page[4096];
static _Alignas(4096) uint64_t root[512];
static _Alignas(4096) uint8_t pages[8][4096];
static struct pool pool;
static struct telemetry telemetry;
static struct trap_frame frame;
static struct policy policy;
static struct vm vm;
static struct vcpu *const vcpu = &vm.vcpus[0];

static int set_up(void **state)
{
    struct ipa_range range = {.base = {RAM}, .size = 4096};
    (void)state;

    memset(&vm, 0, sizeof(vm));
    memset(page, 0, sizeof(page));
    fake_guarded_fault = NULL;
    pool_init(&pool, pages, ARRAY_COUNT(pages));
    space_init(&vm.space, root, &pool, 1);
    fake_guest_ram(&vm.space);
    assert_int_equal(stage2_map(&vm.space.stage2, &range, pa_make((uintptr_t)page), STAGE2_READ | STAGE2_WRITE), HV_OK);
    telemetry_init(&telemetry, 0);
    for (unsigned int n = 0; n < 31; n++)
        frame.x[n] = 0x100 + n;
    frame.spsr_el2 = 0x600003c5;
    vm.policy = &policy;
    vm.trace_filter = &filter[0][0];
    vm.number = 3;
    *vcpu = (struct vcpu){.vm = &vm, .telemetry = &telemetry, .frame = &frame};
    fake_sysreg_reset();
    fake_sysreg_set("TPIDR_EL2", (uintptr_t)vcpu);
    fake_sysreg_set("TTBR0_EL1", 0x0007000041234000);
    fake_sysreg_set("CONTEXTIDR_EL1", 0x21);
    trace_init(memory, 1);
    trace_init_vcpu(vcpu);
    memset(filter, 0, sizeof(filter));
    trace_filter_add_all(&vm);
    trace_filter_apply(&vm, true);
    return 0;
}

// An exit up to its end; the handler changes x0, x3, x30 and PSTATE.
static struct event *run_exit(uint8_t cause, uint16_t key, uint32_t syndrome)
{
    trace_enter(&frame);
    struct event *event = telemetry_begin(&telemetry);
    event->entry = 10;
    event->cause = cause;
    event->key = key;
    event->syndrome = syndrome;
    event->write = cause == KEY_CAUSE_HVC;
    frame.x[0] = frame.x[3] = frame.x[30] = 0xbad;
    frame.spsr_el2 = 0;
    telemetry_end(&telemetry, event, 20);
    return event;
}

// The newest record; NULL when there is none.
static const struct trace_record *last(void)
{
    static struct trace_record record;

    return trace_copy(vcpu, trace_counts(vcpu).records - 1, &record) ? &record : NULL;
}

static void it_has_the_registers_at_entry(void **state)
{
    (void)state;
    run_exit(KEY_CAUSE_HVC, KEY_PSCI_FEATURES, HVC);
    assert_null(last()); // not before the exit has ended
    trace_exit(&frame);
    assert_int_equal(last()->x[0], 0x100);
    assert_int_equal(last()->x[3], 0x103);
    assert_int_equal(last()->lr, 0x100 + 30);
    assert_int_equal(last()->pstate, 0x600003c5);
    assert_int_equal(last()->context, 0x41234000 ^ 0x210000);
    assert_int_equal(last()->vm, 3);
    assert_int_equal(last()->event.type, TRACE_TYPE_EXIT);
    assert_int_equal(last()->event.exit, 20);
    trace_exit(&frame);
    assert_int_equal(trace_counts(vcpu).records, 1); // once
}

static void an_exit_that_waits_has_its_record_before(void **state)
{
    (void)state;
    run_exit(KEY_CAUSE_HVC, KEY_PSCI_CPU_OFF, HVC);
    trace_finish(vcpu);
    assert_int_equal(last()->event.key, KEY_PSCI_CPU_OFF);
    trace_exit(&frame); // after another vCPU has turned it on
    assert_int_equal(trace_counts(vcpu).records, 1);
}

static void an_exit_that_never_ends_has_its_record(void **state)
{
    (void)state;
    fake_sysreg_set("CNTPCT_EL0", 99);
    trace_enter(&frame);
    struct event *event = telemetry_begin(&telemetry);
    event->key = KEY_PSCI_SYSTEM_OFF;
    event->cause = KEY_CAUSE_HVC;
    event->value = 168; // what is left of an older exit
    event->result = TRAP_DONE;
    trace_abandon(vcpu);
    assert_int_equal(last()->event.key, KEY_PSCI_SYSTEM_OFF);
    assert_int_equal(last()->event.value, 0);
    assert_int_equal(last()->event.result, TRAP_STOP);
    assert_int_equal(last()->event.exit, 99);
}

// trap.c has taken the mark out of the event, whose slot others use, and left it with the vCPU.
static void a_cited_exit_says_so_and_the_next_does_not(void **state)
{
    (void)state;
    run_exit(KEY_CAUSE_HVC, KEY_PSCI_FEATURES, HVC)->logged = 0;
    vcpu->traced.logged = true;
    trace_exit(&frame);
    assert_int_equal(last()->event.logged, 1);
    run_exit(KEY_CAUSE_HVC, KEY_PSCI_FEATURES, HVC);
    trace_exit(&frame);
    assert_int_equal(last()->event.logged, 0);
}

static void an_exit_that_began_without_a_trace_has_none(void **state)
{
    (void)state;
    trace_finish(vcpu);
    assert_int_equal(trace_counts(vcpu).records, 0);
}

static void what_is_filtered_has_none(void **state)
{
    (void)state;
    trace_filter_clear(&vm);
    trace_filter_add_key(&vm, KEY_PSCI_FEATURES);
    trace_filter_apply(&vm, true);
    run_exit(KEY_CAUSE_HVC, KEY_PSCI_VERSION, HVC);
    trace_exit(&frame);
    assert_int_equal(trace_counts(vcpu).records, 0);
    run_exit(KEY_CAUSE_HVC, KEY_PSCI_FEATURES, HVC);
    trace_filter_apply(&vm, false); // turned off while the exit is in EL2
    trace_exit(&frame);
    assert_int_equal(trace_counts(vcpu).records, 0);
}

static void width_is_the_access(void **state)
{
    (void)state;
    run_exit(KEY_CAUSE_DABT, KEY_DEVICE_PL011, DABT_8)->width = 77; // of an older event
    trace_exit(&frame);
    assert_int_equal(last()->event.width, 8);
    run_exit(KEY_CAUSE_DABT, KEY_DEVICE_PL011, DABT_NONE)->width = 16;
    trace_exit(&frame);
    assert_int_equal(last()->event.width, 16);
    run_exit(KEY_CAUSE_SYSREG, KEY_SYSREG_UNKNOWN, SYSREG)->width = 77;
    trace_exit(&frame);
    assert_int_equal(last()->event.width, 8);
    run_exit(KEY_CAUSE_WFI, KEY_CAUSE_WFI, 0x7e000000)->width = 77;
    trace_exit(&frame);
    assert_int_equal(last()->event.width, 0);
}

// With its MMU off (SCTLR_EL1.M is 0) the guest's addresses are IPAs.
static uint64_t caller_for(uint64_t frame_pointer, uint8_t cause)
{
    frame.x[29] = frame_pointer;
    run_exit(cause, KEY_PSCI_FEATURES, HVC);
    trace_exit(&frame);
    return last()->caller;
}

static void the_caller_is_above_the_frame_record(void **state)
{
    (void)state;
    memcpy(page + 0x108, &(uint64_t){0xffff800010abcdef}, 8);
    memcpy(page + 4088, &(uint64_t){0x1234}, 8);
    assert_int_equal(caller_for(RAM + 0x100, KEY_CAUSE_HVC), 0xffff800010abcdef);
    assert_int_equal(caller_for(RAM + 0x100, KEY_CAUSE_SMC), 0xffff800010abcdef);
    assert_int_equal(caller_for(RAM + 4080, KEY_CAUSE_HVC), 0x1234);
    assert_int_equal(caller_for(RAM + 0x100, KEY_CAUSE_DABT), 0);
    assert_int_equal(caller_for(RAM + 0x104, KEY_CAUSE_HVC), 0);    // not aligned
    assert_int_equal(caller_for(RAM + 4096, KEY_CAUSE_HVC), 0);     // a hole
    assert_int_equal(caller_for(0x09000000, KEY_CAUSE_HVC), 0);     // a device
    assert_int_equal(caller_for(UINT64_MAX - 7, KEY_CAUSE_HVC), 0); // it wraps
    assert_int_equal(caller_for(0xffff800000000000, KEY_CAUSE_HVC), 0);
    fake_sysreg_set("SCTLR_EL1", SCTLR_ELX_EE); // big-endian
    assert_int_equal(caller_for(RAM + 0x100, KEY_CAUSE_HVC), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(it_has_the_registers_at_entry, set_up),
        cmocka_unit_test_setup(an_exit_that_waits_has_its_record_before, set_up),
        cmocka_unit_test_setup(an_exit_that_never_ends_has_its_record, set_up),
        cmocka_unit_test_setup(a_cited_exit_says_so_and_the_next_does_not, set_up),
        cmocka_unit_test_setup(an_exit_that_began_without_a_trace_has_none, set_up),
        cmocka_unit_test_setup(what_is_filtered_has_none, set_up),
        cmocka_unit_test_setup(width_is_the_access, set_up),
        cmocka_unit_test_setup(the_caller_is_above_the_frame_record, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
