// SPDX-License-Identifier: Apache-2.0
// hv selftest: what must hold while ariel runs, looked at on the running machine: EL2's MMU is on and no page is both
// writable and executable, a device that must trap is not mapped at stage 2, every key has a row of the policy, every
// CPU answers a call, and time passes.
#include <hv/monitor_cmds.h>

#include <hv/arch/registers.h>
#include <hv/cpu.h>
#include <hv/event_key.h>
#include <hv/machine.h>
#include <hv/monitor_out.h>
#include <hv/monitor_reply.h>
#include <hv/monitor_subject.h>
#include <hv/policy.h>
#include <hv/selftest.h>
#include <hv/string.h>
#include <hv/vm.h>

// One row of the reply.
static void check(const char *name, bool passed, unsigned int *failed)
{
    out("check:%-22s result:%s\n", name, passed ? "passed" : "FAILED");
    *failed += !passed;
}

// A device that the policy traps must have no valid entry at stage 2, or its accesses would not come to EL2.
static bool trapped_ranges_are_unmapped(void)
{
    const struct policy *policy = monitor_vm()->policy;
    struct stage2_entry entry;

    for (unsigned int i = 0; i < policy->range_count; i++)
        if (policy->ranges[i].mapping == POLICY_TRAPPED &&
            stage2_query(&monitor_vm()->space.stage2, ipa_make(policy->ranges[i].base), &entry) == HV_OK && entry.valid)
            return false;
    return true;
}

// Called on every CPU. The counter is shared, so the addition is atomic.
static void count_cpu(void *argument)
{
    __atomic_fetch_add((unsigned int *)argument, 1, __ATOMIC_RELAXED);
}

// EL2's own MMU and caches are on, and WXN is set: what EL2 can write it cannot execute (DDI 0487, SCTLR_EL2).
static bool el2_is_translated(void)
{
    uint64_t need = SCTLR_ELX_M | SCTLR_ELX_C | SCTLR_ELX_I | SCTLR_ELX_WXN;

    return (READ_SYSREG(SCTLR_EL2) & need) == need;
}

// Both directions of every key must lead to a row that exists.
static bool keys_round_trip(void)
{
    for (unsigned int key = 0; key < KEY_COUNT; key++) {
        if (policy_verdicts_of(monitor_vm()->policy, key)[0].row >= monitor_vm()->policy->row_count ||
            policy_verdicts_of(monitor_vm()->policy, key)[1].row >= monitor_vm()->policy->row_count)
            return false;
    }
    return true;
}

// hv selftest: all checks run, also behind one that failed, so that the reply shows all that is wrong.
const char *monitor_selftest(const struct monitor_words *words, bool commands_are_sorted)
{
    unsigned int failed = 0;
    unsigned int answers = 0;
    uint64_t start = READ_SYSREG(CNTPCT_EL0);

    if (strcmp(words->word[1], "selftest") != 0)
        return monitor_error("hv '%s' is not selftest", words->word[1]);
    if (monitor_refused() != NULL)
        return monitor_refused();
    check("el2 mmu, caches, wxn", el2_is_translated(), &failed);
    const char *wrong = selftest_memory(monitor_vm());
    check(wrong == NULL ? "memory protection" : wrong, wrong == NULL, &failed);
    check("stage 2 devices", trapped_ranges_are_unmapped(), &failed);
    check("policy rows", keys_round_trip(), &failed);
    check("command table", commands_are_sorted, &failed);
    check("every cpu answers", cpu_call_all(count_cpu, &answers) && answers == cpu_count(), &failed);
    check("counter runs", READ_SYSREG(CNTPCT_EL0) > start, &failed);
    return failed == 0 ? NULL : monitor_error("%u checks failed", failed);
}
