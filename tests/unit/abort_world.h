// SPDX-License-Identifier: Apache-2.0
// The world of the tests of aborts: a guest made of one instruction, one page table walk and one stage-2 entry
// (fake_guest_cpu.h), and 64 bytes of device.
// Links: trap/abort.c trap/abort_classify.c trap/abort_decode.c arch/aarch64/inject.c arch/aarch64/tlb.c
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <fake_guest_cpu.h>
#include <guest_ram.h>

#include <hv/arch/abort.h>
#include <hv/arch/abort_classify.h>
#include <hv/arch/el2_translate.h>
#include <hv/arch/frame.h>
#include <hv/arch/registers.h>
#include <hv/event_key.h>
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
    uint64_t parts[4];       // known when the policy is asked about the last one
    const char *reason;      // given to trap_fault
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

static inline int set_up(void **state)
{
    (void)state;
    fake_sysreg_reset();
    fake_trace_reset();
    memset(&world, 0, sizeof(world));
    for (unsigned int i = 0; i < 64; i++)
        world.device[i] = (uint8_t)(0x80 + i);
    for (unsigned int i = 0; i < 64; i++)
        world.v[i / 2].part[i % 2] = UINT64_C(0x1111111111111111) * (i % 15 + 1);
    fake_guest_cpu = (struct fake_guest_cpu){.v = world.v, .readable = true, .walks = true};
    frame = (struct trap_frame){.elr_el2 = VA, .spsr_el2 = EL1H, .sp_el0 = 0x5000, .sp_el1 = 0x6000};
    for (unsigned int i = 0; i < 31; i++)
        frame.x[i] = UINT64_C(0xa0a1a2a3a4a5a600) + i;
    telemetry.sequence += 1000;
    fake_el1_translate = fake_guest_translate;
    fake_guest_ram(&vm.space);
    vcpu.retry_count = 0;
    return 0;
}

static inline enum trap_result take(uint64_t esr, uint64_t ipa)
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
static inline enum trap_result run(uint32_t instruction, uint64_t ipa, int64_t offset, uint64_t write)
{
    fake_guest_cpu.instruction = instruction;
    frame.x[9] = (VA | (ipa & 0xffff)) - (uint64_t)offset;
    return take(DABT | TRANSLATION | write, ipa);
}

static inline uint64_t device64(unsigned int offset)
{
    uint64_t value;
    memcpy(&value, &world.device[offset], 8);
    return value;
}
