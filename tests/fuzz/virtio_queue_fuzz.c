// SPDX-License-Identifier: Apache-2.0
// A guest's virtqueue against a second reader of it, written from VIRTIO 1.2, 2.7: which request comes out, in which
// pieces of the machine's memory, or for which reasons none may; what is written into the used ring; who is told of
// what. The guest has two pieces of RAM side by side that lie apart in the machine, and in some runs pages that it may
// only read, that are not mapped, and that lie elsewhere. While EL2 reads a chain, another vCPU may change 8 bytes, at
// any of the moments at which EL2 has read something and goes on; the second reader sees the change at the same moment.
// So a value that is read twice shows.
// Links: vdev/virtio/queue.c mm/guest_mem.c mm/space.c mm/stage2.c mm/pool.c arch/aarch64/tlb.c arch/aarch64/s2_pte.c
// Links: lib/range.c

#include <fuzz.h>

#include <fake_trace.h>
#include <hv/pool.h>
#include <hv/virtio_queue.h>

#define PAGE       4096u
#define RAM        UINT64_C(0x40000000)
#define PAGES      20u // of the guest: 16 in the first piece, 4 in the second
#define PIECE      16u
#define GAP        3u // pages of the machine between the two
#define HOST_PAGES (PAGES + GAP + 1)
#define ELSEWHERE  (HOST_PAGES - 1)
#define RAM_SIZE   (PAGES * PAGE)

// Pages that are special in some runs.
#define READ_ONLY 9u
#define HOLE      10u
#define MOVED     12u

static _Alignas(4096) uint8_t host[HOST_PAGES][PAGE];
static _Alignas(4096) uint64_t root[512];
static _Alignas(4096) uint8_t tables[8][PAGE];
static struct pool pool;
static struct space space;
static struct virtio_queue queue;
static struct virtio_chain chain;

// What another vCPU does in the middle of a call: at moment 0 EL2 has read the index, at each one after that it looks
// at one more entry of stage 2.
static struct {
    unsigned int moment; // counts down; the change comes when it is 0
    bool armed;
    uint64_t ipa;
    uint8_t bytes[8];
} change;

// ---- The second reader's view of the guest --------------------------------------------------------------------------

static struct {
    uint8_t memory[RAM_SIZE];
    uint8_t host_page[PAGES];
    bool readable[PAGES], writable[PAGES];
    bool looked_at; // EL2 looks at stage 2, page by page
    unsigned int moment;
    bool armed;
    bool ready, event_idx;
    uint64_t desc, avail, used;
    uint32_t size;
    uint16_t avail_next, used_next, told;
    bool may_put_back;
    // the last chain
    unsigned int count;
    struct virtqueue_buffer buffers[VIRTIO_CHAIN_MAX];
    uint64_t readable_bytes, writable_bytes;
} model;

#define REASONS(row)                                                                                                   \
    row(SIZE, "queue-size") row(ALIGN, "ring-alignment") row(RING, "ring-not-ram") row(OVERLAP, "rings-overlap")       \
        row(INDEX, "avail-index") row(HEAD, "head-out-of-range") row(NEXT, "next-out-of-range")                        \
            row(LOOP, "chain-loop") row(LONG, "chain-too-long") row(BYTES, "chain-bytes")                              \
                row(ORDER, "readable-after-write") row(BUFFER, "buffer-not-ram") row(UNASKED, "indirect-unasked")      \
                    row(NESTED, "indirect-in-indirect") row(WITH_NEXT, "indirect-with-next")                           \
                        row(LENGTH, "indirect-length") row(TABLE, "indirect-not-ram")
#define REASON_NUMBER(id, name) R_##id,
#define REASON_BIT(id, name)    BAD_##id = 1 << R_##id,
#define REASON_NAME(id, name)   name,
enum { REASONS(REASON_NUMBER) R_COUNT };
enum { REASONS(REASON_BIT) };
static const char *const reason_names[R_COUNT] = {REASONS(REASON_NAME)};

static void model_change(void)
{
    if (!model.armed || model.moment-- != 0)
        return;
    model.armed = false;
    memcpy(model.memory + (change.ipa - RAM), change.bytes, sizeof(change.bytes));
}

static uint64_t model_read(uint64_t ipa, unsigned int bytes)
{
    uint64_t value = 0;

    fuzz_check(ipa >= RAM && ipa - RAM + bytes <= RAM_SIZE);
    memcpy(&value, model.memory + (ipa - RAM), bytes);
    return value;
}

static void model_write(uint64_t ipa, uint64_t value, unsigned int bytes)
{
    memcpy(model.memory + (ipa - RAM), &value, bytes);
}

// Whether the bytes are the guest's for this use, byte by byte; *pa is where they are.
static bool model_is_ram(uint64_t ipa, uint64_t size, bool write, uint64_t *pa)
{
    uint64_t first = (ipa - RAM) / PAGE, last = (ipa + size - 1 - RAM) / PAGE;
    bool together = true;

    if (ipa < RAM || ipa - RAM >= RAM_SIZE || size > RAM_SIZE || ipa - RAM + size > RAM_SIZE)
        return false;
    if (first < PIECE && last >= PIECE)
        return false;
    *pa = (uintptr_t)host[model.host_page[first]] + ipa % PAGE;
    for (uint64_t page = first; page <= last; page++) {
        if (model.looked_at)
            model_change();
        if (!(write ? model.writable : model.readable)[page])
            return false;
        together &= model.host_page[page] - model.host_page[first] == (int)(page - first);
    }
    return together;
}

// One descriptor of a chain, in a table of count. Returns why it is refused.
static unsigned int model_buffer(uint64_t address, uint32_t length, bool write)
{
    uint64_t pa = 0, bytes = model.readable_bytes + model.writable_bytes + length;
    unsigned int bad = 0;

    bad |= model.count >= 1023 ? BAD_LONG : 0;
    bad |= !write && model.writable_bytes > 0 ? BAD_ORDER : 0;
    bad |= bytes > UINT64_C(0x100000000) ? BAD_BYTES : 0;
    if (bad) {
        bool looked = model.looked_at; // so EL2 does not look at it
        model.looked_at = false;
        bad |= model_is_ram(address, length ? length : 1, write, &pa) ? 0 : BAD_BUFFER;
        model.looked_at = looked;
        return bad;
    }
    if (!model_is_ram(address, length ? length : 1, write, &pa))
        return BAD_BUFFER;
    if (length == 0)
        return 0;
    model.buffers[model.count++] = (struct virtqueue_buffer){{pa}, length, write ? VIRTQ_DESC_F_WRITE : 0, 0};
    *(write ? &model.writable_bytes : &model.readable_bytes) += length;
    return 0;
}

static unsigned int model_chain(uint64_t table, uint64_t count, uint64_t index, bool indirect, bool nested)
{
    unsigned int bad;

    for (uint64_t seen = 0;; seen++) {
        uint64_t at = table + 16 * index, address, length, flags, next, pa;

        if (seen == count)
            return BAD_LOOP;
        if (index >= count)
            return nested || seen > 0 ? BAD_NEXT : BAD_HEAD;
        address = model_read(at, 8);
        length = model_read(at + 8, 4);
        flags = model_read(at + 12, 2);
        next = model_read(at + 14, 2);
        if (flags & 4) {
            if (nested)
                return BAD_NESTED;
            bad = !indirect ? BAD_UNASKED : 0;
            bad |= flags & 1 ? BAD_WITH_NEXT : 0;
            bad |= length % 16 != 0 || length == 0 || length / 16 > 1023 ? BAD_LENGTH : 0;
            bad |= address % 8 != 0 ? BAD_ALIGN : 0;
            if (bad)
                return bad;
            if (!model_is_ram(address, length, false, &pa))
                return BAD_TABLE;
            return model_chain(address, length / 16, 0, false, true);
        }
        bad = model_buffer(address, (uint32_t)length, flags & 2);
        if (bad || !(flags & 1))
            return bad;
        index = next;
    }
}

static enum virtio_next model_next(bool indirect, uint16_t *head, unsigned int *bad)
{
    uint16_t index, ahead;

    *bad = 0;
    if (!model.ready)
        return VIRTIO_NEXT_NONE;
    index = (uint16_t)model_read(model.avail + 2, 2);
    ahead = (uint16_t)(index - model.avail_next);
    if (ahead == 0)
        return VIRTIO_NEXT_NONE;
    if (ahead > model.size) {
        *bad = BAD_INDEX;
        return VIRTIO_NEXT_FAULT;
    }
    model_change();
    *head = (uint16_t)model_read(model.avail + 4 + 2 * (model.avail_next % model.size), 2);
    model.count = 0;
    model.readable_bytes = model.writable_bytes = 0;
    *bad = model_chain(model.desc, model.size, *head, indirect, false);
    if (*bad)
        return VIRTIO_NEXT_FAULT;
    model.avail_next++;
    return VIRTIO_NEXT_CHAIN;
}

// ---- The guest ------------------------------------------------------------------------------------------------------

// A byte of the guest, where EL2 sees it.
static uint8_t *byte_at(uint64_t ipa)
{
    return &host[model.host_page[(ipa - RAM) / PAGE]][ipa % PAGE];
}

static void put_both(uint64_t ipa, uint64_t value, unsigned int bytes)
{
    if (ipa < RAM || ipa - RAM > RAM_SIZE - bytes)
        return;
    for (unsigned int i = 0; i < bytes; i++)
        *byte_at(ipa + i) = (uint8_t)(value >> 8 * i);
    model_write(ipa, value, bytes);
}

static void on_step(enum fake_operation operation)
{
    if ((operation != FAKE_DMB_ISH && operation != FAKE_LOCK_ACQUIRE) || !change.armed || change.moment-- != 0)
        return;
    change.armed = false;
    for (unsigned int i = 0; i < sizeof(change.bytes); i++)
        *byte_at(change.ipa + i) = change.bytes[i];
}

static uint64_t draw_address(struct fuzz_input *input)
{
    static const uint64_t edges[] = {RAM,
                                     RAM + PIECE * PAGE,
                                     RAM + RAM_SIZE,
                                     READ_ONLY * PAGE + RAM,
                                     HOLE * PAGE + RAM,
                                     HOLE * PAGE + PAGE + RAM,
                                     MOVED * PAGE + RAM,
                                     MOVED * PAGE + PAGE + RAM};
    unsigned int how = fuzz_below(input, 16);

    if (how < 8)
        return RAM + (uint64_t)fuzz_below(input, 256) * 256 + how * 16;
    if (how < 10)
        return RAM + fuzz_take(input, 2);
    if (how < 14)
        return edges[fuzz_below(input, ARRAY_COUNT(edges))] + (uint64_t)(int8_t)fuzz_take(input, 1);
    return how == 14 ? UINT64_MAX - fuzz_take(input, 1) : fuzz_take(input, 8);
}

static uint32_t draw_length(struct fuzz_input *input)
{
    unsigned int how = fuzz_below(input, 16);

    if (how < 10)
        return (uint32_t)fuzz_take(input, 1);
    if (how < 12)
        return (uint32_t)fuzz_take(input, 2) * 16;
    if (how < 14)
        return (uint32_t)fuzz_take(input, 2);
    return how == 14 ? UINT32_MAX - (uint32_t)fuzz_take(input, 1) : (uint32_t)fuzz_take(input, 4);
}

// Descriptors one after the other from at on, linked to the next one unless the input wants it otherwise.
static void draw_descriptors(struct fuzz_input *input, uint64_t at, unsigned int index)
{
    unsigned int count = 1 + fuzz_below(input, 12);

    for (unsigned int i = 0; i < count; i++, index++) {
        unsigned int how = fuzz_below(input, 64);
        uint64_t flags = how & 3, next = index + 1;

        flags |= i + 1 < count ? VIRTQ_DESC_F_NEXT : 0;
        if (how >= 56)
            flags = fuzz_take(input, 1);
        if (how >= 60)
            next = fuzz_take(input, 2);
        put_both(at + 16 * index, draw_address(input), 8);
        put_both(at + 16 * index + 8, draw_length(input), 4);
        put_both(at + 16 * index + 12, flags, 2);
        put_both(at + 16 * index + 14, next, 2);
    }
}

static void draw_indirect(struct fuzz_input *input)
{
    uint64_t table = RAM + PAGE * (3 + fuzz_below(input, 2)), length = 16 * (1 + fuzz_below(input, 16));
    unsigned int index = fuzz_below(input, 4);

    draw_descriptors(input, table, 0);
    put_both(model.desc + 16 * index, table, 8);
    put_both(model.desc + 16 * index + 8, length, 4);
    put_both(model.desc + 16 * index + 12, 4, 2);
}

// A long chain of one byte each: in a table of 1,023, or in the queue's own.
static void draw_long(struct fuzz_input *input)
{
    unsigned int count = 1000 + fuzz_below(input, 25);

    for (unsigned int i = 0; i < count; i++) {
        put_both(RAM + PAGE * 3 + 16 * i, RAM + i, 8);
        put_both(RAM + PAGE * 3 + 16 * i + 8, UINT64_C(0x100000001) | (uint64_t)(i + 1) << 48, 8);
    }
    put_both(RAM + PAGE * 3 + 16 * (count - 1) + 12, 0, 2);
    put_both(model.desc + 16, RAM + PAGE * 3, 8);
    put_both(model.desc + 24, UINT64_C(0x400000000) | 16 * count, 8);
    if (fuzz_below(input, 2) == 1) { // with one before the table
        put_both(model.desc, RAM, 8);
        put_both(model.desc + 8, UINT64_C(0x1000100000001), 8);
    }
}

static void offer(uint16_t head)
{
    uint16_t index;

    if (!model.ready)
        return;
    index = (uint16_t)model_read(model.avail + 2, 2);
    put_both(model.avail + 4 + 2 * (index % model.size), head, 2);
    put_both(model.avail + 2, (uint16_t)(index + 1), 2);
}

// ---- Both -----------------------------------------------------------------------------------------------------------

static void check_fault(const struct virtio_fault *fault, unsigned int bad)
{
    for (unsigned int i = 0; i < R_COUNT; i++)
        if (strcmp(fault->reason, reason_names[i]) == 0) {
            fuzz_check(bad & 1u << i);
            return;
        }
    fuzz_check(false);
}

static void arm(struct fuzz_input *input)
{
    change.armed = model.armed = fuzz_below(input, 2) == 1;
    if (!change.armed)
        return;
    change.moment = model.moment = fuzz_below(input, 8);
    change.ipa = RAM + fuzz_below(input, 2) * PAGE * 3 + 8 * (uint64_t)fuzz_below(input, 128);
    if (fuzz_below(input, 4) == 0)
        change.ipa = RAM + fuzz_take(input, 2);
    for (unsigned int i = 0; i < sizeof(change.bytes); i++)
        change.bytes[i] = (uint8_t)fuzz_take(input, 1);
}

static void next_both(struct fuzz_input *input)
{
    struct virtio_fault fault = {NULL, 0, 0};
    bool indirect = fuzz_below(input, 8) != 0;
    unsigned int bad;
    uint16_t head = 0;

    arm(input);
    memset(&chain, 0xa5, sizeof(chain));
    fake_trace_hook = on_step;
    enum virtio_next got = virtio_queue_next(&queue, &space, indirect, &chain, &fault);
    fake_trace_hook = NULL;
    enum virtio_next wanted = model_next(indirect, &head, &bad);
    fuzz_check(got == wanted);
    fuzz_check(change.armed == model.armed);
    change.armed = model.armed = false;
    model.may_put_back = got == VIRTIO_NEXT_CHAIN;
    if (got == VIRTIO_NEXT_FAULT)
        check_fault(&fault, bad);
    if (got != VIRTIO_NEXT_CHAIN)
        return;
    fuzz_check(chain.head == head && chain.head < model.size && chain.count == model.count);
    fuzz_check(chain.readable == model.readable_bytes && chain.writable == model.writable_bytes);
    for (unsigned int i = 0; i < model.count; i++) {
        const struct virtqueue_buffer *a = &chain.buffers[i], *b = &model.buffers[i];
        fuzz_check(a->pa.v == b->pa.v && a->length == b->length && ((a->flags ^ b->flags) & VIRTQ_DESC_F_WRITE) == 0);
        fuzz_check(a->pa.v >= (uintptr_t)host && a->pa.v + a->length <= (uintptr_t)host + sizeof(host));
    }
}

// Whether [a, a + m) and [b, b + n), which are in RAM, share a byte.
static bool overlap(uint64_t a, uint64_t m, uint64_t b, uint64_t n)
{
    return a < b ? b - a < m : a - b < n;
}

static void enable_both(struct fuzz_input *input)
{
    struct virtio_fault fault = {NULL, 0, 0};
    unsigned int how = fuzz_below(input, 8), bad = 0;
    uint64_t size, pa;

    model.size = how == 0 ? (uint32_t)fuzz_take(input, 2) : 1u << fuzz_below(input, 9);
    model.desc = how == 1 ? draw_address(input) : RAM;
    model.avail = how == 2 ? draw_address(input) : RAM + PAGE;
    model.used = how == 3 ? draw_address(input) : RAM + 2 * PAGE;
    model.event_idx = fuzz_below(input, 2);
    queue.desc = model.desc;
    queue.avail = model.avail;
    queue.used = model.used;
    queue.size = model.size;
    size = model.size;
    if (size == 0 || size > 256 || (size & (size - 1)) != 0) {
        bad = BAD_SIZE;
    } else {
        bad |= model.desc % 16 || model.avail % 2 || model.used % 4 ? BAD_ALIGN : 0;
        model.looked_at = false;
        bad |= model_is_ram(model.desc, 16 * size, false, &pa) ? 0 : BAD_RING;
        bad |= model_is_ram(model.avail, 6 + 2 * size, false, &pa) ? 0 : BAD_RING;
        bad |= model_is_ram(model.used, 6 + 8 * size, false, &pa) ? 0 : BAD_RING;
        bad |= model_is_ram(model.used, 6 + 8 * size, true, &pa) ? 0 : BAD_RING;
        model.looked_at = space.stage2.memory_changed;
        bad |= overlap(model.desc, 16 * size, model.avail, 6 + 2 * size) ? BAD_OVERLAP : 0;
        bad |= overlap(model.desc, 16 * size, model.used, 6 + 8 * size) ? BAD_OVERLAP : 0;
        bad |= overlap(model.used, 6 + 8 * size, model.avail, 6 + 2 * size) ? BAD_OVERLAP : 0;
    }
    fuzz_check(virtio_queue_enable(&queue, &space, model.event_idx, &fault) == (bad == 0));
    fuzz_check(queue.ready == (bad == 0));
    if (bad != 0)
        check_fault(&fault, bad);
    model.ready = bad == 0;
    model.avail_next = model.used_next = model.told = 0;
    model.may_put_back = false;
    if (fuzz_below(input, 4) != 0 && model.ready) // as a driver leaves it; else of the input before
        put_both(model.avail, 0, 4);
}

static void complete_both(struct fuzz_input *input)
{
    uint16_t head = (uint16_t)fuzz_take(input, 1);
    uint32_t written = (uint32_t)fuzz_take(input, 4);
    unsigned int times = fuzz_below(input, 32) == 0 ? 1000 : 1;

    for (unsigned int i = 0; i < times; i++, head++) {
        virtio_queue_complete(&queue, head, written);
        if (!model.ready)
            continue;
        model_write(model.used + 4 + 8 * (model.used_next % model.size), head, 4);
        model_write(model.used + 8 + 8 * (model.used_next % model.size), written, 4);
        model.used_next++;
    }
}

static void interrupt_both(void)
{
    bool wanted = false;
    uint16_t event;

    if (model.ready && model.told != model.used_next)
        model_write(model.used + 2, model.used_next, 2);
    if (model.ready && model.event_idx) {
        event = (uint16_t)model_read(model.avail + 4 + 2 * model.size, 2);
        for (uint16_t i = model.told; i != model.used_next; i++)
            wanted |= i == event;
    } else if (model.ready) {
        wanted = model.told != model.used_next && !(model_read(model.avail, 2) & 1);
    }
    model.told = model.used_next;
    fuzz_check(virtio_queue_publish(&queue) == wanted);
}

static void notify_both(bool on)
{
    if (model.ready && !model.event_idx)
        model_write(model.used, !on, 2);
    if (model.ready && model.event_idx && on)
        model_write(model.used + 4 + 8 * model.size, model.avail_next, 2);
    bool more = model.ready && on && model_read(model.avail + 2, 2) != model.avail_next;
    fuzz_check(virtio_queue_set_notify(&queue, on) == more);
}

static void disable_both(void)
{
    static const struct virtio_queue none;

    virtio_queue_disable(&queue);
    fuzz_check(memcmp(&queue, &none, sizeof(queue)) == 0);
    model.ready = model.may_put_back = false;
}

static void put_back_both(void)
{
    if (!model.may_put_back)
        return;
    virtio_queue_put_back(&queue);
    model.avail_next--;
    model.may_put_back = false;
}

// What EL2 wrote is what the second reader would have, and nothing else, of the guest's or besides.
static void check_memory(void)
{
    for (unsigned int page = 0; page < PAGES; page++)
        fuzz_check(memcmp(host[model.host_page[page]], model.memory + page * PAGE, PAGE) == 0);
    for (unsigned int page = PIECE; page < PIECE + GAP; page++)
        for (unsigned int i = 0; i < PAGE; i++)
            fuzz_check(host[page][i] == 0xee);
    fuzz_check(space.stage2.lock.ticket.held == 0);
}

static void add_ram(unsigned int page, unsigned int host_page, unsigned int count)
{
    struct ipa_range range = {{RAM + page * PAGE}, count * PAGE};

    fuzz_check(space_add_ram(&space, &range, pa_make((uintptr_t)host[host_page])) == HV_OK);
    for (unsigned int i = 0; i < count; i++)
        model.host_page[page + i] = (uint8_t)(host_page + i);
}

static void begin(bool changed)
{
    struct ipa_range read_only = {{RAM + READ_ONLY * PAGE}, PAGE}, hole = {{RAM + HOLE * PAGE}, PAGE};
    struct ipa_range moved = {{RAM + MOVED * PAGE}, PAGE};

    memset(&queue, 0, sizeof(queue));
    memset(&model, 0, sizeof(model));
    memset(&change, 0, sizeof(change));
    memset(host, 0, sizeof(host));
    memset(host[PIECE], 0xee, GAP * PAGE);
    fake_trace_reset();
    pool_init(&pool, tables, ARRAY_COUNT(tables));
    space_init(&space, root, &pool, 1);
    add_ram(0, 0, PIECE);
    add_ram(PIECE, PIECE + GAP, PAGES - PIECE);
    memset(model.readable, true, sizeof(model.readable));
    memset(model.writable, true, sizeof(model.writable));
    fuzz_check(!space.stage2.memory_changed);
    if (!changed)
        return;
    fuzz_check(stage2_protect(&space.stage2, &read_only, STAGE2_READ) == HV_OK);
    fuzz_check(stage2_unmap(&space.stage2, &hole) == HV_OK);
    fuzz_check(stage2_unmap(&space.stage2, &moved) == HV_OK);
    fuzz_check(stage2_map(&space.stage2, &moved, pa_make((uintptr_t)host[ELSEWHERE]), STAGE2_READ | STAGE2_WRITE) ==
               HV_OK);
    fuzz_check(space.stage2.memory_changed);
    model.writable[READ_ONLY] = model.writable[HOLE] = model.readable[HOLE] = false;
    model.host_page[MOVED] = ELSEWHERE;
    model.looked_at = true;
}

static void step(struct fuzz_input *input)
{
    unsigned int how = fuzz_below(input, 32);

    if (how < 6)
        draw_descriptors(input, model.desc, fuzz_below(input, 8));
    else if (how < 9)
        draw_indirect(input);
    else if (how < 14)
        offer((uint16_t)(fuzz_below(input, 16) != 0 ? fuzz_below(input, 8) : fuzz_take(input, 2)));
    else if (how < 23)
        next_both(input);
    else if (how < 25)
        complete_both(input);
    else if (how == 25)
        interrupt_both();
    else if (how == 26)
        notify_both(fuzz_below(input, 2));
    else if (how == 27)
        put_back_both();
    else if (how == 28)
        put_both(model.avail + fuzz_below(input, 32), fuzz_take(input, 2), 2);
    else if (how == 29)
        put_both(draw_address(input), fuzz_take(input, 8), 8);
    else if (how == 30)
        draw_long(input);
    else if (fuzz_below(input, 4) == 0)
        disable_both();
    else
        enable_both(input);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};

    begin(fuzz_below(&input, 2));
    enable_both(&input);
    while (input.size > 0)
        step(&input);
    check_memory();
    return 0;
}
