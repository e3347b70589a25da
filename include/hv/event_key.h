// SPDX-License-Identifier: Apache-2.0
// One flat index of everything that policy decides about and telemetry counts: causes, calls, devices, registers.
// The names come from the four tables; nothing else numbers them.
#pragma once

#include <hv/arch/sysreg_table.h>
#include <hv/call_table.h>
#include <hv/cause_table.h>
#include <hv/device_table.h>

#define CAUSE_KEY_ENUM(id, ...)    KEY_CAUSE_##id,
#define HVC_KEY_ENUM(id, ...)      KEY_HVC_##id,
#define SMCCC_KEY_ENUM(id, ...)    KEY_##id,
#define DEVICE_KEY_ENUM(id, ...)   KEY_DEVICE_##id,
#define SYSREG_KEY_ENUM(name, ...) KEY_##name,

enum event_key {
    CAUSE_TABLE(CAUSE_KEY_ENUM) HVC_CALL_TABLE(HVC_KEY_ENUM)
        KEY_HVC_UNKNOWN, // hvc #0 with a number below 0x80000000 that call_table.h does not have
    KEY_HVC_IMMEDIATE,   // hvc with an immediate other than 0
    SMCCC_CALL_TABLE(SMCCC_KEY_ENUM) KEY_SMCCC_UNKNOWN,
    KEY_SMC_IMMEDIATE,                             // smc with an immediate other than 0
    DEVICE_TABLE(DEVICE_KEY_ENUM) KEY_DEVICE_NONE, // an IPA where there is nothing
    KEY_GUEST_RAM,                                 // an abort on guest RAM: a hole, or a raced remap
    SYSREG_TABLE(SYSREG_KEY_ENUM) KEY_SYSREG_UNKNOWN,
    KEY_COUNT,
};

// First and last key of each group, for display.
#define KEY_HVC_FIRST    KEY_HVC_GET_HV_ID
#define KEY_SMCCC_FIRST  KEY_SMCCC_VERSION
#define KEY_DEVICE_FIRST KEY_DEVICE_FLASH
#define KEY_SYSREG_FIRST (KEY_GUEST_RAM + 1)

// The name of a key as policy files, the log and the monitor spell it; "?" when key >= KEY_COUNT. Never NULL.
const char *event_key_name(unsigned int key);

// The key called name (exact, case-insensitive), or KEY_COUNT.
unsigned int event_key_find(const char *name);
