// SPDX-License-Identifier: Apache-2.0
// A vCPU's counters and latency histograms. Written by the CPU that it runs on alone, on every exit; read from
// anywhere.
#pragma once

#include <hv/event.h>
#include <hv/event_key.h>
#include <hv/memory_map.h>
#include <hv/policy.h>

#define TELEMETRY_BUCKETS 15  // with ticks, 128 bytes: keys are found by a shift
#define TELEMETRY_LAST    256 // events kept per vCPU; a power of two
#define TELEMETRY_LOGGED  128 // of those that a record cites, kept longer

// A sum: bucket n counts exits of [2^(n-1), 2^n) counter ticks, bucket 0 those of 0 ticks, the last bucket all longer
// ones.
struct telemetry_stat {
    uint64_t bucket[TELEMETRY_BUCKETS]; // their sum is the number of exits
    uint64_t ticks;                     // total, entry stamp to exit stamp
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
    struct event last[TELEMETRY_LAST];               // event s is at s % TELEMETRY_LAST
    uint64_t row_count[POLICY_ROW_MAX + 1];          // by event->row; the last counts what no row decides
    uint64_t sequence;                               // exits since boot; never reset
    uint64_t epoch;                                  // sequence when the counters were last reset
    uint64_t stat[KEY_COUNT][TELEMETRY_BUCKETS + 1]; // the buckets from the last to the first, then ticks
    struct event logged[TELEMETRY_LOGGED];           // logged event n since boot is at n % TELEMETRY_LOGGED
    uint64_t logged_count;
    struct telemetry_loop loops[TELEMETRY_LOOPS];
    uint64_t loop_sequence; // sequence when the loops were looked at last
};

struct vm;

// The slot for the event that begins now. It holds an older one's fields until they are written.
static inline struct event *telemetry_begin(struct telemetry *telemetry)
{
    struct event *event = &telemetry->last[telemetry->sequence % TELEMETRY_LAST];
    __asm__("" : "+r"(event)); // one pointer: the compiler would otherwise compute every field's address from the index
    return event;
}

// Counts the event in the slot that telemetry_begin gave; exit is CNTPCT_EL0 now. By the owning CPU, once per exit.
static inline void telemetry_end(struct telemetry *telemetry, struct event *event, uint64_t exit)
{
    uint64_t ticks = exit - event->entry;
    size_t zeros = (size_t)__builtin_clrsbll((int64_t)ticks); // above the first bit, but for the sign's: 63 - bits
    const size_t last = 63 - (TELEMETRY_BUCKETS - 1);

    event->exit = exit;
    event->sequence = telemetry->sequence++;
    // stat[key] as stat[0] of one pointer: the compiler would otherwise compute it for each of the two.
    struct telemetry *at = (struct telemetry *)((char *)telemetry + event->key * sizeof(telemetry->stat[0]));
    __asm__("" : "+r"(at));
    at->stat[0][(zeros > last ? zeros : last) - last]++;
    at->stat[0][TELEMETRY_BUCKETS] += ticks;
    telemetry->row_count[event->row]++;
}

// Keeps a finished event that a record cites, so that it can be explained when its slot has long been used again.
void telemetry_keep(struct telemetry *telemetry, const struct event *event);

// Empties it and names the vCPU in every slot of its events; no exit is under way. Once, at boot.
void telemetry_init(struct telemetry *telemetry, unsigned int vcpu);

// Zeroes the counters, keeps the sequence and the last events. On the CPU of the vCPU (cpu_call).
void telemetry_reset(struct telemetry *telemetry);

// Number of exits in stat.
uint64_t telemetry_count(const struct telemetry_stat *stat);

// Sums key over the vCPUs of vm into *sum.
void telemetry_sum(const struct vm *vm, unsigned int key, struct telemetry_stat *sum);

// The event with this sequence number, among the last or the logged ones, or NULL when it is gone or not
// there yet.
const struct event *telemetry_find(const struct telemetry *telemetry, uint64_t sequence);
