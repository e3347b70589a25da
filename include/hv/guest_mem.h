// SPDX-License-Identifier: Apache-2.0
// The only way from EL2 into guest memory. Every range lies in one piece of guest RAM, and is translated by stage 2,
// page by page: holes and devices are refused before a byte moves. The copies themselves may fault (RAM that is not
// there) without harm. Any CPU in EL2; takes the view's lock for each translation, never across a copy.
#pragma once

#include <hv/arch/barrier.h>
#include <hv/range.h>
#include <hv/space.h>
#include <hv/status.h>
#include <hv/types.h>

// Whether the guest itself may access size bytes at ipa: they are guest RAM that stage 2 maps as Normal memory with all
// of permissions (STAGE2_READ, STAGE2_WRITE). For calls that access memory on the guest's behalf. HV_ERR_EMPTY,
// HV_ERR_WRAP, HV_ERR_BOUNDS (outside guest RAM), HV_ERR_NOT_FOUND (a stage-2 hole, or a permission lacks).
enum hv_status guest_mem_check(struct space *space, ipa_t ipa, uint64_t size, uint32_t permissions);
// size bytes from ipa to buffer, whatever the guest's own permissions are. Errors as guest_mem_check: nothing moved;
// HV_ERR_FAULT: the memory did not answer, buffer holds what came before.
enum hv_status guest_mem_read(struct space *space, ipa_t ipa, void *buffer, size_t size);
// The same way back. The bytes are visible to a guest with its caches off, and to its instruction fetch on all CPUs.
enum hv_status guest_mem_write(struct space *space, ipa_t ipa, const void *buffer, size_t size);

// Whether size bytes at ipa lie in one piece of guest RAM, whatever stage 2 says. No lock, no look at stage 2.
bool guest_mem_is_ram(const struct space *space, ipa_t ipa, uint64_t size);

// For devices that access memory by PA, as virtio's do: the PA of size bytes at ipa. They lie in one piece of RAM, are
// contiguous in the machine, and the guest itself might do with them what permissions (STAGE2_READ, STAGE2_WRITE) say.
// Takes no lock and no time that depends on size, unless the way in which RAM is mapped was ever changed; then it looks
// at each stage-2 entry, as guest_mem_check does. HV_ERR_EMPTY, HV_ERR_BOUNDS (outside guest RAM, also for what wraps),
// HV_ERR_NOT_FOUND (a stage-2 hole, or a permission lacks), HV_ERR_UNSUPPORTED (all is well but for parts that lie
// apart in the machine). An error leaves *pa as it was.
enum hv_status guest_mem_translate(struct space *space, ipa_t ipa, uint64_t size, uint32_t permissions, pa_t *pa);

// What guest_mem_translate does while nobody has changed how RAM is mapped (space_is_plain): then the guest may read
// and write all of it, and the piece of RAM says where size bytes at ipa are, when all of them lie in it. For example,
// in a piece that begins at IPA 0x40000000 and PA 0x42000000, IPA 0x40001234 is PA 0x42001234.
/*@ requires space_ram_sound(ram) && \valid(pa) && \separated(ram, pa);
    assigns *pa;
    ensures \result != 0 ==> ram->range.base.v <= ipa.v && ipa.v + size <= ram->range.base.v + ram->range.size;
    ensures \result != 0 ==> pa->v - ram->pa.v == ipa.v - ram->range.base.v;
    ensures \result != 0 ==> pa->v + size <= ram->pa.v + ram->range.size;
    ensures \result == 0 ==> ipa.v < ram->range.base.v || ipa.v + size > ram->range.base.v + ram->range.size ||
                             size == 0;
*/
static inline bool guest_mem_place(const struct space_ram *ram, ipa_t ipa, uint64_t size, pa_t *pa)
{
    uint64_t offset = ipa.v - ram->range.base.v;

    if (ipa.v < ram->range.base.v || offset >= ram->range.size || size == 0 || size > ram->range.size - offset)
        return false;
    pa->v = ram->pa.v + bounded_index(offset, ram->range.size);
    return true;
}

// What guest_mem_translate says, for memory that EL2 and the guest use together, as they use virtio's rings: *pointer
// is where EL2 finds it. It is good for as long as the guest lives, since a guest's RAM stays its own, and needs no
// guard, since EL2 has tried at boot whether all RAM answers. The guest changes the memory at any time, so each value
// is read once, by one load. Errors are guest_mem_translate's.
enum hv_status guest_mem_share(struct space *space, ipa_t ipa, uint64_t size, uint32_t permissions, void **pointer);
// What EL2 itself looks at or changes in such memory: size bytes at pa, all of which guest_mem_translate has found.
void guest_mem_read_pa(pa_t pa, void *buffer, size_t size);
// The same for two words of 8 bytes on a boundary of 8, as most headers are: each is one load.
void guest_mem_read_pair(pa_t pa, uint64_t *to);
void guest_mem_write_pa(pa_t pa, const void *buffer, size_t size);
