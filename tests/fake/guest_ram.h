// SPDX-License-Identifier: Apache-2.0
// The RAM of a guest in host tests, without stage 2: what space_is_ram, space_has_ram and space_owns look at.
#pragma once

#include <hv/memory_map.h>
#include <hv/stage2_state.h>

#define FAKE_GUEST_RAM_PA UINT64_C(0x42000000)

// Gives space the one piece of RAM that the first VM of a machine has, of which stage 2 maps what the test has it map.
static inline void fake_guest_ram(struct space *space)
{
    space->ram_count = 1;
    space->stage2.memory_changed = true; // nobody may go by the list of RAM alone
    space->ram[0] = (struct space_ram){
        .range = {.base = {GUEST_RAM_IPA}, .size = GUEST_RAM_SIZE},
        .pa = {FAKE_GUEST_RAM_PA},
    };
}
