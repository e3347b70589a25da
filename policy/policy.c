// SPDX-License-Identifier: Apache-2.0
// The compiled policy's two lookups that are more than an index.

#include <hv/policy.h>

const struct policy_range *policy_find_range(ipa_t ipa)
{
    /*@ loop invariant 0 <= i <= policy_range_count;
        loop assigns i;
        loop variant policy_range_count - i;
    */
    for (unsigned int i = 0; i < policy_range_count; i++)
        if (ipa.v >= policy_ranges[i].base && ipa.v - policy_ranges[i].base < policy_ranges[i].size)
            return &policy_ranges[i];
    return NULL;
}

const char *policy_action_name(unsigned int action)
{
    static const char *const names[POLICY_ACTION_COUNT] = {
        [POLICY_ALLOW] = "allow", [POLICY_EMULATE] = "emulate", [POLICY_RAZ_WI] = "raz-wi",
        [POLICY_DENY] = "deny",   [POLICY_PAUSE] = "pause",     [POLICY_STOP] = "stop",
    };

    return action < POLICY_ACTION_COUNT ? names[action] : "?";
}
