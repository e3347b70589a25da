// SPDX-License-Identifier: Apache-2.0
// How much of the log a guest may fill. Whatever record a guest can cause has a source: a kind of record, and with
// verdicts and aborts the key (register, device, call, cause) and the direction. Each source has a limit, whichever CPU
// it comes from, and all of a VM's sources share one budget, so that neither one source nor many of them flood the log.
// Each VM has limits and a budget of its own, so that no VM can use up what another one may write.
// The first record of each source is written whatever the budget says. What is held back is counted by source, and the
// count is told.
//
// The budget survives a warm reset: it lies in the log's ring. So does the set of sources whose first record was
// written, while a guest resets the machine again and again (include/hv/log_ring.h).
#pragma once

#include <hv/event.h>
#include <hv/event_key.h>
#include <hv/log.h>
#include <hv/policy_virtio.h>

#define LOG_LIMIT_PER_SECOND 10 // records of one source, where no policy row has a limit; as many may come at once

// Sources of verdicts and aborts come after those of enum log_source.
#define LOG_SOURCE_ABORT (LOG_SOURCE_VERDICT + 2 * KEY_COUNT - KEY_DEVICE_FIRST)
// Behind them one for each virtio row of a policy, in the order of its table.
#define LOG_SOURCE_VIRTIO (LOG_SOURCE_ABORT + KEY_HVC_FIRST + 2 * (KEY_SYSREG_FIRST - KEY_DEVICE_FIRST))
#define LOG_SOURCE_COUNT  (LOG_SOURCE_VIRTIO + POLICY_VIRTIO_ROW_MAX)

// What lies in the ring. All zero: full budget, no source has written anything.
struct log_budget {
    uint64_t full; // CNTPCT_EL0 at which the VM's budget will be full again
    uint64_t first_written[(LOG_SOURCE_COUNT + 63) / 64];
};

// A record that is held back is counted; one that passes takes the count of those before it along.
enum log_answer {
    LOG_HOLD,      // no record
    LOG_RING_ONLY, // the ring, not the console: the first of this boot, but not of the guest's resets in a row
    LOG_WRITE,
};

// Budgets have numbers, 0 .. LOG_BUDGETS - 1: a VM's is vm->log_budget.
#define LOG_BUDGETS 4

// From now on the budgets are those at memory (LOG_BUDGETS of them), without a limit for all sources together, and none
// of them is any VM's. Zeroes the counts. At boot.
void log_budget_init(struct log_budget *memory);

// A budget for one more VM; returns its number. All its sources together may cause so many records a second, and as
// many at once; 0: no limit. At boot, at most LOG_BUDGETS times after log_budget_init: one time more is a bug
// (fatal.h).
unsigned int log_budget_open(unsigned int per_second);

// How many are open.
unsigned int log_budget_count(void);

// The budget of the VM whose vCPU this CPU runs: of a record that the guest has caused by what it just did. 0, which
// the first VM gets, before there is a VM.
unsigned int log_budget_current(void);

// A source for each cause and call, and two (read, write) for each device and register.
static inline unsigned int log_source_of_verdict(const struct event *of)
{
    unsigned int key = of->key;

    return LOG_SOURCE_VERDICT + (key < KEY_DEVICE_FIRST ? key : 2 * key - KEY_DEVICE_FIRST + (of->write != 0));
}

// Likewise. Aborts have keys of causes and of what lies at the address.
static inline unsigned int log_source_of_abort(const struct event *of)
{
    unsigned int key = of->key;

    if (key < KEY_DEVICE_FIRST)
        return LOG_SOURCE_ABORT + (key < KEY_HVC_FIRST ? key : 0);
    key = key < KEY_SYSREG_FIRST ? key - KEY_DEVICE_FIRST : 0;
    return LOG_SOURCE_ABORT + KEY_HVC_FIRST + 2 * key + (of->write != 0);
}

#define LOG_UNLIMITED 0 // as per_second: the record is written, and the budget does not pay for it

// Whether a record of source may be written now, by a limit of its own of per_second and by the VM's budget. *held: how
// many were held back before it and are told by the caller now; 0 when the answer is LOG_HOLD.
enum log_answer log_budget_ask(unsigned int number, unsigned int source, unsigned int per_second, uint64_t *held);

// So many more of source were held back. They are told when nobody asked for its records for a second, or at the end.
void log_budget_hold(unsigned int number, unsigned int source, uint64_t more);

// The record of source that may be written now is about so many more accesses.
void log_budget_add_written(unsigned int number, unsigned int source, uint64_t more);

// The next source at or after *source of which something was held back that nobody has told, and how much, which counts
// as told now. all: also those that will tell it themselves with their next record. False when there is none.
bool log_budget_next_held(unsigned int number, unsigned int *source, bool all, uint64_t *held);

// Whether one more record fits that budget, which then pays for it.
bool log_budget_spend(unsigned int number);

// Held back since boot, of all VMs.
uint64_t log_budget_held(void);

// How many times a record was asked for since boot: with success, and without. Maintenance by set and way counts each
// access.
struct log_tally {
    uint64_t written;
    uint64_t held;
};

// Those of one source; and those of one row of the policy (0 .. POLICY_ROW_MAX - 1), by log_budget_set_row.
struct log_tally log_budget_tally(unsigned int number, unsigned int source);
struct log_tally log_budget_tally_of_row(unsigned int number, unsigned int row);

// The policy row of a source of verdicts, aborts or virtio rows: the last one that spoke, by log_budget_ask's caller.
// *policy is whose row it is; NULL, and row 0, when none has spoken.
void log_budget_set_row(unsigned int number, unsigned int source, const struct policy *policy, unsigned int row);
unsigned int log_budget_row(unsigned int number, unsigned int source, const struct policy **policy);

// "verdict", "abort", "virtio", "cpu-on" ...; *key and *write of verdicts and aborts, else KEY_COUNT and false.
const char *log_source_name(unsigned int source, unsigned int *key, bool *write);
