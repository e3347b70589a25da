// SPDX-License-Identifier: Apache-2.0
// Boot order: from the first C on each CPU to the guest's first instruction. What the machine lacks is said in one
// record, and the monitor opens instead of the guest.

#include <hv/main.h>

#include <version.h>

#include <hv/arch/el2_setup.h>
#include <hv/arch/guarded.h>
#include <hv/arch/registers.h>
#include <hv/arch/stacks.h>
#include <hv/arch/sysreg.h>
#include <hv/arch/trap.h>
#include <hv/boot_options.h>
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
#include <hv/policy.h>
#include <hv/printf.h>
#include <hv/stage1.h>
#include <hv/telemetry.h>
#include <hv/string.h>
#include <hv/vm.h>
#include <hv/vtimer.h>
#include <hv/watchdog.h>

#define RAM_NEEDED (GUEST_RAM_PA + GUEST_RAM_SIZE - RAM_PA)

extern char stacks_start[];

// This CPU's vCPU, whose frame lies on top of its stack (boot.S).
static struct vcpu *adopt_vcpu(unsigned int cpu)
{
    struct vcpu *vcpu = &vm0.vcpus[cpu];
    vcpu->frame = (struct trap_frame *)(stacks_start + (cpu + 1) * STACK_STRIDE) - 1;
    WRITE_SYSREG(TPIDR_EL2, (uint64_t)vcpu);
    telemetry_init(cpu);
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
        console_receive();
}

// Bytes of RAM, to a MiB: what answers. EL2 itself lies below the guest's.
static uint64_t ram_found(void)
{
    uint64_t found = GUEST_RAM_PA - RAM_PA, value;

    while (found < RAM_NEEDED && guarded_device_read(pa_make(RAM_PA + found + MIB(1) - 8), 8, &value))
        found += MIB(1);
    return found;
}

static void check_machine(void)
{
    uint64_t value;

    if (!el2_has_gicv3())
        refuse("no GICv3: give QEMU -M virt,virtualization=on,gic-version=3", "id_aa64pfr0_gic",
               FIELD_GET(ID_AA64PFR0_EL1_GIC, READ_SYSREG(ID_AA64PFR0_EL1)), 1);
    if (gicv3_cpu_count() > CPU_MAX)
        refuse("too many CPUs: give QEMU -smp 8 or less", "cpus", gicv3_cpu_count(), CPU_MAX);
    if (!guarded_device_read(pa_make(RAM_PA + RAM_NEEDED - 8), 8, &value))
        refuse("too little RAM: give QEMU -m 1G or more", "ram_bytes", ram_found(), RAM_NEEDED);
}

// What a person must know before the guest has the line.
static void say_keys(void)
{
    static const char text[] = "-- Ctrl-] opens the monitor; Ctrl-A x ends QEMU";

    console_line(text, sizeof(text) - 1);
}

static void prepare_cpu(struct vcpu *vcpu)
{
    el2_setup();
    gicv3_init_cpu(vcpu->id);
    vgic_init_cpu(vcpu);
    hyp_timer_init_cpu();
    vtimer_init_cpu(vcpu);
    watchdog_init_cpu();
}

static _Noreturn void run(struct vcpu *vcpu)
{
    vcpu_wait(vcpu);
    vgic_flush(vcpu);
    guest_start(vcpu->frame);
}

_Noreturn void main_boot_cpu(void)
{
    struct loader_error error;

    panic_init();
    boot_options_read();
    screen_init(boot_options());
    monitor_init(&vm0);
    pl011_init();
    console_init(boot_options() & BOOT_OPTIONS_RAW);
    stage1_init();
    stage1_enable();
    struct vcpu *vcpu = adopt_vcpu(0);
    memset(vcpu->frame, 0, sizeof(*vcpu->frame));
    log_init();
    log_routine(LOG_BOOT, "boot", "version=%s policy=%pQ el=2", ARIEL_VERSION, policy_name);
    say_keys();
    el2_log_features();
    check_machine();
    enum hv_status status = vm_init(&vm0, gicv3_cpu_count());
    if (status == HV_ERR_INVALID)
        refuse("the policy's tables map a device that no guest may have: compile them with tools/policy_compile.py",
               "ranges", policy_range_count, 0);
    if (status != HV_OK)
        refuse("the policy's direct devices do not fit stage 2", "ranges", policy_range_count, vm0.stage2.pool->count);
    gicv3_init_distributor();
    sysreg_init();
    prepare_cpu(vcpu);
    gicv3_enable(PL011_INTID, 0);
    if (!cpu_start_others(vm0.vcpu_count))
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
