// SPDX-License-Identifier: Apache-2.0
// The device's half of a split virtqueue (VIRTIO 1.2, 2.7), in the memory of a guest that may be hostile.
//
// The problem: a guest describes a request by a chain of descriptors, each an address and a length, and can change them
// while EL2 looks at them: an address that was in the guest's RAM when it was checked is EL2's own when it is used. A
// chain can also be a loop, and the index of a ring can run anywhere. The rule: a value is read once, by one load, into
// a local copy, and what is checked, translated and handed on is that copy. Every loop is bounded by a number that EL2
// has, not by one that the guest still has in its hands. Only the four functions that begin with load_ and store_ touch
// the guest's memory; they make sure of the single load.
//
// A ring's index counts entries modulo 65,536, whatever the queue's size: in a ring of 8, entry 65,537 % 65,536 = 1 is
// in slot 1 % 8. A size is a power of two, so that n % size is n & (size - 1). And indices are subtracted as 16-bit
// numbers: 2 - 65,535 = 3 entries.
#include <hv/virtio_queue.h>

#include <hv/arch/barrier.h>
#include <hv/guest_mem.h>

// What can be wrong, with the value and the bound that the record gives.
#define FAULT_SIZE           "queue-size"           // QueueNum; VIRTIO_QUEUE_SIZE_MAX. Or it is no power of two
#define FAULT_ALIGN          "ring-alignment"       // a part's address; what it is to be a multiple of
#define FAULT_RING_RAM       "ring-not-ram"         // a part's address; its size
#define FAULT_OVERLAP        "rings-overlap"        // the address of one part; that of another
#define FAULT_INDEX          "avail-index"          // the guest's index; the furthest that it can be
#define FAULT_HEAD           "head-out-of-range"    // the entry of the available ring; the queue's size
#define FAULT_NEXT           "next-out-of-range"    // a descriptor's next; how many the table has
#define FAULT_LOOP           "chain-loop"           // descriptors seen, and one more follows; how many the table has
#define FAULT_LONG           "chain-too-long"       // buffers; VIRTIO_CHAIN_MAX
#define FAULT_BYTES          "chain-bytes"          // bytes of the chain; VIRTIO_CHAIN_BYTES
#define FAULT_ORDER          "readable-after-write" // buffers before it; bytes for the device to write among them
#define FAULT_BUFFER_RAM     "buffer-not-ram"       // a buffer's address; its length
#define FAULT_LOOKS          "chain-looks"          // pages of the chain, where RAM is split; VIRTIO_CHAIN_LOOKS
#define FAULT_NOT_NEGOTIATED "indirect-unasked"     // a table's address; 0
#define FAULT_NESTED         "indirect-in-indirect" // a table's address; 0
#define FAULT_INDIRECT_NEXT  "indirect-with-next"   // a table's address; the descriptor's next
#define FAULT_INDIRECT_SIZE  "indirect-length"  // a table's length; 16 * VIRTIO_CHAIN_MAX. Or no multiple of 16, or 0
#define FAULT_INDIRECT_RAM   "indirect-not-ram" // a table's address; its length

// The bytes of each part behind its entries: used_event and avail_event stand there, whether they are used or not
// (2.7).
#define EVENT_SIZE sizeof(uint16_t)

// What a walk along a chain has come by.
struct sums {
    uint64_t count;    // buffers that have bytes
    uint64_t readable; // bytes that the device reads
    uint64_t bytes;    // all of them
};

// A table of descriptors: the queue's own, or an indirect one.
struct table {
    const struct virtq_desc *desc;
    uint32_t count;
};

// ---- The guest's memory ---------------------------------------------------------------------------------------------

static uint16_t load_16(const uint16_t *from)
{
    return __atomic_load_n(from, __ATOMIC_RELAXED);
}

static void store_16(uint16_t *to, uint16_t value)
{
    *(volatile uint16_t *)to = value;
}

// A descriptor is 16 bytes on a boundary of 16. Each half is one load; that they may be of two moments does not matter.
static struct virtq_desc load_descriptor(const struct virtq_desc *from)
{
    const uint64_t *words = (const uint64_t *)(const void *)from;
    union {
        uint64_t words[2];
        struct virtq_desc desc;
    } copy;

    copy.words[0] = __atomic_load_n(&words[0], __ATOMIC_RELAXED);
    copy.words[1] = __atomic_load_n(&words[1], __ATOMIC_RELAXED);
    return copy.desc;
}

static void store_used(struct virtq_used_elem *to, uint32_t id, uint32_t length)
{
    __atomic_store_n(&to->id, id, __ATOMIC_RELAXED);
    __atomic_store_n(&to->len, length, __ATOMIC_RELAXED);
}

// The entries behind the head of the available ring. The one behind the last is used_event.
static const uint16_t *avail_entries(const struct virtio_queue *queue)
{
    return (const uint16_t *)(queue->avail_ring + 1);
}

static struct virtq_used_elem *used_entries(const struct virtio_queue *queue)
{
    return (struct virtq_used_elem *)(void *)(queue->used_ring + 1);
}

// It stands behind the last entry of the used ring.
static uint16_t *avail_event(const struct virtio_queue *queue)
{
    return (uint16_t *)(void *)(used_entries(queue) + queue->size);
}

// Notes what is wrong. It returns false, which is what the caller then returns.
static bool fail(struct virtio_fault *fault, const char *reason, uint64_t value, uint64_t bound)
{
    *fault = (struct virtio_fault){.reason = reason, .value = value, .bound = bound};
    return false;
}

// ---- A queue's life -------------------------------------------------------------------------------------------------

enum part { DESC, AVAIL, USED, PART_COUNT };

// One of a queue's three parts.
struct part_place {
    struct ipa_range range;
    uint64_t align;
    uint32_t permissions;
    void *pointer;
};

static bool share_part(struct space *space, struct part_place *place, struct virtio_fault *fault)
{
    uint64_t address = place->range.base.v, size = place->range.size;

    if (address % place->align != 0)
        return fail(fault, FAULT_ALIGN, address, place->align);
    if (guest_mem_share(space, place->range.base, size, place->permissions, &place->pointer) != HV_OK)
        return fail(fault, FAULT_RING_RAM, address, size);
    return true;
}

// Whether no two of the parts, which do not wrap, share a byte.
static bool are_apart(const struct part_place places[PART_COUNT], struct virtio_fault *fault)
{
    for (unsigned int i = 0; i < PART_COUNT; i++) {
        unsigned int other = (i + 1) % PART_COUNT;

        if (ipa_range_overlaps(&places[i].range, &places[other].range))
            return fail(fault, FAULT_OVERLAP, places[i].range.base.v, places[other].range.base.v);
    }
    return true;
}

bool virtio_queue_enable(struct virtio_queue *queue, struct space *space, bool event_idx, struct virtio_fault *fault)
{
    uint64_t size = queue->size;
    uint64_t avail_size = sizeof(struct virtq_ring) + size * sizeof(uint16_t) + EVENT_SIZE;
    uint64_t used_size = sizeof(struct virtq_ring) + size * sizeof(struct virtq_used_elem) + EVENT_SIZE;
    struct part_place places[PART_COUNT] = {
        [DESC] = {{ipa_make(queue->desc), size * sizeof(struct virtq_desc)}, VIRTQ_DESC_ALIGN, STAGE2_READ, NULL},
        [AVAIL] = {{ipa_make(queue->avail), avail_size}, VIRTQ_AVAIL_ALIGN, STAGE2_READ, NULL},
        [USED] = {{ipa_make(queue->used), used_size}, VIRTQ_USED_ALIGN, STAGE2_READ | STAGE2_WRITE, NULL},
    };

    queue->ready = false;
    if (size == 0 || size > VIRTIO_QUEUE_SIZE_MAX || (size & (size - 1)) != 0)
        return fail(fault, FAULT_SIZE, size, VIRTIO_QUEUE_SIZE_MAX);
    for (unsigned int i = 0; i < PART_COUNT; i++)
        if (!share_part(space, &places[i], fault))
            return false;
    if (!are_apart(places, fault))
        return false;
    queue->desc_table = places[DESC].pointer;
    queue->avail_ring = places[AVAIL].pointer;
    queue->used_ring = places[USED].pointer;
    queue->ram = *space_find_ram(space, places[DESC].range.base);
    queue->event_idx = event_idx;
    queue->avail_next = queue->used_next = queue->used_published = 0;
    queue->ready = true;
    return true;
}

void virtio_queue_disable(struct virtio_queue *queue)
{
    *queue = (struct virtio_queue){0};
}

// ---- Requests -------------------------------------------------------------------------------------------------------

// The piece of RAM in which most buffers lie, or one of size 0 when it does not say what the guest may do with them.
static struct space_ram likely_ram(const struct virtio_queue *queue, const struct space *space)
{
    return space_is_plain(space) ? queue->ram : (struct space_ram){0};
}

// Finds a buffer that does not lie in that piece of RAM. One of no bytes is to lie in RAM as well. Where somebody has
// changed how RAM is mapped, each of its pages may cost a look at stage 2, so the pages of a chain are bounded before
// anybody looks. A buffer of n pages and a bit may touch n + 2.
static COLD bool find_elsewhere(struct space *space, struct virtq_desc desc, struct virtio_chain *chain, pa_t *pa,
                                struct virtio_fault *fault)
{
    uint32_t permissions = desc.flags & VIRTQ_DESC_F_WRITE ? STAGE2_WRITE : STAGE2_READ;
    uint32_t size = desc.len != 0 ? desc.len : 1;

    if (!guest_mem_is_ram(space, ipa_make(desc.addr), size))
        return fail(fault, FAULT_BUFFER_RAM, desc.addr, desc.len);
    if (!space_is_plain(space)) {
        chain->looks += size / KIB(4) + 2;
        if (chain->looks > VIRTIO_CHAIN_LOOKS)
            return fail(fault, FAULT_LOOKS, chain->looks, VIRTIO_CHAIN_LOOKS);
    }
    if (guest_mem_translate(space, ipa_make(desc.addr), size, permissions, pa) != HV_OK)
        return fail(fault, FAULT_BUFFER_RAM, desc.addr, desc.len);
    return true;
}

// Adds the bytes of the buffer that desc, a copy, describes. The bytes of a chain are bounded, so that the work for
// many descriptors of the same RAM is as well.
static inline bool add_bytes(struct sums *sums, struct virtq_desc desc, struct virtio_fault *fault)
{
    uint64_t bytes = sums->bytes + desc.len;

    if (bytes > VIRTIO_CHAIN_BYTES)
        return fail(fault, FAULT_BYTES, bytes, VIRTIO_CHAIN_BYTES);
    if (!(desc.flags & VIRTQ_DESC_F_WRITE)) {
        if (sums->bytes != sums->readable)
            return fail(fault, FAULT_ORDER, sums->count, sums->bytes - sums->readable);
        sums->readable = bytes;
    }
    sums->bytes = bytes;
    return true;
}

// How many descriptors an indirect table of length bytes has; 0: there is no such table.
static uint32_t indirect_count(uint32_t length)
{
    uint32_t count = length / sizeof(struct virtq_desc);

    return length % sizeof(struct virtq_desc) == 0 && count <= VIRTIO_CHAIN_MAX ? count : 0;
}

// The indirect table of count descriptors that desc describes (2.7.5.3), or NULL. Its WRITE flag means nothing. It is
// not inlined, so that read_chain has its registers for the loop.
static __attribute__((noinline)) const struct virtq_desc *find_indirect(struct space *space, struct virtq_desc desc,
                                                                        uint32_t count, struct virtio_fault *fault)
{
    void *pointer;

    if ((desc.flags & VIRTQ_DESC_F_NEXT) != 0)
        (void)fail(fault, FAULT_INDIRECT_NEXT, desc.addr, desc.next);
    else if (count == 0)
        (void)fail(fault, FAULT_INDIRECT_SIZE, desc.len, VIRTIO_CHAIN_MAX * sizeof(struct virtq_desc));
    else if (desc.addr % sizeof(uint64_t) != 0) // not the format's rule; loads of 8 bytes have it, as all drivers do
        (void)fail(fault, FAULT_ALIGN, desc.addr, sizeof(uint64_t));
    else if (guest_mem_share(space, ipa_make(desc.addr), count * sizeof(struct virtq_desc), STAGE2_READ, &pointer) !=
             HV_OK)
        (void)fail(fault, FAULT_INDIRECT_RAM, desc.addr, desc.len);
    else
        return pointer;
    return NULL;
}

// Reads the chain that begins at chain->head, up to its end. Its last descriptor may be that of an indirect table, with
// which the chain goes on. A chain that has more descriptors than its table comes by one of them for the second time.
// The sums and the piece of RAM are local, so that they stay in registers.
static bool read_chain(const struct virtio_queue *queue, struct space *space, bool indirect, struct virtio_chain *chain,
                       struct virtio_fault *fault)
{
    const struct space_ram ram = likely_ram(queue, space);
    struct table table = {.desc = queue->desc_table, .count = queue->size};
    struct sums sums = {0};
    struct virtq_desc desc;
    uint32_t index = chain->head, left = table.count;

    chain->descriptors = 0;
    chain->looks = 0;
    //@ widen_hints sums.count, 1023;
    for (;;) {
        if (left-- == 0)
            return fail(fault, FAULT_LOOP, table.count, table.count);
        if (index >= table.count)
            return fail(fault, FAULT_NEXT, index, table.count);
        desc = load_descriptor(&table.desc[bounded_index(index, table.count)]);
        if (desc.flags & VIRTQ_DESC_F_INDIRECT) {
            if (chain->descriptors != 0)
                return fail(fault, FAULT_NESTED, desc.addr, 0);
            if (!indirect)
                return fail(fault, FAULT_NOT_NEGOTIATED, desc.addr, 0);
            chain->descriptors = (uint16_t)(table.count - left);
            left = table.count = indirect_count(desc.len);
            table.desc = find_indirect(space, desc, table.count, fault);
            if (table.desc == NULL)
                return false;
            index = 0;
            continue;
        }
        if (sums.count >= VIRTIO_CHAIN_MAX)
            return fail(fault, FAULT_LONG, VIRTIO_CHAIN_MAX + 1, VIRTIO_CHAIN_MAX);
        if (!add_bytes(&sums, desc, fault))
            return false;
        struct virtqueue_buffer *buffer = &chain->buffers[sums.count];
        if (!guest_mem_place(&ram, ipa_make(desc.addr), desc.len, &buffer->pa) &&
            !find_elsewhere(space, desc, chain, &buffer->pa, fault))
            return false;
        buffer->length = desc.len;
        buffer->flags = desc.flags;
        buffer->rest = desc.next;
        sums.count += desc.len != 0;
        if (!(desc.flags & VIRTQ_DESC_F_NEXT))
            break;
        index = desc.next;
    }
    chain->descriptors = (uint16_t)(chain->descriptors + table.count - left);
    chain->count = (uint16_t)sums.count;
    chain->readable = sums.readable;
    chain->writable = sums.bytes - sums.readable;
    return true;
}

inline enum virtio_next virtio_queue_next(struct virtio_queue *queue, struct space *space, bool indirect,
                                          struct virtio_chain *chain, struct virtio_fault *fault)
{
    const uint16_t *entry;
    uint16_t index, ahead, head;

    if (!queue->ready)
        return VIRTIO_NEXT_NONE;
    index = load_16(&queue->avail_ring->idx);
    ahead = index - queue->avail_next;
    if (ahead == 0)
        return VIRTIO_NEXT_NONE;
    if (ahead > queue->size) {
        (void)fail(fault, FAULT_INDEX, index, (uint16_t)(queue->avail_next + queue->size));
        return VIRTIO_NEXT_FAULT;
    }
    entry = &avail_entries(queue)[queue->avail_next & (queue->size - 1)];
    // What the guest wrote before the index is read after it: the entry and its descriptors.
    barrier_order();
    head = load_16(entry);
    if (head >= queue->size) {
        (void)fail(fault, FAULT_HEAD, head, queue->size);
        return VIRTIO_NEXT_FAULT;
    }
    chain->head = head;
    if (!read_chain(queue, space, indirect, chain, fault))
        return VIRTIO_NEXT_FAULT;
    queue->avail_next++;
    return VIRTIO_NEXT_CHAIN;
}

void virtio_queue_put_back(struct virtio_queue *queue)
{
    queue->avail_next--;
}

void virtio_queue_complete(struct virtio_queue *queue, uint16_t head, uint32_t written)
{
    if (!queue->ready)
        return;
    store_used(&used_entries(queue)[queue->used_next & (queue->size - 1)], head, written);
    queue->used_next++;
}

// ---- Interrupts and notifications -----------------------------------------------------------------------------------

bool virtio_queue_publish(struct virtio_queue *queue)
{
    uint16_t old = queue->used_published;

    if (!queue->ready || old == queue->used_next)
        return false;
    queue->used_published = queue->used_next;
    // The entries, and the data before them, become visible to the guest before the index.
    barrier_order_stores();
    store_16(&queue->used_ring->idx, queue->used_next);
    // The guest sees the index before EL2 reads what it wants. It does the opposite: it says what it wants, then looks
    // at the index once more. So one of the two sees what the other has written (2.7.7.1).
    barrier_order();
    if (queue->event_idx)
        return virtq_need_event(load_16(&avail_entries(queue)[queue->size]), queue->used_next, old);
    return (load_16(&queue->avail_ring->flags) & VIRTQ_AVAIL_F_NO_INTERRUPT) == 0;
}

// With EVENT_IDX the flag stays 0, and off needs nothing: the guest notifies at avail_event alone, which is behind it.
bool virtio_queue_set_notify(struct virtio_queue *queue, bool on)
{
    if (!queue->ready)
        return false;
    if (!queue->event_idx)
        store_16(&queue->used_ring->flags, on ? 0 : VIRTQ_USED_F_NO_NOTIFY);
    else if (on)
        store_16(avail_event(queue), queue->avail_next);
    if (!on)
        return false;
    // The guest sees the wish before EL2 looks for an entry that came before it.
    barrier_order();
    return load_16(&queue->avail_ring->idx) != queue->avail_next;
}
