// SPDX-License-Identifier: Apache-2.0
// The VM's life: what vm_init maps, that a pause gathers every vCPU and stops the guest's clock, that late CPUs are
// named and nobody is waited for without end.
//
// Links: vm/vm.c vm/build.c lib/range.c mm/pool.c mm/space.c trace/telemetry.c
// Links: platform/platform.c tests/fake/fake_trace_text.c

#include <platform/virt.h>

#include <hv/vm.h>

#include <hv/arch/psci_firmware.h>
#include <hv/arch/registers.h>
#include <hv/cpu.h>
#include <hv/gicv3.h>
#include <hv/log.h>
#include <hv/console.h>
#include <hv/policy.h>
#include <hv/telemetry.h>
#include <hv/plan.h>
#include <hv/vtimer.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fake_notify.h>
#include <fake_trace_text.h>

#define FREQUENCY UINT64_C(62500000)

static struct policy_range ranges[3];
static const struct policy policy = {.ranges = ranges, .range_count = ARRAY_COUNT(ranges), .log_budget = 7};
static struct vm vm0;
static struct vm_memory memory;
static const struct vm_plan plan = {
    .policy = &policy,
    .vmid = 1,
    .vcpu_max = CPU_MAX,
    .ram_ipa = {GUEST_RAM_IPA},
    .ram = &platform.guest_ram,
    .memory = &memory,
};

static struct mapping {
    struct ipa_range range;
    pa_t pa;
    uint32_t permissions;
} mappings[4];
static unsigned int mapping_count, kicks, late, this_cpu;
static enum hv_status map_status;
static const char *opened, *recorded;
static bool others_answer, stop_meanwhile, may_wrap;
static bool ended;                          // the log
static bool released, held_written, ending; // what was held back, before the last record
static jmp_buf gone;

void log_end(void)
{
    ended = true;
}

void log_write_held(void)
{
    held_written = true;
}

void log_begin_end(void)
{
    assert_true(released); // its lines are the guest's, from before the end
    ending = true;
}

uint32_t log_hidden(void)
{
    return 0;
}

void console_release(void)
{
    released = true;
}

void log_record(enum log_level level, enum log_class class, const char *event, const char *format, ...)
{
    (void)level, (void)class, (void)format;
    if (strcmp(event, "vm-reset") == 0 || strcmp(event, "vm-off") == 0)
        assert_true(ending);
    if (strcmp(event, "vm-stop") == 0)
        assert_true(held_written);
    recorded = event;
    late += strcmp(event, "cpu-late") == 0;
}

void log_limited(struct log_limit limit, enum log_class class, const char *event, const char *format, ...)
{
    (void)limit;
    (void)class, (void)format;
    recorded = event;
    late += strcmp(event, "cpu-late") == 0;
}

void log_routine(enum log_class class, const char *event, const char *format, ...)
{
    (void)class, (void)format;
    recorded = event;
}

static unsigned int log_budget;

unsigned int log_budget_open(unsigned int per_second)
{
    log_budget = per_second;
    return per_second;
}

void log_counters(const struct vm *vm)
{
    assert_ptr_equal(vm, &vm0);
}

unsigned int cpu_id(void)
{
    return this_cpu;
}

// While vm.c waits, time goes on and, when they answer, the others arrive in the idle loop.
void cpu_serve_kick(void)
{
    fake_sysreg_set("CNTPCT_EL0", fake_sysreg_get("CNTPCT_EL0") + FREQUENCY / 100);
    if (stop_meanwhile)
        vm0.state = VM_STOPPED;
    for (unsigned int i = 0; others_answer && i < vm0.vcpu_count; i++)
        vm0.vcpus[i].waiting = i != this_cpu;
}

void vcpu_request(struct vcpu *vcpu, uint32_t request)
{
    vcpu->request |= request;
}

void stage2_init(struct stage2 *stage2, uint64_t *root, struct pool *tables, uint16_t vmid)
{
    assert_int_equal(tables->count, 64);
    assert_true(vmid >= 1);
    stage2->root = root;
    stage2->pool = tables;
    stage2->vmid = vmid;
}

enum hv_status stage2_map(struct stage2 *stage2, const struct ipa_range *range, pa_t pa, uint32_t permissions)
{
    (void)stage2;
    mappings[mapping_count++] = (struct mapping){*range, pa, permissions};
    return map_status;
}

enum hv_status stage2_protect(struct stage2 *stage2, const struct ipa_range *range, uint32_t permissions)
{
    (void)stage2;
    mappings[mapping_count++] = (struct mapping){*range, pa_make(0), permissions};
    return HV_OK;
}

bool vtimer_may_wrap(uint64_t lead)
{
    assert_int_equal(lead, VM_VIRTUAL_LEAD);
    return may_wrap;
}

static unsigned int uart_went_on;

void vpl011_time_goes_on(struct vm *vm)
{
    assert_int_equal(vm->state, VM_RUNNING);
    uart_went_on++;
}

static unsigned int gone_on;

void virtio_go_on(struct vm *vm)
{
    assert_ptr_equal(vm, &vm0);
    assert_int_equal(vm->state, VM_RUNNING);
    gone_on++;
}

void device_reset_all(struct vm *vm)
{
    (void)vm;
}

_Noreturn void firmware_reset(void)
{
    longjmp(gone, 1);
}

_Noreturn void firmware_power_off(void)
{
    longjmp(gone, 2);
}

static int setup(void **state)
{
    (void)state;
    memset(&vm0, 0, sizeof(vm0));
    memset(ranges, 0, sizeof(ranges));
    fake_sysreg_reset();
    fake_sysreg_set("CNTFRQ_EL0", FREQUENCY);
    fake_sysreg_set("CNTPCT_EL0", 1000);
    mapping_count = kicks = late = this_cpu = 0;
    map_status = HV_OK;
    opened = recorded = NULL;
    others_answer = may_wrap = true;
    stop_meanwhile = false;
    assert_int_equal(vm_build(&vm0, &plan, 4), HV_OK);
    return 0;
}

static void ram_is_mapped_whole_and_every_vcpu_starts_off(void **state)
{
    (void)state;
    assert_int_equal(log_budget, policy.log_budget);
    assert_int_equal(mapping_count, 1);
    assert_int_equal(mappings[0].range.base.v, GUEST_RAM_IPA);
    assert_int_equal(mappings[0].range.size, GUEST_RAM_SIZE);
    assert_int_equal(mappings[0].pa.v, GUEST_RAM_PA);
    assert_int_equal(mappings[0].permissions, STAGE2_READ | STAGE2_WRITE | STAGE2_EXECUTE);
    for (unsigned int i = 0; i < 4; i++) {
        assert_int_equal(vm0.vcpus[i].power, VCPU_OFF);
        assert_int_equal(vm0.vcpus[i].id, i);
        assert_non_null(vm0.vcpus[i].telemetry);
        assert_true(i == 0 || vm0.vcpus[i].telemetry != vm0.vcpus[0].telemetry);
    }
}

static void a_direct_device_is_mapped_at_its_own_address_and_never_executed(void **state)
{
    (void)state;
    ranges[1] =
        (struct policy_range){.base = 0x09030000, .size = 0x1000, .key = KEY_DEVICE_PL061, .mapping = POLICY_DIRECT};
    mapping_count = 0;
    assert_int_equal(vm_build(&vm0, &plan, 1), HV_OK);
    assert_int_equal(mapping_count, 2);
    assert_int_equal(mappings[1].range.base.v, 0x09030000);
    assert_int_equal(mappings[1].pa.v, 0x09030000);
    assert_int_equal(mappings[1].permissions, STAGE2_READ | STAGE2_WRITE | STAGE2_DEVICE);
    ranges[1].size = 0x18; // not whole pages
    assert_int_equal(vm_build(&vm0, &plan, 1), HV_ERR_ALIGN);
    map_status = HV_ERR_NO_MEMORY;
    assert_int_equal(vm_build(&vm0, &plan, 1), HV_ERR_NO_MEMORY);
}

// No policy compiles to such a table: the VM does not come to be.
static void a_device_that_outlives_the_guest_or_writes_memory_is_never_mapped(void **state)
{
    static const uint16_t keys[] = {KEY_DEVICE_FLASH,     KEY_DEVICE_PL031, KEY_DEVICE_FW_CFG, KEY_DEVICE_VIRTIO_MMIO,
                                    KEY_DEVICE_PCIE_MMIO, KEY_DEVICE_PL011, KEY_DEVICE_GICD,   KEY_DEVICE_NONE};
    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        ranges[1] = (struct policy_range){.base = 0x04000000, .size = 0x1000, .key = keys[i], .mapping = POLICY_DIRECT};
        mapping_count = 0;
        assert_int_equal(vm_build(&vm0, &plan, 1), HV_ERR_INVALID);
        assert_int_equal(mapping_count, 1); // guest RAM
    }
}

static void a_shadow_is_a_page_of_the_vms_own_that_can_at_most_be_read(void **state)
{
    (void)state;
    assert_false(vm0.uart.shadow);
    ranges[1] = (struct policy_range){.base = PL011_IPA, .size = 0x1000, .mapping = POLICY_SHADOW};
    mapping_count = 0;
    assert_int_equal(vm_build(&vm0, &plan, 1), HV_OK);
    assert_true(vm0.uart.shadow);
    assert_int_equal(mappings[1].range.base.v, PL011_IPA);
    assert_int_equal(mappings[1].pa.v, (uintptr_t)vm0.uart.reg);
    assert_int_equal(mappings[1].pa.v % 4096, 0);
    assert_int_equal(mappings[1].permissions, STAGE2_READ | STAGE2_SHADOW);
}

// What the guest's virtual counter shows, or will when it goes on.
static uint64_t guests_time(void)
{
    return (vm0.state == VM_PAUSED ? vm0.pause_started : fake_sysreg_get("CNTPCT_EL0")) - vm0.virtual_offset;
}

static void a_pause_gathers_all_and_stops_the_guests_clock(void **state)
{
    (void)state;
    uint64_t before = guests_time();
    assert_int_equal(vm_pause(&vm0), HV_OK);
    assert_int_equal(vm0.state, VM_PAUSED);
    for (unsigned int i = 0; i < 4; i++)
        assert_int_equal(vm0.vcpus[i].request, VCPU_REQUEST_WAIT);
    assert_int_equal(late, 0);
    uint64_t stopped = guests_time();
    assert_true(stopped >= before);
    fake_sysreg_set("CNTPCT_EL0", 500000000);
    assert_int_equal(guests_time(), stopped);
    assert_int_equal(vm_pause(&vm0), HV_ERR_STATE);
    assert_int_equal(vm_resume(&vm0), HV_OK);
    assert_int_equal(vm0.state, VM_RUNNING);
    assert_int_equal(guests_time(), stopped); // no jump
    assert_int_equal(vm0.paused_ticks, vm0.virtual_offset + VM_VIRTUAL_LEAD);
    assert_int_equal(vm_resume(&vm0), HV_ERR_STATE);
}

// Whoever comes while a CPU still gathers the others may not resume with an old time, and a stop wins.
static void a_stop_during_a_pause_wins(void **state)
{
    (void)state;
    vm0.state = VM_PAUSING;
    assert_int_equal(vm_resume(&vm0), HV_ERR_STATE);
    assert_int_equal(vm_pause(&vm0), HV_ERR_STATE);
    vm0.state = VM_RUNNING;
    stop_meanwhile = true;
    others_answer = false; // who stops the VM waits for this CPU
    assert_int_equal(vm_pause(&vm0), HV_ERR_STATE);
    assert_int_equal(vm0.state, VM_STOPPED);
    assert_int_equal(late, 0);
}

static void two_pauses_add_up(void **state)
{
    (void)state;
    for (unsigned int i = 1; i <= 2; i++) {
        assert_int_equal(vm_pause(&vm0), HV_OK);
        fake_sysreg_set("CNTPCT_EL0", fake_sysreg_get("CNTPCT_EL0") + 1000);
        assert_int_equal(vm_resume(&vm0), HV_OK);
        assert_int_equal(vm0.paused_ticks, 1000 * i);
    }
}

// QEMU 7.2 adds CNTV_CVAL_EL0 and CNTVOFF_EL2 without looking for a wrap.
static void cntvoff_never_grows_above_0(void **state)
{
    (void)state;
    assert_true((int64_t)vm0.virtual_offset < 0);
    assert_int_equal(vm_pause(&vm0), HV_OK);
    fake_sysreg_set("CNTPCT_EL0", UINT64_C(1) << 60);
    assert_int_equal(vm_resume(&vm0), HV_OK);
    assert_int_equal(vm0.virtual_offset, 0);
}

// QEMU 8.2 and newer take a sum that wraps for a time that never comes.
static void cntvoff_is_never_below_0_where_a_deadline_must_not_wrap(void **state)
{
    (void)state;
    may_wrap = false;
    assert_int_equal(vm_build(&vm0, &plan, 4), HV_OK);
    assert_int_equal(vm0.virtual_offset, 0);
    assert_int_equal(vm_pause(&vm0), HV_OK);
    fake_sysreg_set("CNTPCT_EL0", fake_sysreg_get("CNTPCT_EL0") + 1000);
    assert_int_equal(vm_resume(&vm0), HV_OK);
    assert_int_equal(vm0.virtual_offset, 1000);
}

static void a_cpu_that_does_not_come_is_named_and_not_waited_for(void **state)
{
    (void)state;
    others_answer = false;
    vm0.vcpus[2].waiting = true;
    assert_int_equal(vm_pause(&vm0), HV_OK);
    assert_int_equal(late, 2); // 1 and 3
}

static void a_break_pauses_and_says_why(void **state)
{
    (void)state;
    fake_notify_reset();
    assert_true(vm_break(&vm0.vcpus[2], NOTIFY_POLICY_PAUSE));
    assert_int_equal(vm0.state, VM_PAUSED);
    assert_int_equal(fake_notified, NOTIFY_POLICY_PAUSE);
    assert_false(vm_break(&vm0.vcpus[1], NOTIFY_GUEST_PAUSE));
    assert_int_equal(fake_notify_count, 1);
    assert_ptr_equal(fake_notified_about, &vm0.vcpus[2]);
}

static void a_stop_is_for_good_and_keeps_its_first_reason(void **state)
{
    (void)state;
    vm_stop(&vm0.vcpus[1], NOTIFY_DESCRIPTOR_UPDATE);
    assert_int_equal(vm0.state, VM_STOPPED);
    assert_string_equal(recorded, "vm-stop");
    vm_stop(&vm0.vcpus[2], NOTIFY_POLICY_STOP);
    assert_string_equal(vm0.stop_reason, "an unsupported hardware update of a descriptor");
    assert_int_equal(fake_notified, NOTIFY_DESCRIPTOR_UPDATE);
    assert_ptr_equal(fake_notified_about, &vm0.vcpus[1]);
    assert_int_equal(vm_pause(&vm0), HV_ERR_STATE);
    assert_int_equal(vm_resume(&vm0), HV_ERR_STATE);
}

// The trace has the last records too: it ends when the log has, but other CPUs hand theirs on while they can answer.
static void the_log_has_ended(void)
{
    assert_true(ended);
    assert_int_equal(fake_trace_text.ends_of_others, 1);
}

static void reset_and_power_off_are_recorded_first(void **state)
{
    (void)state;
    fake_trace_text_reset(false);
    fake_trace_text.on_end = the_log_has_ended;
    int way = setjmp(gone);
    if (way == 0)
        vm_reset(&vm0);
    assert_int_equal(way, 1);
    assert_string_equal(recorded, "vm-reset");
    assert_true(ended);
    assert_int_equal(fake_trace_text.ends, 1);
    released = ending = ended = false;
    fake_trace_text.ends_of_others = 0;
    way = setjmp(gone);
    if (way == 0)
        vm_power_off(&vm0);
    assert_int_equal(way, 2);
    assert_string_equal(recorded, "vm-off");
    assert_int_equal(fake_trace_text.ends, 2);
}

// Two plans make two VMs, and neither has anything of the other's.
static void two_vms_share_nothing(void **state)
{
    static const struct policy other_policy = {.ranges = ranges, .log_budget = 9, .controls.hcr_el2 = HCR_EL2_TWI};
    static struct vm_memory other_memory;
    static struct vm other;
    const struct vm_plan second = {
        .policy = &other_policy,
        .vmid = 2,
        .first_cpu = 4,
        .vcpu_max = 4,
        .ram_ipa = {GUEST_RAM_IPA},
        .ram = &platform.guest_ram,
        .memory = &other_memory,
    };

    (void)state;
    assert_int_equal(vm_build(&other, &second, 4), HV_OK);
    assert_ptr_equal(vm0.policy, &policy);
    assert_ptr_equal(other.policy, &other_policy);
    assert_int_equal(other.controls.hcr_el2, HCR_EL2_TWI);
    assert_int_equal(vm0.controls.hcr_el2, 0);
    assert_int_not_equal(vm0.space.stage2.vmid, other.space.stage2.vmid);
    assert_ptr_not_equal(vm0.space.stage2.root, other.space.stage2.root);
    assert_ptr_not_equal(vm0.space.stage2.pool, other.space.stage2.pool);
    for (unsigned int i = 0; i < 4; i++) {
        assert_ptr_equal(other.vcpus[i].vm, &other);
        assert_int_equal(other.vcpus[i].id, i);
        assert_int_equal(vm0.vcpus[i].cpu, i);
        assert_int_equal(other.vcpus[i].cpu, 4 + i);
        assert_ptr_not_equal(vm0.vcpus[i].telemetry, other.vcpus[i].telemetry);
        telemetry_begin(other.vcpus[i].telemetry)->key = 1;
        telemetry_end(other.vcpus[i].telemetry, telemetry_begin(other.vcpus[i].telemetry), 0);
        assert_int_equal(vm0.vcpus[i].telemetry->sequence, 0);
    }
    other.state = VM_PAUSED;
    assert_int_equal(vm0.state, VM_RUNNING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(two_vms_share_nothing, setup),
        cmocka_unit_test_setup(ram_is_mapped_whole_and_every_vcpu_starts_off, setup),
        cmocka_unit_test_setup(a_direct_device_is_mapped_at_its_own_address_and_never_executed, setup),
        cmocka_unit_test_setup(a_device_that_outlives_the_guest_or_writes_memory_is_never_mapped, setup),
        cmocka_unit_test_setup(a_shadow_is_a_page_of_the_vms_own_that_can_at_most_be_read, setup),
        cmocka_unit_test_setup(a_pause_gathers_all_and_stops_the_guests_clock, setup),
        cmocka_unit_test_setup(a_stop_during_a_pause_wins, setup),
        cmocka_unit_test_setup(two_pauses_add_up, setup),
        cmocka_unit_test_setup(cntvoff_never_grows_above_0, setup),
        cmocka_unit_test_setup(cntvoff_is_never_below_0_where_a_deadline_must_not_wrap, setup),
        cmocka_unit_test_setup(a_cpu_that_does_not_come_is_named_and_not_waited_for, setup),
        cmocka_unit_test_setup(a_break_pauses_and_says_why, setup),
        cmocka_unit_test_setup(a_stop_is_for_good_and_keeps_its_first_reason, setup),
        cmocka_unit_test_setup(reset_and_power_off_are_recorded_first, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
