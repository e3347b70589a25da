// SPDX-License-Identifier: Apache-2.0
// Boot order: from the first C on each CPU to the guest's first instruction. What the machine lacks is said in one
// record, and the monitor opens instead of the guest.

#include <hv/main.h>

#include <version.h>

#include <hv/arch/el2_setup.h>
#include <hv/arch/registers.h>
#include <hv/arch/stacks.h>
#include <hv/arch/sysreg.h>
#include <hv/arch/trap.h>
#include <hv/boot_options.h>
#include <hv/channel.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/gicv3.h>
#include <hv/hyp_timer.h>
#include <hv/loader.h>
#include <hv/log.h>
#include <hv/monitor.h>
#include <hv/monitor_screen.h>
#include <hv/panic.h>
#include <hv/pl011.h>
#include <hv/platform.h>
#include <hv/policy.h>
#include <hv/printf.h>
#include <hv/stage1.h>
#include <hv/telemetry.h>
#include <hv/string.h>
#include <hv/tick.h>
#include <hv/vdev_interrupts.h>
#include <hv/vm.h>
#include <hv/vtimer.h>
#include <hv/watchdog.h>

#include "board.h"

extern char stacks_start[];

// This CPU's vCPU, whose frame lies on top of its stack (boot.S).
static struct vcpu *adopt_vcpu(unsigned int cpu)
{
    struct vcpu *vcpu = &vm0.vcpus[cpu];
    vcpu->cpu = cpu;
    vcpu->frame = (struct trap_frame *)(stacks_start + (cpu + 1) * STACK_STRIDE) - 1;
    WRITE_SYSREG(TPIDR_EL2, (uint64_t)vcpu);
    return vcpu;
}

// No VM can run: says so and leaves the person the monitor, polled, since there may be no interrupt controller.
static _Noreturn void refuse(const char *reason, const char *name, uint64_t value, uint64_t bound)
{
    log_record(LOG_ERROR, LOG_BOOT, "refused", "reason=%pQ %s=0x%lx bound=0x%lx", reason, name, value, bound);
    vm0.state = VM_STOPPED;
    vm0.stop_reason = reason;
    vm0.vcpus[0].waiting = true;
    monitor_open_for_person(reason);
    for (;;)
        channel_poll();
}

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

static void prepare_cpu(struct vcpu *vcpu)
{
    el2_setup(&(struct el2_values){
        .hcr_el2 = vcpu->vm->policy->controls.hcr_el2,
        .mdcr_el2 = vcpu->vm->policy->controls.mdcr_el2,
        .cptr_el2 = vcpu->vm->policy->controls.cptr_el2,
        .hstr_el2 = vcpu->vm->policy->controls.hstr_el2,
        .cnthctl_el2 = vcpu->vm->policy->controls.cnthctl_el2,
        .vttbr_el2 = stage2_vttbr(&vcpu->vm->space.stage2),
        .vmpidr_el2 = READ_SYSREG(MPIDR_EL1),
        .ipa_bits = STAGE2_IPA_BITS,
    });
    gicv3_init_cpu(vcpu->id);
    vgic_init_cpu(vcpu);
    hyp_timer_init_cpu();
    vtimer_init_cpu(vcpu);
    tick_init_cpu();
}

static _Noreturn void run(struct vcpu *vcpu)
{
    vcpu_wait(vcpu);
    vgic_flush(vcpu);
    guest_start(vcpu->frame);
}

_Noreturn void main_boot_cpu(uint64_t secondary_entry)
{
    uint64_t options = boot_options_decode(*(const volatile uint64_t *)platform.boot_options.base);
    struct loader_error error;
    struct board_fault fault;

    panic_init();
    vm0.policy = &policy_built;
    screen_init(options);
    monitor_init(&vm0);
    pl011_init();
    console_init(options & BOOT_OPTIONS_RAW);
    stage1_init();
    stage1_enable();
    struct vcpu *vcpu = adopt_vcpu(0);
    memset(vcpu->frame, 0, sizeof(*vcpu->frame));
    log_init_at((void *)platform.log_ring.base);
    log_routine(LOG_BOOT, "boot", "version=%s policy=%pQ el=2", ARIEL_VERSION, vm0.policy->name);
    say_keys();
    cpu_init();
    log_features();
    if (!board_check(&fault))
        refuse(fault.reason, fault.name, fault.value, fault.bound);
    enum hv_status status = vm_init(&vm0, board_cpu_count(options));
    if (status == HV_ERR_INVALID)
        refuse("the policy's tables map a device that no guest may have: compile them with tools/policy_compile.py",
               "ranges", vm0.policy->range_count, 0);
    if (status != HV_OK)
        refuse("the policy's direct devices do not fit stage 2", "ranges", vm0.policy->range_count,
               vm0.space.stage2.pool->count);
    gicv3_init_distributor();
    sysreg_init(vm0.policy);
    vdev_register_interrupts();
    watchdog_init();
    prepare_cpu(vcpu);
    channel_listen();
    if (!cpu_start_others(vm0.vcpu_count, secondary_entry))
        vm0.vcpu_count = cpu_count();
    if (!loader_load(&vm0, &error))
        refuse(error.reason, error.field, error.value, error.bound);
    vcpu->on_entry = vm0.entry_ipa;
    vcpu->on_context = vm0.boot_argument;
    vcpu->power = VCPU_ON_PENDING;
    log_routine(LOG_VM, "guest-enter", "guest=%pQ entry=0x%lx vcpus=%u", vm0.guest_name, vm0.entry_ipa, vm0.vcpu_count);
    log_boot_done();
    run(vcpu);
}

_Noreturn void main_secondary_cpu(unsigned int cpu)
{
    struct vcpu *vcpu = adopt_vcpu(cpu);
    prepare_cpu(vcpu);
    log_routine(LOG_CPU, "cpu-up", "up=%u", cpu);
    cpu_mark_running();
    run(vcpu);
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
