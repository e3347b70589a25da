// SPDX-License-Identifier: Apache-2.0
// Per-CPU counters, histograms and the last events. The owning CPU writes, anybody reads: a reader may see a counter
// one exit old.

#include <hv/telemetry.h>

#include <hv/string.h>

UNSET struct telemetry telemetry_cpu[CPU_MAX]; // by telemetry_init

void telemetry_init(unsigned int cpu)
{
    memset(&telemetry_cpu[cpu], 0, sizeof(telemetry_cpu[cpu]));
    for (unsigned int i = 0; i < TELEMETRY_LAST; i++)
        telemetry_cpu[cpu].last[i].cpu = (uint8_t)cpu;
    telemetry_cpu[cpu].last[0].sequence = UINT64_MAX; // 0 would be that of an exit under way
}

void telemetry_reset(struct telemetry *telemetry)
{
    memset(telemetry->stat, 0, sizeof(telemetry->stat));
    memset(telemetry->row_count, 0, sizeof(telemetry->row_count));
    telemetry->epoch = telemetry->sequence;
}

uint64_t telemetry_count(const struct telemetry_stat *stat)
{
    uint64_t count = 0;
    for (unsigned int i = 0; i < TELEMETRY_BUCKETS; i++)
        count += stat->bucket[i];
    return count;
}

void telemetry_sum(unsigned int key, unsigned int cpu_count, struct telemetry_stat *sum)
{
    memset(sum, 0, sizeof(*sum));
    for (unsigned int cpu = 0; cpu < cpu_count; cpu++) {
        const uint64_t *stat = telemetry_cpu[cpu].stat[key];
        for (unsigned int i = 0; i < TELEMETRY_BUCKETS; i++)
            sum->bucket[i] += stat[TELEMETRY_BUCKETS - 1 - i];
        sum->ticks += stat[TELEMETRY_BUCKETS];
    }
}

void telemetry_keep(struct telemetry *telemetry, const struct event *event)
{
    telemetry->logged[telemetry->logged_count++ % TELEMETRY_LOGGED] = *event;
}

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
