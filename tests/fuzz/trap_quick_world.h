// SPDX-License-Identifier: Apache-2.0
// The world of trap_quick_fuzz.c: a VM on the real devices, what stands around ariel's exits, and everything that an
// exit may change as one value that can be kept, put back and compared.
// Links: trap/trap_quick.c trap/trap.c trap/aarch32.c
// Links: trap/abort.c trap/abort_classify.c core/irq.c core/notify.c vdev/interrupts.c
// Links: trap/abort_decode.c arch/aarch64/inject.c arch/aarch64/tlb.c trap/sysreg.c trap/sysreg_id.c
// Links: trap/dispatch.c trap/fault.c trap/call_key.c trap/hypercall.c trap/psci.c policy/policy.c
// Links: policy/event_key.c trace/telemetry.c
// Links: vdev/device.c vdev/vgic/vgic.c vdev/vgic/vgic_view.c vdev/vgic/vgic_icc.c vdev/vgic/vgic_lr.c
// Links: vdev/vgic/vgic_bank.c vdev/vgic/vgic_dist.c
// Links: vdev/vgic/vgic_redist.c vdev/vpl011.c vdev/vpl031.c vdev/vtimer.c lib/printf.c
// Links: platform/platform.c mm/stage2.c mm/pool.c arch/aarch64/s2_pte.c lib/range.c
// Links: debug/hold.c trace/guest_loop.c trace/event_name.c arch/aarch64/esr_fields.c
#pragma once

#include <fake_channel.h>
#include <fake_panic.h>
#include <fake_records.h>
#include <fake_shadow.h>
#include <fake_step.h>
#include <fake_trace_exit.h>
#include <fake_vm_state.h>
#include <guest_ram.h>

static const struct policy *policy_now(void);
#define WORLD_POLICY policy_now()
#include "../unit/vgic_world.h"

#include <hv/arch/el2_translate.h>
#include <hv/arch/guarded.h>
#include <hv/arch/simd_access.h>
#include <hv/arch/sysreg.h>
#include <hv/arch/sysreg_access.h>
#include <hv/arch/trap.h>
#include <hv/device_ops.h>
#include <hv/guest_mem.h>
#include <hv/guest_walk.h>
#include <hv/hyp_timer.h>
#include <hv/pool.h>
#include <hv/spinlock.h>
#include <hv/telemetry.h>
#include <hv/vdev_interrupts.h>

#include <policy_tables.c>

// The policy of the build, of which the fuzzer changes verdicts.
static struct policy policy;
static struct policy_range ranges[ARRAY_COUNT(built_ranges)];

static const struct policy *policy_now(void)
{
    return &policy;
}

// Transports without devices: what each access gets follows from its place alone.
static enum mmio_result virtio_access(struct vcpu *vcpu, uint32_t offset, unsigned int access, uint64_t *value)
{
    (void)vcpu;
    if (!(access & MMIO_WRITE))
        *value = offset & GENMASK64(8 * access - 1, 0);
    return MMIO_DONE;
}

const struct device_ops device_virtio_mmio = {.access = virtio_access};

static struct trap_frame frame;
static struct telemetry telemetry;

// Everything that an exit may change.
static struct state {
    struct vm vm;
    struct cpu cpus[WORLD_CPUS];
    unsigned int here;
    struct trap_frame frame;
    struct telemetry telemetry;
    struct fake_sysreg sysregs[FAKE_SYSREG_MAX];
    unsigned int sysreg_count;
    uint64_t effects;
} before, after_quick;

static uint64_t effects; // a hash of what left ariel: bytes, records, accesses
static unsigned int acknowledged[WORLD_CPUS][64];
static unsigned int waiting = INTID_SPURIOUS; // the physical interrupt that is signalled to this CPU

static void note(uint64_t what, uint64_t value)
{
    effects = (effects ^ what ^ value) * UINT64_C(0x100000001b3) + 1;
}

// ---- What stands around

static bool device(pa_t pa, unsigned int size, bool write, uint64_t *value)
{
    if (write)
        note('D', pa.v + *value);
    else
        *value = pa.v >> (64 - 8 * size);
    return pa.v % 32 != 0;
}

unsigned int cpu_id(void)
{
    return here;
}

void hyp_timer_set(uint64_t at, void (*expired)(void *argument), void *argument)
{
    (void)expired;
    fuzz_check(argument == &vm || ((struct vcpu *)argument)->vm == &vm);
    note('h' + (argument == &vm), at);
}

unsigned int gicv3_acknowledge(void)
{
    unsigned int intid = waiting;

    waiting = INTID_SPURIOUS;
    return intid;
}

void gicv3_drop_priority(unsigned int intid)
{
    (void)intid;
}

bool sysreg_access_read(unsigned int index, uint64_t *value)
{
    *value = index * UINT64_C(0x0123456789abcdef);
    return index % 16 != 0;
}

bool sysreg_access_write(unsigned int index, uint64_t value)
{
    note('m', index + value);
    return index % 16 != 0;
}

uint64_t sysreg_access_translate(gva_t address, bool el0, bool write)
{
    return address.v + el0 + write;
}

void simd_read(unsigned int n, struct simd_value *value)
{
    *value = (struct simd_value){{n, ~(uint64_t)n}};
}

void simd_write(unsigned int n, const struct simd_value *value)
{
    note('q', n + value->part[0]);
}

void guest_walk_registers_read(struct guest_walk_registers *registers)
{
    *registers = (struct guest_walk_registers){0};
}

bool guest_walk(struct space *of, const struct guest_walk_registers *registers, gva_t va, struct guest_walk *walk)
{
    (void)of, (void)registers;
    *walk = (struct guest_walk){.ipa = ipa_make(va.v & (BIT64(39) - 1))};
    return true;
}

enum hv_status guest_mem_check(struct space *of, ipa_t ipa, uint64_t size, uint32_t permissions)
{
    (void)of, (void)permissions;
    return ipa.v < GUEST_RAM_IPA || size > GUEST_RAM_SIZE ? HV_ERR_BOUNDS : HV_OK;
}

// The instruction at every PC is one of a few, by its address.
enum hv_status guest_mem_read(struct space *of, ipa_t ipa, void *buffer, size_t size)
{
    static const uint32_t instructions[] = {0xb9400020, 0xa9000440, 0x3d800000, 0x885f7c20, 0xf8408420, 0xd50b7420};

    (void)of;
    memset(buffer, 'g', size);
    if (size == 4)
        memcpy(buffer, &instructions[ipa.v / 4 % ARRAY_COUNT(instructions)], 4);
    return HV_OK;
}

// ---- State

static void keep(struct state *state)
{
    state->vm = vm;
    memcpy(state->cpus, cpus, sizeof(cpus));
    state->here = here;
    state->frame = frame;
    state->telemetry = telemetry;
    memcpy(state->sysregs, fake_sysregs, sizeof(fake_sysregs[0]) * fake_sysreg_count);
    state->sysreg_count = fake_sysreg_count;
    state->effects = effects;
}

static void put_back(const struct state *state)
{
    vm = state->vm;
    memcpy(cpus, state->cpus, sizeof(cpus));
    here = state->here;
    frame = state->frame;
    telemetry = state->telemetry;
    memcpy(fake_sysregs, state->sysregs, sizeof(fake_sysregs[0]) * state->sysreg_count);
    fake_sysreg_count = state->sysreg_count;
    effects = state->effects;
}

static bool is_pc_or_pstate(const char *name)
{
    return strcmp(name, "ELR_EL2") == 0 || strcmp(name, "SPSR_EL2") == 0;
}

static void same(const char *what, uint64_t quick, uint64_t whole)
{
    if (quick == whole)
        return;
    fprintf(stderr, "%s: 0x%llx by trap_quick, 0x%llx by trap_from_sync; ESR_EL2 0x%llx HPFAR_EL2 0x%llx\n", what,
            (unsigned long long)quick, (unsigned long long)whole, (unsigned long long)fake_sysreg_get("ESR_EL2"),
            (unsigned long long)fake_sysreg_get("HPFAR_EL2"));
    abort();
}

static void same_bytes(const char *what, const void *quick, const void *whole, size_t size)
{
    const uint8_t *a = quick, *b = whole;
    char name[64];

    if (memcmp(a, b, size) == 0)
        return;
    for (size_t i = 0; i < size; i++) {
        snprintf(name, sizeof(name), "%s, byte %zu", what, i);
        same(name, a[i], b[i]);
    }
}

// A register that one of the ways asked for first reads 0.
static void compare_sysregs(const struct state *state)
{
    for (unsigned int i = 0; i < fake_sysreg_count; i++)
        if (!is_pc_or_pstate(fake_sysregs[i].name))
            same(fake_sysregs[i].name, i < state->sysreg_count ? state->sysregs[i].value : 0, fake_sysregs[i].value);
}

// The slot that the next event gets, which may be half filled, and what nobody reads of a finished one.
static void forget_slots(struct telemetry *of, bool declined)
{
    if (declined)
        memset(telemetry_begin(of), 0, sizeof(struct event));
    for (unsigned int i = 0; i < TELEMETRY_LAST; i++)
        of->last[i].logged = 0;
}

static void compare(struct state *state, bool declined)
{
    forget_slots(&state->telemetry, declined);
    forget_slots(&telemetry, declined);
    compare_sysregs(state);
    // The shorter way alone remembers the range of the last access: what it remembers goes on to the next event.
    for (unsigned int i = 0; i < WORLD_CPUS; i++) {
        vm.vcpus[i].range = state->vm.vcpus[i].range;
        vm.vcpus[i].device = state->vm.vcpus[i].device;
        vm.vcpus[i].shadow = state->vm.vcpus[i].shadow;
    }
    same_bytes("vm", &state->vm, &vm, sizeof(vm));
    same_bytes("cpus", state->cpus, cpus, sizeof(cpus));
    same_bytes("telemetry", &state->telemetry, &telemetry, sizeof(telemetry));
    same("what left ariel", state->effects, effects);
}

// What the guest's stage 1 makes of an address. It may have changed since the fault: then it may make nothing of it.
static bool stage1_changed;

static uint64_t translate(gva_t va)
{
    return stage1_changed ? PAR_EL1_F : va.v & GENMASK64(38, 12);
}

// ---- From the beginning

// RAM that the guest may only read, a hole in it, and the page of registers that stands for the UART.
static void map_guest(void)
{
    static _Alignas(4096) uint64_t root[512];
    static _Alignas(4096) uint8_t pages[8][4096];
    static struct pool pool;
    struct ipa_range ram = {.base = {GUEST_RAM_IPA}, .size = MIB(2)}, uart = {.base = {PL011_IPA}, .size = PL011_SIZE};

    pool_init(&pool, pages, ARRAY_COUNT(pages));
    stage2_init(&vm.space.stage2, root, &pool, 1);
    fake_guest_ram(&vm.space);
    fuzz_check(stage2_map(&vm.space.stage2, &ram, pa_make(FAKE_GUEST_RAM_PA), STAGE2_READ) == HV_OK);
    fuzz_check(stage2_map(&vm.space.stage2, &uart, pa_make((uintptr_t)vm.uart.reg & ~UINT64_C(0xfff)),
                          STAGE2_READ | STAGE2_SHADOW) == HV_OK);
    for (size_t i = 0; i < ARRAY_COUNT(ranges); i++)
        if (ranges[i].base == PL011_IPA)
            ranges[i].mapping = POLICY_SHADOW;
    fake_el1_translate = translate;
}

static void prepare(void)
{
    static bool once;

    if (!once)
        vdev_register_interrupts();
    once = true;
    policy = policy_built;
    memcpy(ranges, built_ranges, sizeof(ranges));
    policy.ranges = ranges;
    memset(&telemetry, 0, sizeof(telemetry));
    memset(&frame, 0, sizeof(frame));
    effects = 0;
    world_started(NULL);
    device_pl011.reset(&vm);
    device_pl031.reset(&vm);
    vm.uart.shadow = true;
    spinlock_init(&vm.power_lock, LOCK_VM_POWER);
    map_guest();
    for (unsigned int i = 0; i < WORLD_CPUS; i++) {
        vm.vcpus[i].frame = &frame;
        vm.vcpus[i].telemetry = &telemetry;
    }
    fake_sysreg_set("SPSR_EL2", SPSR_M_EL1H);
    fake_sysreg_set("ELR_EL2", GUEST_RAM_IPA);
    fake_sysreg_set("CNTFRQ_EL0", 62500000);
    fake_guarded_device = device;
    fake_effect_hook = note;
    vm.controls = policy.controls;
    sysreg_init(&vm);
}
