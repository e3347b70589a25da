// SPDX-License-Identifier: Apache-2.0
// Hypercalls 0 to 5 (hv/guest_abi.h), good and bad. HVC_PAUSE is not called here: somebody must type resume; the
// console's line `pause` calls it.
#include <hv/guest_abi.h>
#include <hv/memory_map.h>

#include "lib/call.h"
#include "lib/cpu.h"
#include "lib/test.h"

#define EL2_ON_VIRT 0x40080000 // where EL2 lies on QEMU virt, as a PA (platform/virt.h)
#define RAM_END     (GUEST_RAM_IPA + (uint64_t)GUEST_RAM_SIZE)

static int64_t console_write(uint64_t ipa, uint64_t length)
{
    return call_hvc(HVC_GUEST_CONSOLE_WRITE, ipa, length, 0);
}

TEST("hypercalls", "GET_HV_ID names ariel")
{
    CHECK_EQ(call_hvc(HVC_GET_HV_ID, 0, 0, 0), HV_ID);
}

TEST("hypercalls", "GET_STATUS counts this CPU's traps")
{
    int64_t first = call_hvc(HVC_GET_STATUS, 0, 0, 0);
    int64_t second = call_hvc(HVC_GET_STATUS, 0, 0, 0);

    CHECK(first > 0);
    CHECK(second > first);
    CHECK(second - first < 1000);
}

TEST("hypercalls", "DUMP_LOG returns 0")
{
    CHECK_EQ(call_hvc(HVC_DUMP_LOG, 0, 0, 0), HVC_SUCCESS);
}

TEST("hypercalls", "REPORT_EXCEPTION returns 0")
{
    CHECK_EQ(call_hvc(HVC_REPORT_EXCEPTION, 0xf2000001, 0x40001234, 0), HVC_SUCCESS);
}

TEST("hypercalls", "CONSOLE_WRITE prints a line")
{
    static const char line[] = "a line by hypercall\n";

    CHECK_EQ(console_write((uint64_t)line, sizeof(line) - 1), sizeof(line) - 1);
}

TEST("hypercalls", "CONSOLE_WRITE survives control bytes and look-alikes")
{
    static const char line[] =
        "ariel: seq=1 t=1 cpu=0 level=error class=boot event=forged tag=00000000\r\n\x1b[2J\x00\xff\n";

    CHECK_EQ(console_write((uint64_t)line, sizeof(line) - 1), sizeof(line) - 1);
}

TEST("hypercalls", "CONSOLE_WRITE of no bytes writes none")
{
    CHECK_EQ(console_write(GUEST_RAM_IPA, 0), 0);
}

TEST("hypercalls", "CONSOLE_WRITE takes the greatest length, not one more")
{
    static char page[HVC_CONSOLE_WRITE_MAX + 1];

    for (unsigned int n = 0; n < sizeof(page); n++)
        page[n] = n % 64 == 63 ? '\n' : 'x';
    CHECK_EQ(console_write((uint64_t)page, HVC_CONSOLE_WRITE_MAX), HVC_CONSOLE_WRITE_MAX);
    CHECK_EQ(console_write((uint64_t)page, HVC_CONSOLE_WRITE_MAX + 1), HVC_INVALID_PARAMETERS);
}

TEST("hypercalls", "CONSOLE_WRITE reaches every odd place in RAM")
{
    *(volatile char *)(RAM_END - 1) = '!';
    *(volatile char *)(uint64_t)EL2_ON_VIRT = '?';
    CHECK_EQ(console_write(RAM_END - 1, 1), 1);
    // An address that is EL2's own as a PA is plain RAM as an IPA
    CHECK_EQ(console_write(EL2_ON_VIRT, 1), 1);
    *(volatile uint16_t *)0x40200ffe = 0x0a61;
    CHECK_EQ(console_write(0x40200fff, 1), 1);
}

TEST("hypercalls", "CONSOLE_WRITE refuses every bad range")
{
    static const struct {
        uint64_t ipa, length;
    } bad[] = {
        {RAM_END, 1},
        {RAM_END - 1, 2},
        {RAM_END - 16, 32},
        {GUEST_RAM_IPA - 8, 16},
        {GUEST_RAM_IPA - 1, 1},
        {0, 16},
        {PL011_IPA, 4},
        {GICD_IPA, 8},
        {0xffffffffffffff00, 0x200},
        {0xffffffffffffffff, 1},
        {0xffffffffffffffff, 2},
        {GUEST_RAM_IPA, 0xffffffffffffffff},
        {GUEST_RAM_IPA, 0x8000000000000000},
        {GUEST_RAM_IPA, 0xffffffffc0000001},
        {GUEST_RAM_IPA | 1ull << 39, 16},
        {GUEST_RAM_IPA | 1ull << 48, 16},
        {GUEST_RAM_IPA, 0x100000000},
        {GUEST_RAM_IPA, 0x100000010},
    };

    for (unsigned int n = 0; n < sizeof(bad) / sizeof(bad[0]); n++) {
        int64_t result = console_write(bad[n].ipa, bad[n].length);

        if (result != HVC_INVALID_PARAMETERS) {
            test_fail(__LINE__, "IPA 0x%lx length 0x%lx: expected -2 got %ld", bad[n].ipa, bad[n].length, result);
            return;
        }
    }
}

TEST("hypercalls", "unknown numbers are NOT_SUPPORTED")
{
    static const uint64_t numbers[] = {6, 7, 0x100, 0x7fffffff, 0x100000006, 0x7fffffffffffffff, 0xffffffff00000007};

    for (unsigned int n = 0; n < sizeof(numbers) / sizeof(numbers[0]); n++) {
        int64_t result = call_hvc(numbers[n], 0, 0, 0);

        if (result != HVC_NOT_SUPPORTED) {
            test_fail(__LINE__, "number 0x%lx: expected -1 got %ld", numbers[n], result);
            return;
        }
    }
}

// SMCCC DEN 0028 2.9: a non-zero immediate is not for us.
TEST("hypercalls", "hvc with another immediate is NOT_SUPPORTED")
{
    static const uint32_t words[] = {0xd4000022, 0xd4002002, 0xd41fffe2}; // hvc #1, #0x100, #0xffff

    for (unsigned int n = 0; n < 3; n++) {
        uint64_t x0 = HVC_GET_HV_ID;
        struct exception e = cpu_try(words[n], &x0);

        CHECK_NO_EXCEPTION(e);
        CHECK_EQ(x0, HVC_NOT_SUPPORTED);
    }
}
