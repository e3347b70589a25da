// SPDX-License-Identifier: Apache-2.0
// The names of the keys and of results. A key is the number of one thing that a guest can do (hv/event_key.h), and
// people know it by its name, in a policy file and in the log. Names and numbers come from the same tables, so that a
// new row cannot get one without the other.

#include <hv/event_key.h>

#include <hv/string.h>
#include <hv/trap_result.h>

// One row for each key, from the tables that number the keys: [KEY_x] = "name",
#define CAUSE_NAME(id, ec, name, ...)     [KEY_CAUSE_##id] = name,
#define HVC_NAME(id, number, name, ...)   [KEY_HVC_##id] = name,
#define SMCCC_NAME(id, number, name, ...) [KEY_##id] = name,
#define DEVICE_NAME(id, name, ...)        [KEY_DEVICE_##id] = name,
#define SYSREG_NAME(name, ...)            [KEY_##name] = #name,

// clang-format off
static const char *const key_names[KEY_COUNT] = {
    CAUSE_TABLE(CAUSE_NAME)
    HVC_CALL_TABLE(HVC_NAME)
    [KEY_HVC_UNKNOWN] = "hvc-unknown",
    [KEY_HVC_IMMEDIATE] = "hvc-immediate",
    SMCCC_CALL_TABLE(SMCCC_NAME)
    [KEY_SMCCC_UNKNOWN] = "smccc-unknown",
    [KEY_SMC_IMMEDIATE] = "smc-immediate",
    DEVICE_TABLE(DEVICE_NAME)
    [KEY_DEVICE_NONE] = "no-device",
    [KEY_GUEST_RAM] = "guest-ram",
    SYSREG_TABLE(SYSREG_NAME)
    [KEY_SYSREG_UNKNOWN] = "sysreg-unknown",
};
// clang-format on

const char *event_key_name(unsigned int key)
{
    return key < KEY_COUNT ? key_names[key] : "?";
}

// The case of letters does not count, since people type the names. KEY_COUNT when no key has the name.
unsigned int event_key_find(const char *name)
{
    for (unsigned int key = 0; key < KEY_COUNT; key++)
        if (strcasecmp(event_key_name(key), name) == 0)
            return key;
    return KEY_COUNT;
}

const char *trap_result_name(unsigned int result)
{
    static const char *const names[TRAP_RESULT_COUNT] = {"done", "retry", "undef", "abort", "reflect", "stop"};

    return result < TRAP_RESULT_COUNT ? names[result] : "?";
}
