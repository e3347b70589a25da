// SPDX-License-Identifier: Apache-2.0
// A guest's address space: the pieces of RAM, and what stage 2 maps besides. This file owns the list of pieces and the
// meaning of each mapping (stage2_state.h); how entries change is mm/stage2.c's business.
//
// "Is this RAM?" is asked of the list and not of stage 2, since a page that stage 2 has taken away is still RAM: a
// fault on it is about a hole in RAM, and no device answers there.
#include <hv/space.h>

#include <hv/string.h>

#define RAM_PERMISSIONS    (STAGE2_READ | STAGE2_WRITE | STAGE2_EXECUTE | STAGE2_PLAIN)
#define DEVICE_PERMISSIONS (STAGE2_READ | STAGE2_WRITE | STAGE2_DEVICE | STAGE2_PLAIN)

void space_init(struct space *space, uint64_t *root, struct pool *pool, uint16_t vmid)
{
    memset(space, 0, sizeof(*space));
    stage2_init(&space->stage2, root, pool, vmid);
}

enum hv_status space_add_ram(struct space *space, const struct ipa_range *range, pa_t pa)
{
    enum hv_status status;

    if (space->ram_count == SPACE_RAM_MAX)
        return HV_ERR_NO_MEMORY;
    status = stage2_map(&space->stage2, range, pa, RAM_PERMISSIONS);
    if (status == HV_OK)
        space->ram[space->ram_count++] = (struct space_ram){.range = *range, .pa = pa};
    return status;
}

enum hv_status space_map_device(struct space *space, const struct ipa_range *range, pa_t pa)
{
    return stage2_map(&space->stage2, range, pa, DEVICE_PERMISSIONS);
}

enum hv_status space_map_shadow(struct space *space, const struct ipa_range *range, pa_t pa)
{
    return stage2_map(&space->stage2, range, pa, STAGE2_READ | STAGE2_SHADOW);
}

enum hv_status space_show_shadow(struct space *space, const struct ipa_range *range, bool shown)
{
    return stage2_protect(&space->stage2, range, STAGE2_SHADOW | (shown ? STAGE2_READ : 0));
}

bool space_has_ram(const struct space *space, const struct ipa_range *range)
{
    const struct space_ram *ram = space_find_ram(space, range->base);

    return ram != NULL && ipa_range_contains(&ram->range, range);
}
