// SPDX-License-Identifier: Apache-2.0
// Policy applied: tables drawn at random (ranges in order, disjoint, any verdicts, widths and rows), any event of every
// kind. The verdict is the one a plain search finds, its effect is what docs/POLICY.md says, a record is written when
// the row asks for one, and nothing reaches a device, a register or a call that the verdict does not let through.
//
// Links: trap/dispatch.c trap/fault.c debug/hold.c policy/policy.c policy/event_key.c vdev/device.c platform/platform.c
// Links: trace/guest_loop.c trace/event_name.c arch/aarch64/esr_fields.c lib/printf.c

#include <hv/device.h>

#include <fake_notify.h>

#define main unit_main
#include "../unit/dispatch_test.c"
#undef main

#include <fuzz.h>

#define RANGES_MAX 12

// The keys whose verdicts are drawn.
static const uint16_t drawn_keys[] = {KEY_DEVICE_NONE, REGISTER,     KEY_SYSREG_UNKNOWN, KEY_HVC_GET_STATUS,
                                      KEY_HVC_UNKNOWN, KEY_CAUSE_FP, KEY_CAUSE_BRK,      KEY_CAUSE_WFI};
static struct policy_range range_table[RANGES_MAX];
static const struct policy_row rows[POLICY_ROW_MAX];

static struct policy_verdict draw_verdict(struct fuzz_input *input)
{
    unsigned int drawn = (unsigned int)fuzz_take(input, 2);

    return (struct policy_verdict){
        .action = drawn % POLICY_ACTION_COUNT, .flags = drawn >> 3 & 1 ? POLICY_FLAG_LOG : 0, .row = drawn >> 4 & 127};
}

static void draw_tables(struct fuzz_input *input)
{
    uint64_t base = fuzz_take(input, 1) * 64;

    policy.range_count = fuzz_below(input, RANGES_MAX + 1);
    for (unsigned int i = 0; i < policy.range_count; i++) {
        uint64_t bytes = 1 + fuzz_take(input, 1);
        range_table[i] = (struct policy_range){.base = base,
                                               .size = bytes,
                                               .key = (uint16_t)(KEY_DEVICE_FIRST + fuzz_below(input, 15)),
                                               .widths = fuzz_below(input, 4) ? 0xf : (uint8_t)fuzz_below(input, 16),
                                               .verdict = {draw_verdict(input), draw_verdict(input)}};
        base += bytes + (fuzz_below(input, 2) ? 0 : fuzz_take(input, 1));
    }
    for (unsigned int i = 0; i < ARRAY_COUNT(drawn_keys); i++)
        for (unsigned int way = 0; way < 2; way++)
            policy.verdicts[drawn_keys[i]][way] = draw_verdict(input);
    policy.rows = rows;
    policy.row_count = POLICY_ROW_MAX;
    policy.ranges = range_table;
    vm.policy = &policy;
}

// By walking over all ranges.
static const struct policy_range *search(uint64_t ipa)
{
    const struct policy_range *found = NULL;

    for (unsigned int i = 0; i < policy.range_count; i++)
        if (ipa >= range_table[i].base && ipa < range_table[i].base + range_table[i].size)
            found = &range_table[i];
    return found;
}

static void begin(struct fuzz_input *input)
{
    event = (struct event){.pc = 0x40000000, .value = fuzz_take(input, 4), .sequence = 7};
    event.write = (uint8_t)fuzz_below(input, 2);
    frame.elr_el2 = event.pc;
    forget();
    // This is the second time: the VM goes on at a pause, and what was held passes (debug/hold.c).
    vcpu->break_passed = fuzz_below(input, 8) == 0 ? telemetry.sequence + 1 : 0;
}

static bool is_resumed(void)
{
    return vcpu->break_passed != 0;
}

// What the verdicts that are the same for every kind do. refusal: what deny means.
static void check_common(struct policy_verdict of, bool resumed, enum trap_result result, enum trap_result refusal)
{
    bool goes_on = of.action == POLICY_ALLOW || of.action == POLICY_EMULATE || (of.action == POLICY_PAUSE && resumed);

    fuzz_check(event.row == of.row && event.verdict == of.action);
    fuzz_check(goes_on || emulated + fake_devices.count + passed == 0);
    fuzz_check((fake_vm_state.stops == 1) == (of.action == POLICY_STOP));
    fuzz_check((result == TRAP_STOP) == (of.action == POLICY_STOP));
    fuzz_check((fake_vm_state.breaks == 1) == (of.action == POLICY_PAUSE && !resumed));
    if (of.action == POLICY_DENY)
        fuzz_check(result == refusal);
    if (of.action == POLICY_RAZ_WI)
        fuzz_check(result == TRAP_DONE || result == refusal);
    bool must = of.action == POLICY_STOP || (of.action == POLICY_PAUSE && !resumed);
    bool asked = (of.flags & POLICY_FLAG_LOG) && of.action < POLICY_PAUSE;
    fuzz_check(fake_records.verdicts == (must || asked) && event.logged == fake_records.verdicts);
}

static void register_event(struct fuzz_input *input)
{
    event.key = fuzz_below(input, 2) ? REGISTER : KEY_SYSREG_UNKNOWN;
    bool resumed = is_resumed();
    struct policy_verdict of = policy.verdicts[event.key][event.write];
    enum trap_result result = trap_sysreg(vcpu, &event);

    check_common(of, resumed, result, TRAP_INJECT_UNDEF);
    fuzz_check((passed == 1) == (of.action == POLICY_ALLOW));
    fuzz_check((emulated == 1) == (of.action == POLICY_EMULATE || (of.action == POLICY_PAUSE && resumed)));
    if (!event.write && (of.action == POLICY_DENY || of.action == POLICY_RAZ_WI))
        fuzz_check(event.value == 0);
}

static void call_event(struct fuzz_input *input)
{
    unsigned int number = fuzz_below(input, 2);
    bool resumed = is_resumed();
    struct policy_verdict of = policy.verdicts[number == 1 ? KEY_HVC_GET_STATUS : KEY_HVC_UNKNOWN][1];

    frame.x[0] = number;
    event.cause = KEY_CAUSE_HVC;
    enum trap_result result = trap_call(vcpu, &event);
    check_common(of, resumed, result, TRAP_DONE);
    // Behind ariel is nothing: what is neither emulated nor refused otherwise is NOT_SUPPORTED.
    bool answered = of.action == POLICY_EMULATE || of.action == POLICY_ALLOW || (of.action == POLICY_PAUSE && resumed);
    fuzz_check((emulated == 1) == answered);
    if (of.action == POLICY_DENY)
        fuzz_check(frame.x[0] == (uint64_t)HVC_NOT_SUPPORTED);
    if (of.action == POLICY_RAZ_WI)
        fuzz_check(frame.x[0] == 0);
    if (result != TRAP_DONE)
        fuzz_check(frame.x[0] == number);
}

static bool device_access(pa_t pa, unsigned int size, bool write, uint64_t *value)
{
    (void)size;
    fuzz_check(pa.v == event.address);
    passed++;
    if (!write)
        *value = HARDWARE;
    return true;
}

static bool is_emulated(unsigned int key)
{
    return key == KEY_DEVICE_GICD || key == KEY_DEVICE_GICR || key == KEY_DEVICE_PL011 || key == KEY_DEVICE_PL031 ||
           key == KEY_DEVICE_VIRTIO_MMIO;
}

static void access_event(struct fuzz_input *input)
{
    unsigned int size = 1u << fuzz_below(input, 4);
    uint64_t ipa = fuzz_take(input, 2) & ~(uint64_t)(size - 1);
    const struct policy_range *expected = search(ipa);
    struct policy_verdict of =
        expected ? expected->verdict[event.write] : policy.verdicts[KEY_DEVICE_NONE][event.write];
    bool resumed = is_resumed();

    event.address = ipa;
    fuzz_check(policy_find_range(&policy, ipa_make(ipa)) == expected);
    enum trap_result result = trap_mmio(vcpu, &event, size);
    fuzz_check(event.key == (expected ? expected->key : KEY_DEVICE_NONE));
    if (expected && !(expected->widths & size)) {
        fuzz_check(event.verdict == POLICY_DENY && result == TRAP_INJECT_ABORT &&
                   emulated + fake_devices.count + passed == 0);
        fuzz_check(event.row == of.row);
        return;
    }
    check_common(of, resumed, result, TRAP_INJECT_ABORT);
    bool passes = of.action == POLICY_ALLOW && device_may_pass(event.key, event.write);
    fuzz_check((passed == 1) == passes);
    if (of.action == POLICY_ALLOW && !passes)
        fuzz_check(result == TRAP_INJECT_ABORT);
    bool emulates = of.action == POLICY_EMULATE || (of.action == POLICY_PAUSE && resumed);
    bool emulated_device = is_emulated(event.key);
    fuzz_check((fake_devices.count == 1) == (emulates && emulated_device));
    if (emulates && !emulated_device)
        fuzz_check(result == TRAP_INJECT_ABORT);
    if (!event.write && of.action == POLICY_RAZ_WI)
        fuzz_check(event.value == 0);
}

static void other_event(struct fuzz_input *input)
{
    static const uint16_t keys[] = {KEY_CAUSE_FP, KEY_CAUSE_BRK, KEY_CAUSE_WFI};
    unsigned int which = fuzz_below(input, 3);
    bool resumed = is_resumed();
    struct policy_verdict of = policy.verdicts[keys[which]][0];

    event.key = event.cause = (uint8_t)keys[which];
    if (which == 2) {
        enum trap_result result = trap_wfx(vcpu, &event);
        check_common(of, resumed, result, TRAP_INJECT_UNDEF);
        fuzz_check((fake_vm_state.waits == 1) ==
                   (of.action <= POLICY_EMULATE || (of.action == POLICY_PAUSE && resumed)));
    } else if (which == 1) {
        check_common(of, resumed, trap_debug(vcpu, &event), TRAP_REFLECT);
    } else {
        check_common(of, resumed, trap_other(vcpu, &event), TRAP_INJECT_UNDEF);
    }
}

static void fault_event(struct fuzz_input *input)
{
    enum trap_result wanted =
        (enum trap_result[]){TRAP_DONE, TRAP_INJECT_ABORT, TRAP_RETRY, TRAP_STOP}[fuzz_below(input, 4)];
    bool resumed = is_resumed();

    event.key = KEY_CAUSE_DABT;
    event.address = 1 + fuzz_take(input, 2);
    const struct policy_range *expected = search(event.address);
    struct policy_verdict of =
        expected ? expected->verdict[event.write] : policy.verdicts[KEY_DEVICE_NONE][event.write];
    enum trap_result result = trap_fault(vcpu, &event, wanted, "a reason");
    bool undecided =
        wanted == TRAP_RETRY || (wanted == TRAP_DONE && of.action != POLICY_STOP && of.action != POLICY_PAUSE);
    fuzz_check(event.row == (undecided ? POLICY_ROW_NONE : of.row));
    fuzz_check(emulated + fake_devices.count + passed == 0);
    if (wanted == TRAP_RETRY)
        fuzz_check(result == TRAP_RETRY && fake_vm_state.stops + (fake_vm_state.breaks == 1) == 0);
    else if (of.action == POLICY_STOP || wanted == TRAP_STOP)
        fuzz_check(result == TRAP_STOP && fake_vm_state.stops == 1 && fake_vm_state.breaks == 0);
    else if (of.action == POLICY_PAUSE && !resumed)
        fuzz_check(result == TRAP_RETRY && fake_vm_state.breaks == 1);
    else
        fuzz_check(result == wanted && fake_vm_state.stops == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const kinds[])(struct fuzz_input *) = {register_event, call_event,  access_event,
                                                         access_event,   other_event, fault_event};
    struct fuzz_input input = {data, size};

    fake_sysreg_reset();
    fake_guarded_device = device_access;
    memset(&vm, 0, sizeof(vm));
    vcpu->frame = &frame;
    vcpu->vm = &vm;
    vcpu->telemetry = &telemetry;
    draw_tables(&input);
    while (input.size > 0) {
        begin(&input);
        kinds[fuzz_below(&input, ARRAY_COUNT(kinds))](&input);
    }
    return 0;
}
