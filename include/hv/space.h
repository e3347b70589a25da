// SPDX-License-Identifier: Apache-2.0
// A guest's address space as an object: which pieces of RAM it has and where they are in the machine, what else stage 2
// maps for it, and the VMID that the TLBs know it by. Whoever works on a guest's memory is handed this object. All of
// RAM is mapped read, write and execute when it is added; nothing but RAM, devices that are passed on and shadow pages
// is ever mapped.
//
// The pieces of RAM are fixed before the guest runs, and read without a lock after that. What is mapped may change at
// any time, from any CPU: stage2.h has the rules.
#pragma once

#include <hv/range.h>
#include <hv/stage2.h>
#include <hv/stage2_state.h>
#include <hv/status.h>

// An empty address space over root (512 descriptors, 4 KiB aligned), whose further tables come from pool. vmid >= 1,
// and no other guest has it. Before anybody else can know space.
void space_init(struct space *space, uint64_t *root, struct pool *pool, uint16_t vmid);
// Gives the guest the RAM at pa as range. Before the guest runs. Errors are stage2_map's, HV_ERR_EXISTS when range
// overlaps a piece that is there; HV_ERR_NO_MEMORY also for more than SPACE_RAM_MAX pieces. An error changes nothing.
enum hv_status space_add_ram(struct space *space, const struct ipa_range *range, pa_t pa);
// Gives the guest a device itself, at pa, for reads and writes. The caller has asked device_may_pass. Errors are
// stage2_map's.
enum hv_status space_map_device(struct space *space, const struct ipa_range *range, pa_t pa);
// Lets the guest read a page of registers that EL2 keeps at pa as they read (STAGE2_SHADOW). Its writes fault, and the
// device at range emulates them. Errors are stage2_map's.
enum hv_status space_map_shadow(struct space *space, const struct ipa_range *range, pa_t pa);
// Hides such a page, so that reads fault as well and are emulated, or shows it again. Errors are stage2_protect's: none
// for a whole page that is mapped.
enum hv_status space_show_shadow(struct space *space, const struct ipa_range *range, bool shown);

/*@ predicate space_ram_sound(struct space_ram *r) =
        \valid_read(r) && range_ok(r->range) && r->pa.v + r->range.size <= UINT64_MAX;
    predicate space_sound(struct space *s) =
        \valid_read(s) && s->ram_count <= SPACE_RAM_MAX &&
        (\forall integer i; 0 <= i < s->ram_count ==> space_ram_sound(&s->ram[i]));
*/

// Whether all of range lies in one piece of RAM.
bool space_has_ram(const struct space *space, const struct ipa_range *range);

// The piece of RAM in which ipa lies; NULL when it is not RAM.
/*@ requires space_sound(space);
    assigns \nothing;
    ensures \result != \null ==> (\exists integer i; 0 <= i < space->ram_count && \result == &space->ram[i] &&
                                                    range_has(space->ram[i].range, ipa.v));
*/
static inline const struct space_ram *space_find_ram(const struct space *space, ipa_t ipa)
{
    /*@ loop invariant 0 <= i <= space->ram_count;
        loop assigns i;
        loop variant space->ram_count - i;
    */
    for (unsigned int i = 0; i < space->ram_count; i++)
        if (ipa.v >= space->ram[i].range.base.v && ipa.v - space->ram[i].range.base.v < space->ram[i].range.size)
            return &space->ram[i];
    return NULL;
}

// Whether nobody has ever changed how RAM is mapped: the guest may read and write all of it.
static inline bool space_is_plain(const struct space *space)
{
    return !__atomic_load_n(&space->stage2.memory_changed, __ATOMIC_RELAXED);
}

// Whether ipa is RAM of the guest, mapped or not.
static inline bool space_is_ram(const struct space *space, ipa_t ipa)
{
    return space_find_ram(space, ipa) != NULL;
}

// Whether the machine's memory at pa is RAM of this guest.
static inline bool space_owns(const struct space *space, pa_t pa)
{
    for (unsigned int i = 0; i < space->ram_count; i++)
        if (pa.v - space->ram[i].pa.v < space->ram[i].range.size)
            return true;
    return false;
}
