// SPDX-License-Identifier: Apache-2.0
// Hypercalls and SMCs with any number and hostile arguments, from every CPU at once; CPUs turned on at hostile entry
// points. Left out are the calls that do what they say and end the run: pause, reset, power off, and CPU_OFF and
// CPU_SUSPEND of a CPU that nobody would wake.
#include "hostile.h"

#include <hv/guest_abi.h>

#include "lib/call.h"
#include "lib/cpu.h"
#include "lib/el0.h"
#include "lib/smp.h"

#define PSCI_SYSTEM_OFF    0x84000008
#define PSCI_SYSTEM_RESET  0x84000009
#define PSCI_SYSTEM_RESET2 0x84000012
#define SMCCC_64           0x40000000
#define INSN_HVC           0xd4000002u
#define INSN_SMC           0xd4000003u

static bool ends_the_run(uint64_t number)
{
    uint32_t function = (uint32_t)number & ~(uint32_t)SMCCC_64;

    return number == HVC_PAUSE || function == PSCI_CPU_OFF || function == (uint32_t)(PSCI_CPU_SUSPEND & ~SMCCC_64) ||
           function == PSCI_SYSTEM_OFF || function == PSCI_SYSTEM_RESET || function == PSCI_SYSTEM_RESET2;
}

static uint64_t random_number(void)
{
    switch (random_below(8)) {
    case 0:
        return random_hostile();
    case 1:
        return 0x80000000 | random_below(4);
    case 2:
        return random_next() << 32 | 0x84000000 | random_below(0x24) | random_below(2) * SMCCC_64;
    case 3:
    case 4:
        return 0x84000000 | random_below(0x24) | random_below(2) * SMCCC_64;
    default:
        return random_below(8);
    }
}

static bool is_in_ram(uint64_t ipa, uint64_t size)
{
    return ipa >= GUEST_RAM_IPA && ipa - GUEST_RAM_IPA < GUEST_RAM_SIZE && size <= GUEST_RAM_IPA + GUEST_RAM_SIZE - ipa;
}

// Whether the result is one that the arguments allow.
static bool is_right(uint64_t number, uint64_t x1, uint64_t x2, int64_t result)
{
    if (number == HVC_GUEST_CONSOLE_WRITE)
        return x2 == 0 || (result == (int64_t)x2 && x2 <= HVC_CONSOLE_WRITE_MAX && is_in_ram(x1, x2)) || result < 0;
    if (number < 0x80000000)
        return number <= HVC_REPORT_EXCEPTION || result == HVC_NOT_SUPPORTED;
    return result >= -10 && result <= 0x10001;
}

// Turning a CPU on that is on, is not there, or would begin where there is nothing to execute.
static void attack_cpu_on(void)
{
    uint64_t target = random_below(2) ? random_below(CPU_MAX) : random_hostile();
    uint64_t entry = random_hostile();
    int64_t result;

    // An entry that is a right one would have the CPU execute whatever is there, for ever.
    if (is_in_ram(entry, 4) && entry % 4 == 0)
        entry |= 2;
    if (is_in_ram((uint32_t)entry, 4) && (uint32_t)entry % 4 == 0)
        entry = 3;
    result = random_below(2) ? call_hvc(PSCI_CPU_ON, target, entry, random_next())
                             : call_smc(PSCI_CPU_ON - SMCCC_64, target, entry, random_next());
    account(result < 0, "CPU_ON succeeds", target, entry, (uint64_t)result);
}

// The same with every register watched; any immediate. Boot CPU.
static void attack_watched(uint64_t number, uint64_t x1, uint64_t x2)
{
    static struct cpu_state before, after;
    uint32_t immediate = random_below(2) ? 0 : (uint32_t)random_below(0x10000);
    struct exception e;

    cpu_state_fill(&before, random_next());
    before.x[0] = number;
    before.x[1] = x1;
    before.x[2] = x2;
    after = before;
    e = cpu_run(&after, (random_below(2) ? INSN_HVC : INSN_SMC) | immediate << 5);
    exception_expect();
    account(e.taken == 0 && cpu_state_difference(&before, &after, 1) == NULL, "a call changes registers", number, e.esr,
            immediate);
}

void attack_calls(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t number = random_number(), x1 = random_hostile(), x2 = random_hostile();

        if (ends_the_run(number))
            number = HVC_GUEST_CONSOLE_WRITE;
        if (number == HVC_DUMP_LOG && random_below(256) != 0)
            number = HVC_REPORT_EXCEPTION;
        if (number == HVC_GUEST_CONSOLE_WRITE && x2 <= HVC_CONSOLE_WRITE_MAX && random_below(16) != 0)
            x2 &= 15; // long ones are only slow
        if (((uint32_t)number & ~(uint32_t)SMCCC_64) == (uint32_t)(PSCI_CPU_ON & ~(uint32_t)SMCCC_64)) {
            attack_cpu_on();
        } else if (cpu_index() == 0 && random_below(8) == 0) {
            attack_watched(number, x1, x2);
        } else if (random_below(2)) {
            int64_t result = call_hvc(number, x1, x2, random_hostile());
            account(is_right(number, x1, x2, result), "a call's result", number, x1, (uint64_t)result);
        } else {
            int64_t result = call_smc(number, x1, x2, random_hostile());
            account((uint32_t)number >= 0x80000000 || result == HVC_NOT_SUPPORTED, "an smc's result", number, x1,
                    (uint64_t)result);
        }
    }
}

// Each immediate of HVC and SMC, of which EL2 knows only 0, at EL1 and at EL0.
void attack_immediates(uint64_t count)
{
    uint32_t start = (uint32_t)random_next();

    for (uint64_t i = 0; i < count; i++) {
        uint32_t immediate = (start + (uint32_t)i / 2) % 0xffff + 1, insn = i % 2 ? INSN_HVC : INSN_SMC;
        uint64_t x0 = random_number();
        struct exception e = cpu_try(insn | immediate << 5, &x0);

        account(e.taken == 0 && (int64_t)x0 == HVC_NOT_SUPPORTED, "an immediate", insn | immediate << 5, e.esr, x0);
        if (i % 16 == 0) {
            e = el0_run(insn | immediate << 5, &x0);
            account(e.taken == 1 && e.ec == EC_UNKNOWN, "a call from EL0", insn | immediate << 5, e.esr, x0);
        }
        exception_expect();
    }
}
