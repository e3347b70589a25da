// SPDX-License-Identifier: Apache-2.0
// Aborts that are not emulated: why, and what the guest's EL1 gets for each.

#include "abort_world.h"

static void refused(enum trap_result outcome, const char *reason, enum trap_result got)
{
    assert_int_equal(got, outcome);
    assert_string_equal(world.reason, reason);
    assert_int_equal(world.accesses, 0);
}

static void test_instructions(void **state)
{
    (void)state;
    refused(TRAP_INJECT_ABORT, "an exclusive access", run(0x885f7d22, DEVICE, 0, 0));
    refused(TRAP_INJECT_ABORT, "DC ZVA", run(0xd50b7429, DEVICE, 0, WRITE));
    refused(TRAP_RETRY, "an instruction that is not the one that faulted", run(0xb9400122, DEVICE, 0, WRITE));
    frame.elr_el2 = VA + 2;
    refused(TRAP_RETRY, "an instruction that cannot be read", run(0xb9400122, DEVICE, 0, 0));
    frame.elr_el2 = VA;
    fake_guest_cpu.readable = false;
    refused(TRAP_RETRY, "an instruction that cannot be read", run(0xb9400122, DEVICE, 0, 0));
    fake_guest_cpu.walks = false;
    refused(TRAP_RETRY, "an instruction that cannot be read", run(0xb9400122, DEVICE, 0, 0));
    frame.spsr_el2 = 0x10;
    refused(TRAP_INJECT_ABORT, "an AArch32 access that the syndrome does not describe", run(0, DEVICE, 0, 0));
}

static void test_retry_is_bounded(void **state)
{
    (void)state;
    fake_guest_cpu.mapped = true;
    fake_guest_cpu.permissions = STAGE2_READ;
    for (unsigned int i = 0; i < 40; i++, telemetry.sequence++)
        assert_int_equal(take(DABT | TRANSLATION, RAM), i < 16 ? TRAP_RETRY : TRAP_INJECT_ABORT);
    telemetry.sequence += 5; // other exits between
    assert_int_equal(take(DABT | TRANSLATION, RAM), TRAP_RETRY);
    assert_string_equal(world.reason, "an access that raced with a remap");
}

static void test_ram(void **state)
{
    (void)state;
    refused(TRAP_INJECT_ABORT, "a hole in guest RAM", take(DABT | ISV | TRANSLATION, RAM));
    assert_int_equal(event.key, KEY_GUEST_RAM);
    assert_true(event.address == RAM);
    refused(TRAP_DONE, "cache maintenance on a hole in guest RAM", take(DABT | 0x140 | TRANSLATION, RAM));
    refused(TRAP_INJECT_ABORT, "a hole in guest RAM", take(IABT | TRANSLATION, RAM));
    fake_guest_cpu.mapped = true;
    fake_guest_cpu.permissions = STAGE2_READ;
    fake_guest_cpu.walk.ipa = ipa_make(RAM);
    refused(TRAP_INJECT_ABORT, "no stage-2 permission", take(DABT | ISV | WRITE | PERMISSION, 0));
    assert_int_equal(event.key, KEY_GUEST_RAM);
    refused(TRAP_INJECT_ABORT, "no stage-2 permission", take(IABT | PERMISSION, 0));
    telemetry.sequence += 2;
    refused(TRAP_RETRY, "an access that raced with a remap", take(DABT | ISV | PERMISSION, 0));
    fake_guest_cpu.walks = false;
    refused(TRAP_RETRY, "an address that no longer translates", take(DABT | ISV | PERMISSION, 0));
}

static void test_outside_ram(void **state)
{
    (void)state;
    refused(TRAP_INJECT_ABORT, "an instruction fetch outside guest RAM", take(IABT | TRANSLATION, DEVICE));
    assert_int_equal(event.key, KEY_CAUSE_IABT);
    refused(TRAP_DONE, "cache maintenance outside guest RAM", take(DABT | 0x140 | TRANSLATION, DEVICE));
    // Address size and access flag faults are placed as translation faults are.
    assert_int_equal(take(DABT | ISV | SIZE(2) | 0x01, DEVICE), TRAP_DONE);
    assert_int_equal(take(DABT | ISV | SIZE(2) | 0x0b, DEVICE), TRAP_DONE);
    fake_guest_cpu.walk.ipa = ipa_make(DEVICE);
    assert_int_equal(take(DABT | ISV | SIZE(2) | PERMISSION, 0), TRAP_DONE);
}

// An entry may say that a device answers in the middle of RAM; then a fault on it is not about RAM, unless it is one of
// an instruction fetch, which no device answers.
static void test_shadow_in_ram(void **state)
{
    (void)state;
    fake_guest_cpu.mapped = true;
    fake_guest_cpu.permissions = STAGE2_READ | STAGE2_SHADOW;
    world.shadow_ipa = RAM;
    fake_guest_cpu.walk.ipa = ipa_make(RAM);
    assert_int_equal(take(DABT | ISV | SIZE(2) | SRT(5) | WRITE | PERMISSION, 0x10), TRAP_DONE);
    assert_int_equal(world.accesses, 1);
    assert_true(event.address == RAM + 0x10);
    refused(TRAP_INJECT_ABORT, "an instruction fetch outside guest RAM", take(IABT | PERMISSION, 0));
    fake_guest_cpu.permissions = STAGE2_READ;
    refused(TRAP_INJECT_ABORT, "no stage-2 permission", take(DABT | ISV | SIZE(2) | WRITE | PERMISSION, 0x10));
}

static void test_walks(void **state)
{
    (void)state;
    refused(TRAP_INJECT_ABORT, "a stage-1 table outside guest RAM", take(DABT | 0x80 | TRANSLATION, DEVICE));
    refused(TRAP_INJECT_ABORT, "a stage-1 table in a hole", take(DABT | 0x80 | TRANSLATION, RAM));
    fake_guest_cpu.mapped = true;
    refused(TRAP_INJECT_ABORT, "a stage-1 table without permission", take(IABT | 0x80 | PERMISSION, RAM));
    fake_guest_cpu.permissions = STAGE2_READ;
    telemetry.sequence += 2;
    refused(TRAP_RETRY, "a walk that raced with a remap", take(IABT | 0x80 | TRANSLATION, RAM));
    fake_guest_cpu.walk.step_count = 2;
    fake_guest_cpu.walk.steps[0] = (struct guest_walk_step){.level = 1, .address = ipa_make(RAM - 0x1000)};
    fake_guest_cpu.walk.steps[1] = (struct guest_walk_step){.level = 2, .address = ipa_make(RAM + 0x18)};
    fake_guest_cpu.walk.fault_level = 3;
    assert_int_equal(abort_walk_level(&vcpu), 2);
    fake_guest_cpu.walk.step_count = 1;
    assert_int_equal(abort_walk_level(&vcpu), 3);
    abort_inject(&vcpu);
    assert_int_equal(fake_sysreg_get("ESR_EL1"), 0x86000017);
    frame.spsr_el2 = EL1H;
    frame.esr_el2 = DABT | TRANSLATION | WRITE;
    abort_inject(&vcpu);
    assert_int_equal(fake_sysreg_get("ESR_EL1"), 0x96000050);
}

static void test_other_faults(void **state)
{
    static const struct {
        uint64_t fsc;
        enum trap_result outcome;
        const char *reason;
    } cases[] = {
        {0x10, TRAP_INJECT_ABORT, "a synchronous external abort"},
        {0x11, TRAP_INJECT_ABORT, "a tag check fault"},
        {0x14, TRAP_INJECT_ABORT, "a synchronous external abort on a walk"},
        {0x17, TRAP_INJECT_ABORT, "a synchronous external abort on a walk"},
        {0x18, TRAP_INJECT_ABORT, "a parity or ECC error"},
        {0x1f, TRAP_INJECT_ABORT, "a parity or ECC error on a walk"},
        {0x21, TRAP_INJECT_ABORT, "an alignment fault"},
        {0x30, TRAP_RETRY, "a TLB conflict"},
        {0x31, TRAP_STOP, "an unsupported hardware update of a descriptor"},
        {0x34, TRAP_INJECT_ABORT, "a lockdown fault"},
        {0x35, TRAP_INJECT_ABORT, "an exclusive or atomic access that memory does not support"},
        {0x3f, TRAP_INJECT_ABORT, "an unknown fault status"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++)
        refused(cases[i].outcome, cases[i].reason, take(DABT | ISV | cases[i].fsc, DEVICE));
    assert_int_equal(fake_trace_count_of(FAKE_TLBI_VMALLS12E1IS), 1);
}

// What the guest's EL1 gets for each kind of refusal: DDI 0487 D19.2.37, ISS of an instruction and of a data abort.
// Memory: what stage 1 makes of the address. FAR_EL1 is FAR_EL2's in every row.
#define EL0   0x0
#define USR   0x10 // AArch32
#define CM    0x100
#define S1PTW 0x80
#define FNV   0x400
#define LDP   0xa9400d22 // ldp x2, x3, [x9]
#define ZVA   0xd50b7429 // dc zva, x9
#define GVA   0xd50b7469
#define GZVA  0xd50b7489
#define LD1B  0x4c407122 // ld1 {v2.16b}, [x9]
#define LD1D  0x4c407d22 // ld1 {v2.2d}, [x9]
#define LDXR  0x885f7d22 // ldxr w2, [x9]
#define SWP   0xb8228122 // swp w2, w2, [x9]
enum memory { FLAT, NGNRNE, GRE, NORMAL, NORMAL_NC, LOST };

static void set_memory(enum memory memory)
{
    static const uint8_t attributes[] = {
        [FLAT] = 0xff, [NGNRNE] = 0x00, [GRE] = 0x0c, [NORMAL] = 0xff, [NORMAL_NC] = 0x44};

    fake_guest_cpu.walks = memory != LOST;
    fake_guest_cpu.walk.flat = memory == FLAT;
    fake_guest_cpu.walk.memory = attributes[memory % LOST];
}

static const struct {
    const char *what;
    uint64_t pstate, esr, ipa;
    uint32_t instruction; // ISV = 0
    enum memory memory;
    uint64_t want; // ESR_EL1
} fault_codes[] = {
    {"denied load, same EL", EL1H, DABT | ISV | SIZE(2) | 7, DEVICE, 0, FLAT, 0x96000010},
    {"denied store, same EL", EL1H, DABT | ISV | SIZE(2) | WRITE | 7, DEVICE, 0, FLAT, 0x96000050},
    {"denied load, EL0", EL0, DABT | ISV | SIZE(2) | 7, DEVICE, 0, NORMAL, 0x92000010},
    {"denied store, AArch32", USR, DABT | ISV | SIZE(2) | WRITE | 7, DEVICE, 0, NGNRNE, 0x92000050},
    {"T16: IL is 1 for every abort", USR, (DABT & ~UINT64_C(0x02000000)) | ISV | SIZE(2) | 7, DEVICE, 0, FLAT,
     0x92000010},
    {"unaligned, MMU off", EL1H, DABT | ISV | SIZE(2) | 7, DEVICE + 2, 0, FLAT, 0x96000021},
    {"unaligned store, MMU off", EL1H, DABT | ISV | SIZE(2) | WRITE | 7, DEVICE + 1, 0, FLAT, 0x96000061},
    {"unaligned, nGnRnE", EL0, DABT | ISV | SIZE(3) | 7, DEVICE + 4, 0, NGNRNE, 0x92000021},
    {"unaligned, GRE", EL0, DABT | ISV | SIZE(1) | WRITE | 7, DEVICE + 1, 0, GRE, 0x92000061},
    {"unaligned, AArch32", USR, DABT | ISV | SIZE(1) | 7, DEVICE + 1, 0, GRE, 0x92000021},
    {"unaligned, write-back", EL1H, DABT | ISV | SIZE(2) | 7, DEVICE + 2, 0, NORMAL, 0x96000010},
    {"unaligned, non-cacheable", EL1H, DABT | ISV | SIZE(2) | WRITE | 7, DEVICE + 2, 0, NORMAL_NC, 0x96000050},
    {"unaligned, no longer mapped", EL1H, DABT | ISV | SIZE(2) | 7, DEVICE + 2, 0, LOST, 0x96000010},
    {"unaligned, hole in RAM", EL1H, DABT | ISV | SIZE(2) | 7, RAM + 2, 0, FLAT, 0x96000021},
    {"hole in RAM", EL1H, DABT | ISV | SIZE(2) | WRITE | 7, RAM, 0, FLAT, 0x96000050},
    {"unaligned, hole in cached RAM", EL1H, DABT | ISV | SIZE(2) | 7, RAM + 2, 0, NORMAL, 0x96000010},
    {"pair, unaligned", EL1H, DABT | 7, DEVICE + 4, LDP, FLAT, 0x96000021},
    {"pair over a page's end", EL1H, DABT | 7, DEVICE + 0xff8, LDP, FLAT, 0x96000010},
    {"DC ZVA, aligned", EL1H, DABT | WRITE | 7, DEVICE, ZVA, FLAT, 0x96000061},
    {"DC ZVA, not aligned, EL0", EL0, DABT | WRITE | 7, DEVICE + 5, ZVA, GRE, 0x92000061},
    {"DC GVA", EL1H, DABT | WRITE | 7, DEVICE, GVA, FLAT, 0x96000061},
    {"DC GZVA", EL1H, DABT | WRITE | 7, DEVICE, GZVA, NGNRNE, 0x96000061},
    {"DC ZVA, write-back", EL1H, DABT | WRITE | 7, DEVICE, ZVA, NORMAL, 0x96000050},
    {"LD1 of bytes", EL1H, DABT | 7, DEVICE + 1, LD1B, FLAT, 0x96000010},
    {"LD1 of doublewords, unaligned", EL1H, DABT | 7, DEVICE + 4, LD1D, FLAT, 0x96000021},
    {"LD1 of doublewords", EL1H, DABT | 7, DEVICE + 8, LD1D, FLAT, 0x96000010},
    {"exclusive", EL1H, DABT | 7, DEVICE, LDXR, FLAT, 0x96000010},
    {"atomic, WnR as reported", EL1H, DABT | 7, DEVICE, SWP, FLAT, 0x96000010},
    {"AArch32, not described", USR, DABT | WRITE | 7, DEVICE + 1, 0, FLAT, 0x92000050},
    {"walk, level of the table", EL1H, DABT | S1PTW | 7, DEVICE, 0, NORMAL, 0x96000016},
    {"walk for a store", EL1H, DABT | S1PTW | WRITE | 7, DEVICE, 0, NORMAL, 0x96000056},
    {"walk for EL0", EL0, DABT | S1PTW | 7, RAM, 0, NORMAL, 0x92000016},
    {"walk for a fetch", EL1H, IABT | S1PTW | 7, DEVICE, 0, NORMAL, 0x86000016},
    {"walk for maintenance", EL1H, DABT | S1PTW | CM | WRITE | 7, DEVICE, 0, NORMAL, 0x96000156},
    {"fetch, same EL", EL1H, IABT | 7, DEVICE, 0, FLAT, 0x86000010},
    {"fetch, EL0", EL0, IABT | 7, DEVICE + 2, 0, FLAT, 0x82000010},
    {"fetch, AArch32", USR, IABT | 7, RAM + 2, 0, NORMAL, 0x82000010},
    {"SEA of the hardware's, FAR not valid", EL1H, DABT | FNV | 0x10, DEVICE, 0, FLAT, 0x96000410},
    {"SEA of a fetch", EL0, IABT | 0x10, DEVICE, 0, FLAT, 0x82000010},
    {"SEA on a walk, level 2", EL1H, DABT | 0x16, DEVICE, 0, FLAT, 0x96000016},
    {"parity", EL1H, DABT | WRITE | 0x18, DEVICE, 0, FLAT, 0x96000058},
    {"alignment of the hardware's", EL1H, DABT | WRITE | 0x21, DEVICE, 0, FLAT, 0x96000061},
    {"unsupported exclusive", EL0, DABT | 0x35, DEVICE, 0, FLAT, 0x92000035},
    {"address size, which only stage 2 has", EL1H, DABT | ISV | SIZE(2) | 0x01, DEVICE, 0, FLAT, 0x96000010},
    {"access flag, likewise", EL1H, DABT | ISV | SIZE(2) | 0x09, DEVICE, 0, FLAT, 0x96000010},
    {"permission, likewise", EL1H, DABT | ISV | SIZE(2) | WRITE | PERMISSION, DEVICE, 0, FLAT, 0x96000050},
    {"unaligned by permission", EL1H, DABT | ISV | SIZE(2) | WRITE | PERMISSION, DEVICE + 2, 0, FLAT, 0x96000061},
};

static void test_fault_codes(void **state)
{
    for (size_t i = 0; i < ARRAY_COUNT(fault_codes); i++) {
        set_up(state);
        world.refuse_at = 1;
        set_memory(fault_codes[i].memory);
        fake_guest_cpu.walk.ipa = ipa_make(fault_codes[i].ipa & ~UINT64_C(0xfff));
        fake_guest_cpu.walk.fault_level = 2;
        fake_guest_cpu.instruction = fault_codes[i].instruction;
        frame.x[9] = VA | (fault_codes[i].ipa & 0xffff);
        frame.spsr_el2 = fault_codes[i].pstate;
        assert_int_equal(take(fault_codes[i].esr, fault_codes[i].ipa), TRAP_INJECT_ABORT);
        assert_int_equal(event.syndrome, fault_codes[i].esr); // what the log says is what the hardware said
        abort_inject(&vcpu);
        if (fake_sysreg_get("ESR_EL1") != fault_codes[i].want)
            fail_msg("%s: ESR_EL1 0x%lx, want 0x%lx", fault_codes[i].what, fake_sysreg_get("ESR_EL1"),
                     fault_codes[i].want);
        assert_true(fake_sysreg_get("FAR_EL1") == (VA | (fault_codes[i].ipa & 0xffff)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_instructions, set_up),  cmocka_unit_test_setup(test_retry_is_bounded, set_up),
        cmocka_unit_test_setup(test_ram, set_up),           cmocka_unit_test_setup(test_outside_ram, set_up),
        cmocka_unit_test_setup(test_shadow_in_ram, set_up), cmocka_unit_test_setup(test_walks, set_up),
        cmocka_unit_test_setup(test_other_faults, set_up),  cmocka_unit_test_setup(test_fault_codes, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
