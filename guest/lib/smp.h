// SPDX-License-Identifier: Apache-2.0
// Secondary CPUs: started by PSCI, run one function, and go off again.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PSCI_VERSION           0x84000000
#define PSCI_CPU_SUSPEND       0xc4000001
#define PSCI_CPU_OFF           0x84000002
#define PSCI_CPU_ON            0xc4000003
#define PSCI_AFFINITY_INFO     0xc4000004
#define PSCI_MIGRATE_INFO_TYPE 0x84000006
#define PSCI_FEATURES          0x8400000a

#define PSCI_NOT_SUPPORTED      (-1)
#define PSCI_INVALID_PARAMETERS (-2)
#define PSCI_DENIED             (-3)
#define PSCI_ALREADY_ON         (-4)
#define PSCI_INVALID_ADDRESS    (-9)

// How many CPUs PSCI knows (1 .. CPU_MAX).
unsigned int smp_cpu_count(void);
// Starts cpu (1 ..) in function, which may not use the UART; the CPU goes off when it returns. The result of CPU_ON.
int64_t smp_start(unsigned int cpu, void (*function)(void));
// The same, but the CPU begins at entry, which looks around and branches to guest_start_secondary with *stack in x0.
int64_t smp_start_at(unsigned int cpu, void (*function)(void), void (*entry)(void), uint64_t *stack);
// Waits, bounded, until function has returned and the CPU is off.
bool smp_wait_off(unsigned int cpu);
// Where CPU_ON begins (vectors.S).
void guest_start_secondary(void);
