// SPDX-License-Identifier: Apache-2.0
// The first and the last bytes of a request. What policy decides about must be what the device does, and the guest can
// change its memory at any time. So EL2 copies those bytes into its own memory, decides about the copy, and shows the
// device the copy in their place. For example, a block write of 4 KiB whose 16 bytes of header lie in the first of
// three buffers:
//
//     as the guest has it    [header 16, data 4080] [data 16] [status 1]
//     as the device gets it  [EL2's copy 16] [data 4080] [data 16] [EL2's status 1]
//
// A header may lie in many buffers, or share one with the data (VIRTIO 1.2, 2.7.4): only the order of the bytes counts.
#include "virtio_internal.h"

#include <hv/guest_mem.h>
#include <hv/string.h>

// The guest's bytes are read once, into the copy.
static void copy_front(const struct virtio_chain *chain, struct virtio_slot *slot, uint32_t size)
{
    uint32_t done = 0;

    for (unsigned int i = 0; done < size; i++) {
        const struct virtqueue_buffer *buffer = &chain->buffers[i];
        uint32_t part = buffer->length < size - done ? buffer->length : size - done;

        guest_mem_read_pa(buffer->pa, (uint8_t *)slot->copy + done, part);
        done += part;
    }
    slot->copied = size;
}

// How many buffers end within the first size bytes; *rest is how many bytes the one behind them has of these.
static unsigned int whole_buffers(const struct virtio_chain *chain, uint32_t size, uint32_t *rest)
{
    unsigned int count = 0;

    while (count < chain->count && chain->buffers[count].length <= size) {
        size -= chain->buffers[count].length;
        count++;
    }
    *rest = size;
    return count;
}

static COLD bool take_pieces(struct virtio_chain *chain, struct virtio_slot *slot, uint32_t size)
{
    uint32_t rest;

    if (chain->readable < size)
        return false;
    unsigned int whole = whole_buffers(chain, size, &rest);
    if (whole == 0 && chain->count == VIRTIO_CHAIN_MAX)
        return false;
    copy_front(chain, slot, size);
    if (rest != 0) { // a buffer that begins with the last of these bytes and goes on
        chain->buffers[whole].pa = pa_add(chain->buffers[whole].pa, rest);
        chain->buffers[whole].length -= rest;
    }
    // One buffer comes in the place of those that were taken whole.
    if (whole != 1) {
        memmove(&chain->buffers[1], &chain->buffers[whole], (chain->count - whole) * sizeof(chain->buffers[0]));
        chain->count = (uint16_t)(chain->count + 1 - whole);
    }
    chain->buffers[0] = (struct virtqueue_buffer){.pa = pa_make((uintptr_t)slot->copy), .length = size};
    return true;
}

// Nearly every driver has a header of two words in a buffer of its own.
static bool is_pair(const struct virtqueue_buffer *buffer)
{
    return buffer->length == 2 * sizeof(uint64_t) && buffer->pa.v % sizeof(uint64_t) == 0 &&
           !(buffer->flags & VIRTQ_DESC_F_WRITE);
}

inline bool virtio_chain_take_front(struct virtio_chain *chain, struct virtio_slot *slot, uint32_t size)
{
    struct virtqueue_buffer *first = &chain->buffers[0];

    if (size != 2 * sizeof(uint64_t) || !is_pair(first))
        return take_pieces(chain, slot, size);
    guest_mem_read_pair(first->pa, slot->copy);
    slot->copied = size;
    first->pa = pa_make((uintptr_t)slot->copy);
    return true;
}

inline bool virtio_chain_take_status(struct virtio_chain *chain, struct virtio_slot *slot)
{
    struct virtqueue_buffer *last = &chain->buffers[chain->count - 1u];

    if (chain->writable == 0 || (last->length > 1 && chain->count == VIRTIO_CHAIN_MAX))
        return false;
    slot->status_pa = pa_add(last->pa, last->length - 1);
    if (last->length > 1) {
        last->length--;
        last++;
        chain->count++;
    }
    *last =
        (struct virtqueue_buffer){.pa = pa_make((uintptr_t)&slot->status), .length = 1, .flags = VIRTQ_DESC_F_WRITE};
    return true;
}
