// SPDX-License-Identifier: Apache-2.0
// The monitor's single step: what it borrows from the guest, and that all of it is given back as it was.
// Links: debug/step.c

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fake_vm_state.h>

#include <hv/arch/frame.h>
#include <hv/arch/registers.h>
#include <hv/arch/step.h>
#include <hv/vm.h>

static struct trap_frame frame;
static struct vm vm;
static struct vcpu vcpu;

static int set_up(void **state)
{
    (void)state;
    fake_sysreg_reset();
    fake_trace_reset();
    frame = (struct trap_frame){.spsr_el2 = SPSR_M_EL1H};
    vcpu = (struct vcpu){.vm = &vm, .frame = &frame};
    fake_vm_state = (struct fake_vm_state){.broken_by = NOTIFY_COUNT};
    return 0;
}

// DDI 0487 D2.3: with OSLSR_EL1.OSLK there is no step exception, and a CPU comes out of reset with it.
static void the_os_lock_is_open_while_steps_are_taken(void **state)
{
    for (uint64_t locked = 0; locked < 2; locked++) {
        set_up(state);
        fake_sysreg_set("OSLSR_EL1", 8 | locked << 1);
        fake_sysreg_set("OSLAR_EL1", 0x77);
        step_start(&vcpu, 2);
        step_arm(&vcpu, false);
        assert_int_equal(fake_sysreg_get("OSLAR_EL1"), 0);
        assert_int_equal(vcpu.guest_os_lock, locked);
        fake_sysreg_set("OSLSR_EL1", 8); // as hardware would have it now
        assert_true(step_take(&vcpu));
        step_arm(&vcpu, false);
        assert_int_equal(fake_sysreg_get("OSLAR_EL1"), 0);
        assert_int_equal(vcpu.guest_os_lock, locked);
        assert_true(step_take(&vcpu));
        assert_int_equal(fake_vm_state.breaks, 1);
        assert_int_equal(fake_vm_state.broken_by, NOTIFY_STEP);
        assert_ptr_equal(fake_vm_state.vcpu, &vcpu);
        assert_int_equal(vcpu.step_count, 0);
        assert_int_equal(fake_sysreg_get("OSLAR_EL1"), locked);
    }
}

static void what_the_guest_wrote_meanwhile_is_given_back(void **state)
{
    (void)state;
    fake_sysreg_set("OSLSR_EL1", 10);
    fake_sysreg_set("MDSCR_EL1", MDSCR_EL1_MDE);
    step_start(&vcpu, 5);
    step_arm(&vcpu, false);
    assert_int_equal(fake_sysreg_get("MDSCR_EL1"), MDSCR_EL1_SS); // its own breakpoints rest
    assert_int_equal(fake_sysreg_get("MDCR_EL2"), MDCR_EL2_TDE);
    vcpu.guest_mdscr = MDSCR_EL1_KDE; // sysreg.c
    vcpu.guest_os_lock = false;
    step_cancel(&vcpu);
    assert_int_equal(fake_sysreg_get("MDSCR_EL1"), MDSCR_EL1_KDE);
    assert_int_equal(fake_sysreg_get("OSLAR_EL1"), 0);
    assert_int_equal(fake_sysreg_get("MDCR_EL2"), 0);
    assert_false(vcpu.step_owned || (frame.spsr_el2 & SPSR_ELX_SS));
    fake_sysreg_set("OSLAR_EL1", 1); // the guest's again
    step_cancel(&vcpu);
    assert_int_equal(fake_sysreg_get("OSLAR_EL1"), 1);
}

static void an_instruction_that_is_done_is_a_step(void **state)
{
    (void)state;
    step_start(&vcpu, 3);
    step_arm(&vcpu, true); // the first one is armed, whatever brought the vCPU here
    assert_true(frame.spsr_el2 & SPSR_ELX_SS);
    step_arm(&vcpu, true);
    assert_false(frame.spsr_el2 & SPSR_ELX_SS);
    step_arm(&vcpu, false);
    assert_true(frame.spsr_el2 & SPSR_ELX_SS);
}

// Whoever resumes a paused VM, or turns a vCPU on again, does not expect the rest of the steps.
static void steps_end_where_the_guest_stops(void **state)
{
    static const struct {
        unsigned int vm_state, power;
        bool end;
    } cases[] = {{VM_RUNNING, VCPU_ON, false}, {VM_PAUSED, VCPU_ON, true}, {VM_RUNNING, VCPU_ON_PENDING, true}};

    for (unsigned int n = 0; n < ARRAY_COUNT(cases); n++) {
        set_up(state);
        step_start(&vcpu, 3);
        step_arm(&vcpu, false);
        vm.state = cases[n].vm_state;
        vcpu.power = cases[n].power;
        step_cancel_if_stopped(&vcpu);
        assert_int_equal(vcpu.step_owned, !cases[n].end);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_os_lock_is_open_while_steps_are_taken, set_up),
        cmocka_unit_test_setup(what_the_guest_wrote_meanwhile_is_given_back, set_up),
        cmocka_unit_test_setup(an_instruction_that_is_done_is_a_step, set_up),
        cmocka_unit_test_setup(steps_end_where_the_guest_stops, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
