// SPDX-License-Identifier: Apache-2.0
// The telemetry counters as log records, from which the decoder makes its summary: one record for each key and for each
// policy row whose count is not zero. It reads what others count and changes nothing.
#include <hv/log.h>

#include <hv/log_virtio.h>
#include <hv/machine.h>
#include <hv/policy.h>
#include <hv/telemetry.h>

// One key's record, summed over all vCPUs.
static void record_key(const struct vm *vm, unsigned int key)
{
    struct telemetry_stat stat;

    telemetry_sum(vm, key, &stat);
    uint64_t count = telemetry_count(&stat);
    if (count != 0) {
        log_routine(LOG_TRAP, "counters",
                    "key=%s count=%lu ticks=%lu min=%lu p50=%lu p99=%lu max=%lu logged=%lu suppressed=%lu",
                    event_key_name(key), count, stat.ticks, telemetry_at_least(&stat, 1),
                    telemetry_at_most(&stat, telemetry_rank_of_median(count)),
                    telemetry_at_most(&stat, telemetry_rank_of_p99(count)), telemetry_at_most(&stat, count),
                    log_written_of_key(vm, key), log_suppressed_of_key(vm, key));
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
        log_routine(LOG_POLICY, "row", "row=%u at=%pQ count=%lu logged=%lu suppressed=%lu what=%pQ", row,
                    vm->policy->rows[row].place, count, log_written_of_row(vm, row), log_suppressed_of_row(vm, row),
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
