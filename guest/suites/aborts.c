// SPDX-License-Identifier: Apache-2.0
// Instruction fetches that stage 2 refuses, and table walks of the guest's own stage 1 that run into a device or a
// hole.
#include <hv/memory_map.h>

#include "lib/cpu.h"
#include "lib/mmio.h"
#include "lib/mmu.h"
#include "lib/test.h"

typedef void code_fn(void);

// Branches to address; the abort must be the fetch's, with every part of its syndrome.
static bool fetch_aborts(unsigned int line, uint64_t address)
{
    exception_expect();
    ((code_fn *)address)();
    struct exception e = exception_end();

    if (e.taken == 1 && e.ec == EC_IABT && (e.iss & ISS_FSC_MASK) == FSC_EXTERNAL && e.far == address &&
        e.elr == address)
        return true;
    test_fail(line,
              "fetch from 0x%lx: expected an external abort (EC 0x21, IFSC 0x10), got %u exceptions, ESR 0x%lx "
              "FAR 0x%lx ELR 0x%lx",
              address, e.taken, e.esr, e.far, e.elr);
    return false;
}

TEST("aborts", "a fetch from an emulated device")
{
    CHECK_TRUE(fetch_aborts(__LINE__, PL011_IPA));
    CHECK_TRUE(fetch_aborts(__LINE__, GICD_IPA));
}

TEST("aborts", "a fetch from a denied device")
{
    CHECK_TRUE(fetch_aborts(__LINE__, 0x0c000000));
}

TEST("aborts", "a fetch from a hole")
{
    CHECK_TRUE(fetch_aborts(__LINE__, 0x70000000));
    CHECK_TRUE(fetch_aborts(__LINE__, 0x3ffffffffc));
}

TEST("aborts", "a fetch through the guest's own MMU")
{
    mmu_enable();
    mmu_map_page(7, 0x70000000, false);
    bool right = fetch_aborts(__LINE__, MMU_WINDOW + 7 * 4096 + 8);
    mmu_disable();
    CHECK(right);
}

static bool walk_aborts(unsigned int line, uint64_t address, bool write)
{
    exception_expect();
    if (write)
        mmio_write32(address, 0);
    else
        (void)mmio_read32(address);
    struct exception e = exception_end();

    if (e.taken == 1 && e.ec == EC_DABT && (e.iss & ISS_FSC_MASK & ~3u) == FSC_EXTERNAL_WALK && e.far == address &&
        !(e.iss & ISS_S1PTW))
        return true;
    test_fail(line,
              "walk for 0x%lx: expected an external abort on a walk (DFSC 0x14 to 0x17, S1PTW 0), got %u "
              "exceptions, ESR 0x%lx FAR 0x%lx",
              address, e.taken, e.esr, e.far);
    return false;
}

TEST("aborts", "a table walk into a device")
{
    mmu_enable();
    bool right = walk_aborts(__LINE__, MMU_TABLE_DEVICE + 0x1234, false) &&
                 walk_aborts(__LINE__, MMU_TABLE_DEVICE + 0x200004, true);
    mmu_disable();
    CHECK(right);
}

TEST("aborts", "a table walk into a hole")
{
    mmu_enable();
    bool right = walk_aborts(__LINE__, MMU_TABLE_HOLE + 0x4, false);
    mmu_disable();
    CHECK(right);
}

TEST("aborts", "a table walk of a fetch into a hole")
{
    uint64_t address = MMU_TABLE_HOLE + 0x1000;

    mmu_enable();
    exception_expect();
    ((code_fn *)address)();
    struct exception e = exception_end();
    mmu_disable();
    CHECK_EQ(e.taken, 1);
    CHECK_EQ(e.ec, EC_IABT);
    CHECK_EQ(e.iss & ISS_FSC_MASK & ~3u, FSC_EXTERNAL_WALK);
    CHECK_EQ(e.far, address);
    CHECK_EQ(e.elr, address);
}

TEST("aborts", "a data access to a hole through the guest's own MMU")
{
    mmu_enable();
    mmu_map_page(8, 0x71000000, false);
    exception_expect();
    (void)mmio_read32(MMU_WINDOW + 8 * 4096 + 0x10);
    struct exception e = exception_end();
    mmu_disable();
    CHECK_ABORT(e, MMU_WINDOW + 8 * 4096 + 0x10, false);
}
