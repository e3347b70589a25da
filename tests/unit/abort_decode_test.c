// SPDX-License-Identifier: Apache-2.0
// abort_decode_instruction against encodings that GNU as made (the mnemonic is the comment) and what the manual says
// they move, and against every kind of word a guest can put there.
// Links: trap/abort_decode.c

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <hv/arch/abort_decode.h>

#include "a64_model.h"

#define W   0x01 // store
#define SE  0x02 // sign-extended
#define SF  0x04 // 64-bit destination
#define V   0x08 // SIMD
#define WB  0x10 // writes the base back
#define AR  0x20 // acquire or release
#define ANY 9999 // the address does not come from the base and an offset, or is not used

struct golden {
    uint32_t instruction;
    uint8_t size, count, reg[2];
    unsigned int flags;
    uint8_t base;
    int base_offset, address_offset;
};

// clang-format off
static const struct golden golden[] = {
    {0x39401441, 1, 1, {1, 0}, 0, 2, 0, ANY}, // ldrb w1, [x2, #5]
    {0x390007fe, 1, 1, {30, 0}, W, 31, 0, ANY}, // strb w30, [sp, #1]
    {0x39c00483, 1, 1, {3, 0}, SE, 4, 0, ANY}, // ldrsb w3, [x4, #1]
    {0x39800483, 1, 1, {3, 0}, SE | SF, 4, 0, ANY}, // ldrsb x3, [x4, #1]
    {0x794004c5, 2, 1, {5, 0}, 0, 6, 0, ANY}, // ldrh w5, [x6, #2]
    {0x79c004c5, 2, 1, {5, 0}, SE, 6, 0, ANY}, // ldrsh w5, [x6, #2]
    {0x798004c5, 2, 1, {5, 0}, SE | SF, 6, 0, ANY}, // ldrsh x5, [x6, #2]
    {0xb9400507, 4, 1, {7, 0}, 0, 8, 0, ANY}, // ldr w7, [x8, #4]
    {0xb9800507, 4, 1, {7, 0}, SE | SF, 8, 0, ANY}, // ldrsw x7, [x8, #4]
    {0xf940053f, 8, 1, {31, 0}, SF, 9, 0, ANY}, // ldr xzr, [x9, #8]
    {0xf900056a, 8, 1, {10, 0}, W | SF, 11, 0, ANY}, // str x10, [x11, #8]
    {0xb900017f, 4, 1, {31, 0}, W, 11, 0, ANY}, // str wzr, [x11]
    {0x3d400441, 1, 1, {1, 0}, V, 2, 0, ANY}, // ldr b1, [x2, #1]
    {0x7d000462, 2, 1, {2, 0}, W | V, 3, 0, ANY}, // str h2, [x3, #2]
    {0xbd40049f, 4, 1, {31, 0}, V, 4, 0, ANY}, // ldr s31, [x4, #4]
    {0xfd0004c5, 8, 1, {5, 0}, W | V, 6, 0, ANY}, // str d5, [x6, #8]
    {0x3dc004e6, 16, 1, {6, 0}, V, 7, 0, ANY}, // ldr q6, [x7, #16]
    {0x3d8003e7, 16, 1, {7, 0}, W | V, 31, 0, ANY}, // str q7, [sp]
    {0xb8404441, 4, 1, {1, 0}, WB, 2, 4, 0}, // ldr w1, [x2], #4
    {0xb81fc441, 4, 1, {1, 0}, W | WB, 2, -4, 0}, // str w1, [x2], #-4
    {0xf8408c41, 8, 1, {1, 0}, SF | WB, 2, 8, 8}, // ldr x1, [x2, #8]!
    {0x781f0fe1, 2, 1, {1, 0}, W | WB, 31, -16, -16}, // strh w1, [sp, #-16]!
    {0x38cff441, 1, 1, {1, 0}, SE | WB, 2, 255, 0}, // ldrsb w1, [x2], #255
    {0x3cc10441, 16, 1, {1, 0}, V | WB, 2, 16, 0}, // ldr q1, [x2], #16
    {0x3c900c42, 16, 1, {2, 0}, W | V | WB, 2, -256, -256}, // str q2, [x2, #-256]!
    {0xf80107ff, 8, 1, {31, 0}, W | SF | WB, 31, 16, 0}, // str xzr, [sp], #16
    {0xb85fd041, 4, 1, {1, 0}, 0, 2, 0, -3}, // ldur w1, [x2, #-3]
    {0xf80ff041, 8, 1, {1, 0}, W | SF, 2, 0, 255}, // stur x1, [x2, #255]
    {0xb89fc041, 4, 1, {1, 0}, SE | SF, 2, 0, -4}, // ldursw x1, [x2, #-4]
    {0x3c1ff041, 1, 1, {1, 0}, W | V, 2, 0, -1}, // stur b1, [x2, #-1]
    {0xb8404841, 4, 1, {1, 0}, 0, 2, 0, 4}, // ldtr w1, [x2, #4]
    {0x381fc841, 1, 1, {1, 0}, W, 2, 0, -4}, // sttrb w1, [x2, #-4]
    {0x78800841, 2, 1, {1, 0}, SE | SF, 2, 0, 0}, // ldtrsh x1, [x2]
    {0xb8636841, 4, 1, {1, 0}, 0, 2, 0, ANY}, // ldr w1, [x2, x3]
    {0xf823d841, 8, 1, {1, 0}, W | SF, 2, 0, ANY}, // str x1, [x2, w3, sxtw #3]
    {0xb8a37841, 4, 1, {1, 0}, SE | SF, 2, 0, ANY}, // ldrsw x1, [x2, x3, lsl #2]
    {0x3ce34841, 16, 1, {1, 0}, V, 2, 0, ANY}, // ldr q1, [x2, w3, uxtw]
    {0x29400861, 4, 2, {1, 2}, 0, 3, 0, 0}, // ldp w1, w2, [x3]
    {0xa9600861, 8, 2, {1, 2}, SF, 3, 0, -512}, // ldp x1, x2, [x3, #-512]
    {0xa9bf7fe1, 8, 2, {1, 31}, W | SF | WB, 31, -16, -16}, // stp x1, xzr, [sp, #-16]!
    {0xa8c17bfd, 8, 2, {29, 30}, SF | WB, 31, 16, 0}, // ldp x29, x30, [sp], #16
    {0x69408861, 4, 2, {1, 2}, SE | SF, 3, 0, 4}, // ldpsw x1, x2, [x3, #4]
    {0x68df8861, 4, 2, {1, 2}, SE | SF | WB, 3, 252, 0}, // ldpsw x1, x2, [x3], #252
    {0x28010861, 4, 2, {1, 2}, W, 3, 0, 8}, // stnp w1, w2, [x3, #8]
    {0xa85f8861, 8, 2, {1, 2}, SF, 3, 0, 504}, // ldnp x1, x2, [x3, #504]
    {0x29007c7f, 4, 2, {31, 31}, W, 3, 0, 0}, // stp wzr, wzr, [x3]
    {0x2d008861, 4, 2, {1, 2}, W | V, 3, 0, 4}, // stp s1, s2, [x3, #4]
    {0x6cc10861, 8, 2, {1, 2}, V | WB, 3, 16, 0}, // ldp d1, d2, [x3], #16
    {0xadff0861, 16, 2, {1, 2}, V | WB, 3, -32, -32}, // ldp q1, q2, [x3, #-32]!
    {0xac1f8861, 16, 2, {1, 2}, W | V, 3, 0, 1008}, // stnp q1, q2, [x3, #1008]
    {0xacc10863, 16, 2, {3, 2}, V | WB, 3, 32, 0}, // ldp q3, q2, [x3], #32
    {0x88dffc41, 4, 1, {1, 0}, AR, 2, 0, 0}, // ldar w1, [x2]
    {0x08dffc41, 1, 1, {1, 0}, AR, 2, 0, 0}, // ldarb w1, [x2]
    {0xc89ffc41, 8, 1, {1, 0}, W | SF | AR, 2, 0, 0}, // stlr x1, [x2]
    {0x489fffe1, 2, 1, {1, 0}, W | AR, 31, 0, 0}, // stlrh w1, [sp]
    {0xc8df7c41, 8, 1, {1, 0}, SF | AR, 2, 0, 0}, // ldlar x1, [x2]
    {0x889f7c41, 4, 1, {1, 0}, W | AR, 2, 0, 0}, // stllr w1, [x2]
    {0xb8bfc041, 4, 1, {1, 0}, AR, 2, 0, 0}, // ldapr w1, [x2]
    {0x38bfc041, 1, 1, {1, 0}, AR, 2, 0, 0}, // ldaprb w1, [x2]
    {0xf8bfc041, 8, 1, {1, 0}, SF | AR, 2, 0, 0}, // ldapr x1, [x2]
    {0x995f8041, 4, 1, {1, 0}, AR, 2, 0, -8}, // ldapur w1, [x2, #-8]
    {0xd9008041, 8, 1, {1, 0}, W | SF | AR, 2, 0, 8}, // stlur x1, [x2, #8]
    {0x19c00041, 1, 1, {1, 0}, SE | AR, 2, 0, 0}, // ldapursb w1, [x2]
    {0x99804041, 4, 1, {1, 0}, SE | SF | AR, 2, 0, 4}, // ldapursw x1, [x2, #4]
    {0x18000041, 4, 1, {1, 0}, 0, 0, 0, ANY}, // ldr w1, .+8
    {0x58000041, 8, 1, {1, 0}, SF, 0, 0, ANY}, // ldr x1, .+8
    {0x98000041, 4, 1, {1, 0}, SE | SF, 0, 0, ANY}, // ldrsw x1, .+8
    {0x1c000041, 4, 1, {1, 0}, V, 0, 0, ANY}, // ldr s1, .+8
    {0x5c000041, 8, 1, {1, 0}, V, 0, 0, ANY}, // ldr d1, .+8
    {0x9c000081, 16, 1, {1, 0}, V, 0, 0, ANY}, // ldr q1, .+16
};

static const struct {
    uint32_t instruction;
    const char *reason;
} refused[] = {
    {0x885f7c41, "an exclusive access"}, // ldxr w1, [x2]
    {0xc8017c62, "an exclusive access"}, // stxr w1, x2, [x3]
    {0x085ffc41, "an exclusive access"}, // ldaxrb w1, [x2]
    {0xc8218c82, "an exclusive access"}, // stlxp w1, x2, x3, [x4]
    {0xc87f0861, "an exclusive access"}, // ldxp x1, x2, [x3]
    {0x88a17c62, "a compare and swap"}, // cas w1, w2, [x3]
    {0x08e1fc62, "a compare and swap"}, // casalb w1, w2, [x3]
    {0x48207c82, "a compare and swap of a pair"}, // casp x0, x1, x2, x3, [x4]
    {0x0860fc82, "a compare and swap of a pair"}, // caspal w0, w1, w2, w3, [x4]
    {0xb8218062, "an atomic swap"}, // swp w1, w2, [x3]
    {0x78e18062, "an atomic swap"}, // swpalh w1, w2, [x3]
    {0xf8210062, "an atomic operation"}, // ldadd x1, x2, [x3]
    {0xb821307f, "an atomic operation"}, // stset w1, [x3]
    {0xb8e16062, "an atomic operation"}, // ldumaxal w1, w2, [x3]
    {0xf83fd040, "a 64-byte access"}, // ld64b x0, [x2]
    {0xf83f9040, "a 64-byte access"}, // st64b x0, [x2]
    {0xf821b062, "a 64-byte access"}, // st64bv x1, x2, [x3]
    {0xf8200441, "an authenticated load"}, // ldraa x1, [x2]
    {0xf8a01c41, "an authenticated load"}, // ldrab x1, [x2, #8]!
    {0x19010440, "a memory copy or set"}, // cpyfp [x0]!, [x1]!, x2!
    {0x19c20420, "a memory copy or set"}, // setp [x0]!, x1!, x2
    {0xd9200841, "an allocation tag access"}, // stg x1, [x2]
    {0xd9600041, "an allocation tag access"}, // ldg x1, [x2]
    {0xd9200041, "an allocation tag access"}, // stzgm x1, [x2]
    {0x69000861, "an allocation tag access"}, // stgp x1, x2, [x3]
    {0x4c407020, "a SIMD structure access"}, // ld1 {v0.16b}, [x1]
    {0x4c9f0820, "a SIMD structure access"}, // st4 {v0.4s-v3.4s}, [x1], #64
    {0x0d400c20, "a SIMD structure access"}, // ld1 {v0.b}[3], [x1]
    {0x4d40cc20, "a SIMD structure access"}, // ld1r {v0.2d}, [x1]
    {0xa5e0a020, "an SVE access"}, // ld1d {z0.d}, p0/z, [x1]
    {0x85804041, "an SVE access"}, // ldr z1, [x2]
    {0xe4024020, "an SVE access"}, // st1b {z0.b}, p0, [x1, x2]
    {0xc542c020, "an SVE access"}, // ld1w {z0.d}, p0/z, [x1, z2.d]
    {0xe1000000, "an SME access"}, // ldr za[w12, 0], [x0]
    {0xd50b7421, "DC ZVA"}, // dc zva, x1
    {0xd50b7461, "DC GVA"}, // dc gva, x1
    {0xd50b7481, "DC GZVA"}, // dc gzva, x1
    {0xd50b7e21, "a system instruction"}, // dc civac, x1
    {0xd5087801, "a system instruction"}, // at s1e1r, x1
    {0xf9800020, "a prefetch"}, // prfm pldl1keep, [x1]
    {0xf8801020, "a prefetch"}, // prfum pldl1keep, [x1, #1]
    {0xf8a26820, "a prefetch"}, // prfm pldl1keep, [x1, x2]
    {0xd8000040, "a prefetch"}, // prfm pldl1keep, .+8
    {0xd503201f, "an instruction that is no load or store"}, // nop
    {0x14000000, "an instruction that is no load or store"}, // b .
    {0xb8c00020, "an unallocated encoding"}, // size 2, opc 3
    {0x3cc00820, "an unallocated encoding"}, // LDTR of a SIMD register
    {0x7cc00020, "an unallocated encoding"}, // SIMD, opc<1>:size = 5
    {0xdc000040, "an unallocated encoding"}, // SIMD literal, opc 3
    {0xe9400041, "an unallocated encoding"}, // pair, opc 3
    {0x68400041, "an unallocated encoding"}, // LDNP, opc 1
    {0xb8632820, "an unallocated encoding"}, // register offset, option 1
    {0xb8404421, "a CONSTRAINED UNPREDICTABLE choice of registers"}, // ldr w1, [x1], #4
    {0xb8004c21, "a CONSTRAINED UNPREDICTABLE choice of registers"}, // str w1, [x1, #4]!
    {0xa9400441, "a CONSTRAINED UNPREDICTABLE choice of registers"}, // ldp x1, x1, [x2]
    {0xa8c10821, "a CONSTRAINED UNPREDICTABLE choice of registers"}, // ldp x1, x2, [x1], #16
    {0xad400441, "a CONSTRAINED UNPREDICTABLE choice of registers"}, // ldp q1, q1, [x2]
};
// clang-format on

static unsigned int flags_of(const struct abort_access *access)
{
    return (access->write ? W : 0) | (access->sign_extend ? SE : 0) | (access->sixty_four ? SF : 0) |
           (access->simd ? V : 0) | (access->writeback ? WB : 0) | (access->acquire_release ? AR : 0);
}

static void test_golden(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(golden); i++) {
        const struct golden *want = &golden[i];
        struct abort_access access;
        const char *reason = NULL;

        if (!abort_decode_instruction(want->instruction, &access, &reason))
            fail_msg("0x%08x: %s", want->instruction, reason);
        if (flags_of(&access) != want->flags || access.size != want->size || access.count != want->count)
            fail_msg("0x%08x: size %u count %u flags 0x%x", want->instruction, access.size, access.count,
                     flags_of(&access));
        assert_int_equal(access.reg[0], want->reg[0]);
        assert_int_equal(access.reg[1], want->reg[1]);
        assert_int_equal(access.base, want->base);
        assert_int_equal(access.base_offset, want->base_offset);
        if (want->address_offset != ANY)
            assert_int_equal(access.address_offset, want->address_offset);
    }
}

static void test_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(refused); i++) {
        struct abort_access access;
        const char *reason = "";

        if (abort_decode_instruction(refused[i].instruction, &access, &reason))
            fail_msg("0x%08x: decoded", refused[i].instruction);
        assert_string_equal(reason, refused[i].reason);
    }
}

// Whatever the word, the result is in the range that the emulation relies on.
static void check_any(uint32_t instruction)
{
    struct abort_access access;
    const char *reason = NULL;

    if (!abort_decode_instruction(instruction, &access, &reason)) {
        assert_non_null(reason);
        return;
    }
    assert_true(access.count == 1 || access.count == 2);
    assert_true(access.size != 0 && access.size <= (access.simd ? 16 : 8) && !(access.size & (access.size - 1)));
    assert_true(access.reg[0] < 32 && access.reg[1] < 32 && access.base < 32);
    assert_true(access.writeback || access.base_offset == 0);
}

static void test_any_word(void **state)
{
    uint64_t seed = 0x9e3779b97f4a7c15;

    (void)state;
    for (unsigned int i = 0; i < 1000000; i++) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        check_any((uint32_t)seed);
        check_any(((uint32_t)seed & ~0x0a000000u) | 0x08000000); // in the load and store space
    }
}

// All of the bits that select a form, with registers and immediates of a few kinds.
static void test_every_form(void **state)
{
    static const uint32_t low[] = {0x00000000, 0x000fffff, 0x000003ff, 0x001ffc00};

    (void)state;
    for (uint32_t high = 0; high < 0x1000; high++)
        for (uint32_t middle = 0; middle < 0x40; middle++)
            for (size_t i = 0; i < ARRAY_COUNT(low); i++)
                check_any((high << 20) | ((low[i] & ~0xfc00u) | (middle << 10)));
}

static void check_against_model(uint32_t instruction)
{
    struct abort_access access, model;
    const char *reason = NULL;
    bool decoded = abort_decode_instruction(instruction, &access, &reason);

    if (decoded != a64_model(instruction, &model))
        fail_msg("0x%08x: %s", instruction, decoded ? "decoded" : reason);
    if (decoded && !a64_same(&access, &model))
        fail_msg("0x%08x moves something else", instruction);
}

// Every word but for Rn and Rt, which are drawn: equal ones as well, and 31.
static void test_all_words(void **state)
{
    static const uint16_t low[] = {0x021, 0x000, 0x3e5, 0x03f, 0x3ff, 0x16b};

    (void)state;
    for (uint32_t high = 0; high < 1u << 22; high++)
        check_against_model(high << 10 | low[high % 6]);
    for (uint32_t word = 0; word < 1u << 20; word++) // pairs and indexed forms, with every pair of registers
        check_against_model((word >> 10) << 20 | 0x00108400 | (word & 0x3ff));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),     cmocka_unit_test(test_refused),   cmocka_unit_test(test_any_word),
        cmocka_unit_test(test_every_form), cmocka_unit_test(test_all_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
