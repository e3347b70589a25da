// SPDX-License-Identifier: Apache-2.0
// Aborts of every kind, with any syndrome, instruction, register file and state of stage 2: what is emulated moves
// exactly the bytes and registers that a second reading of the manual says, in either endianness; what is not leaves
// all registers alone and has a reason.
// Links: trap/abort.c trap/abort_classify.c trap/abort_decode.c arch/aarch64/inject.c arch/aarch64/tlb.c

#include <fuzz.h>

#include <fake_guest_cpu.h>
#include <guest_ram.h>

#include <hv/arch/abort.h>
#include <hv/arch/abort_decode.h>
#include <hv/arch/el2_translate.h>
#include <hv/arch/frame.h>
#include <hv/arch/registers.h>
#include <hv/event_key.h>
#include <hv/telemetry.h>
#include <hv/vm.h>

#include "../unit/a64_model.h"

#define DEVICE      UINT64_C(0x09000000)
#define DEVICE_SIZE 8192u

static struct trap_frame frame;
static struct telemetry telemetry;
static struct vm vm;
static struct vcpu vcpu = {.frame = &frame, .vm = &vm, .telemetry = &telemetry};

static struct world {
    uint8_t device[DEVICE_SIZE];
    struct simd_value v[32];
    uint64_t sp[2]; // what SP_EL0 and SP_EL1 are once EL2 has left
} world;

static struct {
    unsigned int accesses, refuse_at; // refuse_at: the access that is refused, from 1; 0: none
    const char *reason;
} setting;

enum trap_result trap_mmio(struct vcpu *of, struct event *access, unsigned int size)
{
    uint64_t offset = access->address - DEVICE;

    fuzz_check(of == &vcpu && (size == 1 || size == 2 || size == 4 || size == 8));
    fuzz_check(access->address % size == 0);
    // No device answers where RAM is, unless an entry says so.
    fuzz_check(access->address - GUEST_RAM_IPA >= GUEST_RAM_SIZE || (fake_guest_cpu.permissions & STAGE2_SHADOW) != 0);
    if (++setting.accesses == setting.refuse_at || offset >= DEVICE_SIZE)
        return TRAP_INJECT_ABORT;
    if (access->write) {
        fuzz_check(size == 8 || access->value >> (8 * size) == 0);
        memcpy(&world.device[offset], &access->value, size);
    } else {
        access->value = 0;
        memcpy(&access->value, &world.device[offset], size);
    }
    return TRAP_DONE;
}

enum trap_result trap_fault(struct vcpu *of, struct event *fault, enum trap_result outcome, const char *reason)
{
    (void)of, (void)fault;
    fuzz_check(reason != NULL && strlen(reason) > 5);
    setting.reason = reason;
    return outcome;
}

// ---- What should come of it

static bool is_big_endian(void)
{
    uint64_t sctlr = fake_sysreg_get("SCTLR_EL1");

    if (frame.spsr_el2 & 0x10)
        return frame.spsr_el2 & 0x200;
    return frame.spsr_el2 & 0xc ? sctlr >> 25 & 1 : sctlr >> 24 & 1;
}

// Byte i of a register: of 16 in a SIMD one, of 8 in a general one.
static uint8_t register_byte(const struct abort_access *access, unsigned int reg, unsigned int i)
{
    uint64_t value = access->simd ? world.v[reg].part[i / 8] : reg == 31 ? 0 : frame.x[reg];

    return (uint8_t)(value >> (8 * (i % 8)));
}

static void expect_store(const struct abort_access *access, uint64_t address, struct world *expected)
{
    bool big = is_big_endian();

    for (unsigned int r = 0; r < access->count; r++)
        for (unsigned int i = 0; i < access->size; i++)
            expected->device[address - DEVICE + r * access->size + (big ? access->size - 1u - i : i)] =
                register_byte(access, access->reg[r], i);
}

static void expect_load(const struct abort_access *access, uint64_t address, struct world *expected, uint64_t x[31])
{
    bool big = is_big_endian();

    for (unsigned int r = 0; r < access->count; r++) {
        const uint8_t *bytes = &world.device[address - DEVICE + r * access->size];
        uint64_t part[2] = {0, 0};
        for (unsigned int i = 0; i < access->size; i++)
            part[i / 8] |= (uint64_t)bytes[big ? access->size - 1u - i : i] << (8 * (i % 8));
        if (access->simd) {
            expected->v[access->reg[r]] = (struct simd_value){{part[0], part[1]}};
            continue;
        }
        if (access->sign_extend && access->size < 8 && part[0] >> (8 * access->size - 1) & 1)
            part[0] |= ~UINT64_C(0) << (8 * access->size);
        if (access->sign_extend && !access->sixty_four)
            part[0] &= 0xffffffff;
        if (access->reg[r] != 31)
            x[access->reg[r]] = part[0];
    }
}

static void expect_write_back(const struct abort_access *access, struct world *expected, uint64_t x[31])
{
    bool own = (frame.spsr_el2 & 0xd) == 0x5; // EL1h

    if (access->writeback && access->base == 31)
        expected->sp[own] += (uint64_t)access->base_offset;
    else if (access->writeback)
        x[access->base] += (uint64_t)access->base_offset;
}

// The access as the syndrome or the instruction has it; false: none.
static bool find_access(uint64_t esr, struct abort_access *access)
{
    if (esr & ISS_ABORT_ISV) {
        *access = (struct abort_access){.size = (uint8_t)(1 << (esr >> 22 & 3)), .count = 1};
        access->reg[0] = (uint8_t)(esr >> 16 & 31);
        access->write = esr & ISS_ABORT_WNR;
        access->sign_extend = esr & ISS_ABORT_SSE;
        access->sixty_four = esr & ISS_ABORT_SF;
        return true;
    }
    return !(frame.spsr_el2 & 0x10) && frame.elr_el2 % 4 == 0 && fake_guest_cpu.walks && fake_guest_cpu.readable &&
           a64_model(fake_guest_cpu.instruction, access) && access->write == !!(esr & ISS_ABORT_WNR);
}

// ---- One abort

static uint64_t draw_syndrome(struct fuzz_input *input)
{
    uint64_t drawn = fuzz_take(input, 4), fsc = drawn & 0x3f;

    if (drawn & 0x400000)
        drawn &= ~(ISS_ABORT_CM | ISS_ABORT_S1PTW | ISS_ABORT_FNV);
    if (drawn >> 28 & 3)
        fsc = FSC_TRANSLATION + (fsc & 3);
    if (FIELD_GET(ISS_ABORT_SAS, drawn) == 3)
        drawn &= ~ISS_ABORT_SSE; // no instruction extends a doubleword
    return FIELD_PREP(ESR_ELX_EC, drawn >> 29 ? ESR_EC_DABT_LOWER : ESR_EC_IABT_LOWER) | ESR_ELX_IL |
           (drawn & (ESR_ELX_ISS & ~ISS_ABORT_FSC)) | fsc;
}

static uint32_t draw_instruction(struct fuzz_input *input)
{
    static const uint32_t forms[] = {0x39000000, 0x38000000, 0x38200800, 0x28000000,
                                     0x08800000, 0x19000000, 0x18000000, 0x38bfc000};
    uint32_t drawn = (uint32_t)fuzz_take(input, 4);
    unsigned int form = fuzz_below(input, 12);

    return form < 8 ? (drawn & 0xc4dfffff) | forms[form] : drawn;
}

static void set_up(struct fuzz_input *input)
{
    static const uint8_t modes[] = {0x5, 0x4, 0x0, 0x10};
    unsigned int flags = fuzz_below(input, 256);
    uint64_t seed = fuzz_take(input, 8) | 1;

    for (unsigned int i = 0; i < sizeof(world); i++)
        ((uint8_t *)&world)[i] = (uint8_t)(seed * (i + 1) >> 24);
    for (unsigned int i = 0; i < 31; i++)
        frame.x[i] = seed * (2 * i + 1);
    fake_guest_cpu.v = world.v;
    fake_guest_cpu.mapped = flags & 1;
    fake_guest_cpu.readable = flags & 0x0e;
    fake_guest_cpu.walks = flags & 0x70;
    fake_guest_cpu.permissions = (uint32_t)fuzz_take(input, 1) & 0x1f; // STAGE2_PLAIN or STAGE2_SHADOW
    setting.refuse_at = fuzz_below(input, 16);
    fake_guest_cpu.instruction = draw_instruction(input);
    fake_guest_cpu.walk = (struct guest_walk){.step_count = 2, .fault_level = 3};
    fake_guest_cpu.walk.ipa = fake_guest_cpu.walk.steps[1].address =
        ipa_make(flags & 0x80 ? GUEST_RAM_IPA + (fuzz_take(input, 2) << 12) : fuzz_take(input, 5) & ~UINT64_C(0xfff));
    frame.spsr_el2 =
        (fuzz_take(input, 2) << 16 & ~UINT64_C(0x1f)) | (fuzz_take(input, 1) << 2 & 0x200) | modes[seed >> 60 & 3];
    frame.elr_el2 = seed << 2 | (flags == 0xff);
    frame.sp_el0 = world.sp[0];
    frame.sp_el1 = world.sp[1];
    fake_sysreg_set("SP_EL0", world.sp[0]);
    fake_sysreg_set("SP_EL1", world.sp[1]);
    fake_sysreg_set("SCTLR_EL1", fuzz_below(input, 4) << 24);
    fake_sysreg_set("CPTR_EL2", fuzz_below(input, 8) == 0 ? CPTR_EL2_TFP : 0);
}

static void set_address(struct fuzz_input *input, uint64_t esr)
{
    uint64_t offset = fuzz_take(input, 2), ipa = DEVICE + offset % (DEVICE_SIZE - 64);
    struct abort_access access;

    if (offset & 0x8000)
        ipa = fuzz_take(input, 5);
    else if (offset & 0x4000)
        ipa &= ~UINT64_C(15);
    frame.esr_el2 = esr;
    frame.hpfar_el2 = ipa >> 12 << 4;
    frame.far_el2 = (fuzz_take(input, 4) << 12) | (ipa & 0xfff);
    // The base register of a pair as it would be, mostly.
    if (!(esr & ISS_ABORT_ISV) && fuzz_below(input, 8) && a64_model(fake_guest_cpu.instruction, &access)) {
        uint64_t base = frame.far_el2 - (uint64_t)access.address_offset;
        if (access.base != 31)
            frame.x[access.base] = base;
        else if ((frame.spsr_el2 & 0xd) == 0x5)
            frame.sp_el1 = world.sp[1] = base;
        else
            frame.sp_el0 = world.sp[0] = base;
    }
}

static void check(uint64_t esr)
{
    struct trap_frame old = frame;
    struct event event = {.cause = FIELD_GET(ESR_ELX_EC, esr) == ESR_EC_DABT_LOWER ? KEY_CAUSE_DABT : KEY_CAUSE_IABT,
                          .syndrome = (uint32_t)esr,
                          .pc = frame.elr_el2};
    struct world expected = world;
    struct abort_access access;
    uint64_t address = (frame.hpfar_el2 << 8 & ~UINT64_C(0xfff)) | (frame.far_el2 & 0xfff);

    setting.accesses = 0;
    setting.reason = NULL;
    enum trap_result result = abort_handle(&vcpu, &event);
    bool emulated = result == TRAP_DONE && setting.reason == NULL;
    uint64_t x[31];
    memcpy(x, old.x, sizeof(x));
    if (emulated) {
        struct world now = world;
        struct trap_frame left = frame;
        bool write = esr & ISS_ABORT_WNR;
        if ((esr & ISS_ABORT_FSC) >= FSC_PERMISSION)
            address = fake_guest_cpu.walk.ipa.v | (frame.far_el2 & 0xfff);
        fuzz_check(FIELD_GET(ESR_ELX_EC, esr) == ESR_EC_DABT_LOWER);
        // As it was before: expected is made of that.
        world = expected;
        frame = old;
        fuzz_check(find_access(esr, &access));
        fuzz_check(address % access.size == 0 && (address & 0xfff) + access.size * access.count <= 4096);
        if (write)
            expect_store(&access, address, &expected);
        else
            expect_load(&access, address, &expected, x);
        expect_write_back(&access, &expected, x);
        world = now;
        frame = left;
    } else if (setting.accesses > 0) { // earlier parts of a store have happened
        memcpy(expected.device, world.device, sizeof(expected.device));
        fuzz_check(result == TRAP_INJECT_ABORT);
    }
    world.sp[0] = fake_sysreg_get("SP_EL0");
    world.sp[1] = fake_sysreg_get("SP_EL1");
    fuzz_check(memcmp(frame.x, x, sizeof(x)) == 0);
    fuzz_check(memcmp(&world, &expected, sizeof(world)) == 0);
    fuzz_check(frame.elr_el2 == old.elr_el2 && frame.spsr_el2 == old.spsr_el2);
    fuzz_check((result == TRAP_STOP) == ((esr & ISS_ABORT_FSC) == FSC_HARDWARE_FLAG));
    if (result == TRAP_INJECT_ABORT)
        abort_inject(&vcpu);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};

    fake_sysreg_reset();
    fake_el1_translate = fake_guest_translate;
    fake_guest_ram(&vm.space);
    vcpu.retry_count = 0;
    while (input.size > 0) {
        set_up(&input);
        uint64_t esr = draw_syndrome(&input);
        set_address(&input, esr);
        fake_sysreg_set("SP_EL0", world.sp[0]);
        fake_sysreg_set("SP_EL1", world.sp[1]);
        check(esr);
        telemetry.sequence++;
    }
    return 0;
}
