// SPDX-License-Identifier: Apache-2.0
// Loads, stores and fetches of every form at any address that is not this program's: each is done, or refused with
// every register as it was, by an exception that a machine without stage 2 could have raised.
#include "hostile.h"

#include "lib/cpu.h"
#include "lib/mmio.h"

#define UARTDR_END 0x20 // the UART's data register, whose bytes would only fill the console
#define REACH      512

bool is_ours(uint64_t address)
{
    address &= ~(UINT64_C(0xff) << 56);
    if (address >= PL011_IPA - 0x1000 && address < PL011_IPA + UARTDR_END)
        return true;
    return address >= GUEST_RAM_IPA - 0x1000 && address < SCRATCH_IPA;
}

uint64_t random_device_address(void)
{
    static const uint64_t base[] = {GICD_IPA, GICD_IPA, GICR_IPA, GICR_IPA, PL011_IPA, 0x09010000, 0, 0x0a000000};
    uint64_t address = base[random_below(8)] + random_below(random_below(2) ? 0x1000 : 0x40000);

    if (is_ours(address + REACH) || is_ours(address))
        address = GICD_IPA + REACH + random_below(0x8000);
    return random_below(8) ? address & ~UINT64_C(7) : address;
}

static bool is_spared(uint64_t address)
{
    return is_ours(address) || (address >= UNTOUCHED_IPA && address < UNTOUCHED_END);
}

uint64_t random_address(void)
{
    uint64_t choice = random_below(4), address;

    if (choice >= 2)
        return random_device_address();
    address = choice == 0 ? random_hostile() : random_below(UINT64_C(1) << 28) << 12;
    if (is_spared(address) || is_spared(address + REACH) || is_spared(address - REACH))
        address = SCRATCH_IPA + REACH + random_below(SCRATCH_SIZE - 2 * REACH);
    return address;
}

static void attack_fetch(void)
{
    uint64_t address = random_address(), x[8] = {0};

    if (address - GUEST_RAM_IPA < GUEST_RAM_SIZE)
        address += GUEST_RAM_SIZE; // there, whatever lies there would be executed
    struct exception e = form_run((const struct form *)address, x);
    account(e.taken == 1 && is_refusal(&e), "a fetch", address, e.esr, e.elr);
}

void attack_mmio(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        if (random_below(16) == 0)
            attack_fetch();
        else
            form_attack(random_form(), random_address(), is_refusal);
    }
}

// The same with every register of the CPU watched.
void attack_watch(uint64_t count)
{
    static struct cpu_state before, after;
    uint32_t form = 0;

    for (uint64_t i = 0; i < count; i++) {
        uint64_t address = random_address();

        if (i % 64 == 0)
            form = random_form()->instruction;
        cpu_state_fill(&before, random_next());
        before.x[1] = address;
        before.x[3] = 0;
        after = before;
        struct exception e = cpu_run_el1h(&after, form);
        account(is_refusal(&e), "an access", form, address, e.esr);
        // Bases, destinations and the status of a store may change. A refused access changes none of them, but that
        // one of several V registers has been loaded already.
        const char *other = cpu_state_difference(&before, &after, e.taken != 0 ? 0 : 0x3e);
        account(other == NULL || (form >> 26 & 1 && other[0] == 'v'), "an access changes other registers", form,
                address, e.esr);
        exception_expect();
    }
}
