// SPDX-License-Identifier: Apache-2.0
// The plan: which VMs there are, on which CPUs they run, what memory is theirs. Code that assumed a VM of its own would
// need a change in many files for a second one; so no other file has a VM by name. A second VM is a second row here,
// with memory and a VMID of its own, and CPUs and RAM that the first row no longer takes.

#include <hv/plan.h>

#include <hv/memory_map.h>

#define PLAN_VMS 1

static struct vm vms[PLAN_VMS];
// boot.S does not zero this memory, which would cost time; vm_build fills in what it uses.
static UNSET struct vm_memory memory[PLAN_VMS];

static const struct vm_plan plans[PLAN_VMS] = {
    {
        .number = 0,
        .policy = &policy_built,
        .vmid = 1,
        .first_cpu = 0,
        .vcpu_max = CPU_MAX,
        .ram_ipa = {GUEST_RAM_IPA},
        .ram = &platform.guest_ram,
        .memory = &memory[0],
    },
};

struct vm *plan_vm(unsigned int n)
{
    return n < PLAN_VMS ? &vms[n] : NULL;
}

const struct vm_plan *plan_of(unsigned int n)
{
    return n < PLAN_VMS ? &plans[n] : NULL;
}

unsigned int plan_vm_count(void)
{
    return PLAN_VMS;
}

// A row takes vcpu_max CPUs from first_cpu up, and its vCPU 0 is on the first of them. If a row had first_cpu 4, then
// CPU 6 would run vCPU 2 of that VM. A CPU that no row takes has no vCPU.
struct vcpu *plan_vcpu_of_cpu(unsigned int cpu)
{
    for (unsigned int n = 0; n < PLAN_VMS; n++)
        if (cpu >= plans[n].first_cpu && cpu - plans[n].first_cpu < plans[n].vcpu_max)
            return &vms[n].vcpus[cpu - plans[n].first_cpu];
    return NULL;
}
