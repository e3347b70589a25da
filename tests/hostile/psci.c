// SPDX-License-Identifier: Apache-2.0
// CPUs that turn each other and themselves on while others turn off. Every call gives an answer that PSCI has, none is
// on twice, and each one that was turned on has begun: the numbers of both are compared in the end.
#include "hostile.h"

#include "lib/call.h"
#include "lib/cpu.h"
#include "lib/smp.h"

#define ON_PENDING (-5)
#define CALLS_EACH 16 // of a secondary before it turns itself off
#define OFF_ROUNDS 4
#define SMC32      0x40000000

static uint64_t successes, starts;
static volatile bool over;

static void body(void);

static int64_t cpu_on(uint64_t target)
{
    int64_t result;

    if (target < CPU_MAX && target != 0 && target < job_cpus()) {
        result = smp_start((unsigned int)target, body);
    } else {
        uint64_t entry = (uint64_t)guest_start_secondary;
        // The 32-bit call takes the lower half for the target: a CPU that is there would begin without a stack.
        bool narrow = (uint32_t)target - 1 >= job_cpus() - 1 && random_below(2);
        result = narrow ? call_smc(PSCI_CPU_ON - SMC32, target, entry, 0) : call_hvc(PSCI_CPU_ON, target, entry, 0);
    }
    if (result == 0)
        __atomic_fetch_add(&successes, 1, __ATOMIC_RELAXED);
    return result;
}

static void attack_power(void)
{
    unsigned int cpus = job_cpus(), cpu = cpu_index();
    uint64_t target = random_below(4)   ? random_below(cpus)
                      : random_below(2) ? cpus + random_below(9)
                                        : random_hostile();
    bool there = target < cpus;
    int64_t result;

    switch (random_below(4)) {
    case 0:
        result = call_hvc(PSCI_AFFINITY_INFO, target, random_below(8) ? 0 : random_hostile(), 0);
        account(there ? (result >= 0 && result <= 2) || result == PSCI_INVALID_PARAMETERS
                      : result == PSCI_INVALID_PARAMETERS,
                "AFFINITY_INFO", target, (uint64_t)result, cpu);
        break;
    case 1:
        result = call_hvc(PSCI_CPU_ON, target, random_hostile() | 1, 0); // an entry that is none
        account(result < 0, "CPU_ON at an odd address", target, (uint64_t)result, cpu);
        break;
    default:
        result = cpu_on(target);
        account(!there                         ? result == PSCI_INVALID_PARAMETERS || (uint32_t)target == 0
                : target == cpu || target == 0 ? result == PSCI_ALREADY_ON
                                               : result == 0 || result == PSCI_ALREADY_ON || result == ON_PENDING,
                "CPU_ON", target, (uint64_t)result, cpu);
        break;
    }
}

// Turns itself off when it returns.
static void body(void)
{
    __atomic_fetch_add(&starts, 1, __ATOMIC_RELAXED);
    for (unsigned int i = 0; i < CALLS_EACH && !over; i++)
        attack_power();
}

void attack_psci(uint64_t count)
{
    if (cpu_index() != 0) // they come on when the boot CPU, or one that it turned on, says so
        return;
    successes = starts = 0;
    over = false;
    for (uint64_t i = 0; i < count; i++)
        attack_power();
    over = true;
    for (unsigned int cpu = 1; cpu < job_cpus(); cpu++)
        for (unsigned int n = 0; n < OFF_ROUNDS && !smp_wait_off(cpu); n++)
            ;
    account(successes == starts, "CPUs turned on, CPUs that began", successes, starts, 0);
}
