// SPDX-License-Identifier: Apache-2.0
// The lookups in a compiled policy. Most of them are an index into a table, by the key of an event, and need no
// function; what is here has to search, or gives a name. tools/policy_compile.py makes the tables.

#include <hv/policy.h>

// The subtraction comes after the comparison, so it cannot go below 0; base + size is not computed, because it might
// wrap. The comment in the loop is for Frama-C, which proves that the loop ends and stays within the table.
const struct policy_range *policy_find_range(const struct policy *policy, ipa_t ipa)
{
    const struct policy_range *ranges = policy->ranges;

    /*@ loop invariant 0 <= i <= policy->range_count;
        loop assigns i;
        loop variant policy->range_count - i;
    */
    for (unsigned int i = 0; i < policy->range_count; i++)
        if (ipa.v >= ranges[i].base && ipa.v - ranges[i].base < ranges[i].size)
            return &ranges[i];
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
