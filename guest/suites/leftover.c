// SPDX-License-Identifier: Apache-2.0
// A CPU that was turned off and on again: nothing of its former life. Three lives of CPU 1: the first and the second
// leave different values in every register that they can write, whatever it is; what the second and the third find on
// coming up must be the same. Registers are found by trying every encoding of MRS, so that no list says what to look
// at.
#include "lib/cpu.h"
#include "lib/print.h"
#include "lib/smp.h"
#include "lib/test.h"

#include <hv/arch/vcpu_register_table.h>
#include <hv/memory_map.h>

#include "lib/call.h"

#define ENTRY_COUNT   48  // first_seen
#define READABLE_MAX  512 // a CPU of QEMU 7.2 has some 250
#define WRITTEN_LEAST 40

struct found {
    uint32_t encoding;
    bool moving; // a counter: two reads in a row differ
    uint64_t at_start[3], at_end[3];
};

static struct found readable[READABLE_MAX];
static unsigned int count, life;
// Of each life: what stands in registers that a program cannot keep until it looks: x1 to x30, the table's special
// ones.
static uint64_t first_seen[3][ENTRY_COUNT];
uint64_t *leftover_seen;
uint64_t leftover_stack;

// CPU_ON enters here: stores what it finds before anything is written. x0 is the context id. Ends in the usual way.
__asm__(".pushsection .text.leftover, \"ax\"\n"
        "leftover_entry:\n"
        "adrp x0, leftover_seen\n ldr x0, [x0, #:lo12:leftover_seen]\n"
        "stp x1, x2, [x0], #16\n stp x3, x4, [x0], #16\n stp x5, x6, [x0], #16\n stp x7, x8, [x0], #16\n"
        "stp x9, x10, [x0], #16\n stp x11, x12, [x0], #16\n stp x13, x14, [x0], #16\n stp x15, x16, [x0], #16\n"
        "stp x17, x18, [x0], #16\n stp x19, x20, [x0], #16\n stp x21, x22, [x0], #16\n stp x23, x24, [x0], #16\n"
        "stp x25, x26, [x0], #16\n stp x27, x28, [x0], #16\n stp x29, x30, [x0], #16\n"
        "mrs x1, sctlr_el1\n mrs x2, cpacr_el1\n stp x1, x2, [x0], #16\n"
        "mrs x1, vbar_el1\n mrs x2, elr_el1\n stp x1, x2, [x0], #16\n"
        "mrs x1, spsr_el1\n mrs x2, esr_el1\n stp x1, x2, [x0], #16\n"
        "mrs x1, far_el1\n mrs x2, sp_el0\n stp x1, x2, [x0], #16\n"
        "mov x1, sp\n mrs x2, cntv_ctl_el0\n stp x1, x2, [x0], #16\n"
        "mrs x1, daif\n mrs x2, nzcv\n stp x1, x2, [x0], #16\n"
        "mrs x1, spsel\n str x1, [x0]\n"
        "adrp x0, leftover_stack\n ldr x0, [x0, #:lo12:leftover_stack]\n"
        "b guest_start_secondary\n"
        ".popsection\n");
void leftover_entry(void);

static const char *const special[] = {"SCTLR_EL1", "CPACR_EL1", "VBAR_EL1", "ELR_EL1", "SPSR_EL1",
                                      "ESR_EL1",   "FAR_EL1",   "SP_EL0",   "SP",      "CNTV_CTL_EL0",
                                      "DAIF",      "NZCV",      "SPSel"};

// Not read: taking an interrupt, random numbers. Not written: what this program runs on (they are special).
static bool has_effect(uint32_t encoding)
{
    return encoding == SYS_ENCODING(3, 0, 12, 8, 0) || encoding == SYS_ENCODING(3, 0, 12, 12, 0) ||
           encoding == SYS_ENCODING(3, 3, 2, 4, 0) || encoding == SYS_ENCODING(3, 3, 2, 4, 1);
}

static bool is_needed(uint32_t encoding)
{
    return encoding == SYS_ENCODING(3, 0, 1, 0, 0) || encoding == SYS_ENCODING(3, 0, 1, 0, 2) ||
           encoding == SYS_ENCODING(3, 0, 12, 0, 0) || encoding == SYS_ENCODING(3, 0, 4, 2, 0) ||
           encoding == SYS_ENCODING(3, 3, 4, 2, 1);
}

static uint64_t read(uint32_t encoding, bool *there)
{
    uint64_t value = 0;
    struct exception e = cpu_try_read(encoding, &value);

    *there = e.taken == 0;
    return value;
}

// Boot CPU: op0 2 and 3, op1 0 to 3 (above are EL2's, EL3's and the secure EL1's). CPACR_EL1 refuses nothing.
static void find_readable(void)
{
    WRITE_REG(cpacr_el1, 0x3330000);
    count = 0;
    for (uint32_t n = 0; n < 2 * 4 * 16 * 16 * 8; n++) {
        uint32_t encoding = SYS_ENCODING(2 + (n >> 13), n >> 11 & 3, n >> 7 & 15, n >> 3 & 15, n & 7);
        bool there = false;

        if (!has_effect(encoding))
            (void)read(encoding, &there);
        if (there && count < READABLE_MAX)
            readable[count++] = (struct found){.encoding = encoding};
    }
}

// The end of a life, in registers that what goes before would change. No exception comes after it.
static void mark_special(uint64_t mark)
{
    __asm__ volatile("msr far_el1, %0\n msr esr_el1, %0\n msr elr_el1, %0\n msr sp_el0, %0\n msr vbar_el1, %0\n"
                     "msr spsr_el1, %1\n msr cntv_ctl_el0, %2\n msr cpacr_el1, %3\n msr sctlr_el1, %4\n isb"
                     :
                     : "r"(mark & ~UINT64_C(0xfff)), "r"(mark & 0xf0000000), "r"(mark & 2), "r"(mark & 0x300000),
                       "r"(READ_REG(sctlr_el1) ^ (mark & 0x40000))); // nTWE
}

// What ones set in one register and clear in its twin, where zeros do nothing: PMCNTENSET, PMINTENSET, PMOVSSET,
// DBGCLAIMSET and their CLR.
static void write_twins(bool set)
{
    static const uint32_t encodings[][2] = {{SYS_ENCODING(3, 3, 9, 12, 2), SYS_ENCODING(3, 3, 9, 12, 1)},
                                            {SYS_ENCODING(3, 0, 9, 14, 2), SYS_ENCODING(3, 0, 9, 14, 1)},
                                            {SYS_ENCODING(3, 3, 9, 12, 3), SYS_ENCODING(3, 3, 9, 14, 3)},
                                            {SYS_ENCODING(2, 0, 7, 9, 6), SYS_ENCODING(2, 0, 7, 8, 6)}};

    for (size_t i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++)
        (void)cpu_try_write(encodings[i][set], ~UINT64_C(0));
}

static void live(void)
{
    uint64_t mark = life == 0 ? ~UINT64_C(0) : 0;

    WRITE_REG(cpacr_el1, 0x3330000);
    for (unsigned int i = 0; i < count; i++) {
        bool there;

        readable[i].at_start[life] = read(readable[i].encoding, &there);
        readable[i].moving |= read(readable[i].encoding, &there) != readable[i].at_start[life];
    }
    (void)cpu_try_write(SYS_ENCODING(2, 0, 1, 0, 4), mark & 1); // OSLAR_EL1
    for (unsigned int i = 0; i < count; i++)
        if (!is_needed(readable[i].encoding))
            (void)cpu_try_write(readable[i].encoding, mark);
    write_twins(life == 0);
    for (unsigned int i = 0; i < count; i++) {
        bool there;

        readable[i].at_end[life] = read(readable[i].encoding, &there);
    }
    mark_special(mark);
}

static bool run_lives(void)
{
    for (life = 0; life < 3; life++) {
        leftover_seen = first_seen[life];
        __asm__ volatile("dsb sy" ::: "memory");
        if (smp_start_at(1, live, leftover_entry, &leftover_stack) != 0 || !smp_wait_off(1)) {
            test_fail(__LINE__, "CPU 1 does not come up in life %u", life);
            return false;
        }
    }
    return true;
}

static const char *name_of(uint32_t encoding)
{
#define NAME_ROW(name, op0, op1, crn, crm, op2, ...) {SYS_ENCODING(op0, op1, crn, crm, op2), #name},
    static const struct {
        uint32_t encoding;
        const char *name;
    } names[] = {VCPU_REGISTER_TABLE(NAME_ROW)};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].encoding == encoding)
            return names[i].name;
    return "a register";
}

static void report(const struct found *found)
{
    uint32_t e = found->encoding;

    test_fail(__LINE__, "%s (S%u_%u_C%u_C%u_%u): left 0x%lx and 0x%lx, found 0x%lx and 0x%lx", name_of(e), e >> 19 & 3,
              e >> 16 & 7, e >> 12 & 15, e >> 8 & 15, e >> 5 & 7, found->at_end[0], found->at_end[1],
              found->at_start[1], found->at_start[2]);
}

TEST("leftover", "a CPU turned on finds nothing of its former life in any register")
{
    unsigned int written = 0, kept = 0;

    if (smp_cpu_count() < 2)
        SKIP("one CPU");
    find_readable();
    CHECK_TRUE(run_lives());
    for (unsigned int i = 0; i < count; i++) {
        const struct found *found = &readable[i];

        written += found->at_end[0] != found->at_end[1] && !found->moving;
        if (found->at_start[1] != found->at_start[2] && !found->moving) {
            report(found);
            kept++;
        }
    }
    print("# leftover: %u registers, %u of them written\n", count, written);
    CHECK(count < READABLE_MAX);
    CHECK(written >= WRITTEN_LEAST);
    CHECK_EQ(kept, 0);
}

// What the program itself needs on the way: the same in each life, and what PSCI and the manual say (DEN 0022 6.4).
TEST("leftover", "a CPU turned on begins with zeros, MMU off and everything masked")
{
    if (smp_cpu_count() < 2)
        SKIP("one CPU");
    count = 0;
    CHECK_TRUE(run_lives());
    for (unsigned int n = 0; n < 3; n++) {
        for (unsigned int i = 0; i < 30; i++)
            CHECK_EQ(first_seen[n][i], 0);
        CHECK_EQ(first_seen[n][30] & 0x1005, 0); // M, C, I
        for (unsigned int i = 0; i < sizeof(special) / sizeof(special[0]); i++) {
            uint64_t found = first_seen[n][30 + i];
            uint64_t expected = i == 0 ? first_seen[0][30] : i == 10 ? 0x3c0 : i == 12 ? 1 : 0;

            if (i == 9)
                found &= 3; // not ISTATUS
            if (found != expected) {
                test_fail(__LINE__, "%s in life %u: expected 0x%lx got 0x%lx", special[i], n, expected, found);
                return;
            }
        }
    }
}

// Every register of the table that this CPU has is one that a program can see, and holds the value at reset.
TEST("leftover", "what the table of a vCPU's registers says is what a CPU finds")
{
#define RESET_ROW(name, op0, op1, crn, crm, op2, reset, saved, ...)                                                    \
    {SYS_ENCODING(op0, op1, crn, crm, op2), #name, (uint64_t)(reset), #saved},
    static const struct {
        uint32_t encoding;
        const char *name;
        uint64_t reset;
        const char *saved;
    } rows[] = {VCPU_REGISTER_TABLE(RESET_ROW)};
    unsigned int checked = 0;

    if (smp_cpu_count() < 2)
        SKIP("one CPU");
    find_readable();
    CHECK_TRUE(run_lives());
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++)
        for (unsigned int i = 0; i < count; i++) {
            const struct found *found = &readable[i];
            uint64_t kept = found->at_end[0] ^ found->at_end[1]; // the bits that keep what is written

            // S: OSLAR_EL1, which does not read; C: reads as its twin, whose bits are all clear
            if (found->encoding != rows[r].encoding || is_needed(rows[r].encoding) || rows[r].saved[0] == 'S')
                continue;
            uint64_t expected = rows[r].saved[0] == 'C' ? 0 : rows[r].reset;
            checked++;
            if ((found->at_start[2] & kept) != (expected & kept)) {
                test_fail(__LINE__, "%s: expected 0x%lx got 0x%lx, of the bits 0x%lx", rows[r].name, expected,
                          found->at_start[2], kept);
                return;
            }
        }
    CHECK(checked >= 20);
}
