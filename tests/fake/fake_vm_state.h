// SPDX-License-Identifier: Apache-2.0
// vm/vm.c and vm/vcpu.c for tests of those who stop, pause or ask a VM: what was asked for is counted and nothing
// waits. A pause always is this caller's. fake_vm.c is for those who look at the VM's state afterwards.
#pragma once

#include <setjmp.h>
#include <stddef.h>

#include <fake_effect.h>

#include <hv/arch/cpu.h>
#include <hv/machine.h>
#include <hv/vcpu.h>
#include <hv/vm.h>

struct fake_vm_state {
    unsigned int stops, breaks;
    enum notify_event stopped_by, broken_by; // the last reason
    const struct vcpu *vcpu;                 // that was stopped or paused last
    uint32_t requested[CPU_MAX];             // of each vCPU, by its number
    unsigned int waits;                      // vcpu_wait_for_interrupt
    unsigned int idles;                      // cpu_wait_for_interrupt
};
__attribute__((weak)) struct fake_vm_state fake_vm_state;

// vm_reset goes there with 1, vm_power_off with 2.
__attribute__((weak)) jmp_buf fake_machine_gone;

__attribute__((weak)) void vm_stop(struct vcpu *vcpu, enum notify_event event)
{
    fake_vm_state.vcpu = vcpu;
    fake_effect(FAKE_VM_STOP, 0);
    fake_vm_state.stops++;
    fake_vm_state.stopped_by = event;
}

__attribute__((weak)) bool vm_break(struct vcpu *vcpu, enum notify_event event)
{
    fake_vm_state.vcpu = vcpu;
    fake_effect(FAKE_VM_BREAK, 0);
    fake_vm_state.breaks++;
    fake_vm_state.broken_by = event;
    return true;
}

__attribute__((weak)) _Noreturn void vm_reset(struct vm *vm)
{
    (void)vm;
    longjmp(fake_machine_gone, 1);
}

__attribute__((weak)) _Noreturn void vm_power_off(struct vm *vm)
{
    (void)vm;
    longjmp(fake_machine_gone, 2);
}

__attribute__((weak)) void vcpu_request(struct vcpu *vcpu, uint32_t request)
{
    fake_effect(FAKE_VCPU_REQUEST, vcpu->id + request);
    fake_vm_state.requested[vcpu->id] |= request;
    vcpu->request |= request;
}

__attribute__((weak)) void vcpu_wait(struct vcpu *vcpu)
{
    vcpu->request = 0;
}

__attribute__((weak)) void vcpu_wait_for_interrupt(struct vcpu *vcpu)
{
    vcpu->request &= ~VCPU_REQUEST_SUSPEND; // it has come at once
    fake_effect(FAKE_WAIT, 0);
    fake_vm_state.waits++;
}

__attribute__((weak)) void cpu_wait_for_interrupt(void)
{
    fake_effect(FAKE_WAIT, 0);
    fake_vm_state.idles++;
}
