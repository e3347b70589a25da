// SPDX-License-Identifier: Apache-2.0
// Policy applied: for every kind of event, each action has the effect that docs/POLICY.md gives it, and is
// fake_records.verdicts when its row says so.
//
// Links: trap/dispatch.c debug/hold.c vdev/device.c policy/policy.c platform/platform.c

#include <fake_device_ops.h>
#include <fake_records.h>
#include <fake_vm_state.h>

#include <hv/arch/guarded.h>
#include <hv/arch/inject.h>
#include <hv/arch/sysreg.h>
#include <hv/call.h>
#include <hv/guest_abi.h>
#include <hv/platform.h>
#include <hv/policy.h>
#include <hv/telemetry.h>
#include <hv/trap.h>
#include <hv/vm.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define HARDWARE UINT64_C(0x1111)
#define EMULATED UINT64_C(0x2222)
#define REGISTER KEY_SYSREG_FIRST
#define UART_FR  (PL011_IPA + 0x18)
#define GPIO     0x09030018u // a register of the device that a policy can pass on (platform/virt.h)

static struct trap_frame frame;
static uint64_t moved;
static struct vm vm;
static struct vcpu *vcpu = &vm.vcpus[0];
static struct event event;
static struct policy_verdict verdict;
static struct policy_range range;
static struct policy policy = {.ranges = &range, .range_count = 1};
static struct telemetry telemetry;
static unsigned int emulated, passed; // accesses by ariel's own code, and to the hardware
static uint64_t device_value;

// A pause and a stop come before the access.
static void look(uint64_t effect, uint64_t value)
{
    (void)value;
    if (effect == FAKE_VM_BREAK || effect == FAKE_VM_STOP)
        assert_int_equal(emulated + fake_devices.count, 0);
}

enum trap_result sysreg_emulate(struct vcpu *of, struct event *access)
{
    (void)of;
    emulated++;
    if (!access->write)
        access->value = EMULATED;
    return TRAP_DONE;
}

enum hv_status sysreg_read(struct vcpu *of, unsigned int key, uint64_t *value)
{
    (void)of;
    passed++;
    if (key == KEY_SYSREG_UNKNOWN)
        return HV_ERR_INVALID;
    *value = HARDWARE;
    return HV_OK;
}

enum hv_status sysreg_write(struct vcpu *of, unsigned int key, uint64_t value)
{
    (void)of;
    passed++;
    device_value = value;
    return key == KEY_SYSREG_UNKNOWN ? HV_ERR_INVALID : HV_OK;
}

unsigned int call_key(unsigned int cause, uint32_t syndrome, uint64_t number)
{
    (void)cause, (void)syndrome;
    return number == 1 ? KEY_HVC_GET_STATUS : KEY_HVC_UNKNOWN;
}

int64_t call_handle(struct vcpu *of, unsigned int key)
{
    (void)of, (void)key;
    emulated++;
    frame.elr_el2 += moved;
    return (int64_t)EMULATED;
}

void inject_serror(struct vcpu *of)
{
    (void)of;
    emulated++;
}

// Nothing has happened yet, nothing is held, and what comes is another exit.
static void forget(void)
{
    vcpu->held.valid = false;
    telemetry.sequence++;
    fake_records = (struct fake_records){0};
    fake_vm_state = (struct fake_vm_state){0};
    fake_devices = (struct fake_devices){.value = EMULATED};
    emulated = passed = 0;
}

static int setup(void **state)
{
    (void)state;
    memset(&frame, 0, sizeof(frame));
    memset(&event, 0, sizeof(event));
    memset(policy.verdicts, 0, sizeof(policy.verdicts));
    vcpu->frame = &frame;
    vcpu->vm = &vm;
    vcpu->telemetry = &telemetry;
    vm.policy = &policy;
    range = (struct policy_range){.base = PL011_IPA, .size = PL011_SIZE, .key = KEY_DEVICE_PL011, .widths = 0xf};
    forget();
    fake_effect_hook = look;
    device_value = 0;
    return 0;
}

// The device itself, at its own address (tests/fake/hv/arch/guarded.h).
static int map_device(void **state)
{
    (void)state;
    void *page = mmap((void *)platform.gpio.base, platform.gpio.size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    return page == (void *)platform.gpio.base ? 0 : -1;
}

// Every key has this verdict from now on.
static void decree(enum policy_action action, uint8_t flags)
{
    verdict = (struct policy_verdict){.action = (uint8_t)action, .flags = flags, .row = 7};
    for (unsigned int key = 0; key < KEY_COUNT; key++)
        policy.verdicts[key][0] = policy.verdicts[key][1] = verdict;
    range.verdict[0] = range.verdict[1] = verdict;
    forget();
}

static enum trap_result sysreg(bool write, unsigned int key)
{
    event = (struct event){.key = (uint16_t)key, .write = write, .value = 0x77};
    telemetry.sequence++;
    enum trap_result result = trap_sysreg(vcpu, &event);
    assert_int_equal(event.verdict, verdict.action);
    assert_int_equal(event.row, 7);
    return result;
}

static void a_register_by_each_action(void **state)
{
    (void)state;
    decree(POLICY_EMULATE, 0);
    assert_int_equal(sysreg(false, REGISTER), TRAP_DONE);
    assert_int_equal(event.value, EMULATED);
    decree(POLICY_ALLOW, 0);
    assert_int_equal(sysreg(false, REGISTER), TRAP_DONE);
    assert_int_equal(event.value, HARDWARE);
    assert_int_equal(sysreg(true, REGISTER), TRAP_DONE);
    assert_int_equal(device_value, 0x77);
    assert_int_equal(sysreg(false, KEY_SYSREG_UNKNOWN), TRAP_INJECT_UNDEF);
    assert_int_equal(emulated, 0);
    decree(POLICY_RAZ_WI, 0);
    assert_int_equal(sysreg(false, REGISTER), TRAP_DONE);
    assert_int_equal(event.value, 0);
    assert_int_equal(sysreg(true, REGISTER), TRAP_DONE);
    assert_int_equal(event.value, 0x77); // the record shows what was ignored
    decree(POLICY_DENY, 0);
    assert_int_equal(sysreg(false, REGISTER), TRAP_INJECT_UNDEF);
    assert_int_equal(emulated + fake_devices.count + passed, 0);
}

static void pause_comes_before_the_access_and_stop_instead(void **state)
{
    (void)state;
    decree(POLICY_PAUSE, 0);
    assert_int_equal(sysreg(false, REGISTER), TRAP_RETRY);
    assert_int_equal(fake_records.verdicts, 1);
    assert_int_equal(sysreg(false, REGISTER), TRAP_DONE);
    assert_int_equal(event.value, EMULATED);
    assert_int_equal(fake_vm_state.breaks, 1);
    decree(POLICY_PAUSE, POLICY_FLAG_LOG);
    assert_int_equal(sysreg(false, REGISTER), TRAP_RETRY);
    assert_int_equal(sysreg(false, REGISTER), TRAP_DONE);
    assert_int_equal(fake_records.verdicts, 1); // once, not twice
    decree(POLICY_STOP, 0);
    assert_int_equal(sysreg(false, REGISTER), TRAP_STOP);
    assert_int_equal(fake_vm_state.stops, 1);
    assert_int_equal(emulated, 0);
}

static void the_log_flag_writes_one_record(void **state)
{
    (void)state;
    for (unsigned int action = POLICY_ALLOW; action <= POLICY_DENY; action++) {
        decree(action, POLICY_FLAG_LOG);
        (void)sysreg(false, REGISTER);
        assert_int_equal(fake_records.verdicts, 1);
        decree(action, 0);
        (void)sysreg(false, REGISTER);
        assert_int_equal(fake_records.verdicts, 0);
    }
}

static enum trap_result call(uint64_t number)
{
    event = (struct event){.cause = KEY_CAUSE_HVC};
    frame.x[0] = number;
    return trap_call(vcpu, &event);
}

static void a_call_by_each_action(void **state)
{
    (void)state;
    decree(POLICY_EMULATE, 0);
    assert_int_equal(call(1), TRAP_DONE);
    assert_int_equal(frame.x[0], EMULATED);
    assert_int_equal(event.address, 1);
    decree(POLICY_ALLOW, 0);
    assert_int_equal(call(1), TRAP_DONE);
    assert_int_equal(frame.x[0], EMULATED);
    decree(POLICY_DENY, 0);
    assert_int_equal(call(1), TRAP_DONE);
    assert_int_equal((int64_t)frame.x[0], HVC_NOT_SUPPORTED);
    assert_int_equal(emulated, 0);
    decree(POLICY_RAZ_WI, 0);
    assert_int_equal(call(1), TRAP_DONE);
    assert_int_equal(frame.x[0], 0);
    decree(POLICY_STOP, 0);
    assert_int_equal(call(1), TRAP_STOP);
    assert_int_equal(frame.x[0], 1); // untouched
}

// By the monitor, while the call waited: nothing of the call is left.
static void a_guest_that_was_sent_elsewhere_starts_there(void **state)
{
    (void)state;
    decree(POLICY_EMULATE, 0);
    moved = 0x1000;
    assert_int_equal(call(1), TRAP_RETRY);
    moved = 0;
    assert_int_equal(frame.elr_el2, 0x1000);
    assert_int_equal(frame.x[0], 1);
}

static enum trap_result mmio(uint64_t address, bool write, unsigned int size)
{
    event = (struct event){.address = address, .write = write, .value = 0x77};
    return trap_mmio(vcpu, &event, size);
}

static void a_device_by_each_action(void **state)
{
    (void)state;
    decree(POLICY_EMULATE, 0);
    assert_int_equal(mmio(UART_FR, false, 4), TRAP_DONE);
    assert_int_equal(event.value, EMULATED);
    assert_int_equal(event.key, KEY_DEVICE_PL011);
    assert_int_equal(mmio(UART_FR, true, 4), TRAP_DONE);
    assert_int_equal(fake_devices.written, 0x77);
    fake_devices.answer = MMIO_FAULT;
    assert_int_equal(mmio(UART_FR, false, 4), TRAP_INJECT_ABORT);
    decree(POLICY_ALLOW, 0);
    range.key = KEY_DEVICE_PL061;
    range.base = platform.gpio.base;
    *(uint32_t *)GPIO = HARDWARE;
    assert_int_equal(mmio(GPIO, false, 4), TRAP_DONE);
    assert_int_equal(event.value, HARDWARE);
    assert_int_equal(mmio(GPIO, true, 4), TRAP_DONE);
    assert_int_equal(*(uint32_t *)GPIO, 0x77);
    range.base = PL011_IPA;
    decree(POLICY_DENY, 0);
    assert_int_equal(mmio(UART_FR, false, 4), TRAP_INJECT_ABORT);
    decree(POLICY_RAZ_WI, 0);
    assert_int_equal(mmio(UART_FR, false, 4), TRAP_DONE);
    assert_int_equal(event.value, 0);
}

// One that the policy passes on: the guest gets the abort, EL2 goes on, and the record says so.
static void a_device_that_does_not_answer_is_the_guests_abort(void **state)
{
    (void)state;
    decree(POLICY_ALLOW, POLICY_FLAG_LOG);
    range.key = KEY_DEVICE_PL061;
    range.base = platform.gpio.base;
    fake_guarded_fault = (const void *)GPIO;
    for (unsigned int write = 0; write < 2; write++) {
        assert_int_equal(mmio(GPIO, write, 4), TRAP_INJECT_ABORT);
        assert_int_equal(event.result, TRAP_INJECT_ABORT);
        assert_int_equal(fake_records.verdicts, write + 1);
    }
    fake_guarded_fault = NULL;
}

// Another board has something else there: its RAM, or EL2 itself.
static void what_this_board_does_not_have_is_never_passed_on(void **state)
{
    (void)state;
    decree(POLICY_ALLOW, 0);
    range.key = KEY_DEVICE_PL061;
    for (unsigned int write = 0; write < 2; write++) {
        assert_int_equal(mmio(UART_FR, write, 4), TRAP_INJECT_ABORT);
    }
}

// Tables that no policy compiles to: EL2 does not perform the access.
static void what_outlives_the_guest_or_writes_memory_is_never_passed_on(void **state)
{
    static const struct {
        uint16_t key;
        bool reads, writes;
    } rows[] = {
        {KEY_DEVICE_FLASH, true, false},   {KEY_DEVICE_PL031, true, false},        {KEY_DEVICE_PL061, true, true},
        {KEY_DEVICE_FW_CFG, false, false}, {KEY_DEVICE_VIRTIO_MMIO, false, false}, {KEY_DEVICE_PCIE_ECAM, false, false},
        {KEY_DEVICE_GICD, false, false},   {KEY_DEVICE_PL011, false, false},       {KEY_DEVICE_NONE, false, false},
        {KEY_CAUSE_FP, false, false},      {KEY_COUNT - 1, false, false},
    };
    (void)state;
    decree(POLICY_ALLOW, 0);
    range.base = platform.gpio.base;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        range.key = rows[i].key;
        *(uint32_t *)GPIO = HARDWARE;
        assert_int_equal(mmio(GPIO, false, 4), rows[i].reads ? TRAP_DONE : TRAP_INJECT_ABORT);
        assert_int_equal(mmio(GPIO, true, 4), rows[i].writes ? TRAP_DONE : TRAP_INJECT_ABORT);
        assert_int_equal(*(uint32_t *)GPIO, rows[i].writes ? 0x77 : HARDWARE);
    }
}

static void each_emulated_device_is_reached_at_its_offset(void **state)
{
    static const struct {
        uint64_t base, size;
        uint16_t key;
        uint32_t offset, from; // from: where in the device the row's range begins; that does not shift the offset
        const struct device_ops *device;
    } rows[] = {
        {GICD_IPA, GICD_SIZE, KEY_DEVICE_GICD, 4, 0, &device_gicd},
        {GICR_IPA, 0xf60000, KEY_DEVICE_GICR, 0xf5fff8, 0, &device_gicr},
        {PL011_IPA, 0x20, KEY_DEVICE_PL011, 0x18, 0x10, &device_pl011},
        {PL031_IPA, PL031_SIZE, KEY_DEVICE_PL031, 0xfe0, 0, &device_pl031},
        {0x0a000000, 0x4000, KEY_DEVICE_VIRTIO_MMIO, 0x3e08, 0, &device_virtio_mmio},
    };
    (void)state;
    decree(POLICY_EMULATE, 0);
    for (unsigned int i = 0; i < ARRAY_COUNT(rows); i++) {
        range = (struct policy_range){.base = rows[i].base + rows[i].from,
                                      .size = rows[i].size - rows[i].from,
                                      .key = rows[i].key,
                                      .widths = 0xf,
                                      .verdict = {verdict, verdict}};
        assert_int_equal(mmio(rows[i].base + rows[i].offset, i & 1, 4), TRAP_DONE);
        assert_int_equal(fake_devices.count, i + 1);
        assert_ptr_equal(fake_devices.device, rows[i].device);
        assert_int_equal(fake_devices.offset, rows[i].offset);
        assert_int_equal(fake_devices.access, i & 1 ? 4 | MMIO_WRITE : 4);
    }
    // Nothing emulates the others.
    range.base = PL011_IPA;
    range.key = KEY_DEVICE_PL061;
    assert_int_equal(mmio(UART_FR, false, 4), TRAP_INJECT_ABORT);
}

static void widths_and_holes_are_refused(void **state)
{
    (void)state;
    decree(POLICY_EMULATE, 0);
    range.widths = 4; // 4 bytes alone
    assert_int_equal(mmio(UART_FR, false, 8), TRAP_INJECT_ABORT);
    assert_int_equal(event.verdict, POLICY_DENY);
    assert_int_equal(mmio(UART_FR, false, 1), TRAP_INJECT_ABORT);
    assert_int_equal(fake_devices.count, 0);
    assert_int_equal(mmio(UART_FR, false, 4), TRAP_DONE);
    assert_int_equal(mmio(0x80000000, false, 4), TRAP_INJECT_ABORT);
    assert_int_equal(event.key, KEY_DEVICE_NONE);
}

static void waits_and_the_rest(void **state)
{
    (void)state;
    decree(POLICY_EMULATE, 0);
    event = (struct event){.key = KEY_CAUSE_WFI};
    assert_int_equal(trap_wfx(vcpu, &event), TRAP_DONE);
    assert_int_equal(fake_vm_state.waits, 1);
    event = (struct event){.key = KEY_CAUSE_WFE};
    assert_int_equal(trap_wfx(vcpu, &event), TRAP_DONE);
    assert_int_equal(fake_vm_state.waits, 1);
    event = (struct event){.key = KEY_CAUSE_WFI, .syndrome = ESR_ELX_ISS_WFX_TI_TIMED};
    assert_int_equal(trap_wfx(vcpu, &event), TRAP_DONE);
    assert_int_equal(fake_vm_state.waits, 1); // WFIT: nobody would end the wait at its time-out
    event = (struct event){.key = KEY_CAUSE_SVE};
    assert_int_equal(trap_other(vcpu, &event), TRAP_INJECT_UNDEF);
    decree(POLICY_DENY, 0);
    event = (struct event){.key = KEY_CAUSE_WFI};
    assert_int_equal(trap_wfx(vcpu, &event), TRAP_INJECT_UNDEF);
    decree(POLICY_STOP, 0);
    event = (struct event){.key = KEY_CAUSE_SVE};
    assert_int_equal(trap_other(vcpu, &event), TRAP_STOP);
}

static void a_debug_exception_is_the_guests_unless_a_row_says_otherwise(void **state)
{
    (void)state;
    static const struct {
        enum policy_action action;
        enum trap_result result;
        unsigned int broke, stopped;
    } rows[] = {{POLICY_EMULATE, TRAP_REFLECT, 0, 0},
                {POLICY_ALLOW, TRAP_REFLECT, 0, 0},
                {POLICY_DENY, TRAP_REFLECT, 0, 0},
                {POLICY_PAUSE, TRAP_RETRY, 1, 0},
                {POLICY_STOP, TRAP_STOP, 0, 1}};
    for (unsigned int i = 0; i < ARRAY_COUNT(rows); i++) {
        decree(rows[i].action, 0);
        event = (struct event){.key = KEY_CAUSE_BRK, .value = 0x77, .address = 0x77};
        assert_int_equal(trap_debug(vcpu, &event), rows[i].result);
        assert_int_equal(event.row, 7);
        assert_int_equal(event.address | event.value, 0);
        assert_int_equal(fake_vm_state.breaks, rows[i].broke);
        assert_int_equal(fake_vm_state.stops, rows[i].stopped);
    }
}

static void serror_is_handed_on_unless_a_row_stops(void **state)
{
    (void)state;
    decree(POLICY_DENY, POLICY_FLAG_LOG);
    assert_int_equal(trap_serror(vcpu, &event), TRAP_RETRY);
    assert_int_equal(emulated, 1);
    assert_int_equal(event.row, POLICY_ROW_NONE); // no denial is counted that was none
    assert_int_equal(event.verdict, POLICY_EMULATE);
    assert_string_equal(fake_records.event, "serror");
    assert_int_equal(fake_records.verdicts, 0); // one record is enough
    decree(POLICY_STOP, 0);
    assert_int_equal(trap_serror(vcpu, &event), TRAP_STOP);
    assert_int_equal(emulated, 0);
    assert_int_equal(fake_vm_state.stops, 1);
    assert_string_equal(fake_records.event, "serror");
    assert_int_equal(fake_records.verdicts, 1); // which says why
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_register_by_each_action, setup),
        cmocka_unit_test_setup(pause_comes_before_the_access_and_stop_instead, setup),
        cmocka_unit_test_setup(the_log_flag_writes_one_record, setup),
        cmocka_unit_test_setup(a_call_by_each_action, setup),
        cmocka_unit_test_setup(a_guest_that_was_sent_elsewhere_starts_there, setup),
        cmocka_unit_test_setup(a_device_by_each_action, setup),
        cmocka_unit_test_setup(a_device_that_does_not_answer_is_the_guests_abort, setup),
        cmocka_unit_test_setup(what_this_board_does_not_have_is_never_passed_on, setup),
        cmocka_unit_test_setup(what_outlives_the_guest_or_writes_memory_is_never_passed_on, setup),
        cmocka_unit_test_setup(each_emulated_device_is_reached_at_its_offset, setup),
        cmocka_unit_test_setup(widths_and_holes_are_refused, setup),
        cmocka_unit_test_setup(waits_and_the_rest, setup),
        cmocka_unit_test_setup(a_debug_exception_is_the_guests_unless_a_row_says_otherwise, setup),
        cmocka_unit_test_setup(serror_is_handed_on_unless_a_row_stops, setup),
    };
    return cmocka_run_group_tests(tests, map_device, NULL);
}
