// SPDX-License-Identifier: Apache-2.0
// The compiled policy's two lookups that are more than an index.

#include <hv/policy.h>

// The hint is the first range that can contain an address of its 16 MiB; above 1 GiB there are only a few.
const struct policy_range *policy_find_range(ipa_t ipa)
{
    uint64_t slot = ipa.v >> POLICY_RANGE_HINT_SHIFT;
    unsigned int i = policy_range_hint[slot < POLICY_RANGE_HINTS ? slot : POLICY_RANGE_HINTS - 1];
    for (; i < policy_range_count && policy_ranges[i].base <= ipa.v; i++)
        if (ipa.v - policy_ranges[i].base < policy_ranges[i].size)
            return &policy_ranges[i];
    return NULL;
}

const char *policy_action_name(unsigned int action)
{
    static const char names[POLICY_ACTION_COUNT][8] = {"allow", "emulate", "raz-wi", "deny", "pause", "stop"};
    return action < POLICY_ACTION_COUNT ? names[action] : "?";
}
