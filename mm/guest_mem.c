// SPDX-License-Identifier: Apache-2.0
// EL2's access to guest memory.
//
// The problem: a guest passes addresses to EL2 (a buffer to print), a person at the monitor types some, and the tables
// of the guest's stage 1 name others. EL2 maps all of RAM, its own included, so a number that it follows blindly could
// make it read itself or touch a device. The rule: an address is reached only when it lies in the guest's RAM and stage
// 2 maps it as Normal memory, and nothing moves unless that is so for all of the range. This file keeps the rule; no
// other turns an IPA into a pointer. A view that changes between the look and the copy can only shorten what moves.
//
// The buffers that a guest gives to a virtio device are not copied but named to the device by PA, and the rings beside
// them are read where they are. Both are checked in the same way, and stay the guest's own whatever it does: the pieces
// of RAM that a guest has do not change while it runs (space.h).
#include <hv/guest_mem.h>

#include <hv/arch/barrier.h>
#include <hv/arch/cache.h>
#include <hv/arch/guarded.h>
#include <hv/space.h>
#include <hv/string.h>

// A run of guest memory that is contiguous for EL2.
struct extent {
    void *pointer; // EL2 maps guest RAM where it is
    uint64_t size;
};

// The part of range that one stage-2 entry translates, from its start.
static enum hv_status first_extent(struct space *space, const struct ipa_range *range, uint32_t permissions,
                                   struct extent *extent)
{
    struct stage2_entry entry;
    enum hv_status status = stage2_query(&space->stage2, range->base, &entry);
    uint64_t offset, left;

    if (status != HV_OK)
        return status;
    if (!entry.valid || (entry.permissions & STAGE2_DEVICE) != 0 || (entry.permissions & permissions) != permissions)
        return HV_ERR_NOT_FOUND;
    offset = range->base.v % entry.size;
    left = entry.size - offset;
    extent->pointer = (void *)(uintptr_t)(entry.pa.v + offset);
    extent->size = left < range->size ? left : range->size;
    return HV_OK;
}

// Takes the first size bytes off range. False when nothing is left.
static bool advance(struct ipa_range *range, uint64_t size)
{
    range->base = ipa_add(range->base, size);
    range->size -= size;
    return range->size != 0;
}

// Checks all of the range before any of it is used: it must lie in one piece of RAM, and every stage-2 entry under it
// must be Normal memory with the permissions. The loop goes from entry to entry, so that 2 MiB in one block cost one
// look.
static enum hv_status make_range(struct space *space, ipa_t ipa, uint64_t size, uint32_t permissions,
                                 struct ipa_range *range)
{
    struct ipa_range rest;
    struct extent extent;
    enum hv_status status = ipa_range_make(ipa, size, 1, range);

    if (status != HV_OK)
        return status;
    if (!space_has_ram(space, range))
        return HV_ERR_BOUNDS;
    rest = *range;
    do {
        status = first_extent(space, &rest, permissions, &extent);
        if (status != HV_OK)
            return status;
    } while (advance(&rest, extent.size));
    return HV_OK;
}

enum hv_status guest_mem_check(struct space *space, ipa_t ipa, uint64_t size, uint32_t permissions)
{
    struct ipa_range range;

    return make_range(space, ipa, size, permissions, &range);
}

// Looks at each entry under size bytes at ipa, which are RAM, as make_range does, and asks that they follow one another
// in the machine.
static COLD enum hv_status translate_entries(struct space *space, ipa_t ipa, uint64_t size, uint32_t permissions,
                                             pa_t *pa)
{
    struct ipa_range rest = {.base = ipa, .size = size};
    struct extent first, extent;
    bool apart = false;
    enum hv_status status = first_extent(space, &rest, permissions, &first);

    if (status != HV_OK)
        return status;
    extent = first;
    while (advance(&rest, extent.size)) {
        status = first_extent(space, &rest, permissions, &extent);
        if (status != HV_OK)
            return status;
        apart |= extent.pointer != (uint8_t *)first.pointer + (size - rest.size);
    }
    if (apart)
        return HV_ERR_UNSUPPORTED;
    *pa = pa_make((uintptr_t)first.pointer); // EL2 maps guest RAM where it is
    return HV_OK;
}

bool guest_mem_is_ram(const struct space *space, ipa_t ipa, uint64_t size)
{
    const struct space_ram *ram = space_find_ram(space, ipa);
    pa_t place;

    return ram != NULL && guest_mem_place(ram, ipa, size, &place);
}

// Every buffer of a virtio device comes by here, so there are two ways. While nobody has changed how RAM is mapped, the
// guest may read and write all of it, and a piece of RAM says where it is: that takes no look at stage 2, whatever the
// size.
enum hv_status guest_mem_translate(struct space *space, ipa_t ipa, uint64_t size, uint32_t permissions, pa_t *pa)
{
    const struct space_ram *ram = space_find_ram(space, ipa);
    pa_t place;

    if (size == 0)
        return HV_ERR_EMPTY;
    if (ram == NULL || !guest_mem_place(ram, ipa, size, &place))
        return HV_ERR_BOUNDS;
    if (!space_is_plain(space))
        return translate_entries(space, ipa, size, permissions, pa);
    *pa = place;
    return HV_OK;
}

enum hv_status guest_mem_share(struct space *space, ipa_t ipa, uint64_t size, uint32_t permissions, void **pointer)
{
    pa_t pa;
    enum hv_status status = guest_mem_translate(space, ipa, size, permissions, &pa);

    if (status == HV_OK)
        *pointer = (void *)(uintptr_t)pa.v;
    return status;
}

void guest_mem_read_pa(pa_t pa, void *buffer, size_t size)
{
    memcpy(buffer, (const void *)(uintptr_t)pa.v, size);
}

void guest_mem_read_pair(pa_t pa, uint64_t *to)
{
    const uint64_t *from = (const uint64_t *)(uintptr_t)pa.v;

    to[0] = __atomic_load_n(&from[0], __ATOMIC_RELAXED);
    to[1] = __atomic_load_n(&from[1], __ATOMIC_RELAXED);
}

// A status is one byte.
void guest_mem_write_pa(pa_t pa, const void *buffer, size_t size)
{
    if (size == 1) {
        __atomic_store_n((uint8_t *)(uintptr_t)pa.v, *(const uint8_t *)buffer, __ATOMIC_RELAXED);
        return;
    }
    memcpy((void *)(uintptr_t)pa.v, buffer, size);
}

enum hv_status guest_mem_read(struct space *space, ipa_t ipa, void *buffer, size_t size)
{
    uint8_t *to = buffer;
    struct ipa_range range;
    struct extent extent;
    enum hv_status status = make_range(space, ipa, size, 0, &range);

    if (status != HV_OK)
        return status;
    do {
        status = first_extent(space, &range, 0, &extent);
        if (status != HV_OK)
            return status;
        if (guarded_copy(to, extent.pointer, extent.size) != 0)
            return HV_ERR_FAULT;
        to += extent.size;
    } while (advance(&range, extent.size));
    return HV_OK;
}

enum hv_status guest_mem_write(struct space *space, ipa_t ipa, const void *buffer, size_t size)
{
    const uint8_t *from = buffer;
    struct ipa_range range;
    struct extent extent;
    enum hv_status status = make_range(space, ipa, size, 0, &range);

    if (status != HV_OK)
        return status;
    do {
        uint64_t missed;

        status = first_extent(space, &range, 0, &extent);
        if (status != HV_OK)
            return status;
        missed = guarded_copy(extent.pointer, from, extent.size);
        // The guest may read the bytes with its caches off, and may execute them: both must see what EL2 wrote.
        cache_clean_poc(extent.pointer, extent.size - missed);
        cache_sync_instructions(extent.pointer, extent.size - missed);
        if (missed != 0)
            return HV_ERR_FAULT;
        from += extent.size;
    } while (advance(&range, extent.size));
    return HV_OK;
}
