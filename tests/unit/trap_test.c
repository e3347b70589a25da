// SPDX-License-Identifier: Apache-2.0
// Which row speaks for an exception: what trap_from_sync makes of its syndrome.
// Links: trap/trap.c trap/aarch32.c trace/telemetry.c

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fake_gicv3.h>
#include <fake_step.h>
#include <fake_trace_exit.h>
#include <fake_vm_state.h>

#include <hv/arch/abort.h>
#include <hv/arch/inject.h>
#include <hv/arch/sysreg.h>
#include <hv/arch/trap.h>
#include <hv/policy.h>
#include <hv/telemetry.h>
#include <hv/trap.h>
#include <hv/vgic.h>
#include <hv/vm.h>

static struct telemetry telemetry;
static struct trap_frame frame;
static const struct policy policy;
static struct vm vm = {.policy = &policy};
static struct vcpu vcpu = {.vm = &vm, .frame = &frame, .telemetry = &telemetry};
static unsigned int wfx_key;

// ---- What the trap path calls ----

const uint32_t sysreg_multiplier;
const struct sysreg_page sysreg_pages[1];
const uint8_t sysreg_slots[SYSREG_SLOT_COUNT];

enum trap_result trap_wfx(struct vcpu *of, struct event *event)
{
    (void)of;
    assert_int_equal(event->cause, event->key);
    wfx_key = event->key;
    return TRAP_DONE;
}

#define NEVER(name)                                                                                                    \
    enum trap_result name(struct vcpu *of, struct event *event)                                                        \
    {                                                                                                                  \
        (void)of, (void)event;                                                                                         \
        fail();                                                                                                        \
        return TRAP_DONE;                                                                                              \
    }
NEVER(trap_sysreg)
NEVER(trap_call)
NEVER(trap_other)
NEVER(trap_debug)
NEVER(abort_handle)

enum hv_status sysreg_read(struct vcpu *of, unsigned int key, uint64_t *value)
{
    (void)of;
    (void)key, (void)value;
    fail();
    return HV_ERR_UNSUPPORTED;
}

enum trap_result trap_serror(struct vcpu *of, struct event *event)
{
    (void)of;
    event->row = 0;
    return TRAP_STOP;
}

void irq_serve(unsigned int intid)
{
    (void)intid;
}

void abort_inject(struct vcpu *of)
{
    (void)of;
}

void inject_undef(struct vcpu *of)
{
    (void)of;
}

bool inject_debug(struct vcpu *of, uint32_t syndrome)
{
    (void)of, (void)syndrome;
    return true;
}

void vgic_refill(struct vcpu *of)
{
    (void)of;
}

// ---- Tests ----

static unsigned int key_of_wfx(uint64_t syndrome)
{
    wfx_key = KEY_COUNT;
    frame = (struct trap_frame){.esr_el2 = FIELD_PREP(ESR_ELX_EC, ESR_EC_WFX) | ESR_ELX_IL | syndrome};
    trap_from_sync(&frame);
    assert_int_equal(frame.elr_el2, 4);
    return wfx_key;
}

// ISS.TI; with a time-out ISS has a register as well (RN, RV).
static void a_wait_with_a_timeout_is_judged_as_the_one_without(void **state)
{
    (void)state;
    assert_int_equal(key_of_wfx(0), KEY_CAUSE_WFI);
    assert_int_equal(key_of_wfx(1), KEY_CAUSE_WFE);
    assert_int_equal(key_of_wfx(2), KEY_CAUSE_WFI);
    assert_int_equal(key_of_wfx(3), KEY_CAUSE_WFE);
    assert_int_equal(key_of_wfx(0x64 | 2), KEY_CAUSE_WFI);
}

static const struct event *last_event(void)
{
    return &telemetry.last[(telemetry.sequence - 1) % TELEMETRY_LAST];
}

// An interrupt is EL2's own, whatever the policy's default is: it counts for no row. A row can name the SError.
static void interrupts_count_for_no_row(void **state)
{
    uint64_t of_default = telemetry.row_count[0];
    uint64_t of_none = telemetry.row_count[POLICY_ROW_NONE];

    (void)state;
    trap_from_irq(&frame, 30);
    trap_from_fiq(&frame);
    assert_int_equal(telemetry.row_count[0], of_default);
    assert_int_equal(telemetry.row_count[POLICY_ROW_NONE], of_none + 2);
    assert_int_equal(last_event()->row, POLICY_ROW_NONE);
    trap_from_serror(&frame);
    assert_int_equal(telemetry.row_count[0], of_default + 1);
    assert_int_equal(telemetry.row_count[POLICY_ROW_NONE], of_none + 2);
    assert_int_equal(last_event()->result, TRAP_STOP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_with_a_timeout_is_judged_as_the_one_without),
        cmocka_unit_test(interrupts_count_for_no_row),
    };

    WRITE_SYSREG(TPIDR_EL2, (uint64_t)&vcpu);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
