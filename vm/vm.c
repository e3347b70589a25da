// SPDX-License-Identifier: Apache-2.0
// The life of a VM once it is made (vm/build.c): paused, resumed, stopped, reset.
//
// A person who pauses a VM wants to look at vCPUs that stand still, and the guest must not notice that time went by. So
// a pause has two steps. The CPU that pauses asks every vCPU to wait (state VM_PAUSING), and only when all of them wait
// in EL2 it notes the time and says VM_PAUSED; the guest's time runs until then, so that no vCPU that is still in the
// guest sees its counter step back. Resuming adds the length of the pause to CNTVOFF_EL2, by which the guest's virtual
// counter is behind the machine's (DDI 0487 D12.2.4).

#include <hv/vm.h>

#include <hv/arch/psci_firmware.h>
#include <hv/arch/registers.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/gicv3.h>
#include <hv/log_budget.h>
#include <hv/trace_port.h>
#include <hv/virtio_device.h>

// CNTVOFF_EL2 of the VM: how far the guest's virtual counter is behind the machine's. It would be paused_ticks alone,
// but QEMU sets its timer for CNTV_CVAL_EL0 + CNTVOFF_EL2, and the sum may wrap around 2^64. QEMU 7.2 uses the sum as
// it comes out: with an offset above 0, a guest that writes CNTV_CVAL_EL0 = ~0 gets a timer that is always due, and
// hangs QEMU as a whole. So there the guest's counter leads the machine's, and the offset stays at or below 0. For
// example, with a lead of 1000 and 300 ticks of pauses the offset is -700. When the pauses are longer than the lead
// (208 days), the offset is 0 and guest time jumps. In QEMU 8.2 and newer a timer whose sum wraps never fires, so the
// offset must not be below 0: vm_build tries it out (vtimer_may_wrap) and sets the lead to 0.
uint64_t vm_virtual_offset(const struct vm *vm)
{
    uint64_t lead = vm->virtual_lead;

    return lead != 0 && vm->paused_ticks > lead ? 0 : vm->paused_ticks - lead;
}

static bool all_others_wait(struct vm *vm)
{
    for (unsigned int i = 0; i < vm->vcpu_count; i++)
        if (vm->vcpus[i].cpu != cpu_id() && !__atomic_load_n(&vm->vcpus[i].waiting, __ATOMIC_ACQUIRE))
            return false;
    return true;
}

// Asks every vCPU to wait, and waits until all others do. It gives up when the VM has left state, because then another
// CPU has taken over (a stop during a pause), or when CPU_LATE_MS have passed: a CPU that hangs in EL2 must not take
// the monitor with it. The vCPUs that are late are then named in the log.
static void gather(struct vm *vm, enum vm_state state)
{
    uint64_t limit = READ_SYSREG(CNTPCT_EL0) + READ_SYSREG(CNTFRQ_EL0) * CPU_LATE_MS / 1000;

    for (unsigned int i = 0; i < vm->vcpu_count; i++)
        vcpu_request(&vm->vcpus[i], VCPU_REQUEST_WAIT);
    while (vm->state == state && !all_others_wait(vm)) {
        cpu_serve_kick(); // another CPU may itself be waiting for this one
        cpu_yield();
        if (READ_SYSREG(CNTPCT_EL0) >= limit) {
            for (unsigned int i = 0; i < vm->vcpu_count; i++)
                if (vm->vcpus[i].cpu != cpu_id() && !vm->vcpus[i].waiting)
                    log_limited(LOG_LIMIT(LOG_SOURCE_LATE, LOG_ERROR), LOG_VM, "cpu-late", "vcpu=%u limit_ms=%u", i,
                                CPU_LATE_MS);
            return;
        }
    }
}

// Several CPUs may want to change the state at once. The exchange succeeds for one of them only, and only from the
// state that it expects; the others learn that they came too late.
static bool change_state(struct vm *vm, enum vm_state from, enum vm_state to)
{
    return __atomic_compare_exchange_n(&vm->state, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

// RUNNING, PAUSING, PAUSED. A stop may come in between, and wins: the last change of state fails then.
enum hv_status vm_pause(struct vm *vm)
{
    uint64_t asked = READ_SYSREG(CNTPCT_EL0);

    if (!change_state(vm, VM_RUNNING, VM_PAUSING))
        return HV_ERR_STATE;
    gather(vm, VM_PAUSING);
    // The time is noted when all vCPUs stand still, so that none of them sees its counter step back, and before the
    // state says VM_PAUSED, because from then on another CPU may resume the VM and read it.
    vm->pause_started = READ_SYSREG(CNTPCT_EL0);
    if (!change_state(vm, VM_PAUSING, VM_PAUSED))
        return HV_ERR_STATE; // stopped meanwhile
    log_record(LOG_INFO, LOG_VM, "vm-pause", "vcpus=%u stop_ticks=%lu", vm->vcpu_count, vm->pause_started - asked);
    return HV_OK;
}

// The guest's time goes on from where it stood: before any vCPU runs, the offset has grown by the length of the pause.
// Each vCPU takes it into CNTVOFF_EL2 on its own CPU when it leaves its wait (vtimer_update_offset).
enum hv_status vm_resume(struct vm *vm)
{
    if (vm->state != VM_PAUSED)
        return HV_ERR_STATE;
    uint64_t ticks = READ_SYSREG(CNTPCT_EL0) - vm->pause_started;
    vm->paused_ticks += ticks;
    vm->virtual_offset = vm_virtual_offset(vm);
    if (!change_state(vm, VM_PAUSED, VM_RUNNING))
        return HV_ERR_STATE;
    vpl011_time_goes_on(vm);
    virtio_go_on(vm);
    for (unsigned int i = 0; i < vm->vcpu_count; i++)
        vcpu_request(&vm->vcpus[i], VCPU_REQUEST_WAIT);
    // The record is written when the guest runs again. Written before, the time that a slow serial line takes would
    // come after the end of the pause was measured, and the guest would see it pass.
    log_record(LOG_INFO, LOG_VM, "vm-resume", "paused_ticks=%lu", ticks);
    return HV_OK;
}

// Only who has paused the VM posts the event: of two vCPUs that meet a pause at once, a person is told of one.
bool vm_break(struct vcpu *vcpu, enum notify_event event)
{
    if (vm_pause(vcpu->vm) != HV_OK)
        return false;
    notify_post(event, vcpu);
    return true;
}

// Unlike a pause this is for good: no vCPU runs again until the machine is reset. What the log has held back is
// written, with the counters, since there may be no later moment for it.
void vm_stop(struct vcpu *vcpu, enum notify_event event)
{
    struct vm *vm = vcpu->vm;

    // Several vCPUs may stop the VM at once. The first goes on; the others return, see its request and wait in EL2.
    if (__atomic_exchange_n(&vm->state, VM_STOPPED, __ATOMIC_ACQ_REL) == VM_STOPPED)
        return;
    vm->stop_reason = notify_name(event);
    gather(vm, VM_STOPPED);
    vm->pause_started = READ_SYSREG(CNTPCT_EL0);
    log_write_held();
    log_counters(vm);
    log_record(LOG_ERROR, LOG_VM, "vm-stop", "reason=%pQ", vm->stop_reason);
    notify_post(event, vcpu);
}

// The machine starts again as a whole, and EL2 with it. What the next boot finds of this one is the log's ring.
_Noreturn void vm_reset(struct vm *vm)
{
    console_release();
    log_begin_end();
    trace_port_end_others();
    log_counters(vm);
    log_record(LOG_INFO, LOG_VM, "vm-reset", "vcpus=%u hidden_total=%u", vm->vcpu_count, log_hidden());
    log_end();
    trace_port_end();
    firmware_reset();
}

_Noreturn void vm_power_off(struct vm *vm)
{
    console_release();
    log_begin_end();
    trace_port_end_others();
    log_counters(vm);
    log_record(LOG_INFO, LOG_VM, "vm-off", "vcpus=%u hidden_total=%u", vm->vcpu_count, log_hidden());
    log_end();
    trace_port_end();
    firmware_power_off();
}
