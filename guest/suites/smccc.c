// SPDX-License-Identifier: Apache-2.0
// SMCCC 1.1 (DEN 0028) and PSCI 1.1 (DEN 0022) by both conduits. Nothing here turns the machine or its CPU off.
#include <hv/memory_map.h>

#include "lib/call.h"
#include "lib/cpu.h"
#include "lib/smp.h"
#include "lib/test.h"

#define SMCCC_VERSION           0x80000000
#define SMCCC_ARCH_FEATURES     0x80000001
#define SMCCC_ARCH_WORKAROUND_1 0x80008000
#define PSCI_CPU_ON_32          0x84000003
#define PSCI_AFFINITY_INFO_32   0x84000004
#define PSCI_SYSTEM_OFF         0x84000008
#define PSCI_SYSTEM_RESET2      0xc4000012

typedef int64_t call_fn(uint64_t number, uint64_t x1, uint64_t x2, uint64_t x3);

struct row {
    const char *name;
    uint64_t x[4];
    int64_t expected;
};

static const struct row rows[] = {
    {"SMCCC_VERSION", {SMCCC_VERSION}, 0x10001},
    {"ARCH_FEATURES of SMCCC_VERSION", {SMCCC_ARCH_FEATURES, SMCCC_VERSION}, 0},
    {"ARCH_FEATURES of itself", {SMCCC_ARCH_FEATURES, SMCCC_ARCH_FEATURES}, 0},
    {"ARCH_FEATURES of an unknown function", {SMCCC_ARCH_FEATURES, 0x80007fff}, -1},
    {"PSCI_VERSION", {PSCI_VERSION}, 0x10001},
    {"PSCI_FEATURES of PSCI_VERSION", {PSCI_FEATURES, PSCI_VERSION}, 0},
    {"PSCI_FEATURES of CPU_ON", {PSCI_FEATURES, PSCI_CPU_ON}, 0},
    {"PSCI_FEATURES of CPU_OFF", {PSCI_FEATURES, PSCI_CPU_OFF}, 0},
    {"PSCI_FEATURES of SYSTEM_OFF", {PSCI_FEATURES, PSCI_SYSTEM_OFF}, 0},
    {"PSCI_FEATURES of SMCCC_VERSION", {PSCI_FEATURES, SMCCC_VERSION}, 0},
    {"PSCI_FEATURES of an unknown function", {PSCI_FEATURES, 0x84000077}, -1},
    {"PSCI_FEATURES of CPU_OFF as a 64-bit function", {PSCI_FEATURES, 0xc4000002}, -1},
    {"MIGRATE_INFO_TYPE", {PSCI_MIGRATE_INFO_TYPE}, 2},
    {"AFFINITY_INFO of this CPU", {PSCI_AFFINITY_INFO, 0, 0}, 0},
    {"AFFINITY_INFO of this CPU, 32-bit", {PSCI_AFFINITY_INFO_32, 0, 0}, 0},
    {"AFFINITY_INFO of no CPU", {PSCI_AFFINITY_INFO, 0xff, 0}, PSCI_INVALID_PARAMETERS},
    {"AFFINITY_INFO of another cluster", {PSCI_AFFINITY_INFO, 0x100, 0}, PSCI_INVALID_PARAMETERS},
    {"AFFINITY_INFO of a level that is none", {PSCI_AFFINITY_INFO, 0, 9}, PSCI_INVALID_PARAMETERS},
    {"AFFINITY_INFO with Aff3", {PSCI_AFFINITY_INFO, 0x100000000, 0}, PSCI_INVALID_PARAMETERS},
    {"CPU_SUSPEND to a state with reserved bits", {PSCI_CPU_SUSPEND, 0x80000000}, PSCI_INVALID_PARAMETERS},
    {"CPU_SUSPEND that would come back outside RAM", {PSCI_CPU_SUSPEND, 0x10000, PL011_IPA}, PSCI_INVALID_ADDRESS},
    {"CPU_ON of this CPU", {PSCI_CPU_ON, 0, GUEST_ENTRY_IPA, 0}, PSCI_ALREADY_ON},
    {"CPU_ON of this CPU, 32-bit", {PSCI_CPU_ON_32, 0, GUEST_ENTRY_IPA, 0}, PSCI_ALREADY_ON},
    {"CPU_ON of no CPU", {PSCI_CPU_ON, 0xfe, GUEST_ENTRY_IPA, 0}, PSCI_INVALID_PARAMETERS},
    {"CPU_ON of another cluster", {PSCI_CPU_ON, 0x10000, GUEST_ENTRY_IPA, 0}, PSCI_INVALID_PARAMETERS},
    {"CPU_ON with Aff3", {PSCI_CPU_ON, 0x100000000, GUEST_ENTRY_IPA, 0}, PSCI_INVALID_PARAMETERS},
    {"SYSTEM_RESET2 of a type that is none", {PSCI_SYSTEM_RESET2, 0x12345678, 0}, PSCI_INVALID_PARAMETERS},
    {"the upper half of W0's register does not count", {PSCI_VERSION | 1ull << 40}, 0x10001},
    {"PSCI, function 0x1f of none", {0x8400001f}, -1},
    {"a vendor's function", {0xc6000001}, -1},
    {"a trusted application's function", {0xb0000001}, -1},
    {"a yielding call", {0x84000000 & 0x7fffffff}, -1},
    {"the last number", {0xffffffff}, -1},
};

static void check_rows(call_fn *call)
{
    for (unsigned int n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
        const struct row *row = &rows[n];
        int64_t result = call(row->x[0], row->x[1], row->x[2], row->x[3]);

        if (result != row->expected) {
            test_fail(__LINE__, "%s (0x%lx): expected %ld got %ld", row->name, row->x[0], row->expected, result);
            return;
        }
    }
}

TEST("smccc", "every function by hvc")
{
    check_rows(call_hvc);
}

TEST("smccc", "every function by smc")
{
    check_rows(call_smc);
}

TEST("smccc", "ariel's own numbers are not offered by smc")
{
    for (uint64_t n = 0; n < 6; n++)
        CHECK_EQ(call_smc(n, 0, 0, 0), PSCI_NOT_SUPPORTED);
}

TEST("smccc", "smc with another immediate is NOT_SUPPORTED")
{
    uint64_t x0 = PSCI_VERSION;
    struct exception e = cpu_try(0xd4000023, &x0); // smc #1

    CHECK_NO_EXCEPTION(e);
    CHECK_EQ(x0, PSCI_NOT_SUPPORTED);
}

TEST("smccc", "CPU_ON refuses entry points outside RAM")
{
    static const uint64_t entries[] = {0,
                                       PL011_IPA,
                                       GUEST_RAM_IPA - 4,
                                       GUEST_RAM_IPA + (uint64_t)GUEST_RAM_SIZE,
                                       GUEST_ENTRY_IPA | 1ull << 48,
                                       0xfffffffffffffffc};

    if (smp_cpu_count() < 2)
        SKIP("one CPU");
    for (unsigned int n = 0; n < sizeof(entries) / sizeof(entries[0]); n++) {
        int64_t result = call_hvc(PSCI_CPU_ON, 1, entries[n], 0);

        if (result != PSCI_INVALID_ADDRESS && result != PSCI_INVALID_PARAMETERS) {
            test_fail(__LINE__, "entry 0x%lx: expected -9 got %ld", entries[n], result);
            return;
        }
    }
}
