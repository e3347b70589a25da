// SPDX-License-Identifier: Apache-2.0
// Boot order: from the first C on each CPU to the guest's first instruction. What the machine lacks is said in one
// record, and the monitor opens instead of the guest.

#include <hv/main.h>

#include <version.h>

#include <hv/arch/el2_setup.h>
#include <hv/arch/sysreg.h>
#include <hv/boot_options.h>
#include <hv/channel.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/gicv3.h>
#include <hv/loader.h>
#include <hv/log.h>
#include <hv/monitor.h>
#include <hv/monitor_screen.h>
#include <hv/panic.h>
#include <hv/pl011.h>
#include <hv/plan.h>
#include <hv/platform.h>
#include <hv/policy.h>
#include <hv/printf.h>
#include <hv/stage1.h>
#include <hv/string.h>
#include <hv/vdev_interrupts.h>
#include <hv/vm.h>
#include <hv/watchdog.h>

#include "board.h"
#include "refuse.h"
#include "this_cpu.h"

static void log_features(void)
{
    struct cpu_features features = cpu_features_read();

    log_routine(LOG_CPU, "features", "midr=0x%lx pa_bits=%u gic=%u vmid_bits=%u hafdbs=%u xnx=%u fgt=%u ecv=%u vhe=%u",
                features.midr, features.pa_bits, features.gic, features.vmid_bits, features.hafdbs, features.xnx,
                features.fgt, features.ecv, features.vhe);
}

// What a person must know before the guest has the line.
static void say_keys(void)
{
    static const char text[] = "-- Ctrl-] opens the monitor; Ctrl-A x ends QEMU";

    console_line(text, sizeof(text) - 1);
}

// The VM that the plan has, with vcpu_count vCPUs.
static void build(struct vm *vm, const struct vm_plan *plan, unsigned int vcpu_count)
{
    enum hv_status status = vm_build(vm, plan, vcpu_count);

    if (status == HV_ERR_INVALID)
        refuse(vm, "the policy's tables map a device that no guest may have: compile them with tools/policy_compile.py",
               "ranges", plan->policy->range_count, 0);
    if (status != HV_OK)
        refuse(vm, "the policy's direct devices do not fit stage 2", "ranges", plan->policy->range_count,
               PLAN_TABLE_PAGES);
}

// Its guest, which vCPU 0 enters as soon as it may run.
static void load(struct vm *vm)
{
    struct loader_error error;

    if (!loader_load(vm, &error))
        refuse(vm, error.reason, error.field, error.value, error.bound);
    vm->vcpus[0].on_entry = vm->entry_ipa;
    vm->vcpus[0].on_context = vm->boot_argument;
    vm->vcpus[0].power = VCPU_ON_PENDING;
    log_routine(LOG_VM, "guest-enter", "guest=%pQ entry=0x%lx vcpus=%u", vm->guest_name, vm->entry_ipa, vm->vcpu_count);
}

_Noreturn void main_boot_cpu(uint64_t secondary_entry)
{
    uint64_t options = boot_options_decode(*(const volatile uint64_t *)platform.boot_options.base);
    const struct vm_plan *plan = plan_of(0);
    struct vm *vm = plan_vm(0);
    struct board_fault fault;

    // The line and the tables of EL2's own memory: from here on EL2 can say what it finds.
    panic_init();
    vm->policy = plan->policy; // the monitor names it also when no VM can be made
    screen_init(options);
    monitor_init(vm);
    pl011_init();
    console_init(options & BOOT_OPTIONS_RAW);
    stage1_init();
    stage1_enable();
    struct vcpu *vcpu = this_cpu_adopt(0);
    memset(vcpu->frame, 0, sizeof(*vcpu->frame));
    log_init_at((void *)platform.log_ring.base);
    log_routine(LOG_BOOT, "boot", "version=%s policy=%pQ el=2", ARIEL_VERSION, plan->policy->name);
    say_keys();

    // The machine.
    cpu_init();
    log_features();
    if (!board_check(&fault))
        refuse(vm, fault.reason, fault.name, fault.value, fault.bound);

    // The VM, this CPU, and the others, which prepare themselves and then wait in EL2.
    build(vm, plan, board_cpu_count(options));
    gicv3_init_distributor();
    sysreg_init(vm->policy);
    vdev_register_interrupts();
    watchdog_init();
    this_cpu_prepare(vcpu);
    channel_listen();
    if (!cpu_start_others(vm->vcpu_count, secondary_entry))
        vm->vcpu_count = cpu_count();

    // The guest.
    load(vm);
    log_boot_done();
    this_cpu_run(vcpu);
}

_Noreturn void main_secondary_cpu(unsigned int cpu)
{
    struct vcpu *vcpu = this_cpu_adopt(cpu);

    this_cpu_prepare(vcpu);
    log_routine(LOG_CPU, "cpu-up", "up=%u", cpu);
    cpu_mark_running();
    this_cpu_run(vcpu);
}

void main_wrong_exception_level(unsigned int level)
{
    char line[128];
    int length = format_text(line, sizeof(line),
                             "ariel: entered at EL%u, needs EL2: give QEMU -M virt,virtualization=on\r\n", level);
    pl011_init();
    for (int i = 0; i < length; i++)
        pl011_put((uint8_t)line[i]);
}
