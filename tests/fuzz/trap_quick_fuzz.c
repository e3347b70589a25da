// SPDX-License-Identifier: Apache-2.0
// Both ways of an exit against each other: the same events (calls, registers, SGIs, device accesses of every size and
// register, under verdicts and device states drawn as well) go through trap_quick and, from the same state, through
// trap_from_sync. What trap_quick takes must leave the same registers, devices, list registers, events and counters;
// what it declines must be untouched.
// Links: trap/trap_quick.c trap/trap.c trap/aarch32.c
// Links: trap/abort.c trap/abort_classify.c core/irq.c core/notify.c vdev/interrupts.c
// Links: trap/abort_decode.c arch/aarch64/inject.c arch/aarch64/tlb.c trap/sysreg.c trap/sysreg_id.c
// Links: trap/dispatch.c trap/fault.c trap/call_key.c trap/hypercall.c trap/psci.c policy/policy.c
// Links: policy/event_key.c trace/telemetry.c
// Links: vdev/device.c vdev/vgic/vgic.c vdev/vgic/vgic_view.c vdev/vgic/vgic_icc.c vdev/vgic/vgic_lr.c
// Links: vdev/vgic/vgic_bank.c vdev/vgic/vgic_dist.c
// Links: vdev/vgic/vgic_redist.c vdev/vpl011.c vdev/vpl031.c vdev/virtio_mmio.c vdev/vtimer.c lib/printf.c
// Links: platform/platform.c mm/stage2.c mm/pool.c arch/aarch64/s2_pte.c lib/range.c

static const struct policy *policy_now(void);
#define WORLD_POLICY policy_now()
#include "../unit/vgic_world.h"

#include "../fake/fake_panic.h"

#include <guest_ram.h>
#include <hv/arch/el2_translate.h>
#include <hv/arch/guarded.h>
#include <hv/arch/simd_access.h>
#include <hv/arch/step.h>
#include <hv/arch/sysreg.h>
#include <hv/arch/sysreg_access.h>
#include <hv/arch/trap.h>
#include <hv/call.h>
#include <hv/channel.h>
#include <hv/device_ops.h>
#include <hv/vdev_interrupts.h>
#include <hv/console.h>
#include <hv/guest_mem.h>
#include <hv/guest_walk.h>
#include <hv/hyp_timer.h>
#include <hv/guest_loop.h>
#include <hv/hold.h>
#include <hv/log_budget.h>
#include <hv/pool.h>
#include <hv/space.h>
#include <hv/spinlock.h>
#include <hv/panic.h>
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

#include <setjmp.h>

#include <fake_channel.h>

static struct trap_frame frame;
static struct telemetry telemetry;
static jmp_buf machine_ended;

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

void channel_put(struct channel *channel, uint8_t byte)
{
    (void)channel;
    note('c', byte);
}

void channel_put_text(struct channel *channel, const uint8_t *text, size_t length)
{
    (void)channel;
    note('t', length + (length > 0 ? text[0] : 0));
}

void channel_room(struct channel *channel)
{
    (void)channel;
    note('o', 0);
}

void log_limited(struct log_limit limit, enum log_class class, const char *event, const char *format, ...)
{
    (void)limit;
    (void)class, (void)event, (void)format;
}

void log_guest_resets(void)
{
}

enum log_answer log_budget_ask(unsigned int source, unsigned int per_second, uint64_t *held)
{
    (void)source, (void)per_second;
    *held = 0;
    return LOG_WRITE;
}

void log_budget_hold(unsigned int source, uint64_t count)
{
    (void)source, (void)count;
}

bool guest_loop_has(const struct telemetry *of, const struct event *event)
{
    (void)of, (void)event;
    return false;
}

void log_verdict(const struct vcpu *vcpu, const struct event *event)
{
    (void)vcpu;
    note('v', event->key);
}

void console_dump_log(void)
{
    note('d', 0);
}

bool hold_passed(struct vcpu *vcpu, const struct event *event)
{
    (void)vcpu, (void)event;
    return false;
}

void hold_access(struct vcpu *vcpu, const struct event *event)
{
    note('b', vcpu->id + event->pc);
}

void vcpu_wait(struct vcpu *vcpu)
{
    vcpu->request = 0;
}

void vcpu_wait_for_interrupt(struct vcpu *vcpu)
{
    note('w', vcpu->id);
}

void cpu_wait_for_interrupt(void)
{
    note('w', here);
}

void vcpu_request(struct vcpu *vcpu, uint32_t request)
{
    note('r', vcpu->id + request);
}

void vm_stop(struct vcpu *of, enum notify_event event)
{
    (void)of, (void)event;
    note('s', 0);
}

bool vm_break(struct vcpu *of, enum notify_event event)
{
    (void)of, (void)event;
    note('p', 0);
    return true;
}

enum hv_status space_show_shadow(struct space *of, const struct ipa_range *range, bool shown)
{
    (void)of, (void)range;
    note('u', shown);
    return HV_OK;
}

void vm_reset(struct vm *of)
{
    (void)of;
    longjmp(machine_ended, 1);
}

void vm_power_off(struct vm *of)
{
    (void)of;
    longjmp(machine_ended, 1);
}

void step_cancel_if_stopped(struct vcpu *vcpu)
{
    (void)vcpu;
}

void step_arm(struct vcpu *vcpu, bool done)
{
    (void)vcpu, (void)done;
}

bool step_take(struct vcpu *vcpu)
{
    (void)vcpu;
    return false;
}

unsigned int cpu_id(void)
{
    return here;
}

void hyp_timer_register(enum hyp_timer_user user, void (*expired)(void))
{
    (void)user, (void)expired;
}

void hyp_timer_set(enum hyp_timer_user user, uint64_t deadline)
{
    note('h' + user, deadline);
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
        vm.vcpus[i].shadow = state->vm.vcpus[i].shadow;
    }
    same_bytes("vm", &state->vm, &vm, sizeof(vm));
    same_bytes("cpus", state->cpus, cpus, sizeof(cpus));
    same_bytes("telemetry", &state->telemetry, &telemetry, sizeof(telemetry));
    same("what left ariel", state->effects, effects);
}

// ---- One event, both ways

static void fill_frame(struct trap_frame *to)
{
    to->elr_el2 = fake_sysreg_get("ELR_EL2");
    to->spsr_el2 = fake_sysreg_get("SPSR_EL2");
    to->esr_el2 = fake_sysreg_get("ESR_EL2");
    to->far_el2 = fake_sysreg_get("FAR_EL2");
    to->hpfar_el2 = fake_sysreg_get("HPFAR_EL2");
    to->sp_el0 = fake_sysreg_get("SP_EL0");
    to->sp_el1 = fake_sysreg_get("SP_EL1");
}

static bool is_always_saved(unsigned int n)
{
    return n <= 9 || n == 16 || n == 17 || n == 30;
}

// Which exits name a general-purpose register, where, and which way it goes: as vectors.S tells them apart.
struct data_register {
    unsigned int n; // 31: XZR; 32: the syndrome names none
    bool read;      // the guest's register takes a value
};

static struct data_register data_register(uint32_t syndrome)
{
    if (syndrome & BIT64(31))
        return (struct data_register){(unsigned int)FIELD_GET(ISS_ABORT_SRT, syndrome), !(syndrome & ISS_ABORT_WNR)};
    if (syndrome & BIT64(29))
        return (struct data_register){(unsigned int)FIELD_GET(ISS_SYSREG_RT, syndrome), syndrome & 1};
    return (struct data_register){32, false};
}

// vectors.S has saved register n before the shorter way; the others, and what the frame has of EL2's, are an older
// exit's. Number 31 is XZR, in the place of SP_EL0.
static bool is_saved(unsigned int n, uint32_t syndrome)
{
    struct data_register data = data_register(syndrome);

    return is_always_saved(n) || (n == data.n && !data.read);
}

// vectors.S takes register n from the frame after the shorter way.
static bool is_loaded(unsigned int n, uint32_t syndrome)
{
    struct data_register data = data_register(syndrome);

    return is_always_saved(n) || (n == data.n && data.read);
}

static bool take_short_way(uint32_t syndrome)
{
    struct trap_frame old;
    bool taken;

    memset(&frame.sp_el0, 0xa5, sizeof(frame) - offsetof(struct trap_frame, sp_el0));
    for (unsigned int n = 0; n < 31; n++)
        if (!is_saved(n, syndrome))
            frame.x[n] = UINT64_C(0xa5a5a5a5a5a5a5a5) + n;
    if (is_saved(31, syndrome))
        frame.sp_el0 = 0;
    old = frame;
    if (syndrome & BIT64(31))
        taken = trap_quick_abort(&frame, syndrome);
    else if (syndrome & BIT64(29))
        taken = trap_quick_register(&frame, syndrome);
    else
        taken = trap_quick(&frame, syndrome);
    for (unsigned int n = 0; n < 31; n++)
        fuzz_check(frame.x[n] == old.x[n] || (taken && is_loaded(n, syndrome)));
    fuzz_check(memcmp(&frame.sp_el1, &old.sp_el1, sizeof(frame) - offsetof(struct trap_frame, sp_el1)) == 0);
    return taken;
}

static void check_registers(const struct state *quick, uint32_t syndrome)
{
    uint64_t pc = 0, pstate = 0;

    for (unsigned int i = 0; i < quick->sysreg_count; i++) {
        if (strcmp(quick->sysregs[i].name, "ELR_EL2") == 0)
            pc = quick->sysregs[i].value;
        else if (strcmp(quick->sysregs[i].name, "SPSR_EL2") == 0)
            pstate = quick->sysregs[i].value;
    }
    same("PC", pc, frame.elr_el2);
    same("PSTATE", pstate, frame.spsr_el2);
    for (unsigned int n = 0; n < 31; n++)
        same("a register", is_loaded(n, syndrome) ? quick->frame.x[n] : before.frame.x[n], frame.x[n]);
}

static void return_to_guest(void)
{
    fake_sysreg_set("ELR_EL2", frame.elr_el2);
    fake_sysreg_set("SPSR_EL2", frame.spsr_el2);
}

static void go_both_ways(void)
{
    uint32_t syndrome = (uint32_t)fake_sysreg_get("ESR_EL2");

    keep(&before);
    bool taken = take_short_way(syndrome);
    if (taken) {
        keep(&after_quick);
    } else {
        frame = before.frame;
        compare(&before, true);
        keep(&before);
    }
    put_back(&before);
    fill_frame(&frame);
    trap_from_sync(&frame);
    if (taken) {
        check_registers(&after_quick, syndrome);
        compare(&after_quick, false);
    }
    return_to_guest();
}

// The machine's virtual timer, or something else that is EL2's, interrupts the guest: an interrupt that is active does
// not come again.
static void interrupt_both_ways(void)
{
    unsigned int intid = frame.x[0] & 1 ? INTID_VIRTUAL_TIMER : INTID_MAINTENANCE;
    uint32_t bit = (uint32_t)BIT64(intid);

    if (intid == INTID_VIRTUAL_TIMER && (cpus[here].physical_active & bit || !(cpus[here].physical_enabled & bit)))
        return;
    cpus[here].physical_active |= bit;
    keep(&before);
    waiting = intid;
    unsigned int left = trap_quick_irq();
    bool taken = left == TRAP_QUICK_DONE;
    fuzz_check(taken || left == intid);
    fuzz_check(!taken || intid == INTID_VIRTUAL_TIMER);
    if (taken) {
        keep(&after_quick);
    } else {
        compare(&before, true);
        keep(&before);
    }
    put_back(&before);
    fill_frame(&frame);
    waiting = INTID_SPURIOUS;
    trap_from_irq(&frame, intid);
    if (taken) {
        after_quick.frame = frame; // it touches none of it: PC and PSTATE stay in their registers
        check_registers(&after_quick, 0);
        compare(&after_quick, false);
    }
    return_to_guest();
}

// ---- Events

static bool is_permission_fault(uint64_t syndrome)
{
    uint64_t ec = FIELD_GET(ESR_ELX_EC, syndrome);

    return (ec == ESR_EC_DABT_LOWER || ec == ESR_EC_IABT_LOWER) &&
           (syndrome & ISS_ABORT_FSC & ~UINT64_C(3)) == FSC_PERMISSION;
}

// What the guest's stage 1 makes of an address. It may have changed since the fault: then it may make nothing of it.
static bool stage1_changed;

static uint64_t translate(gva_t va)
{
    return stage1_changed ? PAR_EL1_F : va.v & GENMASK64(38, 12);
}

// Permission faults leave HPFAR_EL2 as it was. Most come from the UART's page, the others from anywhere.
static void set_event(uint64_t syndrome, uint64_t ipa)
{
    fake_sysreg_set("ESR_EL2", syndrome);
    stage1_changed = FIELD_GET(ISS_ABORT_SRT, syndrome) == 13;
    if (!is_permission_fault(syndrome))
        fake_sysreg_set("HPFAR_EL2", ipa >> 12 << 4);
    else if (FIELD_GET(ISS_ABORT_SRT, syndrome) % 4 != 0)
        ipa = PL011_IPA | (ipa & 0xfff);
    fake_sysreg_set("FAR_EL2", UINT64_C(0xffff000000000000) | (ipa & (GIB(4) - 1)));
}

// What AArch32 traps has other exception classes, but for aborts.
static void come_from_aarch64(void)
{
    fake_sysreg_set("SPSR_EL2", fake_sysreg_get("SPSR_EL2") & ~SPSR_ELX_M4);
}

static void send_call(struct fuzz_input *input)
{
    static const uint32_t bases[] = {0, 0x80000000, 0x84000000, 0xc4000000};
    unsigned int kind = fuzz_below(input, 8);
    uint64_t immediate = fuzz_below(input, 8) == 0 ? fuzz_take(input, 2) : 0;
    bool smc = kind == 6;

    frame.x[0] = kind < 4 ? bases[kind] + fuzz_below(input, 32) : fuzz_take(input, 8);
    for (unsigned int n = 1; n < 4; n++)
        frame.x[n] = fuzz_take(input, 1) << 28;
    set_event((smc ? 0x5e000000 : 0x5a000000) | immediate, 0);
    // A call ends its instruction before it traps: these bits are 0.
    come_from_aarch64();
    fake_sysreg_set("SPSR_EL2", frame_pstate_after(fake_sysreg_get("SPSR_EL2")));
}

static void send_register(struct fuzz_input *input)
{
    unsigned int kind = fuzz_below(input, 4);
    uint64_t rt = FIELD_PREP(ISS_SYSREG_RT, fuzz_below(input, 32));
    uint64_t iss = fuzz_take(input, 4) & 0x3fffff;

    if (kind < 2) // ID registers and those beside them
        iss = FIELD_PREP(ISS_SYSREG_OP0, 3) | ISS_SYSREG_DIRECTION | (iss & (ISS_SYSREG_CRM | ISS_SYSREG_OP2));
    else if (kind == 2)
        iss = 0x3a3016; // ICC_SGI1R_EL1
    for (unsigned int n = 0; n < 31; n++)
        frame.x[n] = UINT64_C(0x0001000000000001) * n;
    frame.x[FIELD_GET(ISS_SYSREG_RT, rt) % 31] = fuzz_take(input, 8);
    come_from_aarch64();
    set_event(0x62000000 | (iss & ~ISS_SYSREG_RT) | rt, 0);
}

static uint64_t draw_address(struct fuzz_input *input)
{
    static const uint32_t devices[] = {GICD_IPA, GICR_IPA, GICR_IPA + 0x10000, PL011_IPA};
    static const uint16_t gic_blocks[] = {0,     0x80,  0x100, 0x180, 0x200,  0x280,
                                          0x300, 0x380, 0x400, 0xc00, 0x6000, 0xffd0};
    unsigned int which = fuzz_below(input, 8);
    uint64_t offset = fuzz_take(input, 2);

    if (which == 7)
        return fuzz_take(input, 5);
    if (which == 6)
        return GICD_IPA + (offset << 9 | (offset & 0xfff));
    uint64_t base = devices[which % 4];
    if (base == PL011_IPA)
        return base + (offset & 0x8000 ? offset : offset & 0x7f);
    if (base != GICD_IPA)
        base += fuzz_below(input, 5) * GICR_STRIDE;
    return base + gic_blocks[offset % ARRAY_COUNT(gic_blocks)] + (offset >> 8 & 0x7f);
}

static void send_access(struct fuzz_input *input)
{
    static const uint64_t odd[] = {ISS_ABORT_ISV, ISS_ABORT_CM, ISS_ABORT_S1PTW, ISS_ABORT_FNV, ESR_ELX_IL, 0x8,
                                   0xc,           0x10};
    uint64_t iss =
        ISS_ABORT_ISV | 0x7 | (fuzz_take(input, 4) & (ISS_ABORT_SAS | ISS_ABORT_SRT | ISS_ABORT_SF | ISS_ABORT_WNR));
    unsigned int variation = fuzz_below(input, 64);

    if (variation & 0x20)
        iss |= ISS_ABORT_SSE;
    if (variation & 0x10)
        iss = (iss & ~ISS_ABORT_SAS) | FIELD_PREP(ISS_ABORT_SAS, 2);
    if ((variation & 0x8) == 0)
        iss = (iss & ~ISS_ABORT_SRT) | (iss & FIELD_PREP(ISS_ABORT_SRT, 7));
    uint64_t syndrome = 0x92000000 | iss;
    if (variation == 0x3e)
        syndrome |= 0x8; // a permission fault
    if ((variation & 0x1f) == 0x1f)
        syndrome ^= odd[fuzz_below(input, ARRAY_COUNT(odd))];
    uint64_t address = draw_address(input);
    if (variation & 0x7)
        address &= ~(BIT64(FIELD_GET(ISS_ABORT_SAS, syndrome)) - 1);
    uint64_t value = fuzz_take(input, 4);
    for (unsigned int n = 0; n < 31; n++)
        frame.x[n] = value << n | value >> (63 - n);
    set_event(syndrome, address);
}

static void send_interrupt(struct fuzz_input *input)
{
    frame.x[0] = fuzz_below(input, 2);
    // The guest has turned its timer's interrupt on, mostly.
    if (fuzz_below(input, 4))
        redist_write(here, SGI_FRAME + ISENABLER, BIT64(INTID_VIRTUAL_TIMER));
    settle_cpu();
}

static void send_anything(struct fuzz_input *input)
{
    uint64_t syndrome = fuzz_take(input, 4);

    set_event(syndrome, fuzz_take(input, 5));
    for (unsigned int n = 0; n < 31; n++)
        frame.x[n] = n * UINT64_C(0x11111111);
}

// ---- The world between the events

// The const tables of the build: their pages are made writable once.
static struct policy_verdict draw_verdict(struct fuzz_input *input, bool can_be_quick)
{
    unsigned int drawn = fuzz_below(input, 256);
    struct policy_verdict verdict = {.action = POLICY_EMULATE, .row = drawn >> 1 & 7};

    if (drawn & 1)
        verdict.action = (drawn >> 4) % POLICY_ACTION_COUNT;
    if ((drawn & 6) == 6)
        verdict.flags = POLICY_FLAG_LOG;
    if (can_be_quick && verdict.action == POLICY_EMULATE && !(verdict.flags & POLICY_FLAG_LOG))
        verdict.flags = POLICY_FLAG_QUICK;
    return verdict;
}

// As emit.py gives POLICY_FLAG_QUICK.
static void change_verdict(struct fuzz_input *input)
{
    unsigned int key = fuzz_below(input, KEY_COUNT), way = fuzz_below(input, 2);
    bool id = key > KEY_GUEST_RAM && key < KEY_SYSREG_UNKNOWN && way == 0;
    bool is_id_page = false;

    for (unsigned int i = 0; id && i < 64; i++)
        is_id_page |= sysreg_id_key[i] == key;
    bool quick = key <= KEY_GUEST_RAM || is_id_page || (key == KEY_ICC_SGI1R_EL1 && way == 1);
    if (is_id_page && (policy.verdicts[key][0].flags & POLICY_FLAG_QUICK) == 0)
        quick = false; // not of kind ID
    policy.verdicts[key][way] = draw_verdict(input, quick);
}

static void change_range(struct fuzz_input *input)
{
    static const uint8_t some_widths[] = {0xf, 0xf, 0xf, 0x4};
    unsigned int n = fuzz_below(input, policy.range_count), way = fuzz_below(input, 2);
    struct policy_verdict verdict = draw_verdict(input, true);

    ranges[n].verdict[way] = verdict;
    ranges[n].widths = some_widths[fuzz_below(input, 4)];
}

static void guest_interrupt(unsigned int end)
{
    unsigned int *depth = &cpus[here].depth;

    if (!end && *depth < 60) {
        unsigned int intid = guest_acknowledge();
        if (intid != INTID_SPURIOUS)
            acknowledged[here][*depth - 1] = intid;
    } else if (end && *depth > 0) {
        guest_end(acknowledged[here][*depth - 1]);
    }
}

static void set_pstate(struct fuzz_input *input)
{
    static const uint8_t modes[] = {0x5, 0x4, 0x0, 0x10};
    uint64_t drawn = fuzz_take(input, 4);

    fake_sysreg_set("SPSR_EL2", (drawn & ~UINT64_C(0x1f)) | modes[fuzz_below(input, 4)]);
    fake_sysreg_set("ELR_EL2", GUEST_RAM_IPA + 4 * fuzz_take(input, 2));
    fake_sysreg_set("SCTLR_EL1", fuzz_below(input, 8) == 0   ? SCTLR_ELX_EE
                                 : fuzz_below(input, 8) == 0 ? SCTLR_EL1_E0E
                                                             : 0);
}

static void change_world(struct fuzz_input *input)
{
    switch (fuzz_below(input, 8)) {
    case 0:
        (void)vpl011_receive(&vm, (uint8_t)fuzz_take(input, 1));
        break;
    case 1:
        guest_interrupt(0);
        break;
    case 2:
        guest_interrupt(1);
        break;
    case 3:
        (void)vgic_set_line(&vm, here, 16 + fuzz_below(input, 100), fuzz_below(input, 2));
        break;
    case 4:
        run_on(fuzz_below(input, WORLD_CPUS));
        break;
    case 5:
        change_verdict(input);
        break;
    case 6:
        change_range(input);
        break;
    default:
        set_pstate(input);
        break;
    }
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
    sysreg_init(&policy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const kinds[])(struct fuzz_input *) = {send_call,   send_register, send_access,    send_access,
                                                         send_access, send_anything, send_interrupt, change_world};
    struct fuzz_input input = {data, size};

    prepare();
    if (setjmp(machine_ended))
        return 0;
    while (input.size > 0) {
        unsigned int kind = fuzz_below(&input, ARRAY_COUNT(kinds));
        kinds[kind](&input);
        if (kinds[kind] == send_interrupt)
            interrupt_both_ways();
        else if (kinds[kind] != change_world)
            go_both_ways();
        else
            settle_cpu(); // these things are exits too; and who has something for another CPU kicks it
    }
    return 0;
}
