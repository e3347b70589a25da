// SPDX-License-Identifier: Apache-2.0
// The functions that a compiler may call by itself, in bytes and without alignment demands. The empty assembly keeps a
// loop from being recognized as the function that it implements.
#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memset(void *to, int value, size_t size);

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    for (size_t n = 0; n < size; n++) {
        ((char *)to)[n] = ((const char *)from)[n];
        __asm__ volatile("");
    }
    return to;
}

void *memset(void *to, int value, size_t size)
{
    for (size_t n = 0; n < size; n++) {
        ((char *)to)[n] = (char)value;
        __asm__ volatile("");
    }
    return to;
}
