// SPDX-License-Identifier: Apache-2.0
// What a command is about where it names nothing. Whoever gives commands chooses a vCPU with the vcpu command; the VM
// is chosen at boot and by whatever opens the monitor. The choice is the client's, since two may be there (client.c).
// Commands ask here, so none of them knows how many VMs there are.
#include <hv/monitor_subject.h>

#include <hv/monitor_client.h>
#include <hv/monitor_reply.h>
#include <hv/vm.h>

// Another VM has other vCPUs, so the choice of one begins again at vCPU 0.
void monitor_choose_vm(struct vm *vm)
{
    monitor_client_now()->vm = vm;
    monitor_client_now()->vcpu = 0;
}

struct vm *monitor_vm(void)
{
    return monitor_client_now()->vm;
}

// A VM that is about to pause still runs on some CPU, and counts as running.
const char *monitor_vm_state(void)
{
    if (monitor_vm()->state <= VM_PAUSING)
        return "running";
    return monitor_vm()->state == VM_PAUSED ? "paused" : "stopped";
}

// The error of every command that needs a guest, on a machine that ariel has refused to run one on; NULL otherwise.
const char *monitor_refused(void)
{
    return monitor_vm()->vcpu_count == 0 ? "the machine was refused: there is no guest" : NULL;
}

// The vCPU that word names, or the chosen one where word is NULL.
const char *monitor_vcpu(const char *word, struct vcpu **vcpu)
{
    uint64_t number = monitor_client_now()->vcpu;
    const char *error = monitor_refused();

    if (error == NULL && word != NULL)
        error = monitor_number("vcpu", word, 0, monitor_vm()->vcpu_count - 1, &number);
    if (error == NULL)
        *vcpu = &monitor_vm()->vcpus[number];
    return error;
}

void monitor_choose_vcpu(const struct vcpu *vcpu)
{
    monitor_client_now()->vcpu = vcpu->id;
}
