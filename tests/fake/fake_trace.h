// SPDX-License-Identifier: Apache-2.0
// What the fakes of this folder record: barriers, TLB and cache maintenance, writes to system registers, in program
// order. One trace per test program; its variables are weak, so that every file that includes a fake shares them and a
// test's "Links:" line names real sources only.
//
// A test that must see a store between two barriers names the word with fake_trace_watch: every step then keeps the
// word's value at that moment ("clear, dsb, tlbi, dsb, write" is the values 0, 0, 0, ..., new). What another CPU does
// at such a moment a test does in fake_trace_hook.
#pragma once

#include <assert.h>
#include <stdint.h>
#include <string.h>

enum fake_operation {
    FAKE_DMB_ISH,
    FAKE_DMB_ISHST,
    FAKE_DMB_ISHLD,
    FAKE_DMB_OSH,
    FAKE_DMB_OSHST,
    FAKE_DMB_OSHLD,
    FAKE_DSB_ISH,
    FAKE_DSB_ISHST,
    FAKE_DSB_SY,
    FAKE_ISB,
    FAKE_TLBI_IPAS2E1IS, // argument: the IPA
    FAKE_TLBI_VMALLE1IS,
    FAKE_TLBI_VMALLS12E1IS,
    FAKE_TLBI_ALLE1,
    FAKE_CACHE_CLEAN,      // argument: address; cache_clean_poc
    FAKE_CACHE_INVALIDATE, // argument: address; cache_invalidate_poc
    FAKE_CACHE_SYNC,       // argument: address; cache_sync_instructions
    FAKE_SYSREG_WRITE,     // argument: value; name: the register
    FAKE_LOCK_ACQUIRE,     // argument: address of the lock
    FAKE_LOCK_RELEASE,     // argument: address of the lock
};

struct fake_step {
    enum fake_operation operation;
    const char *name; // of the system register, else NULL
    uint64_t argument;
    uint64_t watched; // value of the watched word at this step; 0 when none is watched
};

#define FAKE_TRACE_MAX 4096

__attribute__((weak)) struct fake_step fake_trace[FAKE_TRACE_MAX]; // the first FAKE_TRACE_MAX steps
__attribute__((weak)) uint64_t fake_trace_count;                   // all steps, also those that did not fit
__attribute__((weak)) const uint64_t *fake_trace_watched;
__attribute__((weak)) void (*fake_trace_hook)(enum fake_operation operation); // called after each step; NULL: nothing

static inline void fake_trace_reset(void)
{
    fake_trace_count = 0;
    fake_trace_watched = NULL;
    fake_trace_hook = NULL;
}

static inline void fake_trace_watch(const uint64_t *word)
{
    fake_trace_watched = word;
}

static inline void fake_trace_add(enum fake_operation operation, const char *name, uint64_t argument)
{
    if (fake_trace_count < FAKE_TRACE_MAX)
        fake_trace[fake_trace_count] = (struct fake_step){
            .operation = operation,
            .name = name,
            .argument = argument,
            .watched = fake_trace_watched != NULL ? *fake_trace_watched : 0,
        };
    fake_trace_count++;
    if (fake_trace_hook != NULL)
        fake_trace_hook(operation);
}

// How many of the kept steps are operation.
static inline unsigned int fake_trace_count_of(enum fake_operation operation)
{
    uint64_t kept = fake_trace_count < FAKE_TRACE_MAX ? fake_trace_count : FAKE_TRACE_MAX;
    unsigned int count = 0;

    for (uint64_t i = 0; i < kept; i++)
        count += fake_trace[i].operation == operation;
    return count;
}
