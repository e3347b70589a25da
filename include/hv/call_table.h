// SPDX-License-Identifier: Apache-2.0
// Every call a guest can make by number. HVC_CALL: hvc #0 with x0 below 0x80000000 (guest_abi.h). SMCCC_CALL: by hvc #0
// and by smc #0 alike. Rows: (ID, function number, "name", "one sentence"); in order of the number.
#pragma once

// clang-format off
#define HVC_CALL_TABLE(HVC_CALL) \
    HVC_CALL(GET_HV_ID,           0, "hvc-get-hv-id",           "returns the ASCII bytes of \"ariel\" as a number") \
    HVC_CALL(DUMP_LOG,            1, "hvc-dump-log",            "prints the log ring on the console") \
    HVC_CALL(GET_STATUS,          2, "hvc-get-status",          "returns how many traps the vCPU has taken") \
    HVC_CALL(PAUSE,               3, "hvc-pause",               "pauses the VM and opens the monitor") \
    HVC_CALL(GUEST_CONSOLE_WRITE, 4, "hvc-guest-console-write", "prints guest memory on the console, marked as the guest's") \
    HVC_CALL(REPORT_EXCEPTION,    5, "hvc-report-exception",    "logs an exception that the guest could not handle")

#define SMCCC_CALL_TABLE(SMCCC_CALL) \
    SMCCC_CALL(SMCCC_VERSION,         0x80000000, "smccc-version",         "SMCCC_VERSION: 1.1") \
    SMCCC_CALL(SMCCC_ARCH_FEATURES,   0x80000001, "smccc-arch-features",   "SMCCC_ARCH_FEATURES") \
    SMCCC_CALL(PSCI_VERSION,          0x84000000, "psci-version",          "PSCI_VERSION: 1.1") \
    SMCCC_CALL(PSCI_CPU_SUSPEND_32,   0x84000001, "psci-cpu-suspend-32",   "CPU_SUSPEND, 32-bit arguments") \
    SMCCC_CALL(PSCI_CPU_OFF,          0x84000002, "psci-cpu-off",          "CPU_OFF") \
    SMCCC_CALL(PSCI_CPU_ON_32,        0x84000003, "psci-cpu-on-32",        "CPU_ON, 32-bit arguments") \
    SMCCC_CALL(PSCI_AFFINITY_INFO_32, 0x84000004, "psci-affinity-info-32", "AFFINITY_INFO, 32-bit arguments") \
    SMCCC_CALL(PSCI_MIGRATE_INFO_TYPE,0x84000006, "psci-migrate-info-type","MIGRATE_INFO_TYPE: no migration needed") \
    SMCCC_CALL(PSCI_SYSTEM_OFF,       0x84000008, "psci-system-off",       "SYSTEM_OFF") \
    SMCCC_CALL(PSCI_SYSTEM_RESET,     0x84000009, "psci-system-reset",     "SYSTEM_RESET") \
    SMCCC_CALL(PSCI_FEATURES,         0x8400000a, "psci-features",         "PSCI_FEATURES") \
    SMCCC_CALL(PSCI_SYSTEM_RESET2_32, 0x84000012, "psci-system-reset2-32", "SYSTEM_RESET2, 32-bit arguments") \
    SMCCC_CALL(PSCI_CPU_SUSPEND_64,   0xc4000001, "psci-cpu-suspend",      "CPU_SUSPEND") \
    SMCCC_CALL(PSCI_CPU_ON_64,        0xc4000003, "psci-cpu-on",           "CPU_ON") \
    SMCCC_CALL(PSCI_AFFINITY_INFO_64, 0xc4000004, "psci-affinity-info",    "AFFINITY_INFO") \
    SMCCC_CALL(PSCI_SYSTEM_RESET2_64, 0xc4000012, "psci-system-reset2",    "SYSTEM_RESET2")
// clang-format on
