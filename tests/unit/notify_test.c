// SPDX-License-Identifier: Apache-2.0
// Events reach every listener once, on the boot CPU, from whichever CPU they are posted.
// Links: core/notify.c

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <hv/arch/cpu.h>
#include <hv/gicv3.h>
#include <hv/machine.h>
#include <hv/notify.h>

#include <fake_panic.h>

static unsigned int here, kicks, told_count;
static enum notify_event told[8];
static struct vcpu *about[8]; // told[n] was about it
static struct vm vms[2];      // the first on CPUs 0 to 2, the second on CPU 3

unsigned int cpu_id(void)
{
    return here;
}

void gicv3_send_sgi(unsigned int intid, unsigned int cpu)
{
    assert_int_equal(intid, GICV3_SGI_KICK);
    assert_int_equal(cpu, 0);
    kicks++;
}

static void listen(enum notify_event event, struct vcpu *vcpu)
{
    assert_int_equal(here, 0);
    about[told_count] = vcpu;
    told[told_count++] = event;
}

static void listen_too(enum notify_event event, struct vcpu *vcpu)
{
    listen(event, vcpu);
}

static int register_two(void **state)
{
    (void)state;
    notify_register(listen);
    notify_register(listen_too);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    here = kicks = told_count = 0;
    for (unsigned int cpu = 0; cpu < 4; cpu++) {
        struct vm *vm = &vms[cpu == 3];
        vm->vcpus[cpu % 3].cpu = cpu;
        vm->vcpus[cpu % 3].vm = vm;
    }
    return 0;
}

static void the_boot_cpu_tells_at_once(void **state)
{
    (void)state;
    notify_post(NOTIFY_GUEST_PANIC, &vms[0].vcpus[0]);
    assert_int_equal(told_count, 2);
    assert_ptr_equal(about[0], &vms[0].vcpus[0]);
    assert_ptr_equal(about[1], &vms[0].vcpus[0]);
    assert_int_equal(told[0], NOTIFY_GUEST_PANIC);
    assert_int_equal(told[1], NOTIFY_GUEST_PANIC);
    assert_int_equal(kicks, 0);
    notify_serve();
    assert_int_equal(told_count, 2);
}

static void another_cpu_kicks_the_boot_cpu_which_tells(void **state)
{
    (void)state;
    here = 2;
    notify_post(NOTIFY_GUEST_OOPSES, &vms[0].vcpus[2]);
    notify_post(NOTIFY_STEP, &vms[0].vcpus[2]);
    notify_post(NOTIFY_GUEST_OOPSES, &vms[0].vcpus[2]);
    assert_int_equal(kicks, 3);
    notify_serve(); // not its business
    assert_int_equal(told_count, 0);
    here = 0;
    notify_serve();
    assert_int_equal(told_count, 4); // both events once to each listener, in the order of the table
    assert_int_equal(told[0], NOTIFY_STEP);
    assert_int_equal(told[3], NOTIFY_GUEST_OOPSES);
    notify_serve();
    assert_int_equal(told_count, 4);
}

// The same event at the same time in both VMs: each listener hears of both, and knows which is which. It does not
// matter on which CPU somebody found it.
static void events_of_two_vms_are_apart(void **state)
{
    (void)state;
    here = 3;
    notify_post(NOTIFY_GUEST_PANIC, &vms[1].vcpus[0]);
    here = 1;
    notify_post(NOTIFY_GUEST_PANIC, &vms[0].vcpus[1]);
    notify_post(NOTIFY_VCPU_MASKED, &vms[1].vcpus[0]);
    here = 0;
    notify_serve();
    assert_int_equal(told_count, 6);
    assert_ptr_equal(about[0], &vms[0].vcpus[1]);
    for (unsigned int i = 2; i < 6; i++)
        assert_ptr_equal(about[i], &vms[1].vcpus[0]);
    assert_int_equal(told[0], NOTIFY_GUEST_PANIC);
    assert_int_equal(told[2], NOTIFY_GUEST_PANIC); // in the order of the table
    assert_int_equal(told[4], NOTIFY_VCPU_MASKED);
    notify_serve();
    assert_int_equal(told_count, 6);
}

static void every_event_has_its_words(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < NOTIFY_COUNT; i++)
        for (unsigned int other = 0; other < i; other++)
            assert_string_not_equal(notify_name(i), notify_name(other));
    assert_string_equal(notify_name(NOTIFY_GUEST_PANIC), "guest panic");
    assert_string_equal(notify_name(NOTIFY_COUNT), "?");
}

static void a_listener_too_many_is_a_bug(void **state)
{
    (void)state;
    notify_register(listen);
    notify_register(listen);
    if (FAKE_PANIC_EXPECTED() == 0) {
        notify_register(listen);
        fail();
    }
    assert_string_equal(fake_panic_text, "notify: more than 4 listeners");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_boot_cpu_tells_at_once, setup),
        cmocka_unit_test_setup(another_cpu_kicks_the_boot_cpu_which_tells, setup),
        cmocka_unit_test_setup(events_of_two_vms_are_apart, setup),
        cmocka_unit_test_setup(every_event_has_its_words, setup),
        cmocka_unit_test_setup(a_listener_too_many_is_a_bug, setup),
    };
    return cmocka_run_group_tests(tests, register_two, NULL);
}
