// SPDX-License-Identifier: Apache-2.0
// PSCI calls from EL2 to the firmware (DEN 0022), this CPU's number, and its idle instruction.

#include <hv/arch/psci_firmware.h>

#include <hv/arch/barrier.h>
#include <hv/arch/cpu.h>
#include <hv/machine.h>

#define PSCI_SYSTEM_OFF   0x84000008u
#define PSCI_SYSTEM_RESET 0x84000009u
#define PSCI_CPU_ON_64    0xc4000003u

// smc #0 by the SMC calling convention (DEN 0028 2.6): arguments in x0 to x3, the result in x0. The firmware may change
// x4 to x17. Those of them that EL2's C uses are named as lost; it does not use x10 to x15, which hold the guest's
// values while EL2 runs (vectors.S), so a call that a guest causes must not come back (SYSTEM_OFF, SYSTEM_RESET) or
// must come before there is a guest (CPU_ON).
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

int64_t firmware_cpu_on(uint64_t affinity, uint64_t entry, uint64_t context)
{
    barrier_complete(); // what the other CPU will read is in memory before it starts
    return smc_call(PSCI_CPU_ON_64, affinity, entry, context);
}

_Noreturn void firmware_power_off(void)
{
    smc_call(PSCI_SYSTEM_OFF, 0, 0, 0);
    for (;;)
        cpu_wait_for_interrupt();
}

_Noreturn void firmware_reset(void)
{
    smc_call(PSCI_SYSTEM_RESET, 0, 0, 0);
    for (;;)
        cpu_wait_for_interrupt();
}

unsigned int cpu_id(void)
{
    const struct vcpu *vcpu = vcpu_current();

    return vcpu != NULL ? vcpu->cpu : 0;
}

void cpu_wait_for_interrupt(void)
{
    // Another CPU may wait for a store of this one, which must not stay behind while this one's clock is stopped.
    barrier_complete();
    __asm__ volatile("wfi" ::: "memory");
}
