// SPDX-License-Identifier: Apache-2.0
// What changes between check and use. CPUs work in pairs: the even one executes an instruction, or hands a buffer to
// EL2, that the odd one keeps rewriting; so what EL2 decodes is often not what faulted. Alone, a CPU rewrites itself.
#include "hostile.h"

#include <hv/guest_abi.h>

#include "lib/call.h"
#include "lib/cpu.h"

#define TEXT_BYTES   48
#define WRITE_BURST  8
#define CONSOLE_EACH 512 // attacks; the console is slow

struct pair {
    struct form slot;
    char text[TEXT_BYTES];
    volatile bool done;
};

static struct pair *pair_of(unsigned int cpu)
{
    return (struct pair *)(SCRATCH_IPA + cpu / 2 * (uint64_t)(2 * SCRATCH_CPU_SIZE));
}

static void rewrite(struct pair *pair)
{
    static const char forged[] = "ariel: seq=9 t=9 cpu=0 level=error class=panic ";

    *(volatile uint32_t *)&pair->slot.instruction = random_form()->instruction;
    if (random_below(4) == 0)
        __asm__ volatile("dc cvau, %0\n dsb ish\n ic ivau, %0\n dsb ish\n isb" : : "r"(&pair->slot) : "memory");
    for (unsigned int i = 0; i < WRITE_BURST; i++)
        *(volatile char *)&pair->text[random_below(TEXT_BYTES)] = forged[random_below(sizeof(forged))];
}

static void attack_slot(struct pair *pair)
{
    uint64_t address = random_device_address();
    uint64_t x[8] = {0, address, random_next(), 0, random_next(), random_next()};
    struct exception e = form_run(&pair->slot, x);

    account(is_refusal(&e), "an instruction that changes", address, e.esr, e.elr);
}

// Ranges that begin inside and end outside of what is the guest's, with a buffer that changes.
static void attack_buffer(struct pair *pair)
{
    bool straddles = random_below(2);
    uint64_t length = 1 + random_below(TEXT_BYTES);
    uint64_t ipa =
        straddles ? GUEST_RAM_IPA + GUEST_RAM_SIZE - length + 1 + random_below(length) : (uint64_t)pair->text;
    int64_t result = call_hvc(HVC_GUEST_CONSOLE_WRITE, ipa, length, 0);

    account(straddles ? result < 0 : result == (int64_t)length, "a buffer that changes", ipa, length, (uint64_t)result);
}

void attack_races(uint64_t count)
{
    unsigned int cpu = cpu_index();
    struct pair *pair = pair_of(cpu);
    bool alone = cpu % 2 == 0 && cpu + 1 == job_cpus();

    if (cpu % 2 != 0) {
        for (uint64_t i = 0; i < count && !pair->done; i++) {
            rewrite(pair);
            account(true, "", 0, 0, 0);
        }
        return;
    }
    pair->slot = *random_form();
    pair->done = false;
    for (uint64_t i = 0; i < count; i++) {
        if (alone && random_below(4) == 0)
            rewrite(pair);
        if (random_below(CONSOLE_EACH) == 0)
            attack_buffer(pair);
        else
            attack_slot(pair);
    }
    pair->done = true;
}
