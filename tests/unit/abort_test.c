// SPDX-License-Identifier: Apache-2.0
// Classification of aborts and emulation of loads and stores, over a guest made of one instruction, one page table
// walk, one stage-2 entry and 64 bytes of device.
// Links: trap/abort.c trap/abort_classify.c trap/abort_decode.c arch/aarch64/inject.c arch/aarch64/tlb.c

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <guest_ram.h>

#include <hv/arch/abort.h>
#include <hv/arch/abort_classify.h>
#include <hv/arch/el2_translate.h>
#include <hv/arch/frame.h>
#include <hv/arch/registers.h>
#include <hv/arch/simd_access.h>
#include <hv/event_key.h>
#include <hv/guest_mem.h>
#include <hv/guest_walk.h>
#include <hv/telemetry.h>
#include <hv/vm.h>

#define DEVICE      UINT64_C(0x09000000)
#define RAM         UINT64_C(0x48000000)
#define VA          UINT64_C(0xffff000000000000)
#define EL1H        0x5
#define DABT        UINT64_C(0x92000000) // EC 0x24, IL
#define IABT        UINT64_C(0x82000000)
#define WRITE       0x40
#define ISV         0x01000000
#define SIZE(n)     ((uint64_t)(n) << 22)
#define SRT(n)      ((uint64_t)(n) << 16)
#define TRANSLATION 0x07
#define PERMISSION  0x0f

static struct trap_frame frame;
static struct telemetry telemetry;
static struct vm vm;
static struct vcpu vcpu = {.frame = &frame, .vm = &vm, .telemetry = &telemetry};
static struct event event;

static struct {
    uint8_t device[64]; // at DEVICE, or at shadow_ipa when that is not 0
    uint64_t shadow_ipa;
    unsigned int accesses;   // that reached it
    unsigned int refuse_at;  // the access that is refused, 1 = the first; 0: none
    struct simd_value v[32]; // the guest's V registers
    bool mapped;             // stage 2 has an entry
    uint32_t permissions;
    uint32_t instruction; // at the PC
    bool readable;
    bool walk_ok;
    struct guest_walk walk;
    uint64_t parts[4];  // known when the policy is asked about the last one
    const char *reason; // given to trap_fault
    enum trap_result outcome;
} world;

enum trap_result trap_mmio(struct vcpu *of, struct event *access, unsigned int size)
{
    uint64_t offset = access->address - (world.shadow_ipa != 0 ? world.shadow_ipa : DEVICE);

    assert_ptr_equal(of, &vcpu);
    assert_true(offset % size == 0 && offset + size <= sizeof(world.device));
    memcpy(world.parts, of->parts, sizeof(world.parts));
    if (++world.accesses == world.refuse_at)
        return TRAP_INJECT_ABORT;
    if (access->write) {
        assert_true(size == 8 || access->value >> (8 * size) == 0);
        memcpy(&world.device[offset], &access->value, size);
    } else {
        access->value = 0;
        memcpy(&access->value, &world.device[offset], size);
    }
    return TRAP_DONE;
}

enum trap_result trap_fault(struct vcpu *of, struct event *fault, enum trap_result outcome, const char *reason)
{
    (void)of;
    (void)fault;
    world.reason = reason;
    world.outcome = outcome;
    return outcome;
}

enum hv_status stage2_query(struct stage2 *stage2, ipa_t ipa, struct stage2_entry *entry)
{
    (void)stage2;
    (void)ipa;
    *entry = (struct stage2_entry){.valid = world.mapped, .permissions = world.permissions};
    return HV_OK;
}

uint32_t stage2_meaning(const struct stage2 *stage2, ipa_t ipa)
{
    (void)stage2;
    (void)ipa;
    return world.permissions & STAGE2_MEANING;
}

uint64_t stage2_vttbr(const struct stage2 *stage2)
{
    return FIELD_PREP(VTTBR_EL2_VMID, stage2->vmid);
}

enum hv_status guest_mem_read(struct space *of, ipa_t ipa, void *buffer, size_t size)
{
    (void)of;
    (void)ipa;
    assert_int_equal(size, 4);
    if (!world.readable)
        return HV_ERR_NOT_FOUND;
    memcpy(buffer, &world.instruction, size);
    return HV_OK;
}

void guest_walk_registers_read(struct guest_walk_registers *registers)
{
    *registers = (struct guest_walk_registers){0};
}

bool guest_walk(struct space *of, const struct guest_walk_registers *registers, gva_t va, struct guest_walk *walk)
{
    (void)of;
    (void)registers;
    *walk = world.walk;
    walk->ipa = ipa_make(walk->ipa.v + (va.v & 0xfff));
    return world.walk_ok;
}

// The hardware's walk of the same tables.
static uint64_t translate(gva_t va)
{
    (void)va;
    return world.walk_ok ? world.walk.ipa.v : PAR_EL1_F;
}

void simd_read(unsigned int n, struct simd_value *value)
{
    *value = world.v[n];
}

void simd_write(unsigned int n, const struct simd_value *value)
{
    world.v[n] = *value;
}

static int set_up(void **state)
{
    (void)state;
    fake_sysreg_reset();
    fake_trace_reset();
    memset(&world, 0, sizeof(world));
    for (unsigned int i = 0; i < 64; i++)
        world.device[i] = (uint8_t)(0x80 + i);
    for (unsigned int i = 0; i < 64; i++)
        world.v[i / 2].part[i % 2] = UINT64_C(0x1111111111111111) * (i % 15 + 1);
    world.readable = world.walk_ok = true;
    frame = (struct trap_frame){.elr_el2 = VA, .spsr_el2 = EL1H, .sp_el0 = 0x5000, .sp_el1 = 0x6000};
    for (unsigned int i = 0; i < 31; i++)
        frame.x[i] = UINT64_C(0xa0a1a2a3a4a5a600) + i;
    telemetry.sequence += 1000;
    fake_el1_translate = translate;
    fake_guest_ram(&vm.space);
    vcpu.retry_count = 0;
    return 0;
}

static enum trap_result take(uint64_t esr, uint64_t ipa)
{
    frame.esr_el2 = esr;
    frame.far_el2 = VA | (ipa & 0xffff);
    frame.hpfar_el2 = ipa >> 12 << 4;
    event = (struct event){.syndrome = (uint32_t)esr, .cause = esr >> 26 == 0x20 ? KEY_CAUSE_IABT : KEY_CAUSE_DABT};
    world.accesses = 0;
    world.reason = NULL;
    return abort_handle(&vcpu, &event);
}

// An ISV = 0 access by instruction; base x9 stands at the address, minus offset.
static enum trap_result run(uint32_t instruction, uint64_t ipa, int64_t offset, uint64_t write)
{
    world.instruction = instruction;
    frame.x[9] = (VA | (ipa & 0xffff)) - (uint64_t)offset;
    return take(DABT | TRANSLATION | write, ipa);
}

static uint64_t device64(unsigned int offset)
{
    uint64_t value;
    memcpy(&value, &world.device[offset], 8);
    return value;
}

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
    world.readable = false;
    refused(TRAP_RETRY, "an instruction that cannot be read", run(0xb9400122, DEVICE, 0, 0));
    world.walk_ok = false;
    refused(TRAP_RETRY, "an instruction that cannot be read", run(0xb9400122, DEVICE, 0, 0));
    frame.spsr_el2 = 0x10;
    refused(TRAP_INJECT_ABORT, "an AArch32 access that the syndrome does not describe", run(0, DEVICE, 0, 0));
}

static void test_retry_is_bounded(void **state)
{
    (void)state;
    world.mapped = true;
    world.permissions = STAGE2_READ;
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
    world.mapped = true;
    world.permissions = STAGE2_READ;
    world.walk.ipa = ipa_make(RAM);
    refused(TRAP_INJECT_ABORT, "no stage-2 permission", take(DABT | ISV | WRITE | PERMISSION, 0));
    assert_int_equal(event.key, KEY_GUEST_RAM);
    refused(TRAP_INJECT_ABORT, "no stage-2 permission", take(IABT | PERMISSION, 0));
    telemetry.sequence += 2;
    refused(TRAP_RETRY, "an access that raced with a remap", take(DABT | ISV | PERMISSION, 0));
    world.walk_ok = false;
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
    world.walk.ipa = ipa_make(DEVICE);
    assert_int_equal(take(DABT | ISV | SIZE(2) | PERMISSION, 0), TRAP_DONE);
}

// An entry may say that a device answers in the middle of RAM; then a fault on it is not about RAM, unless it is one of
// an instruction fetch, which no device answers.
static void test_shadow_in_ram(void **state)
{
    (void)state;
    world.mapped = true;
    world.permissions = STAGE2_READ | STAGE2_SHADOW;
    world.shadow_ipa = RAM;
    world.walk.ipa = ipa_make(RAM);
    assert_int_equal(take(DABT | ISV | SIZE(2) | SRT(5) | WRITE | PERMISSION, 0x10), TRAP_DONE);
    assert_int_equal(world.accesses, 1);
    assert_true(event.address == RAM + 0x10);
    refused(TRAP_INJECT_ABORT, "an instruction fetch outside guest RAM", take(IABT | PERMISSION, 0));
    world.permissions = STAGE2_READ;
    refused(TRAP_INJECT_ABORT, "no stage-2 permission", take(DABT | ISV | SIZE(2) | WRITE | PERMISSION, 0x10));
}

static void test_walks(void **state)
{
    (void)state;
    refused(TRAP_INJECT_ABORT, "a stage-1 table outside guest RAM", take(DABT | 0x80 | TRANSLATION, DEVICE));
    refused(TRAP_INJECT_ABORT, "a stage-1 table in a hole", take(DABT | 0x80 | TRANSLATION, RAM));
    world.mapped = true;
    refused(TRAP_INJECT_ABORT, "a stage-1 table without permission", take(IABT | 0x80 | PERMISSION, RAM));
    world.permissions = STAGE2_READ;
    telemetry.sequence += 2;
    refused(TRAP_RETRY, "a walk that raced with a remap", take(IABT | 0x80 | TRANSLATION, RAM));
    world.walk.step_count = 2;
    world.walk.steps[0] = (struct guest_walk_step){.level = 1, .address = ipa_make(RAM - 0x1000)};
    world.walk.steps[1] = (struct guest_walk_step){.level = 2, .address = ipa_make(RAM + 0x18)};
    world.walk.fault_level = 3;
    assert_int_equal(abort_walk_level(&vcpu), 2);
    world.walk.step_count = 1;
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

    world.walk_ok = memory != LOST;
    world.walk.flat = memory == FLAT;
    world.walk.memory = attributes[memory % LOST];
}

static void test_fault_codes(void **state)
{
    static const struct {
        const char *what;
        uint64_t pstate, esr, ipa;
        uint32_t instruction; // ISV = 0
        enum memory memory;
        uint64_t want; // ESR_EL1
    } rows[] = {
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

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        set_up(state);
        world.refuse_at = 1;
        set_memory(rows[i].memory);
        world.walk.ipa = ipa_make(rows[i].ipa & ~UINT64_C(0xfff));
        world.walk.fault_level = 2;
        world.instruction = rows[i].instruction;
        frame.x[9] = VA | (rows[i].ipa & 0xffff);
        frame.spsr_el2 = rows[i].pstate;
        assert_int_equal(take(rows[i].esr, rows[i].ipa), TRAP_INJECT_ABORT);
        assert_int_equal(event.syndrome, rows[i].esr); // what the log says is what the hardware said
        abort_inject(&vcpu);
        if (fake_sysreg_get("ESR_EL1") != rows[i].want)
            fail_msg("%s: ESR_EL1 0x%lx, want 0x%lx", rows[i].what, fake_sysreg_get("ESR_EL1"), rows[i].want);
        assert_true(fake_sysreg_get("FAR_EL1") == (VA | (rows[i].ipa & 0xffff)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_loads_by_syndrome, set_up),
        cmocka_unit_test_setup(test_stores_by_syndrome, set_up),
        cmocka_unit_test_setup(test_unaligned, set_up),
        cmocka_unit_test_setup(test_big_endian, set_up),
        cmocka_unit_test_setup(test_writeback, set_up),
        cmocka_unit_test_setup(test_pairs, set_up),
        cmocka_unit_test_setup(test_pair_places, set_up),
        cmocka_unit_test_setup(test_simd, set_up),
        cmocka_unit_test_setup(test_instructions, set_up),
        cmocka_unit_test_setup(test_retry_is_bounded, set_up),
        cmocka_unit_test_setup(test_ram, set_up),
        cmocka_unit_test_setup(test_outside_ram, set_up),
        cmocka_unit_test_setup(test_shadow_in_ram, set_up),
        cmocka_unit_test_setup(test_walks, set_up),
        cmocka_unit_test_setup(test_other_faults, set_up),
        cmocka_unit_test_setup(test_fault_codes, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
