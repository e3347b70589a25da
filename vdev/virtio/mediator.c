// SPDX-License-Identifier: Apache-2.0
// Requests on their way between a guest's queue and a real device (VIRTIO 1.2, 2.7).
//
// The problem: a virtio device reads and writes memory by the addresses that its queue names, and they are PAs. Nothing
// on QEMU's virt stands between it and EL2's own memory. The rule: the device sees EL2's queues alone, the shadow
// queues; what stands in them, EL2 has copied from the guest's queue, checked and translated, once. A guest's data is
// not copied: the device reads and writes it where it lies, in the guest's own RAM.
//
//     guest's available ring -> chain -> look, policy -> shadow queue -> device
//     guest's used ring <- status, length <- shadow queue <- the device's interrupt
//
// Both sides ask to be told less often than each entry (2.7.7, 2.7.10), and both can be wrong by a moment: so after
// each "tell me again" the ring is looked at once more.
//
// A guest that has nonsense in its queue costs its device a reset: the real one is reset at once, so that it forgets
// every address, and the guest reads DEVICE_NEEDS_RESET until it resets its own (2.1.2).
#include "virtio_internal.h"

#include <hv/arch/barrier.h>
#include <hv/arch/registers.h>
#include <hv/gicv3.h>
#include <hv/hyp_timer.h>
#include <hv/irq.h>
#include <hv/spinlock.h>
#include <hv/string.h>
#include <hv/vgic.h>

#define CPU_BOOT 0 // takes the real devices' interrupts

// Requests that one look reads at most. Refused ones take no room in the shadow queue, so that a guest could feed them
// for ever from its other CPUs, and keep this one in EL2.
#define READ_MAX (2 * VIRTIO_QUEUE_SIZE_MAX)
// And their descriptors, with the looks at stage 2 that they took: a refused request may have 1,279 descriptors. What
// goes to the device ends at the shadow queue's room long before.
#define READ_WORK_MAX (4 * VIRTQUEUE_SIZE_MAX)

// A queue that waits for time is looked at so often.
#define LOOKS_PER_SECOND 100

// What came of a look at the guest's queue.
enum outcome {
    READ_NOTHING, // there is no request
    READ_PASSED,  // to the shadow queue
    READ_REFUSED, // and completed
    READ_WAITS,   // there is one, and it stays where it is: queue->wait
    READ_FAULT,
};

// ---- The guest's interrupt

static void update_line(struct virtio_device *device)
{
    bool level = device->interrupt_status != 0;

    if (device->line == level)
        return;
    device->line = level;
    (void)vgic_set_line(device->vm, 0, GUEST_VIRTIO_INTID + device->number, level);
}

void virtio_mediator_interrupt(struct virtio_device *device, uint32_t causes)
{
    device->interrupt_status |= causes;
    update_line(device);
}

void virtio_mediator_acknowledge(struct virtio_device *device, uint32_t causes)
{
    device->interrupt_status &= ~causes;
    update_line(device);
}

// ---- The end of a device's work

static bool take_back(struct virtio_device *device, struct virtio_device_queue *queue);

// The device was reset. What it had done before is done, though no interrupt has told of it: else a guest could keep
// its requests out of records and rates by a reset that follows them at once. What it has not done has a record as
// well, since the device may have been at it.
static COLD void settle_queue(struct virtio_device *device, struct virtio_device_queue *queue)
{
    if (!queue->given)
        return;
    (void)take_back(device, queue);
    for (uint16_t head = 0; head < VIRTIO_QUEUE_SIZE_MAX; head++)
        if (queue->in_flight[head])
            virtio_record_request(device, &queue->slots[head], "dropped");
}

static void forget_queue(struct virtio_device_queue *queue)
{
    virtio_queue_disable(&queue->guest);
    queue->given = queue->late = false;
    queue->wait = VIRTIO_WAIT_NONE;
    memset(queue->in_flight, 0, sizeof(queue->in_flight));
}

bool virtio_mediator_reset(struct virtio_device *device)
{
    gicv3_disable(device->real.intid, CPU_BOOT);
    if (virtio_mmio_reset(&device->real) != HV_OK) {
        static const struct virtio_fault silent = {"device-silent", 0, 0};
        if (!device->dead)
            virtio_record_fault(device, 0, &silent);
        device->dead = true;
    }
    for (unsigned int i = 0; i < device->queue_count; i++) {
        settle_queue(device, &device->queues[i]);
        forget_queue(&device->queues[i]);
    }
    return !device->dead;
}

void virtio_mediator_fail(struct virtio_device *device, unsigned int queue, const struct virtio_fault *fault)
{
    device->counters.faults++;
    virtio_record_fault(device, queue, fault);
    (void)virtio_mediator_reset(device);
    device->status |= VIRTIO_STATUS_DEVICE_NEEDS_RESET;
    if (device->status & VIRTIO_STATUS_DRIVER_OK) // a driver before that takes no interrupt (3.1.1)
        virtio_mediator_interrupt(device, VIRTIO_MMIO_INT_CONFIG);
}

// ---- From the guest to the device

static uint64_t grid_deadline(void)
{
    uint64_t step = READ_SYSREG(CNTFRQ_EL0) / LOOKS_PER_SECOND;

    return (READ_SYSREG(CNTPCT_EL0) / step + 1) * step;
}

static void time_has_come(void *vm);

// All queues of a VM that wait for time share one deadline on a CPU, so it lies on a grid: set again and again, it does
// not move away.
static enum outcome wait_for_time(struct virtio_device *device, struct virtio_device_queue *queue)
{
    queue->wait = VIRTIO_WAIT_TIME;
    hyp_timer_set(grid_deadline(), time_has_come, device->vm);
    return READ_WAITS;
}

// Whether the request may go now, by the rates of the rows that decided about it.
static bool is_in_time(struct virtio_device_queue *queue, const struct virtio_slot *slot,
                       const struct policy_virtio_verdict *verdict)
{
    if (verdict->row->rate == POLICY_VIRTIO_NO_RATE && verdict->device->rate == POLICY_VIRTIO_NO_RATE)
        return true;
    struct rate_clock clock = {.now = READ_SYSREG(CNTPCT_EL0), .frequency = (uint32_t)READ_SYSREG(CNTFRQ_EL0)};
    uint64_t when;
    return policy_virtio_pace(&queue->rates, verdict, slot->paid, clock, &when);
}

static void refuse(struct virtio_device *device, struct virtio_device_queue *queue, struct virtio_slot *slot)
{
    uint32_t written = device->type->refuse != NULL ? device->type->refuse(slot) : 0;

    device->counters.refused++;
    virtio_record_request(device, slot, slot->flags & VIRTIO_SLOT_ANSWERED ? "unsupported" : "refused");
    virtio_queue_complete(&queue->guest, device->chain.head, written);
}

static enum outcome pass(struct virtio_device *device, struct virtio_device_queue *queue, struct virtio_slot *slot,
                         struct virtio_fault *fault)
{
    const struct virtio_chain *chain = &device->chain;
    uint16_t head;

    if (chain->count == 0) { // nothing but buffers of no bytes
        virtio_queue_complete(&queue->guest, chain->head, 0);
        return READ_REFUSED;
    }
    slot->writable = chain->writable < UINT32_MAX ? (uint32_t)chain->writable : UINT32_MAX;
    if (virtqueue_add(&queue->shadow, chain->buffers, chain->count, &head) != HV_OK) {
        *fault = (struct virtio_fault){"chain-too-long", chain->count, queue->shadow_size};
        return READ_FAULT;
    }
    queue->head[head] = chain->head;
    queue->late = false;
    queue->in_flight[chain->head] = true;
    device->counters.bytes_written += chain->readable;
    return READ_PASSED;
}

static bool may_pass(struct virtio_device *device, const struct virtio_slot *slot)
{
    return device->type->may_pass == NULL || device->type->may_pass(device, slot);
}

// Whether policy lets the request pass, and whether it may go now.
static enum outcome decide(struct virtio_device *device, struct virtio_device_queue *queue, struct virtio_slot *slot)
{
    struct policy_virtio_verdict verdict = policy_virtio_request(device->vm->policy, &slot->access);

    slot->row = verdict.row;
    if (!verdict.allowed || !may_pass(device, slot))
        return READ_REFUSED;
    // How much a device gives is known at the end, so its room is paid for: a queue full of room is no way around a
    // rate.
    slot->paid = slot->bytes + (device->type->look == NULL ? device->chain.writable : 0);
    if (is_in_time(queue, slot, &verdict))
        return READ_PASSED;
    device->counters.delayed += !queue->late;
    queue->late = true;
    virtio_queue_put_back(&queue->guest);
    return wait_for_time(device, queue);
}

// The request that was read into device->chain, from the type's look at it to the shadow queue. Most policies have
// nothing to say about single requests of a device; then that it is there is all that there is to decide.
static enum outcome handle(struct virtio_device *device, struct virtio_device_queue *queue, struct virtio_slot *slot,
                           struct virtio_fault *fault)
{
    const struct virtio_type *type = device->type;
    enum outcome outcome;

    slot->taken = READ_SYSREG(CNTPCT_EL0);
    slot->copied = slot->flags = 0;
    slot->bytes = type->look == NULL ? device->chain.readable : 0;
    slot->access.request = VIRTIO_REQUEST_ANY;
    slot->access.sector = slot->access.sectors = 0;
    slot->row = device->policy;
    if (type->look != NULL && !type->look(device, queue->number, slot, fault))
        return READ_FAULT;
    if (slot->flags & VIRTIO_SLOT_ANSWERED)
        outcome = READ_REFUSED;
    else if (device->policy_decides_all)
        outcome = may_pass(device, slot) ? READ_PASSED : READ_REFUSED;
    else
        outcome = decide(device, queue, slot);
    if (outcome == READ_PASSED)
        return pass(device, queue, slot, fault);
    if (outcome == READ_REFUSED)
        refuse(device, queue, slot);
    return outcome;
}

// Whether the shadow queue takes the chain. What can never fit is the guest's fault.
static enum outcome make_room(struct virtio_device *device, struct virtio_device_queue *queue,
                              struct virtio_fault *fault)
{
    unsigned int needed = device->chain.count + VIRTIO_BUFFERS_ADDED;

    if (needed <= queue->shadow.free_count)
        return READ_PASSED;
    if (needed > queue->shadow_size) {
        *fault =
            (struct virtio_fault){"chain-too-long", device->chain.count, queue->shadow_size - VIRTIO_BUFFERS_ADDED};
        return READ_FAULT;
    }
    virtio_queue_put_back(&queue->guest);
    queue->wait = VIRTIO_WAIT_ROOM;
    return READ_WAITS;
}

static enum outcome read_one(struct virtio_device *device, struct virtio_device_queue *queue, bool indirect,
                             struct virtio_fault *fault)
{
    switch (virtio_queue_next(&queue->guest, &device->vm->space, indirect, &device->chain, fault)) {
    case VIRTIO_NEXT_NONE:
        return READ_NOTHING;
    case VIRTIO_NEXT_CHAIN:
        break;
    default:
        return READ_FAULT;
    }
    uint16_t head = (uint16_t)bounded_index(device->chain.head, VIRTIO_QUEUE_SIZE_MAX);
    if (queue->in_flight[head]) {
        *fault = (struct virtio_fault){"head-in-flight", head, 0};
        return READ_FAULT;
    }
    enum outcome outcome = make_room(device, queue, fault);
    return outcome == READ_PASSED ? handle(device, queue, &queue->slots[head], fault) : outcome;
}

// Reads until there is nothing more, or the queue has to wait. *completed: the guest is to be told of something.
static enum outcome read_all(struct virtio_device *device, struct virtio_device_queue *queue, bool *completed,
                             struct virtio_fault *fault)
{
    bool indirect = virtio_has_feature(device, VIRTIO_F_INDIRECT_DESC);
    enum outcome outcome = READ_NOTHING;
    unsigned int work = 0;

    for (unsigned int n = 0; n < READ_MAX && work < READ_WORK_MAX; n++) {
        outcome = read_one(device, queue, indirect, fault);
        *completed = *completed || outcome == READ_REFUSED;
        if (outcome == READ_WAITS || outcome == READ_FAULT)
            return outcome;
        if (outcome != READ_NOTHING)
            work += device->chain.descriptors + device->chain.looks;
        else if (!virtio_queue_set_notify(&queue->guest, true))
            return outcome;
    }
    return wait_for_time(device, queue);
}

void virtio_mediator_read(struct virtio_device *device, unsigned int index)
{
    struct virtio_device_queue *queue = &device->queues[index];
    struct virtio_fault fault;
    bool completed = false;

    if (!queue->given || !queue->guest.ready)
        return;
    if (__atomic_load_n(&device->vm->state, __ATOMIC_ACQUIRE) != VM_RUNNING) {
        queue->wait = VIRTIO_WAIT_VM;
        return;
    }
    queue->wait = VIRTIO_WAIT_NONE;
    (void)virtio_queue_set_notify(&queue->guest, false);
    if (read_all(device, queue, &completed, &fault) == READ_FAULT) {
        virtio_mediator_fail(device, index, &fault);
        return;
    }
    if (virtqueue_publish(&queue->shadow))
        virtio_mmio_notify(&device->real, index);
    if (completed && virtio_queue_publish(&queue->guest))
        virtio_mediator_interrupt(device, VIRTIO_MMIO_INT_VRING);
}

// ---- From the device to the guest

static void end_request(struct virtio_device *device, struct virtio_device_queue *queue, struct virtio_slot *slot,
                        uint32_t written)
{
    const char *status = "ok";

    if (device->type->done != NULL)
        status = device->type->done(slot, written);
    else
        slot->bytes += written;
    if (slot->row->rate + device->policy->rate != 2 * POLICY_VIRTIO_NO_RATE) {
        struct policy_virtio_verdict verdict = {.row = slot->row, .device = device->policy, .allowed = true};
        policy_virtio_settle(&queue->rates, &verdict, slot->paid, slot->bytes);
    }
    virtio_record_request(device, slot, status);
}

// A device that says that it has written more than there was room for is not believed.
static void complete(struct virtio_device *device, struct virtio_device_queue *queue, uint16_t shadow_head,
                     uint32_t written)
{
    uint16_t head = queue->head[shadow_head];
    struct virtio_slot *slot = &queue->slots[head];

    if (written > slot->writable)
        written = slot->writable;
    queue->in_flight[head] = false;
    device->counters.requests++;
    device->counters.bytes_read += written;
    end_request(device, queue, slot, written);
    virtio_queue_complete(&queue->guest, head, written);
}

// Takes back all that the device has done with. False: it named what it does not have.
static bool take_back(struct virtio_device *device, struct virtio_device_queue *queue)
{
    enum hv_status status;
    uint32_t written;
    uint16_t head;

    do {
        while ((status = virtqueue_take(&queue->shadow, &head, &written)) == HV_OK)
            complete(device, queue, head, written);
        if (status == HV_ERR_INVALID)
            return false;
    } while (virtqueue_set_interrupt(&queue->shadow, true));
    return true;
}

static void serve_queue(struct virtio_device *device, unsigned int index)
{
    static const struct virtio_fault broken = {"device-used-ring", 0, 0};
    struct virtio_device_queue *queue = &device->queues[index];

    if (!queue->given)
        return;
    if (!take_back(device, queue)) {
        virtio_mediator_fail(device, index, &broken);
        return;
    }
    if (virtio_queue_publish(&queue->guest))
        virtio_mediator_interrupt(device, VIRTIO_MMIO_INT_VRING);
    if (queue->wait == VIRTIO_WAIT_ROOM)
        virtio_mediator_read(device, index);
}

// The configuration has changed, or the device has an error that only a reset ends (2.1.2), which it tells in this way.
static void serve_config(struct virtio_device *device)
{
    static const struct virtio_fault error = {"device-error", 0, 0};

    if (virtio_mmio_status(&device->real) & VIRTIO_STATUS_DEVICE_NEEDS_RESET)
        virtio_mediator_fail(device, 0, &error);
    else
        virtio_mediator_interrupt(device, VIRTIO_MMIO_INT_CONFIG);
}

// The real device's interrupt. A device that was reset meanwhile has nothing to say: its queues are not given.
static enum irq_end interrupt(void *argument)
{
    struct virtio_device *device = argument;

    spinlock_acquire(&device->lock);
    uint32_t causes = virtio_mmio_take_interrupt(&device->real);
    device->counters.interrupts++;
    if (virtio_is_at_work(device))
        for (unsigned int i = 0; i < device->queue_count && causes & VIRTIO_MMIO_INT_VRING; i++)
            serve_queue(device, i);
    if (causes & VIRTIO_MMIO_INT_CONFIG && virtio_is_at_work(device)) // a queue may just have failed it
        serve_config(device);
    spinlock_release(&device->lock);
    return IRQ_DONE;
}

// ---- Start and stop

bool virtio_mediator_set_features(struct virtio_device *device)
{
    uint32_t status = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER;

    virtio_mmio_set_status(&device->real, status);
    virtio_mmio_set_features(&device->real, (device->driver_features & device->type->features & device->real_features) |
                                                (device->real_features & VIRTIO_F_EVENT_IDX) | VIRTIO_F_VERSION_1);
    virtio_mmio_set_status(&device->real, status | VIRTIO_STATUS_FEATURES_OK);
    return (virtio_mmio_status(&device->real) & VIRTIO_STATUS_FEATURES_OK) != 0;
}

// The shadow queue may be the device's already: when the guest took its queue back and gives it again.
static void give_queue(struct virtio_device *device, unsigned int index)
{
    struct virtio_device_queue *queue = &device->queues[index];

    if (queue->given)
        return;
    virtqueue_init(&queue->shadow, (uint16_t)queue->shadow_size, (device->real_features & VIRTIO_F_EVENT_IDX) != 0);
    virtio_mmio_set_queue(&device->real, index, &queue->shadow);
    queue->given = true;
}

void virtio_mediator_start_queue(struct virtio_device *device, unsigned int index)
{
    give_queue(device, index);
    virtio_mediator_read(device, index);
}

// The driver may have made requests available, and notified of them, before DRIVER_OK.
void virtio_mediator_start(struct virtio_device *device)
{
    for (unsigned int i = 0; i < device->queue_count; i++)
        if (device->queues[i].guest.ready)
            give_queue(device, i);
    virtio_mmio_set_status(&device->real, VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER | VIRTIO_STATUS_FEATURES_OK |
                                              VIRTIO_STATUS_DRIVER_OK);
    gicv3_enable(device->real.intid, CPU_BOOT);
    for (unsigned int i = 0; i < device->queue_count; i++)
        virtio_mediator_read(device, i);
}

// The device must have ended its work on the queue when this returns (4.2.2.2). With requests in flight the one thing
// that ends it for sure is a reset.
void virtio_mediator_stop_queue(struct virtio_device *device, unsigned int index)
{
    static const struct virtio_fault busy = {"queue-taken-back", 0, 0};
    struct virtio_device_queue *queue = &device->queues[index];

    if (queue->given && virtqueue_in_flight(&queue->shadow) != 0) {
        virtio_mediator_fail(device, index, &busy);
        return;
    }
    virtio_queue_disable(&queue->guest);
    queue->wait = VIRTIO_WAIT_NONE;
}

// ---- What waits

// Looks at all queues of vm that wait for that.
static void read_waiting(struct vm *vm, enum virtio_wait wait)
{
    for (unsigned int n = 0; n < VIRTIO_TRANSPORTS; n++) {
        struct virtio_device *device = &vm->virtio->devices[n];

        if (device->type == NULL)
            continue;
        spinlock_acquire(&device->lock);
        for (unsigned int i = 0; i < device->queue_count; i++)
            if (device->queues[i].wait == wait)
                virtio_mediator_read(device, i);
        spinlock_release(&device->lock);
    }
}

void virtio_go_on(struct vm *vm)
{
    read_waiting(vm, VIRTIO_WAIT_VM);
}

static void time_has_come(void *vm)
{
    read_waiting(vm, VIRTIO_WAIT_TIME);
}

// What is the same for all requests is written into the slots once.
void virtio_mediator_init(struct virtio_device *device)
{
    for (unsigned int i = 0; i < device->queue_count; i++) {
        device->queues[i].number = i;
        forget_queue(&device->queues[i]);
        for (unsigned int n = 0; n < VIRTIO_QUEUE_SIZE_MAX; n++)
            device->queues[i].slots[n].access =
                (struct policy_virtio_access){.transport = device->number, .device_id = device->real.device_id};
    }
    irq_register(device->real.intid, interrupt, device);
}
