// SPDX-License-Identifier: Apache-2.0
// Loads and stores that trapped are emulated: by the syndrome alone, or by the instruction at the PC.

#include "abort_world.h"

static void test_loads_by_syndrome(void **state)
{
    (void)state;
    static const struct {
        uint64_t iss, want;
    } cases[] = {
        {SIZE(0), 0x88},
        {SIZE(1), 0x8988},
        {SIZE(2), 0x8b8a8988},
        {SIZE(3) | 0x8000, 0x8f8e8d8c8b8a8988},
        {SIZE(0) | 0x200000, 0xffffff88},
        {SIZE(1) | 0x200000, 0xffff8988},
        {SIZE(0) | 0x208000, 0xffffffffffffff88},
        {SIZE(2) | 0x208000, 0xffffffff8b8a8988},
        {SIZE(2) | 0x4000, 0x8b8a8988}, // AR
    };
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        assert_int_equal(take(DABT | ISV | SRT(5) | TRANSLATION | cases[i].iss, DEVICE + 8), TRAP_DONE);
        assert_true(frame.x[5] == cases[i].want);
        assert_true(event.address == DEVICE + 8 && event.write == 0);
    }
    assert_int_equal(take(DABT | ISV | SRT(31) | SIZE(2) | TRANSLATION, DEVICE), TRAP_DONE);
    assert_int_equal(world.accesses, 1);
    world.refuse_at = 1;
    for (uint64_t size = 0; size < 4; size++) {
        uint64_t before = frame.x[6];
        assert_int_equal(take(DABT | ISV | SRT(6) | SIZE(size) | TRANSLATION, DEVICE), TRAP_INJECT_ABORT);
        assert_true(frame.x[6] == before);
    }
}

static void test_stores_by_syndrome(void **state)
{
    (void)state;
    for (unsigned int n = 0; n < 4; n++) {
        assert_int_equal(take(DABT | ISV | SRT(5) | SIZE(n) | TRANSLATION | WRITE, DEVICE + 8), TRAP_DONE);
        assert_memory_equal(&world.device[8], &frame.x[5], (size_t)1 << n);
        assert_int_equal(world.device[8 + (1 << n)], 0x88 + (1 << n));
        assert_int_equal(event.write, 1);
    }
    assert_int_equal(take(DABT | ISV | SRT(31) | SIZE(3) | TRANSLATION | WRITE, DEVICE + 8), TRAP_DONE);
    assert_true(device64(8) == 0);
}

static void test_unaligned(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 4; n++) {
        assert_int_equal(take(DABT | ISV | SIZE(n) | TRANSLATION, DEVICE + 1), TRAP_INJECT_ABORT);
        assert_string_equal(world.reason, "an unaligned access");
    }
    assert_int_equal(run(0x3dc00122, DEVICE + 8, 0, 0), TRAP_INJECT_ABORT); // ldr q2, [x9]
    assert_string_equal(world.reason, "an unaligned access");
}

static void test_big_endian(void **state)
{
    (void)state;
    fake_sysreg_set("SCTLR_EL1", SCTLR_ELX_EE);
    assert_int_equal(take(DABT | ISV | SRT(5) | SIZE(2) | TRANSLATION, DEVICE), TRAP_DONE);
    assert_true(frame.x[5] == 0x80818283);
    assert_int_equal(take(DABT | ISV | SRT(5) | SIZE(1) | 0x208000 | TRANSLATION, DEVICE), TRAP_DONE);
    assert_true(frame.x[5] == 0xffffffffffff8081);
    frame.x[5] = 0x11223344;
    assert_int_equal(take(DABT | ISV | SRT(5) | SIZE(2) | TRANSLATION | WRITE, DEVICE), TRAP_DONE);
    assert_int_equal(world.device[0], 0x11);
    frame.spsr_el2 = 0; // EL0 follows E0E
    assert_int_equal(take(DABT | ISV | SRT(5) | SIZE(1) | TRANSLATION, DEVICE + 4), TRAP_DONE);
    assert_int_equal(frame.x[5], 0x8584);
    frame.spsr_el2 = 0x10 | SPSR_AARCH32_E;
    assert_int_equal(take(DABT | ISV | SRT(5) | SIZE(1) | TRANSLATION, DEVICE + 4), TRAP_DONE);
    assert_int_equal(frame.x[5], 0x8485);
    fake_sysreg_set("SCTLR_EL1", 0); // AArch32 has an endianness of its own
    assert_int_equal(take(DABT | ISV | SRT(5) | SIZE(2) | TRANSLATION, DEVICE + 4), TRAP_DONE);
    assert_int_equal(frame.x[5], 0x84858687);
    fake_sysreg_set("SCTLR_EL1", SCTLR_ELX_EE);
    frame.spsr_el2 = EL1H;
    assert_int_equal(run(0x3dc00122, DEVICE + 16, 0, 0), TRAP_DONE); // ldr q2, [x9]
    assert_true(world.v[2].part[1] == 0x9091929394959697 && world.v[2].part[0] == 0x98999a9b9c9d9e9f);
}

static void test_writeback(void **state)
{
    (void)state;
    assert_int_equal(run(0xb8404523, DEVICE, 0, 0), TRAP_DONE); // ldr w3, [x9], #4
    assert_true(frame.x[3] == 0x83828180 && frame.x[9] == VA + 4);
    assert_int_equal(run(0xb81fcd23, DEVICE + 4, -4, WRITE), TRAP_DONE); // str w3, [x9, #-4]!
    assert_true(frame.x[9] == VA + 4 && (uint32_t)device64(4) == 0x83828180);
    frame.x[3] = 7;
    assert_int_equal(run(0xb80047e3, DEVICE, 0, WRITE), TRAP_DONE); // str w3, [sp], #4
    assert_true(frame.sp_el1 == 0x6004 && frame.sp_el0 == 0x5000);
    assert_int_equal(fake_sysreg_get("SP_EL1"), 0x6004); // the frame's copy is not loaded on the way back
    frame.spsr_el2 = 0x4;                                // EL1t
    assert_int_equal(run(0xb80047e3, DEVICE, 0, WRITE), TRAP_DONE);
    frame.spsr_el2 = 0; // EL0
    assert_int_equal(run(0xb80047e3, DEVICE, 0, WRITE), TRAP_DONE);
    assert_true(frame.sp_el1 == 0x6004 && frame.sp_el0 == 0x5008);
    assert_int_equal(fake_sysreg_get("SP_EL0"), 0x5008);
    world.refuse_at = 1;
    frame.x[3] = 5;
    assert_int_equal(run(0xb8404523, DEVICE, 0, 0), TRAP_INJECT_ABORT);
    assert_true(frame.x[3] == 5 && frame.x[9] == VA);
}

static void test_pairs(void **state)
{
    (void)state;
    assert_int_equal(run(0xa9410d22, DEVICE + 16, 16, 0), TRAP_DONE); // ldp x2, x3, [x9, #16]
    assert_true(frame.x[2] == device64(16) && frame.x[3] == device64(24));
    assert_int_equal(world.accesses, 2);
    assert_true(event.address == DEVICE + 16 && event.value == device64(16));
    assert_int_equal(run(0x68c10d22, DEVICE, 0, 0), TRAP_DONE); // ldpsw x2, x3, [x9], #8
    assert_true(frame.x[2] == 0xffffffff83828180 && frame.x[3] == 0xffffffff87868584 && frame.x[9] == VA + 8);
    frame.sp_el1 = VA;
    assert_int_equal(run(0xa9007fe2, DEVICE, 0, WRITE), TRAP_DONE); // stp x2, xzr, [sp]
    assert_true(device64(0) == frame.x[2] && device64(8) == 0);
    // All or nothing: the second part is refused.
    frame.x[2] = frame.x[3] = 1;
    world.refuse_at = 2;
    assert_int_equal(run(0xa8c10d22, DEVICE, 0, 0), TRAP_INJECT_ABORT); // ldp x2, x3, [x9], #16
    assert_true(frame.x[2] == 1 && frame.x[3] == 1 && frame.x[9] == VA);
    assert_true(frame.far_el2 == VA + 8 && event.address == DEVICE + 8);
}

static void test_pair_places(void **state)
{
    (void)state;
    assert_int_equal(run(0xa9400d22, DEVICE + 0xff8, 0, 0), TRAP_INJECT_ABORT);
    assert_string_equal(world.reason, "a pair across a page");
    assert_int_equal(run(0xa9400d22, DEVICE, -8, 0), TRAP_INJECT_ABORT); // x9 names 8 bytes less
    assert_string_equal(world.reason, "a pair that begins in another page");
    assert_int_equal(run(0xa9400d22, DEVICE, (int64_t)(UINT64_C(0xaa) << 56), 0), TRAP_DONE); // a tagged pointer
}

static void test_simd(void **state)
{
    (void)state;
    assert_int_equal(run(0x3dc00122, DEVICE + 16, 0, 0), TRAP_DONE); // ldr q2, [x9]
    assert_true(world.v[2].part[0] == device64(16) && world.v[2].part[1] == device64(24));
    assert_int_equal(run(0x3d400122, DEVICE, 0, 0), TRAP_DONE); // ldr b2, [x9]
    assert_true(world.v[2].part[0] == 0x80 && world.v[2].part[1] == 0);
    assert_int_equal(run(0xad800d22, DEVICE, 0, WRITE), TRAP_DONE); // stp q2, q3, [x9, #0]!
    assert_int_equal(world.accesses, 4);
    assert_memory_equal(&world.device[0], &world.v[2], 16);
    assert_memory_equal(&world.device[16], &world.v[3], 16);
    assert_memory_equal(world.parts, &world.v[2], 32); // what a pause at the first part must know of the others
    assert_true(vcpu.parts[0] == 0 && vcpu.parts[3] == 0);
    struct simd_value before = world.v[2];
    world.refuse_at = 4;
    assert_int_equal(run(0xad400d22, DEVICE + 32, 0, 0), TRAP_INJECT_ABORT); // ldp q2, q3, [x9]
    assert_memory_equal(&world.v[2], &before, 16);
    assert_true(frame.far_el2 == VA + 32 + 24);
    fake_sysreg_set("CPTR_EL2", CPTR_EL2_TFP);
    assert_int_equal(run(0x3dc00122, DEVICE, 0, 0), TRAP_INJECT_ABORT);
    assert_string_equal(world.reason, "a SIMD access while SIMD traps");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_loads_by_syndrome, set_up), cmocka_unit_test_setup(test_stores_by_syndrome, set_up),
        cmocka_unit_test_setup(test_unaligned, set_up),         cmocka_unit_test_setup(test_big_endian, set_up),
        cmocka_unit_test_setup(test_writeback, set_up),         cmocka_unit_test_setup(test_pairs, set_up),
        cmocka_unit_test_setup(test_pair_places, set_up),       cmocka_unit_test_setup(test_simd, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
