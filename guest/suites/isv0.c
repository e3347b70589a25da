// SPDX-License-Identifier: Apache-2.0
// Loads and stores whose syndrome does not say what to do (ISV = 0): EL2 reads the instruction. What it can do is done,
// base register included; what it cannot (exclusives, atomics) is an external abort that changes nothing, DC ZVA and
// what is not aligned an alignment fault.
#include <hv/memory_map.h>

#include "lib/cpu.h"
#include "lib/mmio.h"
#include "lib/mmu.h"
#include "lib/test.h"

#define UART_IBRD (PL011_IPA + 0x24)
#define UART_FBRD (PL011_IPA + 0x28)
#define IBRD      0x8123u
#define FBRD      0x2au

static struct cpu_state before, after, expected;

static void prepare(uint64_t base)
{
    mmio_write32(UART_IBRD, IBRD);
    mmio_write32(UART_FBRD, FBRD);
    cpu_state_fill(&before, 0x0f1e2d3c4b5a6978);
    before.x[1] = base;
    before.sp = base & ~15ull;
    before.x[2] = 0x7654;
    before.x[3] = 0x15;
    before.v[2][0] = 0x1111222233334444;
    before.v[2][1] = 0x5555666677778888;
    expected = before;
}

// Executes; the state must be what the test put into expected.
static bool runs(unsigned int line, uint32_t instruction)
{
    after = before;
    struct exception e = cpu_run(&after, instruction);
    const char *different = cpu_state_difference(&expected, &after, 0);

    if (!test_expect_no_exception(line, &e))
        return false;
    if (different)
        test_fail(line, "%s: expected another value; x1 0x%lx x2 0x%lx x3 0x%lx v2 0x%lx", different, after.x[1],
                  after.x[2], after.x[3], after.v[2][0]);
    return !different;
}

// Executes; an external abort at far, and nothing changed.
static bool refuses(unsigned int line, uint32_t instruction, uint64_t far, bool write)
{
    after = before;
    struct exception e = cpu_run(&after, instruction);
    const char *different = cpu_state_difference(&before, &after, 0);

    if (!test_expect_external_abort(line, &e, far, write))
        return false;
    if (different || e.elr != cpu_run_address())
        test_fail(line, "expected every register kept and ELR 0x%lx, got ELR 0x%lx, changed: %s", cpu_run_address(),
                  e.elr, different ? different : "none");
    return !different && e.elr == cpu_run_address();
}

#define CHECK_RUNS(text)                CHECK_TRUE(runs(__LINE__, INSN(text)))
#define CHECK_REFUSES(text, far, write) CHECK_TRUE(refuses(__LINE__, INSN(text), far, write))

TEST("isv0", "post-indexed load and store")
{
    prepare(UART_IBRD);
    expected.x[1] += 4;
    expected.x[2] = IBRD;
    CHECK_RUNS("ldr w2, [x1], #4");
    prepare(UART_IBRD);
    expected.x[1] -= 16;
    CHECK_RUNS("str w2, [x1], #-16");
    CHECK_EQ(mmio_read32(UART_IBRD), 0x7654);
}

TEST("isv0", "pre-indexed load and store")
{
    prepare(UART_IBRD - 16);
    expected.x[1] += 16;
    expected.x[2] = IBRD;
    CHECK_RUNS("ldr w2, [x1, #16]!");
    prepare(UART_IBRD + 4);
    expected.x[1] -= 4;
    CHECK_RUNS("str w2, [x1, #-4]!");
    CHECK_EQ(mmio_read32(UART_IBRD), 0x7654);
}

TEST("isv0", "post-indexed loads of 1 and 2 bytes, signed and unsigned")
{
    prepare(UART_IBRD);
    expected.x[1] += 1;
    expected.x[2] = IBRD & 0xff;
    CHECK_RUNS("ldrb w2, [x1], #1");
    prepare(UART_IBRD);
    expected.x[1] += 2;
    expected.x[2] = 0xffff8123;
    CHECK_RUNS("ldrsh w2, [x1], #2");
    prepare(UART_IBRD);
    expected.x[1] += 2;
    expected.x[2] = 0xffffffffffff8123;
    CHECK_RUNS("ldrsh x2, [x1], #2");
    prepare(UART_IBRD);
    expected.x[1] += 4;
    expected.x[2] = IBRD;
    CHECK_RUNS("ldrsw x2, [x1], #4");
}

TEST("isv0", "the zero register as target and as source")
{
    prepare(UART_IBRD);
    expected.x[1] += 4;
    CHECK_RUNS("ldr wzr, [x1], #4");
    prepare(UART_IBRD);
    expected.x[1] += 4;
    CHECK_RUNS("str wzr, [x1], #4");
    CHECK_EQ(mmio_read32(UART_IBRD), 0);
}

TEST("isv0", "SP_EL0 as base")
{
    prepare(PL011_IPA + 0x20);
    before.sp = PL011_IPA + 0x20;
    expected.sp = before.sp + 16;
    expected.x[30] = mmio_read32(PL011_IPA + 0x20);
    CHECK_RUNS("ldr w30, [sp], #16");
}

TEST("isv0", "pairs")
{
    prepare(UART_IBRD);
    expected.x[2] = IBRD;
    expected.x[3] = FBRD;
    CHECK_RUNS("ldp w2, w3, [x1]");
    prepare(UART_IBRD);
    expected.x[1] += 8;
    CHECK_RUNS("stp w2, w3, [x1], #8");
    CHECK_EQ(mmio_read32(UART_IBRD), 0x7654);
    CHECK_EQ(mmio_read32(UART_FBRD), 0x15);
    prepare(UART_IBRD - 8);
    expected.x[1] += 8;
    expected.x[2] = IBRD;
    expected.x[3] = FBRD;
    CHECK_RUNS("ldpsw x2, x3, [x1, #8]!");
}

TEST("isv0", "a pair with the zero register")
{
    prepare(UART_IBRD);
    expected.x[3] = FBRD;
    CHECK_RUNS("ldp wzr, w3, [x1]");
    prepare(UART_IBRD);
    CHECK_RUNS("stp wzr, wzr, [x1]");
    CHECK_EQ(mmio_read32(UART_IBRD) | mmio_read32(UART_FBRD), 0);
}

TEST("isv0", "SIMD registers")
{
    prepare(UART_IBRD);
    expected.v[2][0] = IBRD;
    expected.v[2][1] = 0;
    CHECK_RUNS("ldr s2, [x1]");
    prepare(UART_IBRD);
    expected.v[2][0] = IBRD;
    expected.v[2][1] = 0;
    expected.x[1] += 4;
    CHECK_RUNS("ldr s2, [x1], #4");
    prepare(UART_IBRD);
    CHECK_RUNS("str s2, [x1]");
    CHECK_EQ(mmio_read32(UART_IBRD) & 0xffff, 0x4444);
}

TEST("isv0", "acquire and release")
{
    prepare(UART_IBRD);
    expected.x[2] = IBRD;
    CHECK_RUNS("ldar w2, [x1]");
    prepare(UART_IBRD);
    CHECK_RUNS("stlr w2, [x1]");
    CHECK_EQ(mmio_read32(UART_IBRD), 0x7654);
}

TEST("isv0", "a refused post-indexed access keeps its base")
{
    prepare(0x0c000000);
    CHECK_REFUSES("ldr w2, [x1], #4", 0x0c000000, false);
    CHECK_REFUSES("str w2, [x1], #4", 0x0c000000, true);
    CHECK_REFUSES("ldp w2, w3, [x1], #8", 0x0c000000, false);
    CHECK_REFUSES("ldr s2, [x1], #4", 0x0c000000, false);
    prepare(0x0c000000 - 8);
    CHECK_REFUSES("str w2, [x1, #8]!", 0x0c000000, true);
}

TEST("isv0", "exclusives on a device are refused")
{
    prepare(UART_IBRD);
    CHECK_REFUSES("ldxr w2, [x1]", UART_IBRD, false);
    CHECK_REFUSES("ldaxr w2, [x1]", UART_IBRD, false);
    prepare(UART_FBRD); // a pair of words wants 8 bytes of alignment before anything else
    CHECK_REFUSES("ldxp w2, w3, [x1]", UART_FBRD, false);
}

// A store exclusive without a monitor fails without an access.
TEST("isv0", "a store exclusive on a device fails or is refused")
{
    prepare(UART_IBRD);
    after = before;
    struct exception e = cpu_run(&after, INSN("clrex"));
    CHECK_NO_EXCEPTION(e);
    after = before;
    e = cpu_run(&after, INSN("stxr w4, w2, [x1]"));
    if (e.taken)
        CHECK_ABORT(e, UART_IBRD, true);
    else
        CHECK_EQ(after.x[4], 1);
    CHECK_EQ(mmio_read32(UART_IBRD), IBRD);
}

TEST("isv0", "atomics on a device are refused")
{
    if ((READ_REG(id_aa64isar0_el1) >> 20 & 0xf) < 2)
        SKIP("no LSE atomics on this CPU");
    prepare(UART_IBRD);
    // WnR of an atomic is 1 when the write would have faulted; a CPU may report either
    for (unsigned int n = 0; n < 3; n++) {
        static const uint32_t words[] = {0xb8220023, 0xb8228023,
                                         0x88a27c23}; // ldadd, swp w2, w3, [x1]; cas w2, w3, [x1]

        after = before;
        struct exception e = cpu_run(&after, words[n]);

        CHECK_TRUE(test_expect_external_abort(__LINE__, &e, UART_IBRD, e.iss & ISS_WNR));
        CHECK(cpu_state_difference(&before, &after, 0) == NULL);
    }
    CHECK_EQ(mmio_read32(UART_IBRD), IBRD);
}

TEST("isv0", "DC ZVA on a device is refused")
{
    if (READ_REG(dczid_el0) & 0x10)
        SKIP("DC ZVA is prohibited");
    prepare(PL011_IPA);
    after = before;
    struct exception e = cpu_run(&after, INSN("dc zva, x1"));
    unsigned int fsc = e.iss & ISS_FSC_MASK;

    CHECK_EQ(e.taken, 1);
    CHECK_EQ(e.ec, EC_DABT);
    CHECK_EQ(fsc, FSC_ALIGNMENT); // the MMU is off: Device memory
    CHECK(e.iss & ISS_WNR);
    CHECK_EQ(e.iss & ISS_CM, 0);
    CHECK_EQ(e.far, PL011_IPA);
    CHECK(cpu_state_difference(&before, &after, 0) == NULL);
    CHECK_EQ(mmio_read32(UART_IBRD), IBRD);
}

TEST("isv0", "cache maintenance on a device is done or refused")
{
    prepare(PL011_IPA);
    static const uint32_t words[] = {0xd50b7a21, 0xd50b7b21, 0xd50b7e21, 0xd5087621}; // dc cvac, cvau, civac, ivac, x1
    for (unsigned int n = 0; n < 4; n++) {
        after = before;
        struct exception e = cpu_run(&after, words[n]);

        CHECK(cpu_state_difference(&before, &after, 0) == NULL);
        if (e.taken) {
            CHECK_EQ(e.ec, EC_DABT);
            CHECK_EQ(e.iss & ISS_FSC_MASK, FSC_EXTERNAL);
        }
    }
}

TEST("isv0", "a prefetch of a device does nothing")
{
    prepare(0x0c000000);
    CHECK_RUNS("prfm pldl1keep, [x1]");
}

// With the guest's MMU on, at a VA that is not the IPA: EL2 must find the instruction by the guest's own tables.
TEST("isv0", "the instruction is found behind the guest's MMU")
{
    static uint32_t code[1024] __attribute__((aligned(4096)));
    uint64_t (*function)(uint64_t base, uint64_t value) =
        (uint64_t (*)(uint64_t, uint64_t))(MMU_WINDOW + 5 * 4096 + 16);

    prepare(UART_IBRD);
    code[4] = INSN("str w1, [x0], #12");
    code[5] = INSN("ret");
    mmu_enable();
    mmu_map_page(5, (uint64_t)code, false);
    mmu_map_page(6, PL011_IPA, true);
    __asm__ volatile("ic iallu\n dsb ish\n isb" ::: "memory");
    exception_expect();
    uint64_t base = function(MMU_WINDOW + 6 * 4096 + 0x24, 0x5a5a);
    struct exception e = exception_end();
    uint32_t value = mmio_read32(UART_IBRD);

    mmu_disable();
    CHECK_NO_EXCEPTION(e);
    CHECK_EQ(base, MMU_WINDOW + 6 * 4096 + 0x24 + 12);
    CHECK_EQ(value, 0x5a5a);
}
