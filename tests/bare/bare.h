// SPDX-License-Identifier: Apache-2.0
// What the programs of tests/bare share: accesses that may abort, output, PSCI. They know nothing of ariel, so that
// they run on the bare machine as well.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PSCI_SYSTEM_OFF   0x84000008
#define PSCI_SYSTEM_RESET 0x84000009

extern volatile bool aborted; // an access did, since it was set to false (start.S)

static inline void print(const char *text)
{
    while (*text != '\0')
        *(volatile uint32_t *)0x09000000 = (uint8_t)*text++;
}

static inline void print_hex(uint64_t value)
{
    char text[17] = {0};

    for (int i = 0; i < 16; i++)
        text[i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
    print(text);
}

static inline uint64_t load(uint64_t address, unsigned int size)
{
    aborted = false;
    if (size == 1)
        return *(volatile uint8_t *)address;
    if (size == 2)
        return *(volatile uint16_t *)address;
    return size == 4 ? *(volatile uint32_t *)address : *(volatile uint64_t *)address;
}

static inline void store(uint64_t address, unsigned int size, uint64_t value)
{
    aborted = false;
    if (size == 1)
        *(volatile uint8_t *)address = (uint8_t)value;
    else if (size == 2)
        *(volatile uint16_t *)address = (uint16_t)value;
    else if (size == 4)
        *(volatile uint32_t *)address = (uint32_t)value;
    else
        *(volatile uint64_t *)address = value;
}

// One line: what was accessed, and what came of it.
static inline void show_load(uint64_t address, unsigned int size)
{
    uint64_t value = load(address, size);
    char head[] = {'r', (char)('0' + size), ' ', '\0'};

    print(head);
    print_hex(address);
    print(" ");
    if (aborted)
        print("aborts");
    else
        print_hex(value);
    print("\n");
}

static inline void show_store(uint64_t address, unsigned int size, uint64_t value)
{
    char head[] = {'w', (char)('0' + size), ' ', '\0'};

    store(address, size, value);
    print(head);
    print_hex(address);
    print(" ");
    print_hex(value);
    print(aborted ? " aborts\n" : "\n");
}

static inline void psci(uint32_t function)
{
    register uint64_t x0 __asm__("x0") = function;

    __asm__ volatile("hvc #0" : "+r"(x0) : : "x1", "x2", "x3", "memory");
}
