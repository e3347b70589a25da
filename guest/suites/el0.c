// SPDX-License-Identifier: Apache-2.0
// Code at EL0: its traps reach EL1 as a lower EL's (vector slot 8), with the syndrome of a lower EL.
#include "lib/el0.h"

#include <hv/memory_map.h>

#include "lib/cpu.h"
#include "lib/gic.h"
#include "lib/test.h"

#define SCTLR_NTWI (1u << 16)
#define SCTLR_UCI  (1u << 26)

static bool taken(unsigned int line, const struct exception *e, unsigned int ec, uint64_t elr)
{
    if (e->taken == 1 && e->slot == SLOT_LOWER_64 && e->ec == ec && e->elr == elr && (e->spsr & 0xf) == 0)
        return true;
    test_fail(line, "expected EC 0x%x from EL0 at 0x%lx, got %u exceptions, slot %u ESR 0x%lx ELR 0x%lx SPSR 0x%lx", ec,
              elr, e->taken, e->slot, e->esr, e->elr, e->spsr);
    return false;
}

#define CHECK_TAKEN(e, ec) CHECK_TRUE(taken(__LINE__, &(e), ec, el0_address()))
#define CHECK_DONE(e)      CHECK_TRUE(taken(__LINE__, &(e), EC_SVC64, el0_address() + 8))

TEST("el0", "svc reaches EL1")
{
    uint64_t x0 = 42;
    struct exception e = el0_run(INSN_NOP, &x0);

    CHECK_DONE(e);
    CHECK_EQ(e.iss, 0x55);
    CHECK_EQ(x0, 42);
}

TEST("el0", "hvc and smc are UNDEFINED")
{
    uint64_t x0 = 0;
    struct exception e = el0_run(INSN("hvc #0"), &x0);

    CHECK_TAKEN(e, EC_UNKNOWN);
    e = el0_run(INSN("smc #0"), &x0);
    CHECK_TAKEN(e, EC_UNKNOWN);
}

// UNDEFINED, or, with FEAT_IDST, a trap to EL1 with EC 0x18.
TEST("el0", "registers of EL1 are refused")
{
    static const uint32_t encodings[] = {SYS_ENCODING(3, 0, 1, 0, 0), SYS_ENCODING(3, 0, 0, 4, 0),
                                         SYS_ENCODING(3, 0, 12, 12, 0), SYS_ENCODING(2, 0, 0, 2, 2),
                                         SYS_ENCODING(3, 0, 0, 0, 6)};

    for (unsigned int n = 0; n < 5; n++) {
        uint64_t x0 = 0;
        struct exception e = el0_run(INSN_MRS_X0(encodings[n]), &x0);

        if (e.ec == EC_SYSREG)
            CHECK_TAKEN(e, EC_SYSREG);
        else
            CHECK_TAKEN(e, EC_UNKNOWN);
    }
}

TEST("el0", "TPIDR_EL0 and CTR_EL0 read")
{
    uint64_t x0 = 0;

    WRITE_REG(tpidr_el0, 0x1234);
    struct exception e = el0_run(INSN("mrs x0, tpidr_el0"), &x0);
    CHECK_DONE(e);
    CHECK_EQ(x0, 0x1234);
    e = el0_run(INSN("mrs x0, ctr_el0"), &x0);
    CHECK_DONE(e);
    CHECK_EQ(x0, READ_REG(ctr_el0));
}

TEST("el0", "PMU registers are refused")
{
    uint64_t x0 = 0;
    struct exception e = el0_run(INSN_MRS_X0(SYS_ENCODING(3, 3, 9, 13, 0)), &x0);

    if (e.ec == EC_SYSREG)
        CHECK_TAKEN(e, EC_SYSREG);
    else
        CHECK_TAKEN(e, EC_UNKNOWN);
}

TEST("el0", "an emulated device answers")
{
    uint64_t x0 = PL011_IPA + 0xfe0;
    struct exception e = el0_run(INSN("ldr w0, [x0]"), &x0);

    CHECK_DONE(e);
    CHECK_EQ(x0, 0x11);
}

TEST("el0", "a denied device is an abort from a lower EL")
{
    uint64_t x0 = 0x0c000000;
    struct exception e = el0_run(INSN("ldr w0, [x0]"), &x0);

    CHECK_TAKEN(e, EC_DABT_LOWER);
    CHECK_EQ(e.iss & ISS_FSC_MASK, FSC_EXTERNAL);
    CHECK_EQ(e.far, 0x0c000000);
    CHECK_EQ(e.iss & ISS_WNR, 0);
    CHECK_EQ(x0, 0x0c000000);
    e = el0_run(INSN("str wzr, [x0]"), &x0);
    CHECK_TAKEN(e, EC_DABT_LOWER);
    CHECK(e.iss & ISS_WNR);
}

TEST("el0", "a fetch from a hole is an abort from a lower EL")
{
    uint64_t x0 = 0x70000000;
    struct exception e = el0_run(INSN("br x0"), &x0);

    CHECK_TRUE(taken(__LINE__, &e, EC_IABT_LOWER, 0x70000000));
    CHECK_EQ(e.iss & ISS_FSC_MASK, FSC_EXTERNAL);
    CHECK_EQ(e.far, 0x70000000);
}

TEST("el0", "a breakpoint instruction reaches EL1")
{
    uint64_t x0 = 0;
    struct exception e = el0_run(INSN("brk #0x77"), &x0);

    CHECK_TAKEN(e, EC_BRK);
    CHECK_EQ(e.iss, 0x77);
}

TEST("el0", "wfi that EL1 traps reaches EL1")
{
    uint64_t x0 = 0;

    WRITE_REG(sctlr_el1, READ_REG(sctlr_el1) & ~(uint64_t)SCTLR_NTWI);
    struct exception e = el0_run(INSN("wfi"), &x0);
    CHECK_TAKEN(e, EC_WFX);
    CHECK_EQ(e.iss & 1, 0);
}

TEST("el0", "wfi that EL1 allows wakes for an interrupt")
{
    uint64_t x0 = 0;

    if (!gic_init())
        SKIP("no interrupt controller");
    gic_enable(GIC_INTID_VTIMER, 0x80);
    WRITE_REG(cntv_cval_el0, READ_REG(cntvct_el0) + READ_REG(cntfrq_el0) / 500);
    WRITE_REG(cntv_ctl_el0, 1);
    struct exception e = el0_run(INSN("wfi"), &x0);
    WRITE_REG(cntv_ctl_el0, 0);
    gic_disable(GIC_INTID_VTIMER);
    CHECK_DONE(e);
}
