// SPDX-License-Identifier: Apache-2.0
// Which of a VM's exits are traced: one byte for each event key and direction (vm->trace_filter), so that an exit asks
// by one load and one test. What is chosen, and whether the trace is on, are two bits of each byte: turning the trace
// off and on again keeps the choice. Choices add up. Any CPU; from one at a time.
#pragma once

#include <hv/machine.h>

#define TRACE_FILTER_ON     0x1 // such an exit is traced: chosen, and the trace is on
#define TRACE_FILTER_CHOSEN 0x2

// What a person can name: rows (ID, "name"). The first four are the groups of event keys; extra is what is no exit,
// lines of text and requests to virtio devices (trace_text.h).
// clang-format off
#define TRACE_CLASS_TABLE(CLASS) \
    CLASS(CAUSE, "cause") CLASS(CALL, "call") CLASS(DEVICE, "device") CLASS(REGISTER, "register") \
    CLASS(EXTRA, "extra")
// clang-format on
#define TRACE_CLASS_ENUM(id, name) TRACE_CLASS_##id,
enum trace_class { TRACE_CLASS_TABLE(TRACE_CLASS_ENUM) TRACE_CLASS_COUNT };

// The name of a class as the monitor spells it; "?" when out of range. And the class of that name, or
// TRACE_CLASS_COUNT.
const char *trace_class_name(unsigned int class);
unsigned int trace_class_find(const char *name);

// Nothing is chosen. Exits go by the choice before until trace_filter_apply.
void trace_filter_clear(struct vm *vm);
// Everything: all exits, and the records that are none.
void trace_filter_add_all(struct vm *vm);
void trace_filter_add_class(struct vm *vm, enum trace_class class);
// Both directions of a key, below KEY_COUNT.
void trace_filter_add_key(struct vm *vm, unsigned int key);
// The keys and directions about which a row of the VM's policy decides, below POLICY_ROW_MAX.
void trace_filter_add_row(struct vm *vm, unsigned int row);
// Those of all rows that say trace = true. False: the policy has none.
bool trace_filter_add_policy(struct vm *vm);
// Whether anything is chosen.
bool trace_filter_is_empty(const struct vm *vm);
// Makes the choice count (on), or nothing.
void trace_filter_apply(struct vm *vm, bool on);
// Whether extras are wanted of this VM: chosen, and on.
static inline bool trace_filter_wants_extras(const struct vm *vm)
{
    return vm->trace_extras & TRACE_FILTER_ON;
}
