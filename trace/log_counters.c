// SPDX-License-Identifier: Apache-2.0
// Owns: the telemetry counters as log records, for the decoder's summary. Promises: reads what others count, changes
// nothing; one record per key and per policy row that is not zero.
#include <hv/log.h>

#include <hv/policy.h>
#include <hv/telemetry.h>

// The upper bound, in ticks, of the bucket in which the exit of this rank (1 .. count) lies; 0 when it has none.
static uint64_t bound_of_rank(const struct telemetry_stat *stat, uint64_t rank)
{
    unsigned int bucket = 0;

    for (uint64_t seen = stat->bucket[0]; seen < rank && bucket + 1 < TELEMETRY_BUCKETS; seen += stat->bucket[bucket]) {
        bucket++;
    }
    return bucket + 1 < TELEMETRY_BUCKETS ? UINT64_C(1) << bucket : 0;
}

static void record_key(unsigned int key, unsigned int cpu_count)
{
    struct telemetry_stat stat;

    telemetry_sum(key, cpu_count, &stat);
    uint64_t count = telemetry_count(&stat);
    if (count != 0) {
        // Half of the exits took less than p50 ticks, 99 of 100 less than p99: bounds of log2 buckets.
        log_routine(LOG_TRAP, "counters", "key=%s count=%lu ticks=%lu p50=%lu p99=%lu", event_key_name(key), count,
                    stat.ticks, bound_of_rank(&stat, count - count / 2), bound_of_rank(&stat, count - count / 100));
    }
}

static void record_row(unsigned int row, unsigned int cpu_count)
{
    uint64_t count = 0;

    for (unsigned int cpu = 0; cpu < cpu_count; cpu++) {
        count += telemetry_cpu[cpu].row_count[row];
    }
    if (count != 0) {
        log_routine(LOG_POLICY, "row", "row=%u at=%pQ count=%lu what=%pQ", row, policy_rows[row].place, count,
                    policy_rows[row].text);
    }
}

void log_counters(unsigned int cpu_count)
{
    log_flush();
    for (unsigned int key = 0; key < KEY_COUNT; key++) {
        record_key(key, cpu_count);
    }
    for (unsigned int row = 0; row < policy_row_count; row++) {
        record_row(row, cpu_count);
    }
}
