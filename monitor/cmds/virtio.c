// SPDX-License-Identifier: Apache-2.0
// virtio: the virtio devices that the guest has, their queues and what they have done. vdev/virtio copies a device
// under its lock, and the copy is shown here.
#include <hv/monitor_cmds.h>

#include <hv/monitor_out.h>
#include <hv/monitor_subject.h>
#include <hv/virtio_device.h>

// Where the driver has come to (VIRTIO 1.2, 3.1.1), in a word.
static const char *state_of(const struct virtio_snapshot *device)
{
    if (device->dead)
        return "silent";
    if (device->status & VIRTIO_STATUS_DEVICE_NEEDS_RESET)
        return "needs-reset";
    if (device->status & VIRTIO_STATUS_FAILED)
        return "failed";
    if (device->status & VIRTIO_STATUS_DRIVER_OK)
        return "works";
    if (device->status & VIRTIO_STATUS_FEATURES_OK)
        return "features";
    return device->status & VIRTIO_STATUS_DRIVER ? "driver" : "no-driver";
}

// Why a queue is not read on.
static const char *wait_of(const struct virtio_queue_snapshot *queue)
{
    static const char *const names[] = {[VIRTIO_WAIT_NONE] = "nothing",
                                        [VIRTIO_WAIT_ROOM] = "device",
                                        [VIRTIO_WAIT_TIME] = "rate",
                                        [VIRTIO_WAIT_VM] = "vm"};

    return names[queue->wait];
}

static void show_device(unsigned int n, const struct virtio_snapshot *device)
{
    const struct virtio_counters *counters = &device->counters;

    out("transport=%u device=%s intid=%u state=%s status=0x%lx interrupt=0x%lx offered=0x%lx negotiated=0x%lx row=%u\n",
        n, device->name, device->intid, state_of(device), (uint64_t)device->status, (uint64_t)device->interrupt_status,
        device->offered, device->negotiated, device->row);
    for (unsigned int i = 0; i < device->queue_count; i++) {
        const struct virtio_queue_snapshot *queue = &device->queues[i];

        out("transport=%u queue=%u ready=%d size=%u size_max=%u in_flight=%u avail=%u used=%u waits_for=%s\n", n, i,
            queue->ready, queue->size, queue->size_max, queue->in_flight, (unsigned int)queue->avail_next,
            (unsigned int)queue->used_next, wait_of(queue));
    }
    out("transport=%u requests=%lu bytes_read=%lu bytes_written=%lu refused=%lu delayed=%lu notifications=%lu "
        "interrupts=%lu faults=%lu resets=%lu\n",
        n, counters->requests, counters->bytes_read, counters->bytes_written, counters->refused, counters->delayed,
        counters->notifications, counters->interrupts, counters->faults, counters->resets);
}

// Three kinds of rows for each device: the device, its queues, its counters since boot.
const char *cmd_virtio(const struct monitor_words *words)
{
    struct virtio_snapshot device;
    unsigned int found = 0;

    (void)words;
    for (unsigned int n = 0; n < VIRTIO_TRANSPORTS; n++) {
        if (!virtio_snapshot(monitor_vm(), n, &device))
            continue;
        show_device(n, &device);
        found++;
    }
    if (found == 0)
        out_note("no virtio device: DISK=, NET=, SHARE= and RNG=1 of `make run-linux` add some\n");
    return NULL;
}
