// SPDX-License-Identifier: Apache-2.0
// vcpu_wait: when a vCPU leaves the idle loop of EL2, and that no pause takes a running vCPU for a waiting one.
// Links: vm/vcpu.c tests/fake/fake_trace_text.c

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fake_cpu_id.h>
#include <fake_gicv3.h>
#include <fake_trace.h>
#include <fake_vm_state.h>

#include <hv/vcpu.h>
#include <hv/vgic.h>
#include <hv/vtimer.h>

static struct vm vm;
static struct trap_frame frame;
static struct vcpu vcpu = {.vm = &vm, .frame = &frame};
static unsigned int irqs, stops, offsets, resets;

// What the idle loop serves: here, the resume.
void irq_serve(unsigned int intid)
{
    assert_int_equal(intid, 5);
    assert_true(vcpu.waiting);
    irqs++;
    vm.state = VM_RUNNING;
}

void vgic_stop_cpu(struct vcpu *of)
{
    (void)of;
    stops++;
    vcpu.power = VCPU_ON_PENDING;
}

void vgic_init_cpu(struct vcpu *of)
{
    (void)of;
}

bool vgic_has_pending(struct vcpu *of)
{
    (void)of;
    return true;
}

void vgic_refill(struct vcpu *of)
{
    (void)of;
}

void vtimer_init_cpu(struct vcpu *of)
{
    (void)of;
}

void vtimer_update_offset(struct vcpu *of)
{
    (void)of;
    offsets++;
}

void vcpu_reset(struct vcpu *of, uint64_t entry, uint64_t context)
{
    (void)of, (void)entry, (void)context;
    resets++;
}

static int setup(void **state)
{
    (void)state;
    vm = (struct vm){.state = VM_RUNNING, .vcpu_count = 1};
    frame = (struct trap_frame){0};
    vcpu = (struct vcpu){.vm = &vm, .frame = &frame};
    irqs = stops = offsets = resets = 0;
    fake_gicv3 = (struct fake_gicv3){.pending = {5, 5, 5, 5}, .pending_count = 4};
    fake_vm_state = (struct fake_vm_state){0};
    fake_trace_reset();
    return 0;
}

static void test_running_vm_needs_no_wait(void **state)
{
    (void)state;
    vcpu.request = VCPU_REQUEST_WAIT;
    vcpu_wait(&vcpu);
    assert_int_equal(vcpu.request, 0);
    assert_int_equal(irqs + fake_vm_state.idles, 0);
    assert_int_equal(offsets, 1);
    assert_false(vcpu.waiting);
}

static void test_paused_vm_serves_interrupts(void **state)
{
    (void)state;
    vm.state = VM_PAUSED;
    vcpu_wait(&vcpu);
    assert_int_equal(irqs, 1);
    assert_int_equal(fake_vm_state.idles, 1);
    assert_false(vcpu.waiting);
}

static void test_vcpu_turned_on_is_reset(void **state)
{
    (void)state;
    vcpu.power = VCPU_OFF;
    vcpu_wait(&vcpu);
    assert_int_equal(stops, 1);
    assert_int_equal(resets, 1);
    assert_int_equal(vcpu.power, VCPU_ON);
}

// The word that holds vcpu.waiting.
static const uint64_t *waiting_word(void)
{
    return (const uint64_t *)((uintptr_t)&vcpu.waiting & ~UINT64_C(7));
}

static void test_not_waiting_is_stored_before_requests_are_read(void **state)
{
    unsigned int shift = 8 * (offsetof(struct vcpu, waiting) % 8);

    (void)state;
    vcpu.waiting = true;
    fake_trace_watch(waiting_word());
    vcpu_wait(&vcpu);
    assert_int_equal(fake_trace_count, 1);
    assert_int_equal(fake_trace[0].operation, FAKE_DMB_ISH);
    assert_int_equal(fake_trace[0].watched >> shift & 0xff, false);
}

// Another CPU pauses between this one's look at the state and its store of "waiting".
static void pause_late(enum fake_operation operation)
{
    if (operation != FAKE_DMB_ISH || irqs > 0)
        return;
    vm.state = VM_PAUSED;
    vcpu.request |= VCPU_REQUEST_WAIT;
}

static void test_late_pause_is_seen(void **state)
{
    (void)state;
    fake_trace_hook = pause_late;
    vcpu_wait(&vcpu);
    assert_int_equal(irqs, 1); // it waited again before anything else
    assert_int_equal(offsets, 1);
    assert_int_equal(vcpu.request, 0);
    assert_false(vcpu.waiting);
}

static void test_a_vcpu_turned_on_again_has_nothing_held(void **state)
{
    (void)state;
    vcpu.held.valid = true;
    vcpu.power = VCPU_ON_PENDING;
    vcpu_wait(&vcpu);
    assert_false(vcpu.held.valid);
}

static void test_suspended_vcpu_waits_once(void **state)
{
    (void)state;
    vcpu.request = VCPU_REQUEST_SUSPEND | VCPU_REQUEST_STEP;
    vcpu_wait_for_interrupt(&vcpu);
    assert_int_equal(vcpu.request, VCPU_REQUEST_STEP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_running_vm_needs_no_wait, setup),
        cmocka_unit_test_setup(test_paused_vm_serves_interrupts, setup),
        cmocka_unit_test_setup(test_vcpu_turned_on_is_reset, setup),
        cmocka_unit_test_setup(test_not_waiting_is_stored_before_requests_are_read, setup),
        cmocka_unit_test_setup(test_late_pause_is_seen, setup),
        cmocka_unit_test_setup(test_a_vcpu_turned_on_again_has_nothing_held, setup),
        cmocka_unit_test_setup(test_suspended_vcpu_waits_once, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
