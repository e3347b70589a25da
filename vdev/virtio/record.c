// SPDX-License-Identifier: Apache-2.0
// Records of virtio devices. A guest can cause any of them as often as it likes, so each kind is limited; requests are
// by the limit of the policy row that asks for their records (trace/log_virtio.c).
#include "virtio_internal.h"

#include <hv/log.h>
#include <hv/log_virtio.h>
#include <hv/trace_text.h>
#include <hv/trace_virtio.h>

static const char *name_of(const struct virtio_device *device)
{
    return policy_virtio_type_name(device->type->id);
}

// The queue in which a request came: its slot is in the queue's array.
static unsigned int queue_of(const struct virtio_device *device, const struct virtio_slot *slot)
{
    unsigned int n = 0;

    while (n + 1 < device->queue_count &&
           !(slot >= device->queues[n].slots && slot < &device->queues[n].slots[VIRTIO_QUEUE_SIZE_MAX]))
        n++;
    return n;
}

static void log_request(const struct virtio_device *device, const struct virtio_slot *slot, const char *status)
{
    log_virtio_request(device->vm, slot->row, &slot->access, slot->bytes, status);
}

static COLD void trace_and_log(const struct virtio_device *device, const struct virtio_slot *slot, const char *status)
{
    trace_virtio(&(struct trace_virtio_request){.row = slot->row,
                                                .access = &slot->access,
                                                .taken = slot->taken,
                                                .bytes = slot->bytes,
                                                .queue = queue_of(device, slot),
                                                .status = status});
    log_request(device, slot, status);
}

void virtio_record_request(const struct virtio_device *device, const struct virtio_slot *slot, const char *status)
{
    if (trace_extras_on())
        trace_and_log(device, slot, status);
    else
        log_request(device, slot, status);
}

void virtio_record_error(const struct virtio_slot *slot)
{
    const struct policy_virtio_access *access = &slot->access;

    if (!(slot->row->flags & POLICY_VIRTIO_LOG))
        log_limited(LOG_LIMIT(LOG_SOURCE_VIRTIO_ERROR, LOG_WARN), LOG_VIRTIO, "virtio-error",
                    "device=%s transport=%u op=%s sector=%lu bytes=%lu", policy_virtio_type_name(access->device_id),
                    access->transport, policy_virtio_request_name(access->request), access->sector, slot->bytes);
}

void virtio_record_fault(const struct virtio_device *device, unsigned int queue, const struct virtio_fault *fault)
{
    log_limited(LOG_LIMIT(LOG_SOURCE_VIRTIO_FAULT, LOG_WARN), LOG_VIRTIO, "virtio-fault",
                "device=%s transport=%u queue=%u reason=%s value=0x%lx bound=0x%lx", name_of(device), device->number,
                queue, fault->reason, fault->value, fault->bound);
}

void virtio_record_ignored(const struct virtio_device *device, const char *reason, uint64_t value)
{
    log_limited(LOG_LIMIT(LOG_SOURCE_VIRTIO_IGNORED, LOG_INFO), LOG_VIRTIO, "virtio-ignored",
                "device=%s transport=%u reason=%s value=0x%lx", name_of(device), device->number, reason, value);
}
