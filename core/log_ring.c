// SPDX-License-Identifier: Apache-2.0
// Owns: the layout of the log's ring and every byte in it. Promises: an old ring is believed only as far as its header
// checks out, and reading one that is damaged is bounded and yields printable text.
#include "log_ring.h"

#include <hv/string.h>

#include <hv/arch/barrier.h>

bool log_ring_is_valid(const struct log_ring *ring)
{
    return ring->magic == LOG_RING_MAGIC && ring->version == LOG_RING_VERSION && ring->size == LOG_RING_SIZE &&
           ring->header_size == LOG_RING_HEADER && ring->half_size == LOG_HALF_SIZE &&
           ring->boots - 1 < UINT32_MAX - 1; // 0 is no boot, and the next one must not wrap
}

void log_ring_start(struct log_ring *ring, bool valid)
{
    if (!valid) {
        memset(ring->header, 0, sizeof(ring->header));
    }
    ring->boots++;
    ring->hidden = 0;
    ring->half[ring->boots % 2] = (struct log_half){.boot = ring->boots};
    ring->version = LOG_RING_VERSION;
    ring->size = LOG_RING_SIZE;
    ring->header_size = LOG_RING_HEADER;
    ring->half_size = LOG_HALF_SIZE;
    barrier_order_stores(); // a dump that shows the magic shows a whole header
    ring->magic = LOG_RING_MAGIC;
}

struct log_half *log_ring_half(struct log_ring *ring, bool previous)
{
    struct log_half *half = &ring->half[(ring->boots + previous) % 2];

    return half->boot == 0 ? NULL : half;
}

void log_ring_append(struct log_ring *ring, const char *line, size_t length)
{
    struct log_half *half = &ring->half[ring->boots % 2];
    char *text = ring->text[ring->boots % 2];
    size_t at = (size_t)(half->head % LOG_HALF_SIZE);

    //@ assert text == &ring->text[0][0] || text == &ring->text[1][0];
    /*@ loop invariant 0 <= i <= length + 1 && at < LOG_HALF_SIZE;
        loop assigns i, at, text[0 .. LOG_HALF_SIZE - 1];
        loop variant length + 1 - i;
    */
    for (size_t i = 0; i <= length; i++) {
        text[at] = i < length ? line[i] : '\n';
        at = at + 1 == LOG_HALF_SIZE ? 0 : at + 1;
    }
    barrier_order_stores(); // the text, before the head that makes it part of the log
    half->head += length + 1;
}

bool log_ring_read(const struct log_ring *ring, const struct log_half *half, uint64_t *position, char *line,
                   size_t size)
{
    const char *text = ring->text[half - ring->half];
    uint64_t oldest = half->head > LOG_HALF_SIZE ? half->head - LOG_HALF_SIZE : 0;
    size_t length = 0;
    bool whole = true;

    if (half->floor > oldest && half->floor <= half->head && *position < half->floor) {
        *position = half->floor;
    } else if (*position < oldest) {
        *position = oldest;
        whole = false; // a line whose beginning was overwritten is no line
    }
    while (*position < half->head) {
        char byte = text[(*position)++ % LOG_HALF_SIZE];
        if (byte == '\n' && whole) {
            line[length] = '\0';
            return true;
        }
        if (byte == '\n') {
            whole = true;
        } else if (whole && length + 1 < size) {
            line[length++] = byte >= ' ' && byte < 0x7f ? byte : '?';
        }
    }
    return false;
}
