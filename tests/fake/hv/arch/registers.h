// SPDX-License-Identifier: Apache-2.0
// System registers of the host tests, in place of include/hv/arch/registers.h: variables found by the name that
// READ_SYSREG and WRITE_SYSREG were given. A register nobody set reads 0. Writes are steps of fake_trace.h.
//
//   fake_sysreg_reset();
//   fake_sysreg_set("TCR_EL1", 0x19);
//   ... code under test ...
//   assert_int_equal(fake_sysreg_get("VBAR_EL1"), 0x800);
#pragma once

#include <fake_trace.h>
#include <hv/arch/fields.h>

#define FAKE_SYSREG_MAX 512

struct fake_sysreg {
    const char *name;
    uint64_t value;
};

__attribute__((weak)) struct fake_sysreg fake_sysregs[FAKE_SYSREG_MAX];
__attribute__((weak)) unsigned int fake_sysreg_count;

// The variable behind name; made (0) when it is asked for the first time.
static inline uint64_t *fake_sysreg(const char *name)
{
    for (unsigned int i = 0; i < fake_sysreg_count; i++)
        if (strcmp(fake_sysregs[i].name, name) == 0)
            return &fake_sysregs[i].value;
    assert(fake_sysreg_count < FAKE_SYSREG_MAX);
    fake_sysregs[fake_sysreg_count] = (struct fake_sysreg){.name = name, .value = 0};
    return &fake_sysregs[fake_sysreg_count++].value;
}

// Forgets every register: for a test's set-up.
static inline void fake_sysreg_reset(void)
{
    fake_sysreg_count = 0;
}

// For tests: not recorded. name must outlive the test (a literal).
static inline void fake_sysreg_set(const char *name, uint64_t value)
{
    *fake_sysreg(name) = value;
}

static inline uint64_t fake_sysreg_get(const char *name)
{
    return *fake_sysreg(name);
}

static inline void fake_sysreg_write(const char *name, uint64_t value)
{
    *fake_sysreg(name) = value;
    fake_trace_add(FAKE_SYSREG_WRITE, name, value);
}

#define READ_SYSREG(name)         fake_sysreg_get(#name)
#define WRITE_SYSREG(name, value) fake_sysreg_write(#name, (uint64_t)(value))

// What passes while the code under test waits; NULL: nothing.
__attribute__((weak)) void (*fake_yield)(void);

static inline void cpu_yield(void)
{
    if (fake_yield != NULL)
        fake_yield();
}
