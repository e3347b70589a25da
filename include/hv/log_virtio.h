// SPDX-License-Identifier: Apache-2.0
// Records of requests to virtio devices, where a policy row asks for them.
#pragma once

#include <hv/policy_virtio.h>

struct vm;

// Counts one request of vm for its row, and writes its record, "virtio-blk", "virtio-net" or "virtio-io", if the row
// has `log`. The record cites row, file, line and why. It is limited as other verdicts are: by the row's limit, or
// LOG_LIMIT_PER_SECOND, for all requests that the row decides about; what was held back is counted and told by a
// "suppressed" record. A request whose status is not "ok" is at level warn. Once a request, when its status is known;
// any CPU; with any lock held that comes before LOCK_LOG_LIMIT. row: that decided (struct policy_virtio_verdict);
// bytes: of data, what the guest reads or writes; status: a word, "ok", "error", "unsupported", "refused" ...
void log_virtio_request(struct vm *vm, const struct policy_virtio *row, const struct policy_virtio_access *access,
                        uint64_t bytes, const char *status);

// How many requests of vm the row of this number in its policy has decided about since the counters were reset.
uint64_t log_virtio_count(const struct vm *vm, unsigned int row);
// All of them begin at 0 again.
void log_virtio_reset(struct vm *vm);
