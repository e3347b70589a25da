// SPDX-License-Identifier: Apache-2.0
// Finds the register row of an emulated device that an access names. Read-only over const tables; no locks. On the
// path of every emulated access: one branch-free step per halving, then the checks of the one candidate.

#include <hv/mmio.h>

const struct mmio_register *mmio_find_register(const struct mmio_register *rows, size_t count,
                                               const struct mmio_access *access)
{
    // Invariant: every row before rows begins at or below the offset; the last such row is rows[0 .. count-1].
    while (count > 1) {
        size_t half = count / 2;

        rows = rows[half].offset <= access->offset ? rows + half : rows;
        count -= half;
    }
    if (count == 0 || access->offset < rows->offset)
        return NULL;
    if (access->offset - rows->offset + access->size > (uint64_t)rows->count * rows->width)
        return NULL;
    // size is a power of two, so sizes (bit n: 1 << n bytes) is indexed by its trailing zeros; BIT64(8) is for size 0.
    return (rows->sizes >> FIELD_SHIFT(access->size | BIT64(8))) & 1 ? rows : NULL;
}
