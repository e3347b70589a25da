// SPDX-License-Identifier: Apache-2.0
// System registers, class by class: what is offered works, what is not offered is UNDEFINED at the instruction, and the
// ID registers tell which is which.
#include "lib/cpu.h"
#include "lib/test.h"

#define ID_AA64PFR0  SYS_ENCODING(3, 0, 0, 4, 0)
#define ID_AA64PFR1  SYS_ENCODING(3, 0, 0, 4, 1)
#define ID_AA64DFR0  SYS_ENCODING(3, 0, 0, 5, 0)
#define ID_AA64ISAR1 SYS_ENCODING(3, 0, 0, 6, 1)
#define ID_AA64ISAR2 SYS_ENCODING(3, 0, 0, 6, 2)
#define ID_AA64MMFR1 SYS_ENCODING(3, 0, 0, 7, 1)
#define MDSCR_EL1    SYS_ENCODING(2, 0, 0, 2, 2)
#define DBGBVR0_EL1  SYS_ENCODING(2, 0, 0, 0, 4)
#define OSLAR_EL1    SYS_ENCODING(2, 0, 1, 0, 4)
#define OSLSR_EL1    SYS_ENCODING(2, 0, 1, 1, 4)
#define ACTLR_EL1    SYS_ENCODING(3, 0, 1, 0, 1)
#define PMCR_EL0     SYS_ENCODING(3, 3, 9, 12, 0)

#define CPACR_ALL 0x3330000 // SMEN, FPEN, ZEN

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

// Reads encoding; the running test failed and false, when that is refused.
static bool read_ok(const char *name, uint32_t encoding, uint64_t *value)
{
    struct exception e = cpu_try_read(encoding, value);

    if (e.taken)
        test_fail(__LINE__, "%s: expected a value, got ESR 0x%lx", name, e.esr);
    return !e.taken;
}

static bool is_undef(const char *name, const struct exception *e)
{
    if (e->taken == 1 && e->esr == 0x2000000 && e->elr == cpu_try_address() && e->slot == SLOT_CURRENT_SPX &&
        (e->spsr & 0x1f) == 5)
        return true;
    test_fail(__LINE__, "%s: expected UNDEF at 0x%lx, got %u exceptions, ESR 0x%lx ELR 0x%lx SPSR 0x%lx", name,
              cpu_try_address(), e->taken, e->esr, e->elr, e->spsr);
    return false;
}

struct encoding {
    const char *name;
    uint32_t encoding;
};

static void check_undef_both(const struct encoding *rows, size_t count)
{
    for (size_t n = 0; n < count; n++) {
        uint64_t value = 0;
        struct exception e = cpu_try_read(rows[n].encoding, &value);

        CHECK_TRUE(is_undef(rows[n].name, &e));
        e = cpu_try_write(rows[n].encoding, 0);
        CHECK_TRUE(is_undef(rows[n].name, &e));
    }
}

// DDI 0487 D18.2.1: the reserved ID space reads as zero.
TEST("sysregs", "every ID register reads")
{
    for (unsigned int crm = 1; crm < 8; crm++)
        for (unsigned int op2 = 0; op2 < 8; op2++) {
            uint64_t value = 0;

            if (!read_ok("ID register", SYS_ENCODING(3, 0, 0, crm, op2), &value))
                return;
        }
}

TEST("sysregs", "identification registers read")
{
    static const struct encoding rows[] = {
        {"MIDR_EL1", SYS_ENCODING(3, 0, 0, 0, 0)},   {"MPIDR_EL1", SYS_ENCODING(3, 0, 0, 0, 5)},
        {"REVIDR_EL1", SYS_ENCODING(3, 0, 0, 0, 6)}, {"CCSIDR_EL1", SYS_ENCODING(3, 1, 0, 0, 0)},
        {"CLIDR_EL1", SYS_ENCODING(3, 1, 0, 0, 1)},  {"AIDR_EL1", SYS_ENCODING(3, 1, 0, 0, 7)},
        {"CSSELR_EL1", SYS_ENCODING(3, 2, 0, 0, 0)}, {"CTR_EL0", SYS_ENCODING(3, 3, 0, 0, 1)},
        {"DCZID_EL0", SYS_ENCODING(3, 3, 0, 0, 7)},
    };

    for (size_t n = 0; n < COUNT(rows); n++) {
        uint64_t value = 0;

        if (!read_ok(rows[n].name, rows[n].encoding, &value))
            return;
    }
    CHECK_EQ(READ_REG(mpidr_el1) & 0xffffff, 0);
    CHECK(READ_REG(midr_el1) != 0);
}

TEST("sysregs", "ID registers offer AArch64, SIMD and the GIC's system registers")
{
    uint64_t pfr0 = 0;

    CHECK_TRUE(read_ok("ID_AA64PFR0_EL1", ID_AA64PFR0, &pfr0));
    CHECK(pfr0 >> 4 & 0xf);
    CHECK(pfr0 & 0xf);
    CHECK((pfr0 >> 16 & 0xf) != 0xf);
    CHECK((pfr0 >> 20 & 0xf) != 0xf);
    CHECK(pfr0 >> 24 & 0xf);
}

TEST("sysregs", "what ariel does not virtualize is not offered")
{
    uint64_t pfr0 = 0, pfr1 = 0, dfr0 = 0;

    CHECK_TRUE(read_ok("ID_AA64PFR0_EL1", ID_AA64PFR0, &pfr0) && read_ok("ID_AA64PFR1_EL1", ID_AA64PFR1, &pfr1) &&
               read_ok("ID_AA64DFR0_EL1", ID_AA64DFR0, &dfr0));
    CHECK_EQ(pfr0 >> 28 & 0xf, 0); // RAS
    CHECK_EQ(pfr0 >> 32 & 0xf, 0); // SVE
    CHECK_EQ(pfr0 >> 40 & 0xf, 0); // MPAM
    CHECK_EQ(pfr0 >> 44 & 0xf, 0); // AMU
    CHECK_EQ(pfr1 >> 8 & 0xf, 0);  // MTE
    CHECK_EQ(pfr1 >> 24 & 0xf, 0); // SME
    CHECK_EQ(dfr0 >> 32 & 0xf, 0); // PMSVer
    CHECK_EQ(dfr0 >> 4 & 0xf, 0);  // TraceVer
}

// A feature's register is there if, and only if, the ID register says so. Not asked: what no EL2 without FEAT_FGT can
// trap (DISR_EL1 becomes VDISR_EL2 under HCR_EL2.AMO; TPIDR2_EL0).
TEST("sysregs", "what is not offered is UNDEFINED")
{
    static const struct {
        const char *name;
        uint32_t id;
        unsigned int shift;
        uint32_t encoding;
    } rows[] = {
        {"ZCR_EL1", ID_AA64PFR0, 32, SYS_ENCODING(3, 0, 1, 2, 0)},
        {"ERRIDR_EL1", ID_AA64PFR0, 28, SYS_ENCODING(3, 0, 5, 3, 0)},
        {"ERRSELR_EL1", ID_AA64PFR0, 28, SYS_ENCODING(3, 0, 5, 3, 1)},
        {"GCR_EL1", ID_AA64PFR1, 8, SYS_ENCODING(3, 0, 1, 0, 6)},
        {"TFSR_EL1", ID_AA64PFR1, 8, SYS_ENCODING(3, 0, 5, 6, 0)},
        {"SMCR_EL1", ID_AA64PFR1, 24, SYS_ENCODING(3, 0, 1, 2, 6)},
        {"PMCR_EL0", ID_AA64DFR0, 8, PMCR_EL0},
        {"PMCCNTR_EL0", ID_AA64DFR0, 8, SYS_ENCODING(3, 3, 9, 13, 0)},
        {"PMUSERENR_EL0", ID_AA64DFR0, 8, SYS_ENCODING(3, 3, 9, 14, 0)},
        {"PMSCR_EL1", ID_AA64DFR0, 32, SYS_ENCODING(3, 0, 9, 9, 0)},
        {"TRFCR_EL1", ID_AA64DFR0, 40, SYS_ENCODING(3, 0, 1, 2, 1)},
        {"LORSA_EL1", ID_AA64MMFR1, 16, SYS_ENCODING(3, 0, 10, 4, 0)},
        {"LORID_EL1", ID_AA64MMFR1, 16, SYS_ENCODING(3, 0, 10, 4, 7)},
    };

    // Without, a CPU that has SVE or SME would take the guest's own trap to EL1
    WRITE_REG(cpacr_el1, CPACR_ALL);
    for (size_t n = 0; n < COUNT(rows); n++) {
        uint64_t id = 0, value = 0;

        CHECK_TRUE(read_ok("ID register", rows[n].id, &id));
        struct exception e = cpu_try_read(rows[n].encoding, &value);

        // RAS is 1 on a CPU whose registers ariel may yet pass; only "not offered" binds
        unsigned int field = id >> rows[n].shift & 0xf;
        if (field == 0 || field == 0xf)
            CHECK_TRUE(is_undef(rows[n].name, &e));
        else if (e.taken) {
            test_fail(__LINE__, "%s: expected a value, for the ID register offers it; got ESR 0x%lx", rows[n].name,
                      e.esr);
            return;
        }
    }
}

// Offered: the keys read. Not offered: they are UNDEFINED. The hints of disabled keys do nothing.
TEST("sysregs", "pointer authentication works or is not offered")
{
    uint64_t isar1 = 0, isar2 = 0, x0 = 0x40001234;

    CHECK_TRUE(read_ok("ID_AA64ISAR1_EL1", ID_AA64ISAR1, &isar1) && read_ok("ID_AA64ISAR2_EL1", ID_AA64ISAR2, &isar2));
    bool offered = isar1 & 0xff000ff0 || isar2 & 0xff00;
    // pacia and its like do nothing while SCTLR_EL1.EnIA is 0, offered or not; the keys are what traps
    struct exception key = cpu_try_read(SYS_ENCODING(3, 0, 2, 1, 0), &x0); // APIAKeyLo_EL1
    x0 = 0x40001234;
    struct exception hint = cpu_try(0xd503233f, &x0); // paciasp
    CHECK_NO_EXCEPTION(hint);
    CHECK_EQ(x0, 0x40001234);
    if (offered)
        CHECK_NO_EXCEPTION(key);
    else
        CHECK_UNDEF(key, cpu_try_address());
}

TEST("sysregs", "an SVE instruction is UNDEFINED when SVE is not offered")
{
    uint64_t pfr0 = 0, x0 = 0;

    CHECK_TRUE(read_ok("ID_AA64PFR0_EL1", ID_AA64PFR0, &pfr0));
    if (pfr0 >> 32 & 0xf)
        SKIP("offered");
    WRITE_REG(cpacr_el1, CPACR_ALL);
    struct exception e = cpu_try(0x04bf5020, &x0); // rdvl x0, #1
    CHECK_UNDEF(e, cpu_try_address());
}

TEST("sysregs", "a write to a read-only register is UNDEFINED")
{
    static const struct encoding rows[] = {
        {"MIDR_EL1", SYS_ENCODING(3, 0, 0, 0, 0)},    {"ID_AA64PFR0_EL1", ID_AA64PFR0},
        {"ID_DFR0_EL1", SYS_ENCODING(3, 0, 0, 1, 2)}, {"CLIDR_EL1", SYS_ENCODING(3, 1, 0, 0, 1)},
        {"CTR_EL0", SYS_ENCODING(3, 3, 0, 0, 1)},     {"OSLSR_EL1", OSLSR_EL1},
        {"CNTVCT_EL0", SYS_ENCODING(3, 3, 14, 0, 2)}, {"CNTPCT_EL0", SYS_ENCODING(3, 3, 14, 0, 1)},
    };

    for (size_t n = 0; n < COUNT(rows); n++) {
        struct exception e = cpu_try_write(rows[n].encoding, 0);

        CHECK_TRUE(is_undef(rows[n].name, &e));
    }
}

TEST("sysregs", "a read of a write-only register is UNDEFINED")
{
    static const struct encoding rows[] = {
        {"OSLAR_EL1", OSLAR_EL1},
        {"ICC_SGI1R_EL1", SYS_ENCODING(3, 0, 12, 11, 5)},
        {"ICC_EOIR1_EL1", SYS_ENCODING(3, 0, 12, 12, 1)},
        {"PMSWINC_EL0", SYS_ENCODING(3, 3, 9, 12, 4)},
    };
    uint64_t value = 0;

    for (size_t n = 0; n < COUNT(rows); n++) {
        struct exception e = cpu_try_read(rows[n].encoding, &value);

        CHECK_TRUE(is_undef(rows[n].name, &e));
    }
}

TEST("sysregs", "EL2 and EL3 registers are UNDEFINED")
{
    static const struct encoding rows[] = {
        {"HCR_EL2", SYS_ENCODING(3, 4, 1, 1, 0)},    {"VTTBR_EL2", SYS_ENCODING(3, 4, 2, 1, 0)},
        {"VBAR_EL2", SYS_ENCODING(3, 4, 12, 0, 0)},  {"CNTVOFF_EL2", SYS_ENCODING(3, 4, 14, 0, 3)},
        {"TPIDR_EL2", SYS_ENCODING(3, 4, 13, 0, 2)}, {"ICH_HCR_EL2", SYS_ENCODING(3, 4, 12, 11, 0)},
        {"SCR_EL3", SYS_ENCODING(3, 6, 1, 1, 0)},    {"SP_EL1", SYS_ENCODING(3, 4, 4, 1, 0)},
    };

    check_undef_both(rows, COUNT(rows));
}

TEST("sysregs", "unallocated encodings are UNDEFINED")
{
    static const struct encoding rows[] = {
        {"S3_0_C2_C7_7", SYS_ENCODING(3, 0, 2, 7, 7)},     {"S3_0_C8_C0_0", SYS_ENCODING(3, 0, 8, 0, 0)},
        {"S3_3_C2_C0_0", SYS_ENCODING(3, 3, 2, 0, 0)},     {"S3_5_C13_C9_3", SYS_ENCODING(3, 5, 13, 9, 3)},
        {"S2_0_C9_C9_3", SYS_ENCODING(2, 0, 9, 9, 3)},     {"S3_7_C0_C0_0", SYS_ENCODING(3, 7, 0, 0, 0)},
        {"S3_7_C15_C15_7", SYS_ENCODING(3, 7, 15, 15, 7)}, {"S3_2_C11_C3_5", SYS_ENCODING(3, 2, 11, 3, 5)},
    };

    check_undef_both(rows, COUNT(rows));
}

// Each either has an answer or is UNDEFINED at the instruction; nothing hangs, nothing else is taken.
TEST("sysregs", "the IMPLEMENTATION DEFINED space answers or is UNDEFINED")
{
    for (unsigned int op1 = 0; op1 < 8; op1++)
        for (unsigned int crm = 0; crm < 16; crm += 5)
            for (unsigned int crn = 11; crn <= 15; crn += 4) {
                uint64_t value = 0;
                struct exception e = cpu_try_read(SYS_ENCODING(3, op1, crn, crm, 2), &value);

                if (e.taken)
                    CHECK_TRUE(is_undef("IMPLEMENTATION DEFINED", &e));
            }
}

TEST("sysregs", "ACTLR_EL1 reads and takes its own value")
{
    uint64_t value = 0;

    CHECK_TRUE(read_ok("ACTLR_EL1", ACTLR_EL1, &value));
    struct exception e = cpu_try_write(ACTLR_EL1, value);

    CHECK_NO_EXCEPTION(e);
}

TEST("sysregs", "cache maintenance by set and way is done")
{
    uint64_t x0 = 0;

    static const uint32_t words[] = {0xd5087640, 0xd5087a40, 0xd5087e40}; // dc isw, csw, cisw x0
    for (size_t n = 0; n < COUNT(words); n++) {
        struct exception e = cpu_try(words[n], &x0);

        CHECK_NO_EXCEPTION(e);
    }
}

TEST("sysregs", "invalidation by set and way loses no store")
{
    static volatile uint64_t cell;
    uint64_t x0 = 0;

    cell = 0x1122334455667788;
    (void)cpu_try(0xd5087640, &x0); // dc isw, x0
    CHECK_EQ(cell, 0x1122334455667788);
}

TEST("sysregs", "cache and TLB maintenance of EL1 is done")
{
    static const char *const names[] = {"ic iallu", "ic ialluis", "tlbi vmalle1", "tlbi vmalle1is", "tlbi vae1, x0"};
    static const uint32_t words[] = {0xd508751f, 0xd508711f, 0xd508871f, 0xd508831f, 0xd5088720};

    for (size_t n = 0; n < COUNT(words); n++) {
        uint64_t x0 = 0;
        struct exception e = cpu_try(words[n], &x0);

        if (e.taken) {
            test_fail(__LINE__, "%s: expected no exception, got ESR 0x%lx", names[n], e.esr);
            return;
        }
    }
}

TEST("sysregs", "EL2's TLB maintenance and address translation are UNDEFINED")
{
    static const char *const names[] = {"tlbi alle1", "tlbi alle2", "tlbi vmalls12e1", "tlbi ipas2e1is, x0",
                                        "at s12e1r, x0"};
    static const uint32_t words[] = {0xd50c879f, 0xd50c871f, 0xd50c87df, 0xd50c8020, 0xd50c7880};

    for (size_t n = 0; n < COUNT(words); n++) {
        uint64_t x0 = 0;
        struct exception e = cpu_try(words[n], &x0);

        CHECK_TRUE(is_undef(names[n], &e));
    }
}

TEST("sysregs", "debug registers hold what is written or are refused")
{
    uint64_t value = 0;
    struct exception e = cpu_try_read(MDSCR_EL1, &value);

    if (e.taken)
        SKIP("denied by policy");
    e = cpu_try_write(DBGBVR0_EL1, 0x40001000);
    CHECK_NO_EXCEPTION(e);
    CHECK_TRUE(read_ok("DBGBVR0_EL1", DBGBVR0_EL1, &value));
    CHECK(value == 0x40001000 || value == 0);
    e = cpu_try_write(DBGBVR0_EL1, 0);
    CHECK_NO_EXCEPTION(e);
}

TEST("sysregs", "the OS lock goes off and on")
{
    uint64_t value = 0;
    struct exception e = cpu_try_read(OSLSR_EL1, &value);

    if (e.taken)
        SKIP("denied by policy");
    for (uint64_t locked = 2; locked-- > 0;) {
        e = cpu_try_write(OSLAR_EL1, locked);
        CHECK_NO_EXCEPTION(e);
        CHECK_TRUE(read_ok("OSLSR_EL1", OSLSR_EL1, &value));
        CHECK_EQ(value >> 1 & 1, locked);
    }
}

TEST("sysregs", "the PMU works or is not offered")
{
    uint64_t dfr0 = 0, value = 0;

    CHECK_TRUE(read_ok("ID_AA64DFR0_EL1", ID_AA64DFR0, &dfr0));
    struct exception e = cpu_try_read(PMCR_EL0, &value);
    if ((dfr0 >> 8 & 0xf) == 0 || (dfr0 >> 8 & 0xf) == 0xf)
        CHECK_TRUE(is_undef("PMCR_EL0", &e));
    else
        CHECK_NO_EXCEPTION(e);
}

TEST("sysregs", "a refused read leaves its register alone")
{
    uint64_t value = 0x5afe5afe5afe5afe;
    struct exception e = cpu_try_read(PMCR_EL0, &value);

    if (e.taken != 0)
        CHECK_EQ(value, 0x5afe5afe5afe5afe);
}

TEST("sysregs", "stage 1 registers hold what is written")
{
    WRITE_REG(mair_el1, 0x44ff);
    CHECK_EQ(READ_REG(mair_el1), 0x44ff);
    WRITE_REG(ttbr0_el1, 0x40300000);
    CHECK_EQ(READ_REG(ttbr0_el1), 0x40300000);
    WRITE_REG(contextidr_el1, 0x1234);
    CHECK_EQ(READ_REG(contextidr_el1), 0x1234);
    WRITE_REG(far_el1, 0x5678);
    CHECK_EQ(READ_REG(far_el1), 0x5678);
}
