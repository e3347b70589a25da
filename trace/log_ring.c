// SPDX-License-Identifier: Apache-2.0
// The log's ring in memory: its layout and every byte in it. What an earlier boot left there may be damaged, by
// anything that wrote to memory since. So an old ring is believed only as far as its header checks out, and reading one
// is bounded and yields printable text whatever its bytes are. The first record of each source stays, and no source's
// records push out those of a source that has fewer.
#include <hv/log_ring.h>

#include <hv/string.h>

#include <hv/arch/barrier.h>

// Of this boot's half: the records of each source, without the first. The slots in use come first.
static uint16_t later_records[LOG_SOURCE_COUNT];
static bool has_first[LOG_SOURCE_COUNT];
static unsigned int used;

// Whether the header is one that this version of ariel wrote. Everything in it that an index or a size is made of is
// checked here; the text of the slots is not, and log_ring_read makes it printable.
bool log_ring_is_valid(const struct log_ring *ring)
{
    return ring->magic == LOG_RING_MAGIC && ring->version == LOG_RING_VERSION && ring->size == LOG_RING_SIZE &&
           ring->header_size == LOG_RING_HEADER && ring->half_size == LOG_HALF_SIZE && ring->current < 2 &&
           ring->boots - 1 < UINT32_MAX - 1; // 0 is no boot, and the next one must not wrap
}

// A boot in a loop of the guest's resets takes the place of the one before it.
static unsigned int half_of_next(const struct log_ring *ring)
{
    return ring->end == LOG_END_GUEST_RESET_SOON ? ring->current : 1 - ring->current;
}

// Begins a boot in the ring. The magic is written last, so that a reset in the middle of a first boot leaves a ring
// that is not believed. The guests' budgets are handed on only where the boot before ended by a guest's reset: see
// log_budget_ask.
void log_ring_start(struct log_ring *ring, bool valid)
{
    if (!valid) {
        memset(ring->header, 0, sizeof(ring->header));
    }
    ring->boots++;
    ring->hidden = 0;
    ring->current = half_of_next(ring);
    ring->resets = ring->end == LOG_END_GUEST_RESET_SOON ? ring->resets + 1 : ring->end == LOG_END_GUEST_RESET;
    for (unsigned int n = 0; n < LOG_BUDGETS; n++) {
        struct log_budget *budget = &ring->budget[n];
        if (ring->end != LOG_END_GUEST_RESET_SOON)
            memset(budget->first_written, 0, sizeof(budget->first_written));
        if (ring->end == LOG_END_OTHER)
            budget->full = 0;
    }
    ring->end = LOG_END_OTHER; // unless this boot says otherwise
    ring->half[ring->current] = (struct log_half){.boot = ring->boots};
    for (unsigned int i = 0; i < LOG_SLOTS; i++) {
        ring->slot[ring->current][i].length = 0;
    }
    memset(later_records, 0, sizeof(later_records));
    memset(has_first, 0, sizeof(has_first));
    used = 0;
    ring->version = LOG_RING_VERSION;
    ring->size = LOG_RING_SIZE;
    ring->header_size = LOG_RING_HEADER;
    ring->half_size = LOG_HALF_SIZE;
    barrier_order_stores(); // a dump that shows the magic shows a whole header
    ring->magic = LOG_RING_MAGIC;
}

// The half of this boot, or that of the boot before; NULL when there is none.
struct log_half *log_ring_half(struct log_ring *ring, bool previous)
{
    struct log_half *half = &ring->half[previous ? 1 - ring->current : ring->current];

    return half->boot == 0 ? NULL : half;
}

// What holds between two records: each slot is of a source that exists.
/*@ predicate slots_are_sound(struct log_slot *slots) =
        \valid(slots + (0 .. LOG_SLOTS - 1)) && used <= LOG_SLOTS &&
        \forall integer i; 0 <= i < LOG_SLOTS ==> slots[i].source < LOG_SOURCE_COUNT;
*/

// The slot that a new record takes when all are in use: the oldest of the source that has most, firsts left alone.
/*@ requires slots_are_sound(slots);
    assigns \nothing;
    ensures 0 <= \result < LOG_SLOTS;
*/
static unsigned int oldest_of_most(const struct log_slot *slots)
{
    unsigned int most = 0;
    unsigned int oldest = LOG_SLOTS;

    /*@ loop invariant 1 <= source <= LOG_SOURCE_COUNT && most < LOG_SOURCE_COUNT;
        loop assigns source, most;
        loop variant LOG_SOURCE_COUNT - source;
    */
    for (unsigned int source = 1; source < LOG_SOURCE_COUNT; source++) {
        if (later_records[source] > later_records[most]) {
            most = source;
        }
    }
    /*@ loop invariant 0 <= i <= LOG_SLOTS && oldest <= LOG_SLOTS;
        loop assigns i, oldest;
        loop variant LOG_SLOTS - i;
    */
    for (unsigned int i = 0; i < LOG_SLOTS; i++) {
        if (slots[i].source == most && !slots[i].first &&
            (oldest == LOG_SLOTS || slots[i].sequence < slots[oldest].sequence)) {
            oldest = i;
        }
    }
    return oldest < LOG_SLOTS ? oldest : 0; // one is always found: there are fewer firsts than slots
}

// While a slot is free, the new record takes it. When all are in use, it takes the slot of the oldest record of the
// source that has most records, and that record is lost.
/*@ requires slots_are_sound(slots);
    assigns used, later_records[0 .. LOG_SOURCE_COUNT - 1];
    ensures 0 <= \result < LOG_SLOTS && used <= LOG_SLOTS;
*/
static unsigned int take_slot(const struct log_slot *slots)
{
    if (used < LOG_SLOTS) {
        return used++;
    }
    unsigned int slot = oldest_of_most(slots);
    later_records[slots[slot].source]--;
    return slot;
}

// Appends a record. The stores stay in this boot's half, which the contract below proves.
/*@ requires \valid(ring) && ring->current < 2 && slots_are_sound(&ring->slot[ring->current][0]);
    requires \valid_read(line + (0 .. length - 1)) && length < LOG_SLOT_TEXT && source < LOG_SOURCE_COUNT;
    requires \separated(ring, line + (0 .. length - 1), &used, &later_records[0 .. LOG_SOURCE_COUNT - 1],
                        &has_first[0 .. LOG_SOURCE_COUNT - 1]);
    assigns ring->slot[ring->current][0 .. LOG_SLOTS - 1], used, later_records[0 .. LOG_SOURCE_COUNT - 1],
            has_first[0 .. LOG_SOURCE_COUNT - 1];
*/
void log_ring_append(struct log_ring *ring, unsigned int source, uint64_t sequence, const char *line, size_t length)
{
    struct log_slot *slots = ring->slot[ring->current];
    struct log_slot *slot = &slots[take_slot(slots)];

    slot->length = 0;
    barrier_order_stores(); // the slot is free, before anything in it changes
    slot->sequence = sequence;
    slot->source = (uint16_t)source;
    slot->first = !has_first[source];
    /*@ loop invariant 0 <= i <= length;
        loop assigns i, slot->text[0 .. LOG_SLOT_TEXT - 1];
        loop variant length - i;
    */
    for (size_t i = 0; i < length; i++) {
        slot->text[i] = line[i];
    }
    slot->text[length] = '\n';
    later_records[source] = (uint16_t)(later_records[source] + has_first[source]);
    has_first[source] = true;
    barrier_order_stores(); // the text, before the length that makes it a record
    slot->length = (uint32_t)length;
}

// Whether a slot holds a record, as far as its numbers can be believed: length 1 to LOG_SLOT_TEXT - 1, which the
// unsigned subtraction tests with one comparison.
static bool is_record(const struct log_slot *slot)
{
    return slot->length - 1 < LOG_SLOT_TEXT - 1 && slot->sequence != UINT64_MAX;
}

// The slots are in no order, so each call looks at all of them for the lowest number. The table is small, and only
// people read it.
bool log_ring_read(const struct log_ring *ring, const struct log_half *half, uint64_t *position, char *line,
                   size_t size)
{
    const struct log_slot *slots = ring->slot[half - ring->half];
    const struct log_slot *next = NULL;
    uint64_t from = half->floor > *position && half->floor <= half->sequence ? half->floor : *position;
    size_t length = 0;

    for (unsigned int i = 0; i < LOG_SLOTS; i++) {
        if (is_record(&slots[i]) && slots[i].sequence >= from && (next == NULL || slots[i].sequence < next->sequence)) {
            next = &slots[i];
        }
    }
    if (next == NULL) {
        return false;
    }
    for (; length < next->length && length + 1 < size; length++) {
        char byte = next->text[length];
        line[length] = byte >= ' ' && byte < 0x7f ? byte : '?';
    }
    line[length] = '\0';
    *position = next->sequence + 1;
    return true;
}
