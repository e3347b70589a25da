// SPDX-License-Identifier: Apache-2.0
// A vCPU's counters and latency histograms. Written by the CPU that it runs on alone, on every exit; read from
// anywhere.
#pragma once

#include <hv/event.h>
#include <hv/event_key.h>
#include <hv/machine.h>
#include <hv/memory_map.h>
#include <hv/policy.h>

#define TELEMETRY_BUCKETS 31                   // with ticks, 256 bytes: keys are found by a shift
#define TELEMETRY_LAST    256                  // slots for events per vCPU; a power of two
#define TELEMETRY_KEPT    (TELEMETRY_LAST - 1) // events that can be found in them: the next exit has the last slot
#define TELEMETRY_LOGGED  128                  // of those that a record cites, kept longer

// A sum: bucket n counts exits of [2^(n-1), 2^n) counter ticks, bucket 0 those of 0 ticks, the last bucket all longer
// ones: of 2^29 ticks, which are 8.6 seconds at 62.5 MHz.
struct telemetry_stat {
    uint64_t bucket[TELEMETRY_BUCKETS]; // their sum is the number of exits
    uint64_t ticks;                     // total, entry stamp to exit stamp, without what the clock stood still for
};

// A place at which the guest does the same refused thing over and over (guest_loop.h).
struct telemetry_loop {
    uint64_t pc;
    uint64_t address;
    uint16_t key;
    uint8_t write;
    bool active;
};

#define TELEMETRY_LOOPS 4

// In the order in which an exit finds its place with the fewest instructions.
struct telemetry {
    struct event last[TELEMETRY_LAST];                    // event s is at s % TELEMETRY_LAST
    uint64_t row_count[POLICY_ROW_MAX + 1];               // by event->row; the last counts what no row decides
    uint64_t sequence;                                    // exits since boot; never reset
    uint64_t epoch;                                       // sequence when the counters were last reset
    uint64_t stat[KEY_COUNT][TELEMETRY_BUCKETS + 1];      // the buckets from the last to the first, then ticks
    uint64_t smc_count[KEY_DEVICE_FIRST - KEY_HVC_FIRST]; // of stat[KEY_HVC_FIRST + n], those that came by SMC
    uint64_t fetch_count;                  // of stat[KEY_GUEST_RAM], those that came by an instruction abort
    struct event logged[TELEMETRY_LOGGED]; // logged event n since boot is at n % TELEMETRY_LOGGED
    uint64_t logged_count;
    struct telemetry_loop loops[TELEMETRY_LOOPS];
    uint64_t loop_sequence; // sequence when the loops were looked at last
};

// The slot for the event that begins now. It holds an older one's fields until they are written.
static inline struct event *telemetry_begin(struct telemetry *telemetry)
{
    struct event *event = &telemetry->last[telemetry->sequence % TELEMETRY_LAST];
    __asm__("" : "+r"(event)); // one pointer: the compiler would otherwise compute every field's address from the index
    return event;
}

// The event that has ended last. At least one has.
static inline const struct event *telemetry_last(const struct telemetry *telemetry)
{
    return &telemetry->last[(telemetry->sequence - 1) % TELEMETRY_LAST];
}

// The exit of this slot has begun at entry (CNTPCT_EL0). While it is under way, event->exit is the moment from which
// its time counts: the entry, moved on by as much as the clock stood still. The two stamps are adjacent, so that both
// are one instruction.
static inline void telemetry_enter(struct event *event, uint64_t entry)
{
    event->entry = entry;
    event->exit = entry;
}

// Counts the event in the slot that telemetry_begin gave, which has its number already (telemetry->sequence), with so
// many ticks; exit is CNTPCT_EL0 now. By the owning CPU, once per exit.
static inline void telemetry_end_with(struct telemetry *telemetry, struct event *event, uint64_t ticks, uint64_t exit)
{
    size_t zeros = (size_t)__builtin_clrsbll((int64_t)ticks); // above the first bit, but for the sign's: 63 - bits
    const size_t last = 63 - (TELEMETRY_BUCKETS - 1);

    event->exit = exit;
    telemetry->sequence++;
    // stat[key] as stat[0] of one pointer: the compiler would otherwise compute it for each of the two. A constant key
    // is part of their addresses and needs no pointer.
    struct telemetry *at = (struct telemetry *)((char *)telemetry + event->key * sizeof(telemetry->stat[0]));
    if (!__builtin_constant_p(event->key))
        __asm__("" : "+r"(at));
    at->stat[0][(zeros > last ? zeros : last) - last]++;
    at->stat[0][TELEMETRY_BUCKETS] += ticks;
    telemetry->row_count[event->row]++;
}

// The same with the ticks for which the clock ran, for an event without its number.
static inline void telemetry_end(struct telemetry *telemetry, struct event *event, uint64_t exit)
{
    event->sequence = telemetry->sequence;
    telemetry_end_with(telemetry, event, exit - event->exit, exit);
}

// Stops the clock of this CPU's exit under way, for work that is not done for the guest: a record is printed, the
// monitor speaks, EL2 sleeps because the guest has nothing to do. Returns what telemetry_start_clock must be given: the
// ticks counted so far. Calls may nest. Without an exit under way both change nothing that anybody reads
// (TELEMETRY_KEPT).
static inline uint64_t telemetry_stop_clock(void)
{
    const struct vcpu *vcpu = vcpu_current();

    return vcpu != NULL && vcpu->telemetry != NULL ? READ_SYSREG(CNTPCT_EL0) - telemetry_begin(vcpu->telemetry)->exit
                                                   : 0;
}

// The clock goes on, from the ticks that it showed when it was stopped.
static inline void telemetry_start_clock(uint64_t counted)
{
    const struct vcpu *vcpu = vcpu_current();

    if (vcpu != NULL && vcpu->telemetry != NULL)
        telemetry_begin(vcpu->telemetry)->exit = READ_SYSREG(CNTPCT_EL0) - counted;
}

// Keeps a finished event that a record cites, so that it can be explained when its slot has long been used again.
void telemetry_keep(struct telemetry *telemetry, const struct event *event);

// Empties it and names the vCPU in every slot of its events; no exit is under way. Once, at boot.
void telemetry_init(struct telemetry *telemetry, unsigned int vcpu);

// Zeroes the counters, keeps the sequence and the last events. On the CPU of the vCPU (cpu_call).
void telemetry_reset(struct telemetry *telemetry);

// Number of exits in stat.
uint64_t telemetry_count(const struct telemetry_stat *stat);

// Bounds, in ticks, of how long the exit of this rank took (1 .. telemetry_count, the shortest first): it was no
// shorter than the one and no longer than the other. 0 is never the bound of a long exit.
uint64_t telemetry_at_least(const struct telemetry_stat *stat, uint64_t rank);
uint64_t telemetry_at_most(const struct telemetry_stat *stat, uint64_t rank);

// The ranks of the median, and of the exit that 99 of 100 do not exceed, among count of them (1 or more).
static inline uint64_t telemetry_rank_of_median(uint64_t count)
{
    return count - count / 2;
}

static inline uint64_t telemetry_rank_of_p99(uint64_t count)
{
    return count - count / 100;
}

// Sums key over the vCPUs of vm into *sum.
void telemetry_sum(const struct vm *vm, unsigned int key, struct telemetry_stat *sum);

// How many exits of this class (KEY_CAUSE_ of the exception, event->cause) were about this key, over the vCPUs of vm.
// Summed over all classes it is what telemetry_sum has for the key.
uint64_t telemetry_count_in_class(const struct vm *vm, unsigned int cause, unsigned int key);

// Notes that event came by the less usual of the two classes that its key can have: a call by SMC, or an abort on guest
// RAM by a fetch. Nearly every key has one class, so that the exit path counts no classes. By the owning CPU, before
// the exit ends.
void telemetry_note_class(struct telemetry *telemetry, const struct event *event);

// The event with this sequence number, among the last or the logged ones, or NULL when it is gone or not
// there yet.
const struct event *telemetry_find(const struct telemetry *telemetry, uint64_t sequence);
