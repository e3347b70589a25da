// SPDX-License-Identifier: Apache-2.0
// Records of type TRACE_TYPE_VIRTIO: a request to a virtio device that was answered.
#pragma once

#include <hv/policy_virtio.h>
#include <hv/types.h>

// How a request ended, in the words of the log: TRACE_VIRTIO_STATUS_COUNT of them.
#define TRACE_VIRTIO_STATUS_COUNT 6

struct trace_virtio_request {
    const struct policy_virtio *row; // that decided
    const struct policy_virtio_access *access;
    uint64_t taken; // CNTPCT_EL0 when EL2 took it from the guest's queue
    uint64_t bytes;
    unsigned int queue;
    const char *status; // as in the log
};

// Adds the record to the ring of this CPU, if the trace is on. Any CPU.
void trace_virtio(const struct trace_virtio_request *request);

// "ok", "error" ...; the first, "?", is what is none of the others.
const char *trace_virtio_status_name(unsigned int status);
