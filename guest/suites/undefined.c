// SPDX-License-Identifier: Apache-2.0
// Instructions that the guest's own EL1 must get: BRK, UDF, HLT, SVC, illegal state; whether EL2 traps some or not.
#include "lib/cpu.h"
#include "lib/test.h"

TEST("undefined", "brk is taken at EL1 with its immediate")
{
    uint64_t x0 = 1;
    struct exception e = cpu_try(INSN("brk #0x1234"), &x0);

    CHECK_EQ(e.taken, 1);
    CHECK_EQ(e.esr, 0xf2001234);
    CHECK_EQ(e.elr, cpu_try_address());
    CHECK_EQ(e.slot, SLOT_CURRENT_SPX);
    CHECK_EQ(x0, 1);
}

TEST("undefined", "udf is UNDEFINED")
{
    uint64_t x0 = 0;
    struct exception e = cpu_try(0x00000000, &x0);

    CHECK_UNDEF(e, cpu_try_address());
    e = cpu_try(0x0000abcd, &x0);
    CHECK_UNDEF(e, cpu_try_address());
}

TEST("undefined", "hlt is UNDEFINED")
{
    uint64_t x0 = 0;
    struct exception e = cpu_try(INSN("hlt #1"), &x0);

    CHECK_UNDEF(e, cpu_try_address());
}

TEST("undefined", "unallocated encodings are UNDEFINED")
{
    static const uint32_t words[] = {0xffffffff, 0x02000000, 0xd4000004, 0x9bffffff};

    for (unsigned int n = 0; n < 4; n++) {
        uint64_t x0 = 0;
        struct exception e = cpu_try(words[n], &x0);

        CHECK_UNDEF(e, cpu_try_address());
    }
}

TEST("undefined", "svc is taken at EL1 behind the instruction")
{
    uint64_t x0 = 0;
    struct exception e = cpu_try(INSN("svc #9"), &x0);

    CHECK_EQ(e.taken, 1);
    CHECK_EQ(e.esr, 0x56000009);
    CHECK_EQ(e.elr, cpu_try_address() + 4);
}

TEST("undefined", "a misaligned PC faults in the guest")
{
    exception_expect();
    ((void (*)(void))0x40000002)();
    struct exception e = exception_end();
    CHECK_EQ(e.taken, 1);
    CHECK_EQ(e.ec, EC_PC_ALIGN);
    CHECK_EQ(e.far, 0x40000002);
}

TEST("undefined", "the flags in SPSR_EL1 are those of the instruction")
{
    struct exception e;
    static struct cpu_state state;

    cpu_state_fill(&state, 2);
    state.nzcv = 0xa0000000;
    e = cpu_run(&state, INSN_MRS_X0(SYS_ENCODING(3, 7, 15, 15, 7)));
    CHECK_UNDEF(e, cpu_run_address());
    CHECK_EQ(e.spsr & 0xf0000000, 0xa0000000);
    CHECK_EQ(e.spsr & 0xf, 4);
    CHECK_EQ(e.slot, SLOT_CURRENT_SP0);
    CHECK_EQ(state.nzcv, 0xa0000000);
}
