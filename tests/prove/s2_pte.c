// SPDX-License-Identifier: Apache-2.0
// Proofs of arch/aarch64/s2_pte.c by abstract interpretation (Eva, bitwise domain): `make prove`. Each assert is shown
// for every value that its variables can have. Addresses go through masks alone, each bit by itself, so that one bit
// set and one bit clear, for each bit, are all there is to show of them.
#include <hv/arch/descriptor.h>
#include <hv/arch/s2_pte.h>

extern volatile uint64_t any;

// What a leaf says is what it was made of.
static void leaf(unsigned int level, uint32_t permissions)
{
    uint64_t size = s2_pte_size(level);
    uint64_t descriptor = s2_pte_leaf(level, pa_make(any & DESC_ADDRESS & ~(size - 1)), permissions);

    //@ assert s2_pte_size: size == (level == 1 ? 0x40000000 : level == 2 ? 0x200000 : 0x1000);
    bool valid = s2_pte_is_valid(descriptor), table = s2_pte_is_table(descriptor, level);
    //@ assert leaf_is_valid: valid == 1;
    //@ assert leaf_is_no_table: table == 0;
    uint32_t read_back = s2_pte_permissions(descriptor);
    //@ assert permissions_round_trip: read_back == permissions;
    uint64_t reserved = descriptor & ~(DESC_ADDRESS | GENMASK64(11, 0) | S2_DESC_XN | S2_DESC_SOFTWARE);
    //@ assert nothing_else_is_set: reserved == 0;
    uint64_t af = descriptor & DESC_AF;
    //@ assert access_flag: af != 0;
    for (unsigned int bit = 12; bit < 48; bit++) {
        uint64_t mask = BIT64(bit);
        if ((mask & ~(size - 1)) == 0)
            continue;
        uint64_t rest = DESC_ADDRESS & ~(size - 1) & ~mask;
        uint64_t one = s2_pte_address(s2_pte_leaf(level, pa_make(mask), permissions), level).v;
        uint64_t others = s2_pte_address(s2_pte_leaf(level, pa_make(rest), permissions), level).v;
        //@ assert address_round_trip: one == mask && others == rest;
    }
    uint64_t outside = s2_pte_address(any, level).v & ~DESC_ADDRESS;
    //@ assert address_is_48_bits_and_aligned: outside == 0;
}

// A table descriptor is one at levels 1 and 2, keeps its address, and lets the levels below decide.
static void table(unsigned int level)
{
    uint64_t descriptor = s2_pte_table(pa_make(any & DESC_ADDRESS));
    bool is_table = s2_pte_is_table(descriptor, level);
    uint64_t rest = descriptor & ~DESC_ADDRESS;
    //@ assert table_is_table: is_table == (level < 3);
    //@ assert table_has_no_limits: rest == (DESC_VALID | DESC_TABLE);
    for (unsigned int bit = 12; bit < 48 && level < 3; bit++) {
        uint64_t mask = BIT64(bit), rest = DESC_ADDRESS & ~mask;
        uint64_t one = s2_pte_address(s2_pte_table(pa_make(mask)), level).v;
        uint64_t others = s2_pte_address(s2_pte_table(pa_make(rest)), level).v;
        //@ assert table_round_trip: one == mask && others == rest;
    }
}

void prove_s2_pte(void)
{
    for (unsigned int level = 1; level <= 3; level++) {
        for (uint32_t permissions = 0; permissions < 16; permissions++) {
            leaf(level, permissions | STAGE2_PLAIN);
            leaf(level, permissions | STAGE2_SHADOW);
        }
        table(level);
    }
    bool valid = s2_pte_is_valid(any & ~DESC_VALID);
    //@ assert invalid_is_not_valid: valid == 0;
    uint32_t permissions = s2_pte_permissions(any);
    //@ assert permissions_are_eight_bits: permissions < 256;
}
