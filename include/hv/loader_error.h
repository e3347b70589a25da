// SPDX-License-Identifier: Apache-2.0
// What the loader says of a guest that cannot start. Its files fill it in, and boot writes it into one record.
#pragma once

#include <stdint.h>

struct loader_error {
    const char *reason; // what was wrong and what to do
    const char *field;  // the field's name: [a-z0-9_]+
    uint64_t value;
    uint64_t bound;
};
