// SPDX-License-Identifier: Apache-2.0
// In the place of mm/guest_mem.c and mm/stage2.c: guest RAM of which 16 KiB are there, again and again.
#pragma once

#include <hv/types.h>

#define FAKE_GUEST_MEMORY_SIZE 0x4000u
extern uint8_t fake_guest_memory[FAKE_GUEST_MEMORY_SIZE]; // the byte at IPA n is at n % FAKE_GUEST_MEMORY_SIZE
