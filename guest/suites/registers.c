// SPDX-License-Identifier: Apache-2.0
// Every register survives every kind of trap: x0-x30, SP, NZCV, V0-V31, the TPIDRs; but for the registers that the
// instruction itself writes.
#include <hv/guest_abi.h>
#include <hv/memory_map.h>

#include "lib/cpu.h"
#include "lib/gic.h"
#include "lib/mmio.h"
#include "lib/test.h"

static struct cpu_state before, after;

// Runs instruction at EL1t and at EL1h with known registers; x1 = address, x0 = number. Only registers in changes may
// differ afterwards.
static void check_preserved(uint32_t instruction, uint64_t x0, uint64_t x1, uint32_t changes)
{
    for (unsigned int seed = 1; seed <= 2; seed++) {
        cpu_state_fill(&before, seed * 0x123456789abcdef);
        before.x[0] = x0;
        before.x[1] = x1;
        after = before;
        struct exception e = seed == 1 ? cpu_run(&after, instruction) : cpu_run_el1h(&after, instruction);
        const char *different = cpu_state_difference(&before, &after, changes);

        CHECK_NO_EXCEPTION(e);
        if (different) {
            test_fail(__LINE__, "%s: expected every register kept, got another value (EL1%c)", different,
                      seed == 1 ? 't' : 'h');
            return;
        }
    }
}

TEST("registers", "kept over an instruction that does not trap")
{
    check_preserved(INSN_NOP, 7, 8, 0);
}

TEST("registers", "kept over hvc")
{
    check_preserved(INSN("hvc #0"), HVC_GET_HV_ID, 0, 1);
}

TEST("registers", "kept over an unknown hvc")
{
    check_preserved(INSN("hvc #0"), 0x1234, 0, 1);
}

TEST("registers", "kept over smc")
{
    // SMCCC 1.1: x4-x30 and V registers are kept by a call that returns one value
    check_preserved(INSN("smc #0"), 0x84000000, 0, 0xf);
}

TEST("registers", "kept over a read of an ID register")
{
    uint64_t value = READ_REG(id_aa64pfr0_el1);

    for (unsigned int t = 0; t < 31; t++) {
        check_preserved(INSN("mrs x0, id_aa64pfr0_el1") | t, 1, 2, 1u << t);
        CHECK_EQ(after.x[t], value);
    }
}

TEST("registers", "kept over a read of a register into xzr")
{
    check_preserved(INSN("mrs xzr, id_aa64pfr0_el1"), 1, 2, 0);
}

TEST("registers", "kept over a device load")
{
    check_preserved(INSN("ldr w9, [x1]"), 1, PL011_IPA + 0x18, 1u << 9);
}

TEST("registers", "kept over a device store")
{
    check_preserved(INSN("str wzr, [x1]"), 1, PL011_IPA + 0x44, 0);
}

// LDR Wt, [X1] and STR Wt, [X1]
#define LDR_W(t) (INSN("ldr w0, [x1]") | (t))
#define STR_W(t) (INSN("str w0, [x1]") | (t))

TEST("registers", "kept over a device load into each register")
{
    for (unsigned int t = 0; t <= 31; t++) {
        check_preserved(LDR_W(t), 1, PL011_IPA + 0xfe4, t < 31 ? 1u << t : 0);
        if (t < 31)
            CHECK_EQ(after.x[t], 0x10);
    }
}

TEST("registers", "kept over a device store of each register")
{
    for (unsigned int t = 0; t <= 31; t++) {
        check_preserved(STR_W(t), 1, PL011_IPA + 0x24, 0); // UARTIBRD
        CHECK_EQ(mmio_read32(PL011_IPA + 0x24), t < 31 ? after.x[t] & 0xffff : 0);
    }
    mmio_write32(PL011_IPA + 0x24, 0);
}

TEST("registers", "kept over wfi with an interrupt pending")
{
    if (!gic_init())
        SKIP("no interrupt controller");
    gic_enable(GIC_INTID_VTIMER, 0x80);
    WRITE_REG(cntv_cval_el0, 0);
    WRITE_REG(cntv_ctl_el0, 1);
    check_preserved(INSN("wfi"), 1, 2, 0);
    gic_disable(GIC_INTID_VTIMER);
}
