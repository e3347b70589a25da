// SPDX-License-Identifier: Apache-2.0
// A32 and T32 code at EL0: a coprocessor register does what the same register does by its AArch64 name, whatever the
// policy says about it; 64 bits in two registers, conditions, IT blocks.
#include "lib/cpu.h"
#include "lib/el0.h"
#include "lib/test.h"

#define EC_SVC32 0x11

#define A32_SVC 0xef000000u
#define T32_SVC 0xdf00u
#define T32_NOP 0xbf00u

// MRC and MCR p<cp>, opc1, r<t>, c<n>, c<m>, opc2; MRRC p<cp>, opc1, r0, r1, c<m>: A32, always
#define MRC(cp, opc1, rt, crn, crm, opc2)                                                                              \
    (0xee100010u | (opc1) << 21 | (crn) << 16 | (rt) << 12 | (cp) << 8 | (opc2) << 5 | (crm))
#define MCR(cp, opc1, rt, crn, crm, opc2) (MRC(cp, opc1, rt, crn, crm, opc2) & ~(1u << 20))
#define MRRC(cp, opc1, crm)               (0xec510000u | (cp) << 8 | (opc1) << 4 | (crm))
#define EQ(a32)                           ((a32) & 0x0fffffffu)
#define T32(a32)                          ((a32) >> 16 | (a32) << 16) // as two halfwords in memory

#define NZCV_Z 0x40000000u

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool has_aarch32(void)
{
    return (READ_REG(id_aa64pfr0_el1) & 0xf) == 2;
}

// Everything that EL1 decides about is allowed to EL0: what is refused then, EL2 has refused.
static void open_el1(void)
{
    WRITE_REG(cntkctl_el1, 0x303);
    (void)cpu_try_write(SYS_ENCODING(3, 3, 9, 14, 0), 0xf); // PMUSERENR_EL0, where there is one
}

struct twin {
    const char *name;
    uint32_t a32;
    uint32_t a64; // MRS x0
    bool moves;   // a counter: two reads differ
};

#define MRS(op0, op1, crn, crm, op2) INSN_MRS_X0(SYS_ENCODING(op0, op1, crn, crm, op2))

static const struct twin twins[] = {
    {"CNTPCT", MRRC(15, 0, 14), MRS(3, 3, 14, 0, 1), true},
    {"CNTVCT", MRRC(15, 1, 14), MRS(3, 3, 14, 0, 2), true},
    {"CNTP_CVAL", MRRC(15, 2, 14), MRS(3, 3, 14, 2, 2), false},
    {"CNTP_CTL", MRC(15, 0, 0, 14, 2, 1), MRS(3, 3, 14, 2, 1), false},
    {"CNTP_TVAL", MRC(15, 0, 0, 14, 2, 0), MRS(3, 3, 14, 2, 0), true},
    {"PMCR", MRC(15, 0, 0, 9, 12, 0), MRS(3, 3, 9, 12, 0), false},
    {"PMCNTENSET", MRC(15, 0, 0, 9, 12, 1), MRS(3, 3, 9, 12, 1), false},
    {"PMSELR", MRC(15, 0, 0, 9, 12, 5), MRS(3, 3, 9, 12, 5), false},
    {"PMCEID0", MRC(15, 0, 0, 9, 12, 6), MRS(3, 3, 9, 12, 6), false},
    {"PMCCNTR", MRC(15, 0, 0, 9, 13, 0), MRS(3, 3, 9, 13, 0), true},
    {"PMCCNTR (64)", MRRC(15, 0, 9), MRS(3, 3, 9, 13, 0), true},
    {"PMUSERENR", MRC(15, 0, 0, 9, 14, 0), MRS(3, 3, 9, 14, 0), false},
    {"PMCCFILTR", MRC(15, 0, 0, 14, 15, 7), MRS(3, 3, 14, 15, 7), false},
    {"TPIDRURW", MRC(15, 0, 0, 13, 0, 2), MRS(3, 3, 13, 0, 2), false},
};

// Done by both or refused to both, with the same value: what A32 reads in 32 bits is the lower half.
static bool check_twin(const struct twin *twin)
{
    uint32_t code[] = {twin->a32, A32_SVC};
    uint64_t x[4] = {0x5afe, 0, 0, 0}, x0 = 0x5afe;
    struct exception a64 = el0_run(twin->a64, &x0);
    struct exception a32 = el0_run32(code, 2, false, 0, x);
    bool pair = (twin->a32 & 0x02000000u) == 0;
    uint64_t got = pair ? (x[0] & 0xffffffff) | x[1] << 32 : x[0];

    if (a64.ec == EC_SVC64 && a32.ec == EC_SVC32 && (twin->moves || got == (pair ? x0 : x0 & 0xffffffff)))
        return true;
    if (a64.ec != EC_SVC64 && a32.ec != EC_SVC32 && a32.elr == el0_address() && x[0] == 0x5afe)
        return true;
    test_fail(__LINE__, "%s: A64 got EC 0x%x x0 0x%lx, A32 EC 0x%x at +0x%lx r0 0x%lx r1 0x%lx", twin->name, a64.ec, x0,
              a32.ec, a32.elr - el0_address(), x[0], x[1]);
    return false;
}

TEST("aarch32", "a coprocessor register is what A64 reads")
{
    if (!has_aarch32())
        SKIP("no AArch32 on this CPU");
    open_el1();
    for (size_t n = 0; n < COUNT(twins); n++)
        CHECK_TRUE(check_twin(&twins[n]));
}

TEST("aarch32", "a counter of 64 bits comes in two registers")
{
    static const uint32_t code[] = {MRRC(15, 0, 14), A32_SVC};
    uint64_t x[4] = {~UINT64_C(0), ~UINT64_C(0), 0, 0}, before = 0;

    if (!has_aarch32())
        SKIP("no AArch32 on this CPU");
    open_el1();
    struct exception e = el0_run(MRS(3, 3, 14, 0, 1), &before);
    if (e.ec != EC_SVC64)
        SKIP("denied by policy");
    e = el0_run32(code, 2, false, 0, x);
    CHECK_EQ(e.ec, EC_SVC32);
    CHECK_EQ(x[0] >> 32 | x[1] >> 32, 0);
    CHECK(((x[1] << 32 | x[0]) - before) < READ_REG(cntfrq_el0) * 60);
}

TEST("aarch32", "DBGDIDR tells the breakpoints that there are")
{
    static const uint32_t code[] = {MRC(14, 0, 0, 0, 0, 0), A32_SVC};
    uint64_t x[4] = {0}, dfr0 = READ_REG(id_aa64dfr0_el1);

    if (!has_aarch32())
        SKIP("no AArch32 on this CPU");
    struct exception e = el0_run32(code, 2, false, 0, x);
    // Where EL1 is AArch64 alone (ID_AA64PFR0_EL1.EL1 is 1) the register is optional (DDI 0487 G8.3, DBGDIDR).
    if (e.ec == EC_UNKNOWN && (READ_REG(id_aa64pfr0_el1) >> 4 & 0xf) == 1)
        return;
    if (e.ec == EC_UNKNOWN)
        SKIP("denied by policy");
    CHECK_EQ(e.ec, EC_SVC32);
    CHECK_EQ(x[0] >> 24 & 0xf, dfr0 >> 12 & 0xf);
    CHECK_EQ(x[0] >> 28 & 0xf, dfr0 >> 20 & 0xf);
}

// Trapped or not, the IT block goes on as if nothing had been in the way.
TEST("aarch32", "a trapped instruction in an IT block")
{
    // ittee eq; mrceq; movseq r2, #1; movsne r2, #2; movsne r3, #3; svc
    static const uint32_t mrc = MRC(15, 0, 0, 14, 2, 1);
    static const uint32_t code[] = {0xbf07u | (mrc >> 16) << 16, (mrc & 0xffff) | 0x2201u << 16,
                                    0x2202u | 0x2303u << 16, T32_SVC | T32_NOP << 16};
    uint64_t x[4] = {0}, x0 = 0;

    if (!has_aarch32())
        SKIP("no AArch32 on this CPU");
    open_el1();
    WRITE_REG(sctlr_el1, READ_REG(sctlr_el1) & ~(UINT64_C(1) << 7)); // ITD: IT blocks of any length
    if (el0_run(MRS(3, 3, 14, 2, 1), &x0).ec != EC_SVC64)
        SKIP("denied by policy");
    struct exception e = el0_run32(code, 4, true, NZCV_Z, x);
    CHECK_EQ(e.ec, EC_SVC32);
    CHECK_EQ(e.elr - el0_address(), 14);
    CHECK_EQ(x[2], 1);
    CHECK_EQ(x[3], 0);
    x[0] = 0x5afe;
    x[2] = x[3] = 0;
    e = el0_run32(code, 4, true, 0, x);
    CHECK_EQ(e.ec, EC_SVC32);
    CHECK_EQ(x[0], 0x5afe);
    CHECK_EQ(x[2], 2);
    CHECK_EQ(x[3], 3);
}

TEST("aarch32", "an instruction whose condition fails does nothing")
{
    static const uint32_t code[] = {EQ(MRC(15, 0, 0, 14, 2, 1)),
                                    EQ(MRRC(15, 0, 14)),
                                    EQ(MRC(15, 0, 0, 9, 12, 0)),
                                    0x0320f003,
                                    0x0320f002,
                                    A32_SVC}; // wfieq, wfeeq
    uint64_t x[4] = {0x5afe, 0x5aff, 0, 0};

    if (!has_aarch32())
        SKIP("no AArch32 on this CPU");
    struct exception e = el0_run32(code, COUNT(code), false, 0, x);
    CHECK_EQ(e.ec, EC_SVC32);
    CHECK_EQ(e.elr - el0_address(), 4 * COUNT(code));
    CHECK_EQ(x[0], 0x5afe);
    CHECK_EQ(x[1], 0x5aff);
}

TEST("aarch32", "a register of EL1 is UNDEFINED")
{
    static const uint32_t words[] = {MRC(15, 0, 0, 0, 0, 0), MRC(15, 0, 0, 1, 0, 0), MCR(15, 0, 0, 9, 14, 0),
                                     MRC(14, 0, 0, 0, 0, 4), MCR(14, 0, 0, 1, 0, 4), MRC(15, 0, 0, 15, 15, 7)};

    if (!has_aarch32())
        SKIP("no AArch32 on this CPU");
    for (size_t n = 0; n < COUNT(words); n++) {
        uint32_t code[] = {words[n], A32_SVC};
        uint64_t x[4] = {0};
        struct exception e = el0_run32(code, 2, false, 0, x);

        CHECK_EQ(e.ec, EC_UNKNOWN);
        CHECK_EQ(e.slot, SLOT_LOWER_32);
        CHECK_EQ(e.elr, el0_address());
    }
}
