// SPDX-License-Identifier: Apache-2.0
// Every call that a guest can make by number. A row is all that a call needs: policies, log, counters and monitor know
// its key and name from here, and the trap path finds its handler here. Rows, in order of the number:
//   HVC_CALL(ID, number, "name", handler, "one sentence")     hvc #0 with x0 below 0x80000000
//   SMCCC_CALL(ID, number, "name", handler, "one sentence")   hvc #0 and smc #0 alike (DEN 0028, DEN 0022)
// The ID makes KEY_HVC_<ID> or KEY_<ID> (event_key.h). The handler is a function of trap/ (call.h); two rows may share
// one. guest_abi.h says to guests what a hypercall takes and returns; its HVC_<ID> is the number here, or ariel does
// not compile. All numbers of SMCCC_CALL are below 0x20 within their service and width: see call_place.
#pragma once

// clang-format off
#define HVC_CALL_TABLE(HVC_CALL) \
    HVC_CALL(GET_HV_ID,              0,          "hvc-get-hv-id",           hvc_get_hv_id,            "returns the ASCII bytes of \"ariel\" as a number") \
    HVC_CALL(DUMP_LOG,               1,          "hvc-dump-log",            hvc_dump_log,             "prints the log ring on the console") \
    HVC_CALL(GET_STATUS,             2,          "hvc-get-status",          hvc_get_status,           "returns how many traps the vCPU has taken") \
    HVC_CALL(PAUSE,                  3,          "hvc-pause",               hvc_pause,                "pauses the VM and opens the monitor") \
    HVC_CALL(GUEST_CONSOLE_WRITE,    4,          "hvc-guest-console-write", hvc_guest_console_write,  "prints guest memory on the console, marked as the guest's") \
    HVC_CALL(REPORT_EXCEPTION,       5,          "hvc-report-exception",    hvc_report_exception,     "logs an exception that the guest could not handle")

#define SMCCC_CALL_TABLE(SMCCC_CALL) \
    SMCCC_CALL(SMCCC_VERSION,          0x80000000, "smccc-version",           smccc_version,            "SMCCC_VERSION: 1.1") \
    SMCCC_CALL(SMCCC_ARCH_FEATURES,    0x80000001, "smccc-arch-features",     smccc_arch_features,      "SMCCC_ARCH_FEATURES") \
    SMCCC_CALL(PSCI_VERSION,           0x84000000, "psci-version",            psci_version,             "PSCI_VERSION: 1.1") \
    SMCCC_CALL(PSCI_CPU_SUSPEND_32,    0x84000001, "psci-cpu-suspend-32",     psci_cpu_suspend_32,      "CPU_SUSPEND, 32-bit arguments") \
    SMCCC_CALL(PSCI_CPU_OFF,           0x84000002, "psci-cpu-off",            psci_cpu_off,             "CPU_OFF") \
    SMCCC_CALL(PSCI_CPU_ON_32,         0x84000003, "psci-cpu-on-32",          psci_cpu_on_32,           "CPU_ON, 32-bit arguments") \
    SMCCC_CALL(PSCI_AFFINITY_INFO_32,  0x84000004, "psci-affinity-info-32",   psci_affinity_info_32,    "AFFINITY_INFO, 32-bit arguments") \
    SMCCC_CALL(PSCI_MIGRATE_INFO_TYPE, 0x84000006, "psci-migrate-info-type",  psci_migrate_info_type,   "MIGRATE_INFO_TYPE: no migration needed") \
    SMCCC_CALL(PSCI_SYSTEM_OFF,        0x84000008, "psci-system-off",         psci_system_off,          "SYSTEM_OFF") \
    SMCCC_CALL(PSCI_SYSTEM_RESET,      0x84000009, "psci-system-reset",       psci_system_reset,        "SYSTEM_RESET") \
    SMCCC_CALL(PSCI_FEATURES,          0x8400000a, "psci-features",           psci_features,            "PSCI_FEATURES") \
    SMCCC_CALL(PSCI_SYSTEM_RESET2_32,  0x84000012, "psci-system-reset2-32",   psci_system_reset2,       "SYSTEM_RESET2, 32-bit arguments") \
    SMCCC_CALL(PSCI_CPU_SUSPEND_64,    0xc4000001, "psci-cpu-suspend",        psci_cpu_suspend_64,      "CPU_SUSPEND") \
    SMCCC_CALL(PSCI_CPU_ON_64,         0xc4000003, "psci-cpu-on",             psci_cpu_on_64,           "CPU_ON") \
    SMCCC_CALL(PSCI_AFFINITY_INFO_64,  0xc4000004, "psci-affinity-info",      psci_affinity_info_64,    "AFFINITY_INFO") \
    SMCCC_CALL(PSCI_SYSTEM_RESET2_64,  0xc4000012, "psci-system-reset2",      psci_system_reset2,       "SYSTEM_RESET2")
// clang-format on
