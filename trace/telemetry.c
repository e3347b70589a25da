// SPDX-License-Identifier: Apache-2.0
// The counters, histograms and last events of one vCPU. Each exit of a guest is counted here, so there is no lock: the
// CPU on which the vCPU runs is the only one that writes. Any CPU may read, and may then see a counter that is one exit
// old, or an event that is just being overwritten, which its sequence number shows.

#include <hv/telemetry.h>

#include <hv/machine.h>
#include <hv/string.h>

// Each slot knows its vCPU and its type from the beginning, so that the exit path does not write them.
void telemetry_init(struct telemetry *telemetry, unsigned int vcpu)
{
    memset(telemetry, 0, sizeof(*telemetry));
    for (unsigned int i = 0; i < TELEMETRY_LAST; i++) {
        telemetry->last[i].vcpu = (uint8_t)vcpu;
        telemetry->last[i].type = EVENT_TYPE_EXIT;
    }
    telemetry->last[0].sequence = UINT64_MAX; // 0 would be that of an exit under way
}

// The counters begin at 0 again. The events stay, and so does their numbering: `epoch` is the number of the first exit
// that the new counters count.
void telemetry_reset(struct telemetry *telemetry)
{
    memset(telemetry->stat, 0, sizeof(telemetry->stat));
    memset(telemetry->row_count, 0, sizeof(telemetry->row_count));
    telemetry->epoch = telemetry->sequence;
}

// The number of exits is not counted by itself: it is the sum of the histogram, and so costs nothing on the exit path.
uint64_t telemetry_count(const struct telemetry_stat *stat)
{
    uint64_t count = 0;
    for (unsigned int i = 0; i < TELEMETRY_BUCKETS; i++)
        count += stat->bucket[i];
    return count;
}

// Adds up the counters of one key over all vCPUs. The exit path keeps the buckets in reverse order, since it finds them
// by CLZ of the latency; here they are put in ascending order.
void telemetry_sum(const struct vm *vm, unsigned int key, struct telemetry_stat *sum)
{
    memset(sum, 0, sizeof(*sum));
    for (unsigned int n = 0; n < vm->vcpu_count; n++) {
        const uint64_t *stat = vm->vcpus[n].telemetry->stat[key];
        for (unsigned int i = 0; i < TELEMETRY_BUCKETS; i++)
            sum->bucket[i] += stat[TELEMETRY_BUCKETS - 1 - i];
        sum->ticks += stat[TELEMETRY_BUCKETS];
    }
}

// Events that a record cites are copied to a ring of their own, which only such events fill: a person who reads the
// record minutes later can still have it explained.
void telemetry_keep(struct telemetry *telemetry, const struct event *event)
{
    telemetry->logged[telemetry->logged_count++ % TELEMETRY_LOGGED] = *event;
}

// A slot holds the event asked for if its sequence number is the one that belongs there; else it was used again, and
// the copies are looked at.
const struct event *telemetry_find(const struct telemetry *telemetry, uint64_t sequence)
{
    const struct event *event = &telemetry->last[sequence % TELEMETRY_LAST];

    if (sequence >= telemetry->sequence)
        return NULL;
    if (event->sequence == sequence)
        return event;
    for (unsigned int i = 0; i < TELEMETRY_LOGGED && i < telemetry->logged_count; i++)
        if (telemetry->logged[i].sequence == sequence)
            return &telemetry->logged[i];
    return NULL;
}
