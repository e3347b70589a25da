// SPDX-License-Identifier: Apache-2.0
// A compiled policy: what tools/policy_compile.py makes of one TOML file, as one constant. The compiler has folded all
// rows into one verdict for each key and direction, so that an exit finds its verdict by one load. docs/POLICY.md has
// the source format.
#pragma once

#include <hv/arch/barrier.h>
#include <hv/event_key.h>
#include <hv/policy_controls.h>
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
#define POLICY_FLAG_TRACE   0x08 // its exits go into the trace from the first guest entry
#define POLICY_FLAG_SET     0x80 // a person has set it at the monitor: its row is the one that decided before

// Four bytes, loaded and stored at once.
struct policy_verdict {
    _Alignas(uint32_t) uint8_t action; // enum policy_action
    uint8_t flags;                     // POLICY_FLAG_*
    uint16_t row : 10;                 // index into the policy's rows, below POLICY_ROW_MAX
};

_Static_assert(sizeof(struct policy_verdict) == sizeof(uint32_t), "one load");

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

#define POLICY_RANGE_MAX 256 // ranges of a policy of which a VM can have a copy (policy_set.h)
#define POLICY_ROW_MAX   1024
#define POLICY_ROW_NONE  POLICY_ROW_MAX // event->row where no row decides: interrupts, and the monitor's steps

struct policy_virtio; // policy_virtio.h

// All that one policy file says. A VM has one (vm->policy), and several VMs may share it.
struct policy {
    const char *name;
    const struct policy_row *rows;
    const struct policy_range *ranges;  // sorted, disjoint
    const struct policy_virtio *virtio; // in the order of the file, the default last
    unsigned int row_count;             // 1 .. POLICY_ROW_MAX; row 0 is the default
    unsigned int range_count;
    unsigned int virtio_count;
    unsigned int log_budget; // records a second that all of a VM may cause; 0: no limit
    bool traced;             // a row says trace = true
    // By key: bit n set: enum policy_action n can be given to reads [0], to writes and calls [1], in this build without
    // another trap control; 0: they do not trap. NULL: none can. Of a device, only where its range is trapped.
    const uint8_t (*settable)[2];
    struct policy_controls controls;
    struct policy_verdict verdicts[KEY_COUNT][2]; // by key: [0] read, [1] write or call
};

// The policy that this image was built with: the one in build/generated/policy_tables.c.
extern const struct policy policy_built;

// What policy decides about a key: [0] read, [1] write or call.
static inline const struct policy_verdict *policy_verdicts_of(const struct policy *policy, unsigned int key)
{
    return policy->verdicts[key];
}

// What the policy compiler promises of its ranges (tests/tools/test_policy_compile.py).
/*@ predicate policy_compiled(struct policy *p) =
        \valid_read(p) && \valid_read(p->ranges + (0 .. p->range_count - 1)) &&
        (\forall integer i; 0 <= i < p->range_count ==>
             0 <= p->ranges[i].base && 0 <= p->ranges[i].size &&
             p->ranges[i].base + p->ranges[i].size <= UINT64_MAX);
    predicate policy_covers(struct policy *p, integer i, integer a) =
        p->ranges[i].base <= a < p->ranges[i].base + p->ranges[i].size;
*/

// The range that contains ipa, or NULL (then the verdicts of KEY_DEVICE_NONE speak).
/*@ requires policy_compiled(policy);
    assigns \nothing;
    ensures \result != \null ==> (\exists integer i; 0 <= i < policy->range_count && policy_covers(policy, i, ipa.v) &&
                                                   \result == &policy->ranges[i]);
*/
const struct policy_range *policy_find_range(const struct policy *policy, ipa_t ipa);

// "allow", "emulate" ... as policy files spell them; "?" when out of range.
const char *policy_action_name(unsigned int action);
