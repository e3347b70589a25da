// SPDX-License-Identifier: Apache-2.0
// Accesses to devices with a valid syndrome: widths, sign extension, the zero register; and what is refused: devices
// that the guest does not have, holes, addresses beyond the stage-2 range.
#include "lib/mmio.h"

#include <hv/memory_map.h>

#include "lib/cpu.h"
#include "lib/gic.h"
#include "lib/test.h"

#define UART_IBRD      (PL011_IPA + 0x24)
#define UART_ID        (PL011_IPA + 0xfe0)
#define GICR_PRIORITY  (GICR_IPA + 0x10400)
#define FSC_ADDRESS_L0 0x00

static struct cpu_state before, after;

// Runs a load or store with x1 = address, x2 = value; the state after it in after.
static struct exception access(uint32_t instruction, uint64_t address, uint64_t value)
{
    cpu_state_fill(&before, 0xfedcba9876543210);
    before.x[1] = address;
    before.x[2] = value;
    after = before;
    return cpu_run(&after, instruction);
}

// A load into x2 that must give expected and change nothing else.
static bool load_gives(unsigned int line, uint32_t instruction, uint64_t address, uint64_t expected)
{
    struct exception e = access(instruction, address, 0x5555555555555555);
    const char *different = cpu_state_difference(&before, &after, 1u << 2);

    if (!test_expect_no_exception(line, &e))
        return false;
    if (after.x[2] != expected)
        test_fail(line, "load of 0x%lx: expected 0x%lx got 0x%lx", address, expected, after.x[2]);
    else if (different)
        test_fail(line, "load of 0x%lx: expected %s kept, got another value", address, different);
    return after.x[2] == expected && !different;
}

#define CHECK_LOAD(text, address, expected) CHECK_TRUE(load_gives(__LINE__, INSN(text), address, expected))

// An access that must be refused with an external abort and change no register.
static bool refused(unsigned int line, uint32_t instruction, uint64_t address, bool write)
{
    struct exception e = access(instruction, address, 0);
    const char *different = cpu_state_difference(&before, &after, 0);

    if (!test_expect_external_abort(line, &e, address, write))
        return false;
    if (e.elr != cpu_run_address() || e.slot != SLOT_CURRENT_SP0 || different)
        test_fail(line, "abort at 0x%lx: expected slot 0, ELR 0x%lx, every register kept, got slot %u ELR 0x%lx, %s",
                  address, cpu_run_address(), e.slot, e.elr, different ? different : "all kept");
    return e.elr == cpu_run_address() && e.slot == SLOT_CURRENT_SP0 && !different;
}

TEST("mmio", "the UART identifies itself as a PL011")
{
    static const uint8_t id[] = {0x11, 0x10, 0, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

    for (unsigned int n = 0; n < 8; n++)
        if (n != 2) // the revision is free
            CHECK_EQ(mmio_read32(UART_ID + 4 * (uint64_t)n), id[n]);
    CHECK_EQ(mmio_read32(UART_ID + 8) & 0xf, 4);
}

TEST("mmio", "a register holds what is written")
{
    mmio_write32(UART_IBRD, 0x1234);
    CHECK_EQ(mmio_read32(UART_IBRD), 0x1234);
    CHECK_EQ(access(INSN("str wzr, [x1]"), UART_IBRD, 0).taken, 0);
    CHECK_EQ(mmio_read32(UART_IBRD), 0);
}

TEST("mmio", "loads of 1, 2 and 4 bytes zero-extend")
{
    mmio_write32(UART_IBRD, 0x8081);
    CHECK_LOAD("ldr w2, [x1]", UART_IBRD, 0x8081);
    CHECK_LOAD("ldrh w2, [x1]", UART_IBRD, 0x8081);
    CHECK_LOAD("ldrb w2, [x1]", UART_IBRD, 0x81);
}

TEST("mmio", "loads sign-extend to W and to X")
{
    mmio_write32(UART_IBRD, 0x80f1);
    CHECK_LOAD("ldrsb w2, [x1]", UART_IBRD, 0xfffffff1);
    CHECK_LOAD("ldrsb x2, [x1]", UART_IBRD, 0xfffffffffffffff1);
    CHECK_LOAD("ldrsh w2, [x1]", UART_IBRD, 0xffff80f1);
    CHECK_LOAD("ldrsh x2, [x1]", UART_IBRD, 0xffffffffffff80f1);
    CHECK_LOAD("ldrsw x2, [x1]", UART_IBRD, 0x80f1);
}

TEST("mmio", "a word with its top bit set sign-extends to X alone")
{
    if (!gic_init())
        SKIP("no interrupt controller");
    mmio_write32(GICR_PRIORITY, 0xf0f0f0f0);
    CHECK_LOAD("ldr w2, [x1]", GICR_PRIORITY, 0xf0f0f0f0);
    CHECK_LOAD("ldrsw x2, [x1]", GICR_PRIORITY, 0xfffffffff0f0f0f0);
    mmio_write32(GICR_PRIORITY, 0);
}

TEST("mmio", "offsets, register offsets and unscaled offsets")
{
    mmio_write32(UART_IBRD, 0x4321);
    CHECK_LOAD("ldr w2, [x1, #0x24]", PL011_IPA, 0x4321);
    CHECK_LOAD("ldur w2, [x1, #-8]", UART_IBRD + 8, 0x4321);
    cpu_state_fill(&before, 1);
    before.x[1] = PL011_IPA;
    before.x[3] = 0x24;
    after = before;
    struct exception e = cpu_run(&after, INSN("ldr w2, [x1, x3]"));
    CHECK_NO_EXCEPTION(e);
    CHECK_EQ(after.x[2], 0x4321);
}

TEST("mmio", "a load into xzr changes no register")
{
    struct exception e = access(INSN("ldr wzr, [x1]"), UART_ID, 0);

    CHECK_NO_EXCEPTION(e);
    CHECK(cpu_state_difference(&before, &after, 0) == NULL);
}

TEST("mmio", "a load into its own base register")
{
    struct exception e = access(INSN("ldr w1, [x1]"), UART_ID, 0);

    CHECK_NO_EXCEPTION(e);
    CHECK_EQ(after.x[1], 0x11);
}

// 8 bytes of a PL011 register: done as the bus would, or refused; never a hang or half of it.
TEST("mmio", "8 bytes of a UART register are read or refused")
{
    struct exception e = access(INSN("ldr x2, [x1]"), UART_IBRD & ~7ull, 0);

    if (e.taken)
        CHECK_ABORT(e, UART_IBRD & ~7ull, false);
}

TEST("mmio", "8 bytes of GICD_IROUTER")
{
    if (!gic_init())
        SKIP("no interrupt controller");
    mmio_write64(GICD_IPA + 0x6000 + 8 * 40, 0);
    CHECK_LOAD("ldr x2, [x1]", GICD_IPA + 0x6000 + 8 * 40, 0);
}

// Stage 1 off means Device memory. Whoever the address belongs to: emulated, denied, nobody's.
TEST("mmio", "an unaligned access to Device memory is an alignment fault")
{
    static const struct {
        uint64_t address;
        bool write;
        bool half;
    } rows[] = {{PL011_IPA + 0x27, false, true}, {PL011_IPA + 0x26, false, false}, {PL011_IPA + 0x25, true, false},
                {PL011_IPA + 0x27, true, true},  {GICD_IPA + 2, false, false},     {GICR_IPA + 1, true, true},
                {0x0a000001, false, false},      {0x0a000003, true, true},         {0x30000002, true, false},
                {0x70000000 + 1, false, true}};

    for (unsigned int n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
        uint32_t instruction = rows[n].half ? (rows[n].write ? INSN("strh w2, [x1]") : INSN("ldrh w2, [x1]"))
                                            : (rows[n].write ? INSN("str w2, [x1]") : INSN("ldr w2, [x1]"));
        struct exception e = access(instruction, rows[n].address, 0);

        if (e.taken != 1 || e.ec != EC_DABT || (e.iss & ISS_FSC_MASK) != FSC_ALIGNMENT || e.far != rows[n].address ||
            !!(e.iss & ISS_WNR) != rows[n].write) {
            test_fail(__LINE__, "0x%lx: expected DFSC 0x21, got %u exceptions ESR 0x%lx FAR 0x%lx", rows[n].address,
                      e.taken, e.esr, e.far);
            return;
        }
    }
}

TEST("mmio", "bus masters are refused in every width")
{
    static const uint64_t devices[] = {0x08080000, 0x09020000, 0x09050000, 0x0c000000, 0x0dffff00,
                                       0x0c000000, 0x10000000, 0x3eff0000, 0x3f000000, 0x4010000000};

    for (unsigned int n = 0; n < sizeof(devices) / sizeof(devices[0]); n++) {
        CHECK_TRUE(refused(__LINE__, INSN("ldrb w2, [x1]"), devices[n], false));
        CHECK_TRUE(refused(__LINE__, INSN("ldrh w2, [x1]"), devices[n], false));
        CHECK_TRUE(refused(__LINE__, INSN("ldr w2, [x1]"), devices[n], false));
        CHECK_TRUE(refused(__LINE__, INSN("ldr x2, [x1]"), devices[n], false));
        CHECK_TRUE(refused(__LINE__, INSN("strb w2, [x1]"), devices[n], true));
        CHECK_TRUE(refused(__LINE__, INSN("str w2, [x1]"), devices[n], true));
        CHECK_TRUE(refused(__LINE__, INSN("str x2, [x1]"), devices[n], true));
    }
}

// As QEMU's virt shows them where no drive was added: behind the legacy interface, version 1, or the modern one,
// version 2, as the machine was started (EL2's own channels need the modern one). Of an access that is not of 4 bytes
// QEMU answers what stands at just that offset.
TEST("mmio", "virtio transports have no device, or are denied")
{
    static const uint64_t transports[] = {0x0a000000, 0x0a000200, 0x0a003e00};

    if (access(INSN("ldr w2, [x1]"), transports[0], 0).taken)
        SKIP("denied by policy");
    for (unsigned int n = 0; n < sizeof(transports) / sizeof(transports[0]); n++) {
        uint64_t base = transports[n];

        uint64_t version = mmio_read32(base + 4);

        CHECK_LOAD("ldr w2, [x1]", base, 0x74726976);
        CHECK(version == 1 || version == 2);
        CHECK_LOAD("ldr w2, [x1]", base + 8, 0); // DeviceID
        CHECK_LOAD("ldr w2, [x1]", base + 0xc, 0x554d4551);
        for (uint64_t offset = 0x10; offset < 0x200; offset += 4)
            CHECK_LOAD("ldr w2, [x1]", base + offset, 0);
        CHECK_LOAD("ldrb w2, [x1]", base, 0x76);
        CHECK_LOAD("ldrh w2, [x1]", base, 0x6976);
        CHECK_LOAD("ldrb w2, [x1]", base + 1, 0);
        CHECK_LOAD("ldr x2, [x1]", base, version << 32 | 0x74726976);
        mmio_write32(base + 0x70, 1); // Status
        mmio_write32(base + 0x30, 1); // QueueSel
        CHECK_LOAD("ldr w2, [x1]", base + 0x70, 0);
        CHECK_LOAD("ldr w2, [x1]", base, 0x74726976);
    }
}

// Commands of a CFI flash do nothing: no query answers, no word is programmed.
TEST("mmio", "the flash is empty, or is denied")
{
    static const uint64_t places[] = {0, 0x1000, 0x200000, 0x4000000, 0x7fffff8};

    if (access(INSN("ldr w2, [x1]"), places[0], 0).taken)
        SKIP("denied by policy");
    for (unsigned int n = 0; n < sizeof(places) / sizeof(places[0]); n++) {
        CHECK_LOAD("ldrb w2, [x1]", places[n], 0);
        CHECK_LOAD("ldr x2, [x1]", places[n], 0);
        CHECK(access(INSN("str w2, [x1]"), places[n], 0x00400040).taken == 0); // program a word
        CHECK(access(INSN("str w2, [x1]"), places[n], 0xdeadbeef).taken == 0);
        CHECK_LOAD("ldr w2, [x1]", places[n], 0);
        CHECK(access(INSN("str w2, [x1]"), places[n], 0x00ff00ff).taken == 0); // back to reading
        CHECK_LOAD("ldr w2, [x1]", places[n], 0);
    }
}

TEST("mmio", "holes are refused")
{
    static const uint64_t holes[] = {0x09100000, 0x0b000000, 0x70000000,  0x72000000,
                                     0x7ffffff8, 0x80000000, 0x100000000, 0x3ffffffff8};

    for (unsigned int n = 0; n < sizeof(holes) / sizeof(holes[0]); n++) {
        CHECK_TRUE(refused(__LINE__, INSN("ldr w2, [x1]"), holes[n], false));
        CHECK_TRUE(refused(__LINE__, INSN("str w2, [x1]"), holes[n], true));
    }
}

// Beyond the CPU's physical address range stage 1 itself faults (address size, level 0).
TEST("mmio", "addresses beyond the stage-2 range are refused")
{
    static const uint64_t addresses[] = {0x7ffffffff8,  0x8000000000,  0x8009000000,  0xffffffff00,
                                         0x10000000000, 0x10040000000, 0x80000000000, 0xfff00000000000};

    for (unsigned int n = 0; n < sizeof(addresses) / sizeof(addresses[0]); n++) {
        struct exception e = access(INSN("ldr w2, [x1]"), addresses[n], 0);
        unsigned int fsc = e.iss & ISS_FSC_MASK;

        if (e.taken != 1 || e.ec != EC_DABT || (fsc != FSC_EXTERNAL && fsc != FSC_ADDRESS_L0) ||
            e.far != addresses[n]) {
            test_fail(__LINE__, "0x%lx: expected DFSC 0x10 or 0x00, got %u exceptions ESR 0x%lx FAR 0x%lx",
                      addresses[n], e.taken, e.esr, e.far);
            return;
        }
    }
}

// The last bytes of RAM are RAM, and an access that begins there and ends outside faults at its first byte outside.
TEST("mmio", "the last word of RAM, and the first after it")
{
    uint64_t end = GUEST_RAM_IPA + (uint64_t)GUEST_RAM_SIZE;

    mmio_write64(end - 8, 0x1122334455667788);
    CHECK_LOAD("ldr x2, [x1]", end - 8, 0x1122334455667788);
    CHECK_TRUE(refused(__LINE__, INSN("ldr x2, [x1]"), end, false));
    CHECK_TRUE(refused(__LINE__, INSN("ldrb w2, [x1]"), GUEST_RAM_IPA - 1, false));
}
