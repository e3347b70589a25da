// SPDX-License-Identifier: Apache-2.0
// Every page of the physical space below 1 TiB read, written and executed, in an order that spreads each part evenly
// over all of it: `sweep <part> <count>` makes pages part * count .. (part + 1) * count of that order, so that parts
// 0, 1, 2 ... together cover every page once. A page of the guest's RAM gets back what was read from it.
#include "hostile.h"

#include "lib/cpu.h"

#define INSN_RET   0xd65f03c0u
#define PAGE_COUNT (UINT64_C(1) << 28)
#define SPREAD     UINT64_C(0x9e3779b1) // odd: n * SPREAD % PAGE_COUNT meets every page

// RAM is executed as well: one instruction, which is not there any more afterwards.
static void attack_ram(uint64_t address)
{
    volatile uint32_t *word = (volatile uint32_t *)address;
    uint32_t kept = *word;
    uint64_t x[8] = {0};

    *word = INSN_RET;
    __asm__ volatile("dc cvau, %0\n dsb ish\n ic ivau, %0\n dsb ish\n isb" : : "r"(word) : "memory");
    struct exception e = form_run((const struct form *)address, x);
    *word = kept;
    account(e.taken == 0 && *word == kept, "guest RAM", address, e.esr, kept);
}

static void attack_page(uint64_t address)
{
    unsigned int size = (unsigned int)random_below(4);
    uint64_t x[8] = {0, address, random_next()};
    struct exception e;

    if (address - GUEST_RAM_IPA < GUEST_RAM_SIZE) {
        attack_ram(address);
        return;
    }
    e = form_run(&form_load[size], x);
    account(is_refusal(&e), "a read", address, e.esr, size);
    e = form_run(&form_store[size], x);
    account(is_refusal(&e), "a write", address, e.esr, size);
    e = form_run((const struct form *)address, x);
    account(e.taken == 1 && is_refusal(&e), "a fetch", address, e.esr, e.elr);
}

void attack_sweep(uint64_t count)
{
    uint64_t first = job_seed() * count;
    unsigned int cpus = job_cpus();

    for (uint64_t i = cpu_index(); i < count; i += cpus) {
        uint64_t address = ((first + i) * SPREAD % PAGE_COUNT) << 12;

        if (!is_ours(address))
            attack_page(address + (random_next() & 0xff8));
    }
}
