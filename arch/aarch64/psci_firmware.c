// SPDX-License-Identifier: Apache-2.0
// PSCI calls from EL2 to the firmware (DEN 0022), and the idle instruction of a CPU.

#include <hv/arch/cpu.h>
#include <hv/arch/psci_firmware.h>

#include <hv/arch/barrier.h>
#include <hv/arch/cache.h>
#include <hv/arch/registers.h>
#include <hv/platform.h>

#define PSCI_SYSTEM_OFF   0x84000008u
#define PSCI_SYSTEM_RESET 0x84000009u
#define PSCI_CPU_ON_64    0xc4000003u

extern char secondary_start[];

// smc #0 by the SMC calling convention (DEN 0028): x0 - x3 in, x0 out, x4 - x17 may be lost; EL2's C does not have
// x10 - x15 (vectors.S).
static int64_t smc_call(uint32_t function, uint64_t a1, uint64_t a2, uint64_t a3)
{
    register uint64_t x0 __asm__("x0") = function;
    register uint64_t x1 __asm__("x1") = a1;
    register uint64_t x2 __asm__("x2") = a2;
    register uint64_t x3 __asm__("x3") = a3;
    __asm__ volatile("smc #0"
                     : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
                     :
                     : "x4", "x5", "x6", "x7", "x8", "x9", "x16", "x17", "memory");
    return (int64_t)x0;
}

int64_t firmware_cpu_on(unsigned int cpu, uint64_t context)
{
    barrier_complete(); // what the CPU will read is in memory before it starts
    return smc_call(PSCI_CPU_ON_64, cpu, (uint64_t)secondary_start, context);
}

_Noreturn void firmware_power_off(void)
{
    smc_call(PSCI_SYSTEM_OFF, 0, 0, 0);
    for (;;)
        cpu_wait_for_interrupt();
}

_Noreturn void firmware_reset(void)
{
    cache_clean_poc((const void *)platform.log_ring.base,
                    platform.log_ring.size); // the last records are in memory when the caches go
    smc_call(PSCI_SYSTEM_RESET, 0, 0, 0);
    for (;;)
        cpu_wait_for_interrupt();
}

unsigned int cpu_id(void)
{
    return (unsigned int)FIELD_GET(MPIDR_EL1_AFF0, READ_SYSREG(MPIDR_EL1));
}

void cpu_wait_for_interrupt(void)
{
    // Stores that another CPU waits for (mailboxes, vcpu->waiting) are complete before this one may stop its clock.
    barrier_complete();
    __asm__ volatile("wfi" ::: "memory");
}
