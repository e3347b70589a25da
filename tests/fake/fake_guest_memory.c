// SPDX-License-Identifier: Apache-2.0
#include "fake_guest_memory.h"

#include <hv/guest_mem.h>
#include <hv/vm.h>

uint8_t fake_guest_memory[FAKE_GUEST_MEMORY_SIZE];

enum hv_status guest_mem_check(struct space *space, ipa_t ipa, uint64_t size, uint32_t permissions)
{
    (void)space, (void)permissions;
    if (size == 0)
        return HV_ERR_EMPTY;
    if (ipa.v + size < ipa.v)
        return HV_ERR_WRAP;
    return ipa.v >= GUEST_RAM_IPA && ipa.v + size <= GUEST_RAM_IPA + GUEST_RAM_SIZE ? HV_OK : HV_ERR_BOUNDS;
}

enum hv_status guest_mem_read(struct space *space, ipa_t ipa, void *buffer, size_t size)
{
    enum hv_status status = guest_mem_check(space, ipa, size, 0);

    for (size_t i = 0; status == HV_OK && i < size; i++)
        ((uint8_t *)buffer)[i] = fake_guest_memory[(ipa.v + i) % FAKE_GUEST_MEMORY_SIZE];
    return status;
}

enum hv_status guest_mem_write(struct space *space, ipa_t ipa, const void *buffer, size_t size)
{
    enum hv_status status = guest_mem_check(space, ipa, size, 0);

    for (size_t i = 0; status == HV_OK && i < size; i++)
        fake_guest_memory[(ipa.v + i) % FAKE_GUEST_MEMORY_SIZE] = ((const uint8_t *)buffer)[i];
    return status;
}

enum hv_status stage2_query(struct stage2 *s2, ipa_t ipa, struct stage2_entry *entry)
{
    (void)s2;
    *entry = (struct stage2_entry){.level = 2, .size = 0x200000, .valid = ipa.v - GUEST_RAM_IPA < GUEST_RAM_SIZE};
    entry->pa = pa_make(ipa.v + 0x2000000);
    return HV_OK;
}
