// SPDX-License-Identifier: Apache-2.0
// The compiled policy: const tables made from one TOML file by tools/policy_compile.py, folded per key, so that a
// verdict is one load. See docs/POLICY.md for the source format.
#pragma once

#include <hv/arch/barrier.h>
#include <hv/event_key.h>
#include <hv/types.h>

enum policy_action {
    POLICY_ALLOW,   // not trapped, or passed on to the hardware
    POLICY_EMULATE, // ariel's own implementation answers
    POLICY_RAZ_WI,  // reads as zero, writes ignored
    POLICY_DENY,    // the architecture's own refusal: UNDEF, external abort, NOT_SUPPORTED
    POLICY_PAUSE,   // the VM pauses at the instruction and the monitor opens; resume executes the instruction as
                    // POLICY_EMULATE would
    POLICY_STOP,    // the VM stops for good, with a record of why
    POLICY_ACTION_COUNT,
};

#define POLICY_FLAG_LOG     0x01 // write a log record
#define POLICY_FLAG_DEFAULT 0x02 // nobody named this key: the verdict is the file's default
#define POLICY_FLAG_QUICK   0x04 // emulated, without a record, by what needs only the event (trap_quick.c)

// Two bytes, loaded at once.
struct policy_verdict {
    uint16_t action : 3; // enum policy_action
    uint16_t flags : 6;  // POLICY_FLAG_*
    uint16_t row : 7;    // index into policy_rows, below POLICY_ROW_MAX
};

#define POLICY_LOG_UNLIMITED UINT16_MAX

// The most that a place and a why take of a log record, quoted and escaped as %pQ does it. The policy compiler shortens
// a place at its beginning and refuses a longer why, so that no record of a verdict is ever cut (log_verdict.c).
#define POLICY_PLACE_MAX 48
#define POLICY_WHY_MAX   112

struct policy_row {
    const char *place;       // "policy/diag.toml:53"
    const char *text;        // the row's subject: "sysreg PMU", "mmio pl011"
    const char *why;         // the row's reason, "" when none was given
    uint16_t log_per_second; // at most so many log records a second of each of its keys; 0: LOG_LIMIT_PER_SECOND
                             // POLICY_LOG_UNLIMITED: one for each, and the VM's budget does not pay for it
    uint8_t action;          // enum policy_action, as written; a verdict may differ where it is not possible
};

enum policy_mapping {
    POLICY_TRAPPED, // stage 2 has nothing there: every access is an exit
    POLICY_DIRECT,  // the device itself, at its own address: never trapped
    POLICY_SHADOW,  // a page of registers that ariel keeps as they read, read-only: writes are exits, and reads while
                    // they have a side effect. Of the UART alone
};

// A piece of the guest's physical address space outside RAM. Sorted, disjoint; holes are KEY_DEVICE_NONE.
struct policy_range {
    uint64_t base;                    // IPA
    uint64_t size;                    // bytes
    uint16_t key;                     // enum event_key
    uint8_t widths;                   // bit n set: accesses of 1 << n bytes are allowed (n = 0..3); others are denied
    uint8_t mapping;                  // enum policy_mapping
    struct policy_verdict verdict[2]; // [0] read, [1] write
};

// What the rows need trapped. The CPU's own limits are applied at boot (el2_setup.c).
struct policy_controls {
    uint64_t hcr_el2;     // bits to set beyond the base value
    uint64_t mdcr_el2;    // bits to set
    uint64_t cptr_el2;    // bits to set (non-VHE layout)
    uint64_t hstr_el2;    // bits to set
    uint64_t cnthctl_el2; // whole value: EL1PCTEN | EL1PCEN where the physical counter and timer are not trapped
    uint64_t ich_hcr_el2; // bits to set (TC, TALL0, TALL1, TDIR)
};

#define POLICY_ROW_MAX 128

extern const char policy_name[];
extern const struct policy_verdict policy_verdicts[][2]; // the pairs that occur: [0] read, [1] write or call
extern const uint8_t policy_verdict_index[KEY_COUNT];
extern const struct policy_row policy_rows[];
extern const unsigned int policy_log_budget;      // records a second that all of a VM may cause; 0: no limit
extern const unsigned int policy_row_count;       // 1 .. POLICY_ROW_MAX; row 0 is the default
extern const struct policy_range policy_ranges[]; // one more than policy_range_count: the last is empty, all denied
extern const unsigned int policy_range_count;
extern const struct policy_controls policy_controls;

// What is decided about a key: [0] read, [1] write or call.
static inline const struct policy_verdict *policy_verdicts_of(unsigned int key)
{
    return policy_verdicts[policy_verdict_index[key]];
}

// What the policy compiler promises of its ranges (tests/tools/test_policy_compile.py).
/*@ predicate policy_compiled =
        \valid_read(policy_ranges + (0 .. policy_range_count)) &&
        (\forall integer i; 0 <= i < policy_range_count ==>
             0 <= policy_ranges[i].base && 0 <= policy_ranges[i].size &&
             policy_ranges[i].base + policy_ranges[i].size <= UINT64_MAX);
    predicate policy_covers(integer i, integer a) =
        policy_ranges[i].base <= a < policy_ranges[i].base + policy_ranges[i].size;
*/

// The range that contains ipa, or NULL (then policy_verdicts_of(KEY_DEVICE_NONE) speak).
/*@ requires policy_compiled;
    assigns \nothing;
    ensures \result != \null ==> (\exists integer i; 0 <= i < policy_range_count && policy_covers(i, ipa.v) &&
                                                   \result == &policy_ranges[i]);
*/
const struct policy_range *policy_find_range(ipa_t ipa);

// "allow", "emulate" ... as policy files spell them; "?" when out of range.
const char *policy_action_name(unsigned int action);
