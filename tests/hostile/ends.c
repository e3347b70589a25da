// SPDX-License-Identifier: Apache-2.0
// Attacks that leave the guest with nothing to do: every CPU waits for an interrupt that cannot come, or takes one
// exception after the other because the handler cannot be fetched, or because its stack is not there. And resets of the
// whole machine from any CPU while the others attack.
#include "hostile.h"

#include "lib/call.h"
#include "lib/cpu.h"
#include "lib/mmio.h"
#include "lib/print.h"
#include "lib/smp.h"

#define PSCI_SYSTEM_RESET  0x84000009
#define PSCI_SYSTEM_RESET2 0x84000012
#define SMC64              0x40000000
#define TIMER_SILENT       2
#define ICC_IGRPEN1_EL1    S3_0_C12_C12_7
#define RESETS             ((volatile uint64_t *)(JOBS_IPA + JOBS_SIZE)) // made since power was turned on

// The boot CPU says so before the others begin: their records would come between its words.
static void say_goodbye(const char *what)
{
    static volatile bool said;

    if (cpu_index() == 0) {
        print("# hostile: %s gone\n", what);
        said = true;
    }
    while (!said)
        __asm__ volatile("yield");
}

void attack_wfi(uint64_t count)
{
    (void)count;
    say_goodbye("wfi");
    WRITE_REG(cntv_ctl_el0, TIMER_SILENT);
    WRITE_REG(cntp_ctl_el0, TIMER_SILENT);
    WRITE_REG(ICC_IGRPEN1_EL1, 0);
    for (;;) {
        account(true, "", 0, 0, 0);
        __asm__ volatile("wfi");
    }
}

void attack_double(uint64_t count)
{
    // The last is the end of RAM: a stack there would grow into it.
    static const uint64_t places[] = {0, GICD_IPA, UINT64_C(1) << 40, UINT64_C(0xffff) << 48, 0x70000000};

    (void)count;
    say_goodbye("double");
    if (cpu_index() % 2 == 0) {
        WRITE_REG(vbar_el1, places[random_below(5)]);
        __asm__ volatile("udf #0");
    } else { // its vectors are there, its stack is not
        __asm__ volatile("mov sp, %0\n str xzr, [sp]" : : "r"(places[random_below(4)] + 0x800));
    }
    for (;;)
        ;
}

// The machine comes back with this job as its first line, until count resets have been made.
void attack_reset(uint64_t count)
{
    uint64_t made = *RESETS;

    if (made >= count) {
        account(made == count, "resets", made, count, 0);
        return;
    }
    attack_mmio(random_below(64));
    if (cpu_index() == made % job_cpus()) {
        *RESETS = made + 1;
        if (random_below(2))
            call_hvc(PSCI_CPU_ON, random_below(CPU_MAX), (uint64_t)guest_start_secondary, 0);
        if (random_below(2))
            call_smc(PSCI_SYSTEM_RESET, 0, 0, 0);
        else
            call_hvc(random_below(2) ? PSCI_SYSTEM_RESET2 : PSCI_SYSTEM_RESET2 | SMC64, 0, 0, 0);
        account(false, "a reset returns", made, 0, 0);
    }
    attack_calls(~UINT64_C(0));
}
