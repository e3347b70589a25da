// SPDX-License-Identifier: Apache-2.0
// What a VM keeps of its guest's symbols (symbols.h).
#pragma once

#include <hv/types.h>

struct symbols_header;

struct symbols {
    const struct symbols_header *table; // NULL: the guest has none
    const char *refused;                // why the table that was there is not used; NULL: it is, or there was none
    uint64_t slide;                     // what is added to the addresses for which the program was linked, modulo 2^64
    bool solved;                        // slide is known
};
