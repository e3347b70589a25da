// SPDX-License-Identifier: Apache-2.0
// Memory as a monitor command addresses it.
#pragma once

#include <hv/kernel_tables.h>

enum monitor_space_kind {
    SPACE_IPA,     // guest physical
    SPACE_VIRTUAL, // as the vCPU translates now; an IPA while its MMU is off
    SPACE_KERNEL,  // the same, with the kernel's tables where TTBR1_EL1 holds a trampoline
};

struct monitor_space {
    enum monitor_space_kind kind;
    struct vcpu *vcpu;
    struct kernel_tables tables;
    bool trampoline;  // the kernel's stack is not mapped in what the vCPU has now
    const char *from; // where the tables are from: "now" ...
};

// NULL, or the error: the vCPU does not answer, or nothing knows the kernel's tables. vcpu: not used for SPACE_IPA.
const char *monitor_space_open(struct monitor_space *space, enum monitor_space_kind kind, struct vcpu *vcpu);
// size bytes at address. NULL, or the error that names the address that has none; some may be read then.
const char *monitor_space_read(const struct monitor_space *space, uint64_t address, void *bytes, size_t size);
// What to say behind the fault of a walk for va: "", or that these are a trampoline's tables and what helps.
const char *monitor_space_hint(const struct monitor_space *space, uint64_t va);

// NULL, or why size bytes at ipa cannot be read. ipa_word and size_word: what was typed for them, to be named in the
// error; NULL where they were computed.
const char *monitor_ipa_error(const char *ipa_word, uint64_t ipa, const char *size_word, uint64_t size);
// A width in bytes: 1, 2, 4 or 8; NULL and *width, or the error.
const char *monitor_width(const char *word, unsigned int *width);
// The number in width bytes, little-endian, as the guest's CPU loads it.
uint64_t monitor_load(const uint8_t *bytes, unsigned int width);
