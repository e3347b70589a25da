// SPDX-License-Identifier: Apache-2.0
// Which A64 loads and stores a device access may be, and what they move: a second reading of DDI 0487 C4.1.94, by its
// tables, to hold trap/abort_decode.c to.
#pragma once

#include <hv/arch/abort_decode.h>

#include <string.h>

static inline bool a64_same(const struct abort_access *a, const struct abort_access *b)
{
    return a->size == b->size && a->count == b->count && a->reg[0] == b->reg[0] && a->reg[1] == b->reg[1] &&
           a->write == b->write && a->sign_extend == b->sign_extend && a->sixty_four == b->sixty_four &&
           a->simd == b->simd && a->acquire_release == b->acquire_release && a->writeback == b->writeback &&
           a->base == b->base && a->base_offset == b->base_offset && a->address_offset == b->address_offset;
}

static inline unsigned int a64_bits(uint32_t instruction, unsigned int high, unsigned int low)
{
    return instruction >> low & ((2u << (high - low)) - 1);
}

static inline int64_t a64_signed(uint32_t instruction, unsigned int high, unsigned int low)
{
    int64_t value = a64_bits(instruction, high, low), half = (int64_t)1 << (high - low);
    return value >= half ? value - 2 * half : value;
}

// One cell of the tables "size, V, opc": bytes, then load or store, X or W, sign-extended; "" is no such access.
static inline bool a64_cell(const char *cell, struct abort_access *access)
{
    if (*cell == '\0')
        return false;
    access->size = (uint8_t)(cell[0] == 'q' ? 16 : cell[0] - '0');
    access->write = strchr(cell, 'S') != NULL;
    access->sixty_four = strchr(cell, 'x') != NULL;
    access->sign_extend = strchr(cell, '-') != NULL;
    return true;
}

static inline bool a64_single(uint32_t instruction, struct abort_access *access)
{
    static const char general[4][4][5] = {
        {"1S", "1L", "1Lx-", "1L-"}, {"2S", "2L", "2Lx-", "2L-"}, {"4S", "4L", "4Lx-", ""}, {"8Sx", "8Lx", "", ""}};
    static const char vector[4][4][5] = {
        {"1S", "1L", "qS", "qL"}, {"2S", "2L", "", ""}, {"4S", "4L", "", ""}, {"8S", "8L", "", ""}};
    unsigned int size = a64_bits(instruction, 31, 30), opc = a64_bits(instruction, 23, 22);

    access->count = 1;
    access->simd = a64_bits(instruction, 26, 26);
    access->reg[0] = (uint8_t)a64_bits(instruction, 4, 0);
    access->base = (uint8_t)a64_bits(instruction, 9, 5);
    return a64_cell(access->simd ? vector[size][opc] : general[size][opc], access);
}

static inline bool a64_index(struct abort_access *access, bool before, bool writeback, int64_t offset)
{
    access->address_offset = before ? offset : 0;
    access->writeback = writeback;
    access->base_offset = writeback ? offset : 0;
    for (unsigned int i = 0; i < access->count; i++) // CONSTRAINED UNPREDICTABLE
        if (writeback && !access->simd && access->base != 31 && access->reg[i] == access->base)
            return false;
    return true;
}

static inline bool a64_pair(uint32_t instruction, struct abort_access *access)
{
    static const char general[4][2][5] = {{"4S", "4L"}, {"", "4Lx-"}, {"8Sx", "8Lx"}, {"", ""}};
    static const char vector[4][2][5] = {{"4S", "4L"}, {"8S", "8L"}, {"qS", "qL"}, {"", ""}};
    unsigned int opc = a64_bits(instruction, 31, 30), load = a64_bits(instruction, 22, 22);
    unsigned int how = a64_bits(instruction, 24, 23); // no-allocate, post, offset, pre

    access->count = 2;
    access->simd = a64_bits(instruction, 26, 26);
    access->reg[0] = (uint8_t)a64_bits(instruction, 4, 0);
    access->reg[1] = (uint8_t)a64_bits(instruction, 14, 10);
    access->base = (uint8_t)a64_bits(instruction, 9, 5);
    if (!a64_cell(access->simd ? vector[opc][load] : general[opc][load], access))
        return false;
    if (!access->simd && opc == 1 && how == 0) // there is no LDNPSW
        return false;
    if (load && access->reg[0] == access->reg[1])
        return false;
    return a64_index(access, how != 1, how & 1, a64_signed(instruction, 21, 15) * access->size);
}

static inline bool a64_literal(uint32_t instruction, struct abort_access *access)
{
    static const char general[4][5] = {"4L", "8Lx", "4Lx-", ""};
    static const char vector[4][5] = {"4L", "8L", "qL", ""};
    unsigned int opc = a64_bits(instruction, 31, 30);

    access->count = 1;
    access->simd = a64_bits(instruction, 26, 26);
    access->reg[0] = (uint8_t)a64_bits(instruction, 4, 0);
    return a64_cell(access->simd ? vector[opc] : general[opc], access);
}

// Load-acquire, store-release and their kin: bytes by size, zero-extended.
static inline bool a64_ordered(uint32_t instruction, bool load, struct abort_access *access)
{
    static const char cells[4][2][5] = {{"1S", "1L"}, {"2S", "2L"}, {"4S", "4L"}, {"8Sx", "8Lx"}};

    access->count = 1;
    access->acquire_release = true;
    access->reg[0] = (uint8_t)a64_bits(instruction, 4, 0);
    access->base = (uint8_t)a64_bits(instruction, 9, 5);
    return a64_cell(cells[a64_bits(instruction, 31, 30)][load], access);
}

static inline bool a64_unscaled_or_register(uint32_t instruction, struct abort_access *access)
{
    unsigned int mode = a64_bits(instruction, 11, 10);

    if (a64_bits(instruction, 21, 21)) {
        if (mode == 2) // register offset: bit 14 of the extend is 1
            return a64_bits(instruction, 14, 14) && a64_single(instruction, access);
        return !access->simd && a64_bits(instruction, 26, 22) == 2 && a64_bits(instruction, 20, 10) == 0x7f0 &&
               a64_ordered(instruction, true, access); // LDAPR
    }
    if (!a64_single(instruction, access) || (mode == 2 && access->simd)) // LDTR, STTR
        return false;
    return a64_index(access, mode != 1, mode & 1, a64_signed(instruction, 20, 12));
}

// False: no load or store that can be emulated.
static inline bool a64_model(uint32_t instruction, struct abort_access *access)
{
    *access = (struct abort_access){0};
    if (!a64_bits(instruction, 27, 27) || a64_bits(instruction, 25, 25))
        return false;
    switch (a64_bits(instruction, 29, 28) << 2 | a64_bits(instruction, 26, 26) << 1 | a64_bits(instruction, 24, 24)) {
    case 0: // exclusives, ordered, compare and swap
        return a64_bits(instruction, 23, 23) && !a64_bits(instruction, 21, 21) &&
               a64_ordered(instruction, a64_bits(instruction, 22, 22), access);
    case 4:
    case 6:
        return a64_literal(instruction, access);
    case 5: // LDAPUR, STLUR; tags, memory copies
        if (a64_bits(instruction, 21, 21) || a64_bits(instruction, 11, 10) || !a64_single(instruction, access))
            return false;
        access->acquire_release = true;
        return a64_index(access, true, false, a64_signed(instruction, 20, 12));
    case 8:
    case 9:
    case 10:
    case 11:
        return a64_pair(instruction, access);
    case 12:
    case 14:
        return a64_unscaled_or_register(instruction, access);
    case 13:
    case 15: // unsigned immediate; what it adds to the base is not asked for
        return a64_single(instruction, access);
    default:
        return false;
    }
}
