// SPDX-License-Identifier: Apache-2.0
// The rings of the trace: where records go, and what becomes of full chunks.
//
// A ring is written by one CPU alone, its own, so a record takes neither a lock nor an atomic operation. The one thing
// that other CPUs touch is a chunk's state: a sink gives a chunk back on whatever CPU hears that it was written.
//
//   FREE    its place may be used
//   OPEN    records are being added; at most one in each ring
//   CLOSED  nothing is added any more, and no sink has taken it
//   SENT    a sink has it: its bytes must not change
//
// A record that finds no room is dropped, and nothing is lost silently: each record has a number, dropped or not, so
// that the numbers of the chunks that a reader gets show how many are missing between them; `dropped` in the next
// chunk's header says how many of these found no room. Without a sink nothing is dropped: the oldest chunk makes room,
// and a reader sees by its number that the ring has come round.
//
// A chunk is closed only when the record after its last one comes, or at the next flush. So it costs each record just
// one comparison to know whether there is room.
#include <hv/trace.h>
#include <hv/trace_lost.h>

#include <hv/arch/barrier.h>
#include <hv/arch/registers.h>
#include <hv/event_key.h>
#include <hv/string.h>

enum chunk_state { CHUNK_FREE, CHUNK_OPEN, CHUNK_CLOSED, CHUNK_SENT };

struct ring {
    uint64_t number;                  // of the first record that has none yet in a closed chunk
    uint64_t dropped;                 // since boot, since there was no room
    uint64_t lost;                    // since boot, in chunks that a sink could not write; atomic: any CPU adds
    unsigned int newest;              // index of the chunk opened last
    uint8_t state[TRACE_RING_CHUNKS]; // enum chunk_state
};

static struct ring rings[CPU_MAX];
static uint8_t *memory;
static uint64_t boot_number;
static const struct trace_sink *sink;

// What vcpu->trace_chunk names while the CPU has no open chunk: it is full, so every record comes here for room.
static struct trace_chunk no_chunk = {.count = TRACE_CHUNK_RECORDS};

// A field's size by the name of its type in trace_schema.h, and that each field of the structures is where it says.
enum { SIZE_u8 = 1, SIZE_u16 = 2, SIZE_u32 = 4, SIZE_u64 = 8, SIZE_u64x4 = 32 };
#define HOLD(structure, field, type, offset)                                                                           \
    _Static_assert(offsetof(struct structure, field) == (offset) &&                                                    \
                   sizeof(((struct structure *)0)->field) == SIZE_##type);
#define HOLD_CHUNK(name, type, offset, ...)  HOLD(trace_chunk, name, type, offset)
#define HOLD_EVENT(name, type, offset, ...)  HOLD(event, name, type, offset)
#define HOLD_RECORD(name, type, offset, ...) HOLD(trace_record, name, type, offset)
TRACE_CHUNK_TABLE(HOLD_CHUNK)
TRACE_EVENT_TABLE(HOLD_EVENT)
TRACE_EXIT_TABLE(HOLD_RECORD)
_Static_assert(EVENT_TYPE_EXIT == TRACE_TYPE_EXIT);

static struct trace_chunk *chunk_at(unsigned int cpu, unsigned int index)
{
    return (struct trace_chunk *)(memory + cpu * TRACE_RING_SIZE + index * TRACE_CHUNK_SIZE);
}

static struct trace_record *records_of(struct trace_chunk *chunk)
{
    return (struct trace_record *)(chunk + 1);
}

// Chunk 0 of CPU 0 is the meta chunk's.
static unsigned int first_index(unsigned int cpu)
{
    return cpu == 0 ? 1 : 0;
}

static unsigned int after(unsigned int cpu, unsigned int index)
{
    return index + 1 < TRACE_RING_CHUNKS ? index + 1 : first_index(cpu);
}

static unsigned int state_of(const struct ring *ring, unsigned int index)
{
    return __atomic_load_n(&ring->state[index], __ATOMIC_ACQUIRE);
}

static void set_state(struct ring *ring, unsigned int index, enum chunk_state state)
{
    __atomic_store_n(&ring->state[index], state, __ATOMIC_RELEASE);
}

// What earlier boots left in memory is no part of this boot's trace: without its magic no chunk is one.
void trace_init(void *at, uint64_t boot)
{
    memory = at;
    boot_number = boot;
    sink = NULL;
    memset(rings, 0, sizeof(rings));
    for (unsigned int cpu = 0; cpu < CPU_MAX; cpu++) {
        for (unsigned int i = 0; i < TRACE_RING_CHUNKS; i++)
            chunk_at(cpu, i)->magic = 0;
        rings[cpu].newest = TRACE_RING_CHUNKS - 1; // the first that is opened comes behind it
    }
}

void trace_init_vcpu(struct vcpu *vcpu)
{
    vcpu->trace_chunk = &no_chunk;
    vcpu->trace_filter = vcpu->vm->trace_filter;
}

void trace_set_sink(const struct trace_sink *new_sink)
{
    __atomic_store_n(&sink, new_sink, __ATOMIC_RELEASE);
}

static void make_header(struct trace_chunk *chunk, unsigned int kind)
{
    *chunk = (struct trace_chunk){
        .magic = TRACE_MAGIC,
        .version = TRACE_VERSION,
        .kind = (uint16_t)kind,
        .boot = boot_number,
        .opened = READ_SYSREG(CNTPCT_EL0),
    };
}

struct trace_chunk *trace_meta_chunk(void)
{
    struct trace_chunk *chunk = chunk_at(0, 0);

    make_header(chunk, TRACE_KIND_META);
    return chunk;
}

// All that no reader gets.
static uint64_t dropped_of(const struct ring *ring)
{
    return __atomic_load_n(&ring->dropped, __ATOMIC_RELAXED) + __atomic_load_n(&ring->lost, __ATOMIC_RELAXED);
}

// The guest's registers say, later and on another machine, at which address its kernel ran.
static void open_chunk(struct vcpu *vcpu, struct ring *ring, unsigned int index)
{
    struct trace_chunk *chunk = chunk_at(vcpu->cpu, index);

    set_state(ring, index, CHUNK_OPEN);
    ring->newest = index;
    make_header(chunk, TRACE_KIND_RECORDS);
    chunk->first = ring->number;
    chunk->dropped = dropped_of(ring);
    chunk->cpu = (uint16_t)vcpu->cpu;
    chunk->vm = vcpu->vm->number;
    chunk->vbar_el1 = READ_SYSREG(VBAR_EL1);
    chunk->ttbr1_el1 = READ_SYSREG(TTBR1_EL1);
    chunk->tcr_el1 = READ_SYSREG(TCR_EL1);
    chunk->sctlr_el1 = READ_SYSREG(SCTLR_EL1);
    chunk->virtual_offset = READ_SYSREG(CNTVOFF_EL2);
    __atomic_thread_fence(__ATOMIC_RELEASE); // who sees a record in it finds its header as well
    vcpu->trace_chunk = chunk;
}

static void close_chunk(struct vcpu *vcpu, struct ring *ring)
{
    struct trace_chunk *chunk = vcpu->trace_chunk;

    if (chunk == &no_chunk)
        return;
    chunk->bytes = chunk->count * (uint32_t)sizeof(struct trace_record);
    chunk->closed = READ_SYSREG(CNTPCT_EL0);
    __atomic_store_n(&vcpu->trace_chunk, &no_chunk, __ATOMIC_RELEASE);
    __atomic_store_n(&ring->number, ring->number + chunk->count, __ATOMIC_RELEASE);
    set_state(ring, ring->newest, CHUNK_CLOSED);
}

// Offers the closed chunks in the order in which they were written. The state is written before the sink is asked,
// since the sink may give the chunk back before it answers.
static void offer(unsigned int cpu, struct ring *ring)
{
    const struct trace_sink *to = __atomic_load_n(&sink, __ATOMIC_ACQUIRE);
    unsigned int index = ring->newest;

    if (to == NULL)
        return;
    for (unsigned int n = first_index(cpu); n < TRACE_RING_CHUNKS; n++) {
        index = after(cpu, index);
        if (state_of(ring, index) != CHUNK_CLOSED)
            continue;
        set_state(ring, index, CHUNK_SENT);
        if (!to->hand_over(cpu, chunk_at(cpu, index))) {
            set_state(ring, index, CHUNK_CLOSED);
            return;
        }
    }
}

void trace_chunk_done(unsigned int cpu, struct trace_chunk *chunk)
{
    unsigned int index = (unsigned int)(((uint8_t *)chunk - memory) % TRACE_RING_SIZE / TRACE_CHUNK_SIZE);

    if (rings[cpu].state[index] == CHUNK_SENT)
        set_state(&rings[cpu], index, CHUNK_FREE);
}

void trace_chunk_lost(unsigned int cpu, struct trace_chunk *chunk)
{
    (void)__atomic_fetch_add(&rings[cpu].lost, chunk->count, __ATOMIC_RELAXED);
    trace_chunk_done(cpu, chunk);
}

void trace_flush(struct vcpu *vcpu)
{
    struct ring *ring = &rings[vcpu->cpu];

    if (vcpu->trace_chunk->count != 0)
        close_chunk(vcpu, ring);
    offer(vcpu->cpu, ring);
}

void trace_stop(struct vcpu *vcpu)
{
    static const uint8_t none[2 * KEY_COUNT];

    vcpu->trace_filter = none;
}

// A CPU that runs on meanwhile may open a chunk more: what it writes then was not there when EL2 died.
static void offer_in_panic(const struct trace_sink *to, unsigned int cpu)
{
    unsigned int index = rings[cpu].newest;

    for (unsigned int n = first_index(cpu); n < TRACE_RING_CHUNKS; n++) {
        index = after(cpu, index);
        unsigned int state = state_of(&rings[cpu], index);
        if ((state == CHUNK_CLOSED || state == CHUNK_OPEN) && chunk_at(cpu, index)->count != 0)
            to->panic(chunk_at(cpu, index));
    }
}

void trace_panic(void)
{
    const struct trace_sink *to = __atomic_load_n(&sink, __ATOMIC_ACQUIRE);

    for (unsigned int cpu = 0; to != NULL && to->panic != NULL && cpu < CPU_MAX; cpu++)
        offer_in_panic(to, cpu);
}

// The next chunk after the newest whose place may be used: with a sink a free one, without one the oldest. What a sink
// still has is never used.
static bool find_room(unsigned int cpu, const struct ring *ring, unsigned int *room)
{
    bool overwrite = __atomic_load_n(&sink, __ATOMIC_RELAXED) == NULL;
    unsigned int index = ring->newest;

    for (unsigned int n = first_index(cpu); n < TRACE_RING_CHUNKS; n++) {
        index = after(cpu, index);
        unsigned int state = state_of(ring, index);
        if (state == CHUNK_FREE || (overwrite && state == CHUNK_CLOSED)) {
            *room = index;
            return true;
        }
    }
    return false;
}

COLD struct trace_chunk *trace_open(struct vcpu *vcpu)
{
    struct ring *ring = &rings[vcpu->cpu];
    unsigned int index;

    close_chunk(vcpu, ring);
    offer(vcpu->cpu, ring);
    if (!find_room(vcpu->cpu, ring, &index)) {
        ring->number++;
        ring->dropped++;
        return NULL;
    }
    open_chunk(vcpu, ring, index);
    return vcpu->trace_chunk;
}

void trace_write(struct vcpu *vcpu, const struct trace_record *record)
{
    struct trace_chunk *chunk = trace_room(vcpu);

    if (chunk == NULL)
        return;
    *trace_next(chunk, chunk->count) = *record;
    trace_publish(chunk, chunk->count);
}

// Any CPU asks, while the ring's own may close a chunk: first it has none, and then the ring's number goes up by what
// was in it. A look that sees the same number before and after has counted no record twice.
struct trace_counts trace_counts(const struct vcpu *vcpu)
{
    const struct ring *ring = &rings[vcpu->cpu];
    struct trace_counts counts = {.dropped = dropped_of(ring)};
    uint64_t number;

    do {
        number = __atomic_load_n(&ring->number, __ATOMIC_ACQUIRE);
        const struct trace_chunk *chunk = __atomic_load_n(&vcpu->trace_chunk, __ATOMIC_ACQUIRE);
        counts.records = number + (chunk != &no_chunk ? __atomic_load_n(&chunk->count, __ATOMIC_ACQUIRE) : 0);
    } while (__atomic_load_n(&ring->number, __ATOMIC_RELAXED) != number);
    for (unsigned int i = 0; i < TRACE_RING_CHUNKS; i++)
        counts.waiting += state_of(ring, i) >= CHUNK_CLOSED;
    return counts;
}

// The record's place, or NULL. A chunk that was given back still holds its records until its place is used again.
static const struct trace_record *find(unsigned int cpu, uint64_t number)
{
    for (unsigned int i = first_index(cpu); i < TRACE_RING_CHUNKS; i++) {
        struct trace_chunk *chunk = chunk_at(cpu, i);
        uint32_t count = __atomic_load_n(&chunk->count, __ATOMIC_ACQUIRE);
        if (chunk->magic == TRACE_MAGIC && number - chunk->first < count)
            return records_of(chunk) + (number - chunk->first);
    }
    return NULL;
}

// The CPU may open the chunk anew while its record is copied. Then the number is no longer found, and what was copied
// is not believed. The fence keeps the second look behind the copy.
bool trace_copy(const struct vcpu *vcpu, uint64_t number, struct trace_record *record)
{
    const struct trace_record *place = find(vcpu->cpu, number);

    if (place == NULL)
        return false;
    *record = *place;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return find(vcpu->cpu, number) == place;
}

uint64_t trace_oldest(const struct vcpu *vcpu)
{
    uint64_t oldest = trace_counts(vcpu).records;

    for (unsigned int i = first_index(vcpu->cpu); i < TRACE_RING_CHUNKS; i++) {
        const struct trace_chunk *chunk = chunk_at(vcpu->cpu, i);
        if (chunk->magic == TRACE_MAGIC && chunk->count != 0 && chunk->first < oldest)
            oldest = chunk->first;
    }
    return oldest;
}
