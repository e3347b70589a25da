// SPDX-License-Identifier: Apache-2.0
// The log's ring in memory, as a dump of a dead machine shows it (docs/LOG.md). Private to trace/log*.c.
//
// It has two halves. A boot writes one of them, and the boot before it stays readable in the other. A guest that resets
// the machine again and again cannot overwrite both: a boot that follows one that was itself started by the guest's
// reset and did not live for LOG_RESET_LOOP_SECONDS takes that one's half.
//
// A half is a table of slots of one record each, in no order: their sequence numbers give it. While slots are free they
// are filled. Then a new record takes the oldest slot of the source that has most, but never the first record of a
// source. So a flood from one source pushes out its own records and no others.
#pragma once

#include <hv/log_budget.h>
#include <hv/memory_map.h>
#include <hv/types.h>

#define LOG_RING_MAGIC         UINT64_C(0x474f4c6c65697261) // "arielLOG"
#define LOG_RING_VERSION       2
#define LOG_SLOT_TEXT          512 // LOG_LINE_MAX
#define LOG_SLOTS              990
#define LOG_HALF_SIZE          (LOG_SLOTS * sizeof(struct log_slot))
#define LOG_RING_HEADER        (LOG_RING_SIZE - 2 * LOG_HALF_SIZE)
#define LOG_RESET_LOOP_SECONDS 60

struct log_slot {
    uint64_t sequence;
    uint16_t source; // enum log_source
    uint16_t first;  // 1: the first record of its source in this boot
    uint32_t length; // of the line, without its "\n"; 0: the slot is free, or being written
    char text[LOG_SLOT_TEXT];
};

struct log_half {
    uint64_t floor;    // log_clear: display starts at this sequence number
    uint64_t sequence; // of the next record
    uint32_t tag;
    uint32_t boot; // 0: nothing was written
};

// How a boot ended, for the next one.
enum log_end { LOG_END_OTHER, LOG_END_GUEST_RESET, LOG_END_GUEST_RESET_SOON };

// Little-endian, no padding.
struct log_ring {
    union {
        struct {
            uint64_t magic;
            uint32_t version;
            uint32_t size;        // LOG_RING_SIZE
            uint32_t header_size; // half 0 begins here
            uint32_t half_size;
            uint32_t boots;
            uint32_t hidden;    // this boot's records that are here and were not on the serial line
            uint64_t secret[2]; // what the next boot shows to prove that it is one
            struct log_half half[2];
            uint32_t current; // the half of the boot that runs: 0 or 1
            uint32_t end;     // enum log_end
            uint32_t resets;  // by the guest, in a row, each soon after the one before; this boot's included
            uint32_t spare;
            struct log_budget budget[LOG_BUDGETS]; // by its number
        };
        uint8_t header[LOG_RING_SIZE - 2 * LOG_SLOTS * sizeof(struct log_slot)];
    };
    struct log_slot slot[2][LOG_SLOTS];
};

_Static_assert(sizeof(struct log_ring) == LOG_RING_SIZE, "the ring fills its place");
_Static_assert(LOG_SOURCE_COUNT < LOG_SLOTS, "the first record of each source keeps its slot");

// Whether memory holds a ring of this version.
bool log_ring_is_valid(const struct log_ring *ring);

// Starts the half of a new boot. valid: as log_ring_is_valid says; otherwise the header is made anew.
void log_ring_start(struct log_ring *ring, bool valid);

// The half of this boot, or the one of the boot before; NULL when there is none.
struct log_half *log_ring_half(struct log_ring *ring, bool previous);

// Adds a record (length bytes of line, below LOG_SLOT_TEXT) to this boot's half. A reader of memory sees the whole
// record or none of it.
void log_ring_append(struct log_ring *ring, unsigned int source, uint64_t sequence, const char *line, size_t length);

// Copies the record with the lowest sequence number from *position and half->floor on into line (cut to size - 1 bytes,
// terminated) and moves *position behind it. Returns false when there is none. Bytes that are not printable come out
// as '?'.
bool log_ring_read(const struct log_ring *ring, const struct log_half *half, uint64_t *position, char *line,
                   size_t size);
