// SPDX-License-Identifier: Apache-2.0
// Which exits are traced. What a person names (a class, a key, a row of the policy) is turned into one byte for each
// key and direction here, once, so that no exit has to compare anything. A new choice is made in the bits CHOSEN, while
// exits still go by the bits ON of the old one; trace_filter_apply then changes byte by byte. So an exit that both
// choices want is traced at every moment.
#include <hv/trace_filter.h>

#include <hv/bits.h>
#include <hv/event_key.h>
#include <hv/policy.h>
#include <hv/string.h>

#define CLASS_NAME(id, name) [TRACE_CLASS_##id] = (name),
static const char *const class_names[] = {TRACE_CLASS_TABLE(CLASS_NAME)};

// The keys of a class: first .. end - 1.
static const struct {
    uint16_t first;
    uint16_t end;
} class_keys[] = {
    [TRACE_CLASS_CAUSE] = {0, KEY_HVC_FIRST},
    [TRACE_CLASS_CALL] = {KEY_HVC_FIRST, KEY_DEVICE_FIRST},
    [TRACE_CLASS_DEVICE] = {KEY_DEVICE_FIRST, KEY_SYSREG_FIRST},
    [TRACE_CLASS_REGISTER] = {KEY_SYSREG_FIRST, KEY_COUNT},
};

const char *trace_class_name(unsigned int class)
{
    return class < TRACE_CLASS_COUNT ? class_names[class] : "?";
}

unsigned int trace_class_find(const char *name)
{
    unsigned int class = 0;

    while (class < TRACE_CLASS_COUNT && strcmp(class_names[class], name) != 0)
        class ++;
    return class;
}

static void choose(struct vm *vm, unsigned int key, unsigned int direction)
{
    vm->trace_filter[2 * key + direction] |= TRACE_FILTER_CHOSEN;
}

void trace_filter_clear(struct vm *vm)
{
    for (unsigned int n = 0; n < 2 * KEY_COUNT; n++)
        vm->trace_filter[n] &= TRACE_FILTER_ON;
    vm->trace_extras &= TRACE_FILTER_ON;
}

void trace_filter_add_all(struct vm *vm)
{
    for (unsigned int class = 0; class < TRACE_CLASS_COUNT; class ++)
        trace_filter_add_class(vm, class);
}

void trace_filter_add_class(struct vm *vm, enum trace_class class)
{
    if (class == TRACE_CLASS_EXTRA) {
        vm->trace_extras |= TRACE_FILTER_CHOSEN;
        return;
    }
    for (unsigned int key = class_keys[class].first; key < class_keys[class].end; key++)
        trace_filter_add_key(vm, key);
}

void trace_filter_add_key(struct vm *vm, unsigned int key)
{
    choose(vm, key, 0);
    choose(vm, key, 1);
}

// Chooses each key and direction whose verdict is of that row (row < POLICY_ROW_MAX) or has one of the flags. A
// device's verdicts are those of its ranges: what `verdicts` has for its key is of no range.
static bool choose_verdicts(struct vm *vm, unsigned int row, unsigned int flags)
{
    const struct policy *policy = vm->policy;
    bool any = false;

    for (unsigned int n = 0; n < 2 * KEY_COUNT; n++) {
        struct policy_verdict verdict = policy->verdicts[n / 2][n % 2];
        if (verdict.row == row || (verdict.flags & flags)) {
            choose(vm, n / 2, n % 2);
            any = true;
        }
    }
    for (unsigned int n = 0; n < 2 * policy->range_count; n++) {
        struct policy_verdict verdict = policy->ranges[n / 2].verdict[n % 2];
        if (verdict.row == row || (verdict.flags & flags)) {
            choose(vm, policy->ranges[n / 2].key, n % 2);
            any = true;
        }
    }
    return any;
}

void trace_filter_add_row(struct vm *vm, unsigned int row)
{
    (void)choose_verdicts(vm, row, 0);
}

bool trace_filter_add_policy(struct vm *vm)
{
    return vm->policy->traced && choose_verdicts(vm, POLICY_ROW_NONE, POLICY_FLAG_TRACE);
}

bool trace_filter_is_empty(const struct vm *vm)
{
    for (unsigned int n = 0; n < 2 * KEY_COUNT; n++)
        if (vm->trace_filter[n] & TRACE_FILTER_CHOSEN)
            return false;
    return !(vm->trace_extras & TRACE_FILTER_CHOSEN);
}

static uint8_t applied(uint8_t byte, bool on)
{
    return byte & TRACE_FILTER_CHOSEN ? (uint8_t)(TRACE_FILTER_CHOSEN | on) : 0;
}

void trace_filter_apply(struct vm *vm, bool on)
{
    for (unsigned int n = 0; n < 2 * KEY_COUNT; n++)
        vm->trace_filter[n] = applied(vm->trace_filter[n], on);
    vm->trace_extras = applied(vm->trace_extras, on);
}
