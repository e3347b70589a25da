// SPDX-License-Identifier: Apache-2.0
// Hypercalls with any number and arguments, over a real stage 2 that is mapped, unmapped and protected meanwhile: what
// reaches the console is exactly the guest's bytes at that address, and only where the guest may read all of them;
// PSCI's answers and power states are those of a second reading of DEN 0022; no call changes anything else.
// Links: trap/call_key.c trap/hypercall.c trap/psci.c mm/guest_mem.c mm/space.c mm/stage2.c mm/pool.c
// Links: arch/aarch64/tlb.c arch/aarch64/s2_pte.c lib/range.c
// Links: platform/platform.c

#include <fuzz.h>

#include <fake_channel.h>
#include <fake_records.h>
#include <fake_trace_exit.h>
#include <fake_vm_state.h>
#include <guest_ram.h>

#include <hv/arch/guarded.h>
#include <hv/call.h>
#include <hv/guest_abi.h>
#include <hv/policy.h>
#include <hv/pool.h>
#include <hv/spinlock.h>
#include <hv/telemetry.h>
#include <hv/vm.h>

// A policy that denies CPU_OFF, which is then not offered.
static const struct policy policy = {.verdicts = {[KEY_PSCI_CPU_OFF] = {{POLICY_DENY, 0, 0}, {POLICY_DENY, 0, 0}}}};

#define PAGES 8u
#define VCPUS 3u

static _Alignas(4096) uint8_t memory[PAGES][4096];
static _Alignas(4096) uint64_t root[512];
static _Alignas(4096) uint8_t pages[64][4096];
static struct pool pool;
static uint8_t permissions[PAGES]; // of guest page n, which is host page (n * 3) % PAGES; 0xff: a hole
static struct trap_frame frames[VCPUS];
static struct telemetry telemetry;
static struct vm vm;

// ---- Guest memory: the first pages of its RAM

static void change_page(unsigned int page, uint8_t wanted)
{
    struct ipa_range range = {.base = {GUEST_RAM_IPA + page * 4096u}, .size = 4096};

    if (permissions[page] != 0xff)
        fuzz_check(stage2_unmap(&vm.space.stage2, &range) == HV_OK);
    if (wanted != 0xff)
        fuzz_check(stage2_map(&vm.space.stage2, &range, pa_make((uintptr_t)memory[page * 3 % PAGES]), wanted) == HV_OK);
    permissions[page] = wanted;
}

static bool guest_may_read(uint64_t address, uint64_t size)
{
    uint64_t end;

    if (__builtin_add_overflow(address, size, &end) || address < GUEST_RAM_IPA || end > GUEST_RAM_IPA + PAGES * 4096u)
        return false;
    for (uint64_t at = address & ~UINT64_C(4095); at < end; at += 4096) {
        uint8_t has = permissions[(at - GUEST_RAM_IPA) / 4096];
        if (has == 0xff || !(has & STAGE2_READ) || (has & STAGE2_DEVICE))
            return false;
    }
    return true;
}

static uint8_t guest_byte(uint64_t address)
{
    uint64_t offset = address - GUEST_RAM_IPA;

    return memory[offset / 4096 * 3 % PAGES][offset % 4096];
}

// ---- What a call should answer

static int64_t expect_console(uint64_t address, uint64_t size)
{
    if (size == 0)
        return 0;
    if (size > HVC_CONSOLE_WRITE_MAX || !guest_may_read(address, size))
        return HVC_INVALID_PARAMETERS;
    fuzz_check(fake_channel.sent_count == size);
    for (uint64_t i = 0; i < size; i++)
        fuzz_check(fake_channel.sent[i] == guest_byte(address + i));
    return (int64_t)size;
}

static bool is_entry(uint64_t entry)
{
    return entry >= GUEST_RAM_IPA && entry < GUEST_RAM_IPA + (uint64_t)GUEST_RAM_SIZE && entry % 4 == 0;
}

static int64_t expect_cpu_on(const enum vcpu_power *power, uint64_t target, uint64_t entry)
{
    if (target >= VCPUS)
        return -2;
    if (!is_entry(entry))
        return -9;
    return power[target] == VCPU_ON ? -4 : power[target] == VCPU_ON_PENDING ? -5 : 0;
}

static bool is_offered(uint32_t number)
{
    static const uint32_t known[] = {0x84000000, 0x84000001, 0xc4000001, 0x84000003, 0xc4000003,
                                     0x84000004, 0xc4000004, 0x84000006, 0x84000008, 0x84000009,
                                     0x8400000a, 0x84000012, 0xc4000012, 0x80000000};

    for (size_t i = 0; i < ARRAY_COUNT(known); i++)
        if (known[i] == number)
            return true;
    return false;
}

static int64_t expect_smccc(uint32_t number, const uint64_t *x, const enum vcpu_power *power)
{
    bool wide = number & 0x40000000;
    uint64_t x1 = wide ? x[1] : (uint32_t)x[1], x2 = wide ? x[2] : (uint32_t)x[2];

    switch (number) {
    case 0x80000000: // SMCCC_VERSION, PSCI_VERSION
    case 0x84000000:
        return 0x10001;
    case 0x80000001:
        return (uint32_t)x1 == 0x80000000 || (uint32_t)x1 == 0x80000001 ? 0 : -1;
    case 0x84000001:
    case 0xc4000001:
        if ((uint32_t)x1 & 0xfcfe0000) // reserved
            return -2;
        return ((uint32_t)x1 & 0x10000) && !is_entry(x2) ? -9 : 0;
    case 0x84000002:
        return 0;
    case 0x84000003:
    case 0xc4000003:
        return expect_cpu_on(power, x1, x2);
    case 0x84000004:
    case 0xc4000004:
        return x1 >= VCPUS || x2 != 0 ? -2 : (int64_t)power[x1];
    case 0x84000006:
        return 2;
    case 0x8400000a:
        return is_offered((uint32_t)x1) ? 0 : -1;
    case 0x84000012:
    case 0xc4000012:
        return -2; // type 0 does not come back
    default:
        return -1;
    }
}

static int64_t expect(uint32_t immediate, bool smc, const uint64_t *x, const enum vcpu_power *power)
{
    if (immediate != 0)
        return HVC_NOT_SUPPORTED;
    if ((uint32_t)x[0] >= 0x80000000)
        return expect_smccc((uint32_t)x[0], x, power);
    if (smc)
        return -1;
    switch (x[0]) {
    case 0:
        return HV_ID;
    case 2:
        return (int64_t)telemetry.sequence;
    case 4:
        return expect_console(x[1], x[2]);
    case 1:
    case 3:
    case 5:
        return 0;
    default:
        return HVC_NOT_SUPPORTED;
    }
}

// ---- One call

static uint64_t draw(struct fuzz_input *input)
{
    switch (fuzz_below(input, 8)) {
    case 0:
        return fuzz_take(input, 8);
    case 1:
        return ~UINT64_C(0) - fuzz_take(input, 2);
    case 2:
        return 0x84000000 + fuzz_below(input, 32);
    case 3:
        return 0xc4000000 + fuzz_below(input, 32);
    case 4:
        return fuzz_take(input, 1);
    case 5:
        return UINT64_C(0x100000000) * fuzz_take(input, 1) + 0x80000000 + fuzz_below(input, 4);
    default:
        return GUEST_RAM_IPA + fuzz_take(input, 2) % (PAGES * 4096 + 64);
    }
}

static void check_power(const enum vcpu_power *old, unsigned int caller, uint32_t number, int64_t result,
                        const uint64_t *x)
{
    for (unsigned int i = 0; i < VCPUS; i++) {
        enum vcpu_power now = vm.vcpus[i].power;
        if (now == old[i])
            continue;
        bool on = (number == 0x84000003 || number == 0xc4000003) && result == 0 && old[i] == VCPU_OFF &&
                  now == VCPU_ON_PENDING && (uint32_t)x[1] == i;
        bool off = number == 0x84000002 && i == caller && now == VCPU_OFF;
        fuzz_check(on || off);
        fuzz_check(fake_vm_state.requested[i] == VCPU_REQUEST_WAIT);
        fuzz_check(!on || vm.vcpus[i].on_entry == (number & 0x40000000 ? x[2] : (uint32_t)x[2]));
        fuzz_check(!on || vm.vcpus[i].on_context == (number & 0x40000000 ? x[3] : (uint32_t)x[3]));
    }
}

static void make_call(struct fuzz_input *input)
{
    static const uint8_t favourites[] = {0, 1, 2, 3, 4, 4, 4, 5};
    unsigned int who = fuzz_below(input, VCPUS), kind = fuzz_below(input, 32);
    uint32_t immediate = kind == 31 ? (uint32_t)fuzz_take(input, 2) : 0;
    bool smc = kind & 1 && kind > 16;
    enum vcpu_power power[VCPUS];
    struct trap_frame old;

    for (unsigned int n = 0; n < 31; n++)
        frames[who].x[n] = n < 4 ? draw(input) : n * UINT64_C(0x0101010101010101);
    if (kind < 16)
        frames[who].x[0] = kind < 8 ? favourites[kind] : (kind & 1 ? 0xc4000000 : 0x84000000) + fuzz_below(input, 32);
    old = frames[who];
    for (unsigned int i = 0; i < VCPUS; i++)
        power[i] = vm.vcpus[i].power;
    fake_channel_reset();
    fake_vm_state = (struct fake_vm_state){0};
    unsigned int key = call_key(smc ? KEY_CAUSE_SMC : KEY_CAUSE_HVC, 0x5a000000 | immediate, old.x[0]);
    fuzz_check(key >= KEY_HVC_FIRST && key <= KEY_SMC_IMMEDIATE);
    int64_t result = call_handle(&vm.vcpus[who], key);
    fuzz_check(result == expect(immediate, smc, old.x, power));
    fuzz_check(memcmp(&frames[who], &old, sizeof(old)) == 0); // x0 is the caller's to write
    fuzz_check(result > 0 || fake_channel.sent_count == 0 || old.x[2] == 0);
    check_power(power, who, immediate == 0 ? (uint32_t)old.x[0] : 0, result, old.x);
    fuzz_check(!vm.power_lock.ticket.held && !vm.space.stage2.lock.ticket.held);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};

    for (unsigned int i = 0; i < sizeof(memory); i++)
        memory[i / 4096][i % 4096] = (uint8_t)(i * 7 + i / 4096);
    memset(&vm, 0, sizeof(vm));
    spinlock_init(&vm.power_lock, LOCK_VM_POWER);
    memset(permissions, 0xff, sizeof(permissions));
    pool_init(&pool, pages, ARRAY_COUNT(pages));
    space_init(&vm.space, root, &pool, 1);
    fake_guest_ram(&vm.space);
    vm.policy = &policy;
    vm.vcpu_count = VCPUS;
    for (unsigned int i = 0; i < VCPUS; i++)
        vm.vcpus[i] = (struct vcpu){
            .frame = &frames[i], .vm = &vm, .id = i, .telemetry = &telemetry, .power = i == 0 ? VCPU_ON : VCPU_OFF};
    for (unsigned int page = 0; page < PAGES; page++)
        change_page(page, STAGE2_READ | STAGE2_WRITE);
    if (setjmp(fake_machine_gone))
        return 0; // the machine is off, or starts again
    while (input.size > 0) {
        unsigned int what = fuzz_below(&input, 16);
        telemetry.sequence++;
        if (what == 0)
            change_page(fuzz_below(&input, PAGES), fuzz_below(&input, 4) ? fuzz_below(&input, 16) : 0xff);
        else if (what == 1)
            vm.vcpus[fuzz_below(&input, VCPUS)].power = (enum vcpu_power)fuzz_below(&input, 3);
        else
            make_call(&input);
    }
    return 0;
}
