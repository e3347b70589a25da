// SPDX-License-Identifier: Apache-2.0
// Starting and stopping secondary CPUs. The function and the stack are published before CPU_ON; all CPUs run with their
// MMU off, so memory is never cached and order is the only concern.
#include "lib/smp.h"

#include <hv/memory_map.h>

#include "lib/call.h"
#include "lib/registers.h"

#define STACK_WORDS 1024
#define WAIT_S      30 // a host that is busy runs a CPU late, not never

static uint64_t stacks[CPU_MAX][STACK_WORDS] __attribute__((aligned(16)));
static uint64_t unused;
static void (*volatile functions[CPU_MAX])(void);

// What a started CPU calls: the function, then PSCI CPU_OFF.
static void run_function(void)
{
    functions[cpu_index()]();
    __asm__ volatile("dsb sy" ::: "memory");
    call_hvc(PSCI_CPU_OFF, 0, 0, 0);
}

unsigned int smp_cpu_count(void)
{
    unsigned int count = 1;

    while (count < CPU_MAX && call_hvc(PSCI_AFFINITY_INFO, count, 0, 0) >= 0)
        count++;
    return count;
}

int64_t smp_start(unsigned int cpu, void (*function)(void))
{
    return smp_start_at(cpu, function, guest_start_secondary, &unused);
}

int64_t smp_start_at(unsigned int cpu, void (*function)(void), void (*entry)(void), uint64_t *stack)
{
    uint64_t *top = &stacks[cpu][STACK_WORDS - 2]; // 16 bytes, so that the stack pointer stays aligned

    functions[cpu] = function;
    *top = (uint64_t)run_function;
    *stack = (uint64_t)top;
    __asm__ volatile("dsb sy" ::: "memory");
    return call_hvc(PSCI_CPU_ON, cpu, (uint64_t)entry, *stack);
}

bool smp_wait_off(unsigned int cpu)
{
    uint64_t limit = READ_REG(cntvct_el0) + READ_REG(cntfrq_el0) * WAIT_S;

    while (READ_REG(cntvct_el0) < limit) {
        if (call_hvc(PSCI_AFFINITY_INFO, cpu, 0, 0) == 1)
            return true;
        __asm__ volatile("yield");
    }
    return false;
}
