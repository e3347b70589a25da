// SPDX-License-Identifier: Apache-2.0
// What a policy row has held: it passes once, and nothing else passes in its place.
// Links: debug/hold.c

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fake_vm_state.h>

#include <hv/hold.h>
#include <hv/telemetry.h>
#include <hv/vm.h>

static struct vm vm;
static struct trap_frame frame;
static struct telemetry telemetry;
static struct vcpu vcpu;

static int set_up(void **state)
{
    (void)state;
    frame = (struct trap_frame){0};
    vcpu = (struct vcpu){.vm = &vm, .frame = &frame, .telemetry = &telemetry};
    fake_vm_state = (struct fake_vm_state){.broken_by = NOTIFY_COUNT};
    return 0;
}

// What a policy row has held is let through once: the same access of the same instruction, and no other.
static void test_a_pass_is_for_what_was_held(void **state)
{
    static const struct event held = {.pc = 0x40000000,
                                      .key = KEY_DEVICE_PL031,
                                      .address = 0x9010000,
                                      .value = 5,
                                      .syndrome = 0x93800046,
                                      .write = 1};
    struct event differs[6];

    (void)state;
    for (unsigned int i = 0; i < ARRAY_COUNT(differs); i++)
        differs[i] = held;
    differs[0].pc += 4;
    differs[1].key = KEY_DEVICE_PL011;
    differs[2].address += 4;
    differs[3].value++;
    differs[4].syndrome ^= 1u << 16; // the code was changed meanwhile
    differs[5].write = 0;
    hold_access(&vcpu, &held);
    for (unsigned int i = 0; i < ARRAY_COUNT(differs); i++)
        assert_false(hold_passed(&vcpu, &differs[i]));
    frame.x[3] = 1; // an argument of a call, or what else is stored
    assert_false(hold_passed(&vcpu, &held));
    frame.x[3] = 0;
    vcpu.parts[2] = 1;
    assert_false(hold_passed(&vcpu, &held));
    vcpu.parts[2] = 0;
    assert_true(hold_passed(&vcpu, &held));
    assert_true(hold_passed(&vcpu, &differs[2])); // another part of that access
    telemetry.sequence++;
    assert_false(hold_passed(&vcpu, &held)); // once
}

// What a read held is not known before it: its slot may have anything.
static void test_a_held_read_has_no_value(void **state)
{
    struct event read = {.pc = 0x40000000, .key = KEY_CAUSE_WFI, .value = 7};

    (void)state;
    hold_access(&vcpu, &read);
    read.value = 8;
    assert_true(hold_passed(&vcpu, &read));
}

static void test_a_vcpu_that_is_moved_has_nothing_held(void **state)
{
    static const struct event held = {.pc = 0x40000000, .key = KEY_CAUSE_WFI};

    (void)state;
    hold_access(&vcpu, &held);
    assert_int_equal(fake_vm_state.breaks, 1);
    assert_int_equal(fake_vm_state.broken_by, NOTIFY_POLICY_PAUSE);
    assert_ptr_equal(fake_vm_state.vcpu, &vcpu);
    hold_drop(&vcpu);
    assert_int_equal(vcpu.request, VCPU_REQUEST_WAIT); // ends WFI
    assert_false(hold_passed(&vcpu, &held));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_pass_is_for_what_was_held, set_up),
        cmocka_unit_test_setup(test_a_held_read_has_no_value, set_up),
        cmocka_unit_test_setup(test_a_vcpu_that_is_moved_has_nothing_held, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
