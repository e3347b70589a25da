// SPDX-License-Identifier: Apache-2.0
// The telemetry counters as log records, from which the decoder makes its summary: one record for each key and for each
// policy row whose count is not zero. It reads what others count and changes nothing.
#include <hv/log.h>

#include <hv/log_virtio.h>
#include <hv/machine.h>
#include <hv/policy.h>
#include <hv/telemetry.h>

// The upper bound, in ticks, of the bucket in which the exit of this rank (1 .. count, the shortest first) lies. Bucket
// n holds exits of 2^(n-1) to 2^n - 1 ticks: when 60 of 100 exits lie in buckets 0 to 3, the bound of rank 50 is 2^3 =
// 8. 0 when the exit lies in the last bucket, which has no bound.
static uint64_t bound_of_rank(const struct telemetry_stat *stat, uint64_t rank)
{
    unsigned int bucket = 0;

    for (uint64_t seen = stat->bucket[0]; seen < rank && bucket + 1 < TELEMETRY_BUCKETS; seen += stat->bucket[bucket]) {
        bucket++;
    }
    return bucket + 1 < TELEMETRY_BUCKETS ? UINT64_C(1) << bucket : 0;
}

// One key's record, summed over all vCPUs.
static void record_key(const struct vm *vm, unsigned int key)
{
    struct telemetry_stat stat;

    telemetry_sum(vm, key, &stat);
    uint64_t count = telemetry_count(&stat);
    if (count != 0) {
        // Half of the exits took less than p50 ticks, 99 of 100 less than p99: bounds of log2 buckets.
        log_routine(LOG_TRAP, "counters", "key=%s count=%lu ticks=%lu p50=%lu p99=%lu", event_key_name(key), count,
                    stat.ticks, bound_of_rank(&stat, count - count / 2), bound_of_rank(&stat, count - count / 100));
    }
}

// One policy row's record. Row numbers are the policy's own, and `at` is the row's place in the policy's file.
static void record_row(const struct vm *vm, unsigned int row)
{
    uint64_t count = 0;

    for (unsigned int i = 0; i < vm->vcpu_count; i++) {
        count += vm->vcpus[i].telemetry->row_count[row];
    }
    count += log_virtio_count(vm, row);
    if (count != 0) {
        log_routine(LOG_POLICY, "row", "row=%u at=%pQ count=%lu what=%pQ", row, vm->policy->rows[row].place, count,
                    vm->policy->rows[row].text);
    }
}

// What was held back is told first, so that the counts and the records that stand before them agree.
void log_counters(const struct vm *vm)
{
    log_flush();
    for (unsigned int key = 0; key < KEY_COUNT; key++) {
        record_key(vm, key);
    }
    for (unsigned int row = 0; row < vm->policy->row_count; row++) {
        record_row(vm, row);
    }
}
