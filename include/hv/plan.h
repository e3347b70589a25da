// SPDX-License-Identifier: Apache-2.0
// The plan of the machine's VMs: what each consists of before it is made. vm/plan.c is the one place that says how many
// there are; everybody else is handed a VM, or asks here for one.
#pragma once

#include <hv/machine.h>
#include <hv/platform.h>
#include <hv/policy.h>
#include <hv/telemetry.h>
#include <hv/virtio_device.h>

#define PLAN_TABLE_PAGES 64 // of stage 2: the guest's RAM in blocks of 2 MiB, and devices in pages

// EL2's memory that a VM needs beside struct vm. vm_build writes it before anything reads it.
struct vm_memory {
    _Alignas(4096) uint64_t root[512];                          // the first table of stage 2
    _Alignas(4096) uint8_t table_pages[PLAN_TABLE_PAGES][4096]; // its other tables
    struct pool pool;                                           // of table_pages
    struct telemetry telemetry[CPU_MAX];                        // by vCPU
    struct virtio virtio;                                       // its virtio devices
    uint8_t trace_filter[KEY_COUNT][2];                         // which exits are traced (trace.h)
    struct policy policy;                                       // what a person has changed (policy_set.h)
    struct policy_range policy_ranges[POLICY_RANGE_MAX];        // its ranges
};

// One VM.
struct vm_plan {
    uint16_t number; // its place in the plan: plan_of(number)
    const struct policy *policy;
    uint16_t vmid;      // 1 .. 255, and no other VM has it: every AArch64 CPU has 8 bits (DDI 0487 D8.3)
    uint32_t first_cpu; // vCPU n runs on CPU first_cpu + n, and on no other
    uint32_t vcpu_max;  // it has as many as there are CPUs for, at most so many
    ipa_t ram_ipa;      // the guest's RAM: where the guest sees it, and which RAM of the board it is
    const struct platform_range *ram;
    struct vm_memory *memory;
};

// VM number n of the plan, 0 .. plan_vm_count() - 1; NULL when there is none. It is empty until vm_build has made it.
struct vm *plan_vm(unsigned int n);
const struct vm_plan *plan_of(unsigned int n);
unsigned int plan_vm_count(void);

// The vCPU that runs on the physical CPU cpu, or NULL when the plan gives that CPU to no VM.
struct vcpu *plan_vcpu_of_cpu(unsigned int cpu);
