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
    memset(telemetry->smc_count, 0, sizeof(telemetry->smc_count));
    telemetry->fetch_count = 0;
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

// The bucket in which the exit of this rank lies.
static unsigned int bucket_of_rank(const struct telemetry_stat *stat, uint64_t rank)
{
    unsigned int bucket = 0;

    for (uint64_t seen = stat->bucket[0]; seen < rank && bucket + 1 < TELEMETRY_BUCKETS; seen += stat->bucket[bucket])
        bucket++;
    return bucket;
}

// Bucket n begins at 2^(n-1) ticks. A single exit took all the ticks that there are.
uint64_t telemetry_at_least(const struct telemetry_stat *stat, uint64_t rank)
{
    unsigned int bucket = bucket_of_rank(stat, rank);

    if (telemetry_count(stat) == 1)
        return stat->ticks;
    return bucket == 0 ? 0 : UINT64_C(1) << (bucket - 1);
}

// Bucket n ends at 2^n - 1 ticks, and the last one has no end. But this exit and those of a higher rank took no more
// than all ticks together, and none of them less than this one: so it took at most its share of them. For example, of
// 10 exits of 1,000,000,000 ticks together, the median is the fifth; it and five more cannot each have taken more than
// 1,000,000,000 / 6.
uint64_t telemetry_at_most(const struct telemetry_stat *stat, uint64_t rank)
{
    unsigned int bucket = bucket_of_rank(stat, rank);
    uint64_t share = stat->ticks / (telemetry_count(stat) - rank + 1);
    uint64_t end = (UINT64_C(1) << bucket) - 1;

    return bucket + 1 == TELEMETRY_BUCKETS || share < end ? share : end;
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

void telemetry_note_class(struct telemetry *telemetry, const struct event *event)
{
    if (event->cause == KEY_CAUSE_SMC && event->key >= KEY_HVC_FIRST && event->key < KEY_DEVICE_FIRST)
        telemetry->smc_count[event->key - KEY_HVC_FIRST]++;
    if (event->cause == KEY_CAUSE_IABT && event->key == KEY_GUEST_RAM)
        telemetry->fetch_count++;
}

// Which class the exits of a key have, but for those of telemetry_note_class.
static unsigned int usual_class(unsigned int key)
{
    if (key < KEY_HVC_FIRST)
        return key;
    if (key < KEY_DEVICE_FIRST)
        return KEY_CAUSE_HVC;
    return key < KEY_SYSREG_FIRST ? KEY_CAUSE_DABT : KEY_CAUSE_SYSREG;
}

// An exit is noted before it is counted, so one that is under way may be noted and not yet counted: no more are
// taken off than there are.
uint64_t telemetry_count_in_class(const struct vm *vm, unsigned int cause, unsigned int key)
{
    struct telemetry_stat sum;
    unsigned int other_class = key == KEY_GUEST_RAM ? KEY_CAUSE_IABT : KEY_CAUSE_SMC;
    uint64_t other = 0;

    if (cause != usual_class(key) && cause != other_class)
        return 0;
    telemetry_sum(vm, key, &sum);
    uint64_t count = telemetry_count(&sum);
    for (unsigned int n = 0; n < vm->vcpu_count; n++) {
        const struct telemetry *telemetry = vm->vcpus[n].telemetry;
        if (key == KEY_GUEST_RAM)
            other += telemetry->fetch_count;
        else if (key >= KEY_HVC_FIRST && key < KEY_DEVICE_FIRST)
            other += telemetry->smc_count[key - KEY_HVC_FIRST];
    }
    other = other < count ? other : count;
    return cause == usual_class(key) ? count - other : other;
}

// Events that a record cites are copied to a ring of their own, which only such events fill: a person who reads the
// record minutes later can still have it explained.
void telemetry_keep(struct telemetry *telemetry, const struct event *event)
{
    telemetry->logged[telemetry->logged_count++ % TELEMETRY_LOGGED] = *event;
}

// A slot holds the event asked for if its sequence number is the one that belongs there; else it was used again, and
// the copies are looked at. So they are for the event whose slot is the next exit's: its stamps may be overwritten.
const struct event *telemetry_find(const struct telemetry *telemetry, uint64_t sequence)
{
    const struct event *event = &telemetry->last[sequence % TELEMETRY_LAST];

    if (sequence >= telemetry->sequence)
        return NULL;
    if (telemetry->sequence - sequence <= TELEMETRY_KEPT && event->sequence == sequence)
        return event;
    for (unsigned int i = 0; i < TELEMETRY_LOGGED && i < telemetry->logged_count; i++)
        if (telemetry->logged[i].sequence == sequence)
            return &telemetry->logged[i];
    return NULL;
}
