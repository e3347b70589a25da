// SPDX-License-Identifier: Apache-2.0
// The names of the keys, from the same tables that number them.

#include <hv/event_key.h>

#include <hv/string.h>

#define STEP 8

// Rows in the order of the keys: KEY(member, "name")
#define CAUSE_NAME(id, ec, name, ...)     KEY(CAUSE_##id, name)
#define HVC_NAME(id, number, name, ...)   KEY(HVC_##id, name)
#define SMCCC_NAME(id, number, name, ...) KEY(id, name)
#define DEVICE_NAME(id, name, ...)        KEY(DEVICE_##id, name)
#define SYSREG_NAME(name, ...)            KEY(name, #name)
// clang-format off
#define KEY_NAMES                                                                                                      \
    CAUSE_TABLE(CAUSE_NAME)                                                                                            \
    HVC_CALL_TABLE(HVC_NAME)                                                                                           \
    KEY(HVC_UNKNOWN, "hvc-unknown")                                                                                    \
    KEY(HVC_IMMEDIATE, "hvc-immediate")                                                                                \
    SMCCC_CALL_TABLE(SMCCC_NAME)                                                                                       \
    KEY(SMCCC_UNKNOWN, "smccc-unknown")                                                                                \
    KEY(SMC_IMMEDIATE, "smc-immediate")                                                                                \
    DEVICE_TABLE(DEVICE_NAME)                                                                                          \
    KEY(DEVICE_NONE, "no-device")                                                                                      \
    KEY(GUEST_RAM, "guest-ram")                                                                                        \
    SYSREG_TABLE(SYSREG_NAME)                                                                                          \
    KEY(SYSREG_UNKNOWN, "sysreg-unknown")

// One string after the other, and where each STEP-th begins.
#define KEY(member, name) char member[sizeof(name)];
static const struct key_texts {
    KEY_NAMES
} key_texts = {
#undef KEY
#define KEY(member, name) name,
    KEY_NAMES
};
#undef KEY
// Each entry is set by the STEP keys up to its own, which is the last.
#pragma GCC diagnostic ignored "-Woverride-init"
#define KEY(member, name) [(KEY_##member + STEP - 1) / STEP] = offsetof(struct key_texts, member),
static const uint16_t key_offsets[(KEY_COUNT + STEP - 1) / STEP + 1] = {KEY_NAMES};
#undef KEY
// clang-format on

const char *event_key_name(unsigned int key)
{
    return key < KEY_COUNT ? text_nth((const char *)&key_texts + key_offsets[key / STEP], key % STEP) : "?";
}

unsigned int event_key_find(const char *name)
{
    for (unsigned int key = 0; key < KEY_COUNT; key++)
        if (strcasecmp(event_key_name(key), name) == 0)
            return key;
    return KEY_COUNT;
}
