// SPDX-License-Identifier: Apache-2.0
// What the fuzz targets share: the input as numbers, one after the other (zeroes behind its end), and the check that
// ends the process, which is how libFuzzer and replay.c learn of a finding.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_input {
    const uint8_t *data;
    size_t size;
};

// The next bytes (1 to 8) as a little-endian number.
static inline uint64_t fuzz_take(struct fuzz_input *input, size_t bytes)
{
    uint64_t value = 0;
    size_t count = bytes < input->size ? bytes : input->size;

    memcpy(&value, input->data, count);
    input->data += count;
    input->size -= count;
    return value;
}

// A number below limit (at most 65536).
static inline unsigned int fuzz_below(struct fuzz_input *input, unsigned int limit)
{
    return (unsigned int)fuzz_take(input, limit > 256 ? 2 : 1) % limit;
}

#define fuzz_check(condition)                                                                                          \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                    \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)
