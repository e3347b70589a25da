// SPDX-License-Identifier: Apache-2.0
// What a guest may still write to the log, by source and in all. A source whose limit is N may write N records at once
// and N a second, all vCPUs together. All sources of a VM together may write as many a second as log_budget_open was
// told; the first record of each source comes through in any case. A record that is held back is counted, and its
// count is handed out once, to be told.
//
// Each limit is a token bucket. It is kept as one number: the time at which the bucket will be full again. A record
// moves that time 1/N second ahead, and a bucket that would be full more than one second from now has no token left. An
// example with N = 10 and 1,000 ticks a second. At time 5,000 the bucket is full. Ten records at once move the time to
// 6,000. The eleventh would move it to 6,100, which is more than one second ahead: it is held back. At time 5,100 one
// more may be written.
#include <hv/log_budget.h>

#include <hv/fatal.h>
#include <hv/machine.h>
#include <hv/policy.h>
#include <hv/spinlock.h>
#include <hv/string.h>

#include <hv/arch/registers.h>

struct account {
    uint64_t full;               // CNTPCT_EL0
    uint64_t held;               // held back and not told
    struct log_tally tally;      // since boot, told or not
    uint16_t row;                // of a source about which a policy row has spoken
    bool first_done;             // this boot has written one
    const struct policy *policy; // whose row it is; NULL: none has
};

static struct spinlock budget_lock = SPINLOCK(LOCK_LOG_LIMIT); // no other lock is taken under it
// boot.S does not zero them, which would cost time: log_budget_init zeroes the first VM's, log_budget_open the others'.
static UNSET struct account accounts[LOG_BUDGETS][LOG_SOURCE_COUNT] GUARDED_BY(budget_lock);
static UNSET struct log_tally row_tallies[LOG_BUDGETS][POLICY_ROW_MAX] GUARDED_BY(budget_lock); // likewise
static struct log_budget spare[LOG_BUDGETS];                                                    // until log_budget_init
static struct log_budget *budgets GUARDED_BY(budget_lock) = spare;
static unsigned int per_second_of[LOG_BUDGETS] GUARDED_BY(budget_lock); // of all sources; 0: no limit
static uint64_t held_all GUARDED_BY(budget_lock);
static unsigned int open_count; // budgets that are a VM's

// A VM's bucket and the set of sources that have written lie in memory, part of the ring, so that they survive a warm
// reset: a guest that resets itself must not get a full bucket by it. The other accounts begin anew.
void log_budget_init(struct log_budget *memory)
{
    spinlock_acquire(&budget_lock);
    memset(accounts[0], 0, sizeof(accounts[0]));
    memset(row_tallies[0], 0, sizeof(row_tallies[0]));
    memset(per_second_of, 0, sizeof(per_second_of));
    budgets = memory;
    held_all = 0;
    open_count = 0;
    spinlock_release(&budget_lock);
}

// VMs are made at boot, in the order of the plan. So a VM finds after a reset the budget that it had before.
unsigned int log_budget_open(unsigned int per_second)
{
    if (open_count == LOG_BUDGETS)
        fatal("log_budget: more VMs than LOG_BUDGETS");
    spinlock_acquire(&budget_lock);
    if (open_count != 0) { // the first may have counted records of the boot already
        memset(accounts[open_count], 0, sizeof(accounts[0]));
        memset(row_tallies[open_count], 0, sizeof(row_tallies[0]));
    }
    per_second_of[open_count] = per_second;
    spinlock_release(&budget_lock);
    return open_count++;
}

unsigned int log_budget_count(void)
{
    return open_count;
}

unsigned int log_budget_current(void)
{
    const struct vcpu *vcpu = vcpu_current();

    return vcpu != NULL && vcpu->vm != NULL ? vcpu->vm->log_budget : 0;
}

// When a bucket that will be full at the time `full` would be full again after one more record; `full` itself when
// there is no limit. The VM's bucket survives a warm reset, after which the counter may have begun anew: a time that
// lies more than one second ahead is such an old one, and the bucket is taken as empty.
static uint64_t full_after(uint64_t full, uint64_t now, uint64_t second, unsigned int per_second)
{
    full = full < now ? now : full > now + second ? now + second : full;
    return per_second == LOG_UNLIMITED ? full : full + second / per_second;
}

// One bit for each source.
static bool is_set(const uint64_t *bits, unsigned int source)
{
    return bits[source / 64] >> (source % 64) & 1;
}

// Takes a record's token out of the bucket. A record that is written though the bucket is empty, because it is the
// first of its source, leaves it empty: there are no debts.
static void pay(uint64_t *full, uint64_t after, uint64_t limit)
{
    *full = after < limit ? after : limit;
}

// Counts written and held back records for their source, and for the row that has spoken about it.
static void count(unsigned int number, unsigned int source, uint64_t written, uint64_t held) REQUIRES(budget_lock)
{
    struct account *account = &accounts[number][source];

    account->tally.written += written;
    account->tally.held += held;
    held_all += held;
    if (account->policy != NULL) {
        row_tallies[number][account->row].written += written;
        row_tallies[number][account->row].held += held;
    }
}

// Asks for one record. LOG_WRITE: it may go everywhere. LOG_RING_ONLY: it is the first of its source in this boot, but
// not the first since the guest began to reset itself, so the ring gets it and the serial line does not. LOG_HOLD: it
// must not be written, and was counted. *held is the count of earlier ones that the caller must tell now.
enum log_answer log_budget_ask(unsigned int number, unsigned int source, unsigned int per_second, uint64_t *held)
{
    uint64_t now = READ_SYSREG(CNTPCT_EL0);
    uint64_t second = READ_SYSREG(CNTFRQ_EL0);
    struct account *account = &accounts[number][source];
    enum log_answer answer = LOG_WRITE;

    spinlock_acquire(&budget_lock);
    struct log_budget *budget = &budgets[number];
    uint64_t own = full_after(account->full, now, second, per_second);
    uint64_t all = full_after(budget->full, now, second, per_second == LOG_UNLIMITED ? 0 : per_second_of[number]);
    if ((own > now + second || all > now + second) && is_set(budget->first_written, source))
        answer = account->first_done ? LOG_HOLD : LOG_RING_ONLY;
    *held = answer == LOG_HOLD ? 0 : account->held;
    if (answer == LOG_HOLD) {
        account->held++;
    } else {
        account->held = 0;
        account->first_done = true;
    }
    count(number, source, answer != LOG_HOLD, answer == LOG_HOLD);
    if (answer == LOG_WRITE) {
        budget->first_written[source / 64] |= UINT64_C(1) << (source % 64);
        pay(&account->full, own, now + second);
        pay(&budget->full, all, now + second);
    }
    spinlock_release(&budget_lock);
    return answer;
}

// The bucket is set to empty, so that log_budget_next_held finds the source only after a second without such records.
void log_budget_hold(unsigned int number, unsigned int source, uint64_t more)
{
    uint64_t second = READ_SYSREG(CNTFRQ_EL0);
    uint64_t quiet = READ_SYSREG(CNTPCT_EL0) + second;

    spinlock_acquire(&budget_lock);
    accounts[number][source].held += more;
    accounts[number][source].full = quiet;
    count(number, source, 0, more);
    spinlock_release(&budget_lock);
}

void log_budget_add_written(unsigned int number, unsigned int source, uint64_t more)
{
    spinlock_acquire(&budget_lock);
    count(number, source, more, 0);
    spinlock_release(&budget_lock);
}

// Remembers which row of the policy asked last for a record of this source, so that the count of held records can name
// it.
void log_budget_set_row(unsigned int number, unsigned int source, const struct policy *policy, unsigned int row)
{
    spinlock_acquire(&budget_lock);
    accounts[number][source].row = (uint16_t)row;
    accounts[number][source].policy = policy;
    spinlock_release(&budget_lock);
}

unsigned int log_budget_row(unsigned int number, unsigned int source, const struct policy **policy)
{
    spinlock_acquire(&budget_lock);
    unsigned int row = accounts[number][source].row;
    *policy = accounts[number][source].policy;
    spinlock_release(&budget_lock);
    return row;
}

// A source with a full bucket has been quiet, so no record of its own will come soon to tell the count. Such sources
// are the ones that are found, or every source with a count when `all` is true.
bool log_budget_next_held(unsigned int number, unsigned int *source, bool all, uint64_t *held)
{
    uint64_t now = READ_SYSREG(CNTPCT_EL0);
    bool found = false;

    spinlock_acquire(&budget_lock);
    while (*source < LOG_SOURCE_COUNT && !found) {
        struct account *account = &accounts[number][*source];
        found = account->held != 0 && (all || account->full <= now);
        if (found) {
            *held = account->held;
            account->held = 0;
        } else {
            ++*source;
        }
    }
    spinlock_release(&budget_lock);
    return found;
}

// Takes one record out of a VM's bucket for a record that belongs to no source's limit. False when the bucket is
// empty.
bool log_budget_spend(unsigned int number)
{
    uint64_t now = READ_SYSREG(CNTPCT_EL0);
    uint64_t second = READ_SYSREG(CNTFRQ_EL0);

    spinlock_acquire(&budget_lock);
    uint64_t all = full_after(budgets[number].full, now, second, per_second_of[number]);
    bool fits = all <= now + second;
    pay(&budgets[number].full, all, now + second);
    spinlock_release(&budget_lock);
    return fits;
}

uint64_t log_budget_held(void)
{
    spinlock_acquire(&budget_lock);
    uint64_t sum = held_all;
    spinlock_release(&budget_lock);
    return sum;
}

struct log_tally log_budget_tally(unsigned int number, unsigned int source)
{
    spinlock_acquire(&budget_lock);
    struct log_tally tally = accounts[number][source].tally;
    spinlock_release(&budget_lock);
    return tally;
}

struct log_tally log_budget_tally_of_row(unsigned int number, unsigned int row)
{
    spinlock_acquire(&budget_lock);
    struct log_tally tally = row_tallies[number][row];
    spinlock_release(&budget_lock);
    return tally;
}

// The inverse of log_source_of_verdict and log_source_of_abort (log_budget.h): which key and direction a source stands
// for. The sources of verdicts and those of aborts are numbered in the same manner: first keys that have one source
// each, then keys that have two, for read and write. *key is KEY_COUNT for a source that is no key's.
const char *log_source_name(unsigned int source, unsigned int *key, bool *write)
{
#define LOG_SOURCE_NAME(id, name) name,
    static const char *const names[] = {LOG_SOURCE_TABLE(LOG_SOURCE_NAME)};
    bool verdict = source < LOG_SOURCE_ABORT;
    unsigned int first = verdict ? LOG_SOURCE_VERDICT : LOG_SOURCE_ABORT;
    unsigned int single = verdict ? KEY_DEVICE_FIRST : KEY_HVC_FIRST; // keys with one source

    *key = KEY_COUNT;
    *write = false;
    if (source < LOG_CLASS_COUNT)
        return log_class_name(source);
    if (source < LOG_SOURCE_VERDICT)
        return names[source - LOG_CLASS_COUNT];
    if (source >= LOG_SOURCE_VIRTIO)
        return "virtio";
    source -= first;
    *key = source < single ? source : KEY_DEVICE_FIRST + (source - single) / 2;
    *write = source < single ? source >= KEY_HVC_FIRST : (source - single) % 2 != 0;
    return verdict ? "verdict" : "abort";
}
