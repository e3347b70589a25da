// SPDX-License-Identifier: Apache-2.0
// Both ways of an exit against each other: the same events (calls, registers, SGIs, device accesses of every size and
// register, under verdicts and device states drawn as well) go through trap_quick and, from the same state, through
// trap_from_sync. What trap_quick takes must leave the same registers, devices, list registers, events and counters;
// what it declines must be untouched.

#include "trap_quick_world.h"

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
    uint64_t left = trap_quick_irq();
    bool taken = left & TRAP_QUICK_DONE;
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

// ---- Inputs

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const kinds[])(struct fuzz_input *) = {send_call,   send_register, send_access,    send_access,
                                                         send_access, send_anything, send_interrupt, change_world};
    struct fuzz_input input = {data, size};

    prepare();
    if (setjmp(fake_machine_gone))
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
