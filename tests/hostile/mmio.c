// SPDX-License-Identifier: Apache-2.0
// Loads, stores and fetches of every form at any address that is not this program's: each is done, or refused with
// every register as it was, by an exception that a machine without stage 2 could have raised.
#include "hostile.h"

#include "lib/cpu.h"
#include "lib/mmio.h"

// clang-format off
// Rt = x2 or v2, address in x1, offset or second operand in x3. Behind .inst: LD1, ST1, LDADD, SWP, CAS, CASP, ST64B,
// STLURB, STG.
#define FORMS(FORM) \
    FORM("ldrb w2, [x1]") FORM("ldrh w2, [x1]") FORM("ldr w2, [x1]") FORM("ldr x2, [x1]") FORM("ldrsb x2, [x1]") \
    FORM("ldrsh w2, [x1]") FORM("ldrsw x2, [x1]") FORM("strb w2, [x1]") FORM("strh w2, [x1]") FORM("str w2, [x1]") \
    FORM("str x2, [x1]") FORM("str wzr, [x1]") FORM("ldr xzr, [x1]") FORM("ldr w2, [x1], #4") \
    FORM("ldr x2, [x1, #8]!") FORM("str w2, [x1], #-4") FORM("strb w2, [x1, #1]!") FORM("str x2, [x1, #-256]!") \
    FORM("ldur x2, [x1, #-1]") FORM("ldtr x2, [x1]") FORM("sttr w2, [x1]") FORM("ldr w2, [x1, x3]") \
    FORM("str x2, [x1, w3, uxtw #3]") FORM("ldp w2, w4, [x1]") FORM("ldp x2, x4, [x1]") FORM("stp w2, w4, [x1]") \
    FORM("stp x2, x4, [x1], #16") FORM("ldpsw x2, x4, [x1]") FORM("ldp x2, x4, [x1, #-512]!") \
    FORM("ldnp x2, x4, [x1]") FORM("stnp w2, w4, [x1]") FORM("ldar x2, [x1]") FORM("ldarb w2, [x1]") \
    FORM("stlr w2, [x1]") FORM("stlrh w2, [x1]") FORM("ldxr x2, [x1]") FORM("stxr w4, x2, [x1]") \
    FORM("ldaxp x2, x4, [x1]") FORM("stlxp w5, x2, x4, [x1]") FORM("ldr b2, [x1]") FORM("ldr h2, [x1]") \
    FORM("ldr s2, [x1]") FORM("ldr d2, [x1]") FORM("ldr q2, [x1]") FORM("str b2, [x1]") FORM("str d2, [x1]") \
    FORM("str q2, [x1]") FORM("ldp d2, d4, [x1]") FORM("stp q2, q4, [x1]") FORM("ldp q2, q4, [x1], #32") \
    FORM(".inst 0x4c407022") FORM(".inst 0x4c007022") FORM(".inst 0xf8220022") FORM(".inst 0xb8228022") \
    FORM(".inst 0xc8a27c22") FORM(".inst 0x48227c24") FORM(".inst 0xf83f9022") FORM(".inst 0x19022022") FORM(".inst 0xd9200822") \
    FORM("prfm pldl1keep, [x1]") FORM("dc civac, x1") FORM("dc cvac, x1") FORM("dc ivac, x1") FORM("dc cvau, x1") \
    FORM("dc zva, x1") FORM("ic ivau, x1") FORM("at s1e1r, x1") FORM("at s1e0w, x1")
// clang-format on

#define UARTDR_END 0x20 // the UART's data register, whose bytes would only fill the console

static uint32_t random_form(void)
{
    uint32_t form = 0;
    uint64_t chosen = 0, seen = 0;

#define COUNT_FORM(text) chosen++;
    FORMS(COUNT_FORM)
    chosen = random_below(chosen);
#define TAKE_FORM(text)                                                                                                \
    if (seen++ == chosen)                                                                                              \
        form = INSN(text);
    FORMS(TAKE_FORM)
    return form;
}

// What holds this program and its console up.
static bool is_ours(uint64_t address)
{
    address &= ~(UINT64_C(0xff) << 56);
    if (address >= PL011_PA - 0x1000 && address < PL011_PA + UARTDR_END)
        return true;
    return address >= GUEST_RAM_IPA - 0x1000 && address < SCRATCH_IPA;
}

static uint64_t random_device_address(void)
{
    static const uint64_t base[] = {GICD_PA, GICD_PA, GICR_PA, GICR_PA, PL011_PA, 0x09010000, 0, 0x0a000000};
    uint64_t address = base[random_below(8)] + random_below(random_below(2) ? 0x1000 : 0x40000);

    return random_below(8) ? address & ~UINT64_C(7) : address;
}

static uint64_t random_address(void)
{
    switch (random_below(4)) {
    case 0:
        return random_hostile();
    case 1:
        return random_below(UINT64_C(1) << 28) << 12; // pages below 1 TiB
    default:
        return random_device_address();
    }
}

static void attack_access(void)
{
    static struct cpu_state before, after;
    uint64_t address = random_address();
    uint32_t form = random_form();
    struct exception e;

    if (is_ours(address) || is_ours(address + 8) || is_ours(address + 512) || is_ours(address - 512))
        address = SCRATCH_IPA + random_below(SCRATCH_SIZE);
    cpu_state_fill(&before, random_next());
    before.x[1] = address;
    before.x[3] = 0;
    after = before;
    e = cpu_run_el1h(&after, form);
    account(is_refusal(&e), "an access", form, address, e.esr);
    if (e.taken != 0)
        account(cpu_state_difference(&before, &after, 0) == NULL, "a refused access changes registers", form, address,
                e.esr);
    else // bases, destinations and the status of a store
        account(cpu_state_difference(&before, &after, 1u << 1 | 1u << 2 | 1u << 4 | 1u << 5) == NULL || form >> 26 & 1,
                "an access changes other registers", form, address, 0);
}

static void attack_fetch(void)
{
    uint64_t address = random_address();
    struct exception e;

    if (address - GUEST_RAM_IPA < GUEST_RAM_SIZE)
        address -= GUEST_RAM_SIZE; // there, whatever lies there would be executed
    if (address - GUEST_RAM_IPA < GUEST_RAM_SIZE)
        return;
    exception_expect();
    ((void (*)(void))address)();
    e = exception_end();
    account(e.taken == 1 && is_refusal(&e), "a fetch", address, e.esr, e.elr);
}

void attack_mmio(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        if (random_below(16) == 0)
            attack_fetch();
        else
            attack_access();
    }
    exception_expect();
}
