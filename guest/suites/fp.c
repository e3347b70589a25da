// SPDX-License-Identifier: Apache-2.0
// SIMD and FP: EL2 never touches them, and the guest's own CPACR_EL1 decides who may use them.
#include <hv/guest_abi.h>
#include <hv/memory_map.h>

#include "lib/call.h"
#include "lib/cpu.h"
#include "lib/el0.h"
#include "lib/test.h"

static struct cpu_state before, after;

TEST("fp", "values live through many traps")
{
    cpu_state_fill(&before, 0x777);
    before.x[1] = PL011_IPA + 0x18;
    for (unsigned int n = 0; n < 50; n++) {
        before.x[0] = HVC_GET_STATUS;
        after = before;
        struct exception e = n % 2 ? cpu_run(&after, INSN("hvc #0")) : cpu_run(&after, INSN("ldr w0, [x1]"));

        CHECK_NO_EXCEPTION(e);
        CHECK(cpu_state_difference(&before, &after, 1) == NULL);
    }
}

TEST("fp", "arithmetic is right")
{
    cpu_state_fill(&before, 1);
    before.v[0][0] = 0x3ff8000000000000; // 1.5
    before.v[1][0] = 0x4004000000000000; // 2.5
    after = before;
    struct exception e = cpu_run(&after, INSN("fadd d0, d0, d1"));
    CHECK_NO_EXCEPTION(e);
    CHECK_EQ(after.v[0][0], 0x4010000000000000); // 4.0
}

TEST("fp", "FPCR and FPSR live through a trap")
{
    cpu_state_fill(&before, 5);
    before.fpcr = 0x00c00000; // round towards zero
    before.fpsr = 0x08000010;
    before.x[0] = HVC_GET_HV_ID;
    after = before;
    struct exception e = cpu_run(&after, INSN("hvc #0"));
    CHECK_NO_EXCEPTION(e);
    CHECK(cpu_state_difference(&before, &after, 1) == NULL);
}

TEST("fp", "disabled by CPACR_EL1 it traps in the guest")
{
    uint64_t x0 = 0;

    WRITE_REG(cpacr_el1, 0);
    struct exception e = cpu_try(INSN("fmov d0, x0"), &x0);
    WRITE_REG(cpacr_el1, GUEST_CPACR_FPEN);
    CHECK_EQ(e.taken, 1);
    CHECK_EQ(e.ec, EC_FP);
    CHECK_EQ(e.elr, cpu_try_address());
    e = cpu_try(INSN("fmov d0, x0"), &x0);
    CHECK_NO_EXCEPTION(e);
}

TEST("fp", "allowed to EL1 alone it traps from EL0")
{
    uint64_t x0 = 0;

    WRITE_REG(cpacr_el1, 0x100000);
    struct exception e = el0_run(INSN("fmov d0, x0"), &x0);
    WRITE_REG(cpacr_el1, GUEST_CPACR_FPEN);
    CHECK_EQ(e.taken, 1);
    CHECK_EQ(e.ec, EC_FP);
    CHECK_EQ(e.slot, SLOT_LOWER_64);
    e = el0_run(INSN("fmov d0, x0"), &x0);
    CHECK_EQ(e.ec, EC_SVC64);
}
