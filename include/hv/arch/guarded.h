// SPDX-License-Identifier: Apache-2.0
// Accesses of EL2 that may fault without harm: to guest memory, to devices on a guest's behalf, and to RAM that may not
// be there.
#pragma once

#include <hv/types.h>

// Copies size bytes; returns how many were NOT copied: 0 when all went well, else the access at that point faulted.
uint64_t guarded_copy(void *to, const void *from, uint64_t size);
// One device access of 1, 2, 4 or 8 bytes at a naturally aligned pa that EL2 maps. False when it faults; *value
// untouched.
bool guarded_device_read(pa_t pa, unsigned int size, uint64_t *value);
bool guarded_device_write(pa_t pa, unsigned int size, uint64_t value);
