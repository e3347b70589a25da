// SPDX-License-Identifier: Apache-2.0
// The log's ring in memory, as a dump of a dead machine shows it (docs/LOG.md). Private to core/log*.c.
#pragma once

#include <hv/memory_map.h>
#include <hv/types.h>

#define LOG_RING_MAGIC   UINT64_C(0x474f4c6c65697261) // "arielLOG"
#define LOG_RING_VERSION 1
#define LOG_RING_HEADER  256
#define LOG_HALF_SIZE    ((LOG_RING_SIZE - LOG_RING_HEADER) / 2)

// One boot's records: lines, each ending in "\n", in a circle of LOG_HALF_SIZE bytes.
struct log_half {
    uint64_t head;     // bytes ever written; the next one goes to head % LOG_HALF_SIZE
    uint64_t floor;    // log_clear: display starts here
    uint64_t sequence; // of the next record
    uint32_t tag;
    uint32_t boot; // 0: nothing was written
};

// Boot n writes half n % 2, so the boot before it stays readable. Little-endian, no padding.
struct log_ring {
    union {
        struct {
            uint64_t magic;
            uint32_t version;
            uint32_t size;        // LOG_RING_SIZE
            uint32_t header_size; // text begins here
            uint32_t half_size;
            uint32_t boots;
            uint32_t hidden;    // this boot's records that are here and were not on the serial line
            uint64_t secret[2]; // what the next boot shows to prove that it is one
            struct log_half half[2];
        };
        uint8_t header[LOG_RING_HEADER];
    };
    char text[2][LOG_HALF_SIZE];
};

_Static_assert(sizeof(struct log_ring) == LOG_RING_SIZE, "the ring fills its place");

// Whether memory holds a ring of this version.
bool log_ring_is_valid(const struct log_ring *ring);

// Starts the half of a new boot. valid: as log_ring_is_valid says; otherwise the header is made anew.
void log_ring_start(struct log_ring *ring, bool valid);

// The half of this boot, or the one of the boot before; NULL when there is none.
struct log_half *log_ring_half(struct log_ring *ring, bool previous);

// Adds line and "\n" to this boot's half. A reader of memory sees the whole line or none of it.
/*@ requires \valid(ring) && \valid_read(line + (0 .. length - 1)) && length < 0x10000;
    requires \separated(ring, line + (0 .. length - 1));
    assigns ring->text[0 .. 1][0 .. LOG_HALF_SIZE - 1], ring->half[ring->boots % 2].head;
    ensures ring->half[\old(ring->boots) % 2].head ==
            (uint64_t)(\old(ring->half[\old(ring->boots) % 2].head) + length + 1);
*/
void log_ring_append(struct log_ring *ring, const char *line, size_t length);

// Copies the first whole line at or after *position into line (cut to size - 1 bytes, terminated) and moves *position
// behind it, at least half->floor. Returns false at the end. Bytes that are not printable come out as '?'.
bool log_ring_read(const struct log_ring *ring, const struct log_half *half, uint64_t *position, char *line,
                   size_t size);
