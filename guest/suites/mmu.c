// SPDX-License-Identifier: Apache-2.0
// The guest's own stage 1 on and off, under stage 2: its faults are its own, its devices are EL2's.
#include "lib/mmu.h"

#include <hv/guest_abi.h>
#include <hv/memory_map.h>

#include "lib/call.h"
#include "lib/cpu.h"
#include "lib/mmio.h"
#include "lib/test.h"

static volatile uint64_t cell __attribute__((aligned(4096)));

TEST("mmu", "on and off again, memory kept")
{
    cell = 0x1234567812345678;
    mmu_enable();
    uint64_t seen = cell;
    bool enabled = READ_REG(sctlr_el1) & 1;
    cell = seen + 1;
    mmu_disable();
    CHECK(enabled);
    CHECK_EQ(seen, 0x1234567812345678);
    CHECK_EQ(cell, 0x1234567812345679);
}

TEST("mmu", "an unmapped address faults in the guest")
{
    mmu_enable();
    exception_expect();
    (void)mmio_read32(MMU_UNMAPPED + 0x5678);
    struct exception e = exception_end();
    exception_expect();
    mmio_write32(MMU_WINDOW + 100 * 4096, 0);
    struct exception page = exception_end();
    mmu_disable();
    CHECK_EQ(e.taken, 1);
    CHECK_EQ(e.ec, EC_DABT);
    CHECK_EQ(e.iss & ISS_FSC_MASK, 0x05);
    CHECK_EQ(e.far, MMU_UNMAPPED + 0x5678);
    CHECK_EQ(page.iss & ISS_FSC_MASK, 0x07);
    CHECK(page.iss & ISS_WNR);
}

TEST("mmu", "a page in a window, moved")
{
    mmu_enable();
    mmu_map_page(1, 0x40400000, false);
    mmio_write64(0x40400008, 0xaaaa);
    mmio_write64(0x40401008, 0xbbbb);
    uint64_t first = mmio_read64(MMU_WINDOW + 4096 + 8);
    mmu_unmap_page(1);
    mmu_map_page(1, 0x40401000, false);
    uint64_t second = mmio_read64(MMU_WINDOW + 4096 + 8);
    mmu_disable();
    CHECK_EQ(first, 0xaaaa);
    CHECK_EQ(second, 0xbbbb);
}

TEST("mmu", "a device at another address")
{
    mmu_enable();
    mmu_map_page(2, PL011_IPA, true);
    uint32_t id = mmio_read32(MMU_WINDOW + 2 * 4096 + 0xfe0);
    mmu_map_page(3, 0x0c000000, true);
    exception_expect();
    mmio_write32(MMU_WINDOW + 3 * 4096 + 0x70, 0);
    struct exception e = exception_end();
    mmu_disable();
    CHECK_EQ(id, 0x11);
    CHECK_ABORT(e, MMU_WINDOW + 3 * 4096 + 0x70, true);
}

TEST("mmu", "a hypercall names an IPA, not a VA")
{
    mmu_enable();
    mmu_map_page(4, (uint64_t)&cell, false);
    int64_t by_va = call_hvc(HVC_GUEST_CONSOLE_WRITE, MMU_WINDOW + 4 * 4096, 4, 0);
    mmu_disable();
    CHECK_EQ(by_va, HVC_INVALID_PARAMETERS);
}

TEST("mmu", "address translation instructions answer")
{
    mmu_enable();
    mmu_map_page(9, 0x40403000, false);
    __asm__ volatile("at s1e1r, %0\n isb" : : "r"(MMU_WINDOW + 9 * 4096) : "memory");
    uint64_t mapped = READ_REG(par_el1);
    __asm__ volatile("at s1e1r, %0\n isb" : : "r"(MMU_UNMAPPED) : "memory");
    uint64_t unmapped = READ_REG(par_el1);
    mmu_disable();
    CHECK_EQ(mapped & 1, 0);
    CHECK_EQ(mapped & 0xfffffffff000, 0x40403000);
    CHECK_EQ(unmapped & 1, 1);
}
