// SPDX-License-Identifier: Apache-2.0
// Boot order: from the first C on each CPU to the guest's first instruction. Each step may rely on those above it and
// on nothing else: first a way to say what is wrong (the UART, the monitor, EL2's own map, the log), then a look at the
// machine, then the VM and its CPUs, and the guest's image last. What the machine lacks is said in one record, and the
// monitor opens instead of the guest (refuse.c).

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
#include <hv/port.h>
#include <hv/printf.h>
#include <hv/stage1.h>
#include <hv/string.h>
#include <hv/trace.h>
#include <hv/vdev_interrupts.h>
#include <hv/virtio_device.h>
#include <hv/vm.h>
#include <hv/watchdog.h>

#include "board.h"
#include "refuse.h"
#include "this_cpu.h"
#include "trace_start.h"

// What the CPU can do, in one record: a report of a fault is of use only with the CPU that it was seen on.
static void log_features(void)
{
    struct cpu_features features = cpu_features_read();

    log_routine(LOG_CPU, "features", "midr=0x%lx pa_bits=%u gic=%u vmid_bits=%u hafdbs=%u xnx=%u fgt=%u ecv=%u vhe=%u",
                features.midr, features.pa_bits, features.gic, features.vmid_bits, features.hafdbs, features.xnx,
                features.fgt, features.ecv, features.vhe);
}

// Once the guest runs, the serial line shows what the guest writes and the keys go to it. So a person has to be told
// before how to get back to the monitor.
static void say_keys(void)
{
    static const char text[] = "-- Ctrl-] opens the monitor; Ctrl-A x ends QEMU";

    console_line(text, sizeof(text) - 1);
}

// Makes the VM of the plan, with vcpu_count vCPUs. A policy that asks for what no guest may have is refused here, and
// so is one whose devices need more stage-2 tables than the plan has pages for.
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

// Puts the guest into the VM's RAM. Nothing enters it here: vCPU 0 is marked as if PSCI CPU_ON had been called for it
// with the guest's entry and its x0, and it enters by the same path as a vCPU that the guest turns on (vcpu_wait).
static void load(struct vm *vm)
{
    struct loader_error error;

    if (!loader_load(vm, &error))
        refuse(vm, error.reason, error.field, error.value, error.bound);
    if (vm->symbols.refused != NULL)
        log_record(LOG_WARN, LOG_BOOT, "no-symbols", "reason=%pQ", vm->symbols.refused);
    vm->vcpus[0].on_entry = vm->entry_ipa;
    vm->vcpus[0].on_context = vm->boot_argument;
    vm->vcpus[0].power = VCPU_ON_PENDING;
    log_routine(LOG_VM, "guest-enter", "guest=%pQ entry=0x%lx vcpus=%u", vm->guest_name, vm->entry_ipa, vm->vcpu_count);
}

// secondary_entry is the physical address at which PSCI starts the other CPUs (secondary_start, boot.S).
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
    port_init();
    struct vcpu *vcpu = this_cpu_adopt(0);
    memset(vcpu->frame, 0, sizeof(*vcpu->frame));
    log_init_at((void *)platform.log_ring.base);
    trace_init((void *)platform.trace.base, log_boot_number());
    log_routine(LOG_BOOT, "boot", "version=%s policy=%pQ el=2", ARIEL_VERSION, plan->policy->name);
    port_record();
    say_keys();

    // The machine.
    cpu_init();
    log_features();
    if (!board_check(&fault))
        refuse(vm, fault.reason, fault.name, fault.value, fault.bound);

    // The VM, this CPU, and the others, which prepare themselves and then wait in EL2.
    build(vm, plan, board_cpu_count(options));
    gicv3_init_distributor();
    sysreg_init(vm);
    vdev_register_interrupts();
    virtio_probe(vm);
    watchdog_init();
    this_cpu_prepare(vcpu);
    channel_listen();
    port_listen();
    // A CPU that does not come up costs its vCPU and not the boot: the guest gets as many as there are.
    if (!cpu_start_others(vm->vcpu_count, secondary_entry))
        vm->vcpu_count = cpu_count();

    // The guest.
    load(vm);
    log_boot_done();
    trace_start(vm, options & BOOT_OPTIONS_TRACE);
    this_cpu_run(vcpu);
}

// The other CPUs come here with the MMU on. The boot CPU has made everything that they share, so each of them prepares
// its own registers and says that it runs; then it waits in EL2 until its vCPU is turned on.
_Noreturn void main_secondary_cpu(unsigned int cpu)
{
    struct vcpu *vcpu = this_cpu_adopt(cpu);

    this_cpu_prepare(vcpu);
    log_routine(LOG_CPU, "cpu-up", "up=%u", cpu);
    cpu_mark_running();
    this_cpu_run(vcpu);
}

// Entered at EL1 or EL3: nothing of EL2 can be set up, and no vectors are there to take an exception. All that can be
// done is to write one line to the UART, a byte at a time; boot.S then waits for ever.
void main_wrong_exception_level(unsigned int level)
{
    char line[128];
    int length = format_text(line, sizeof(line),
                             "ariel: entered at EL%u, needs EL2: give QEMU -M virt,virtualization=on\r\n", level);
    pl011_init();
    for (int i = 0; i < length; i++)
        pl011_put((uint8_t)line[i]);
}
