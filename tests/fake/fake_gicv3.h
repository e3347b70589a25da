// SPDX-License-Identifier: Apache-2.0
// drivers/gicv3.c for tests: the interrupts that come are the test's, and what was done about them is counted.
#pragma once

#include <stddef.h>

#include <fake_effect.h>

#include <hv/gicv3.h>

struct fake_gicv3 {
    unsigned int pending[32]; // what gicv3_acknowledge gives, from the last to the first; then INTID_SPURIOUS
    unsigned int pending_count;
    unsigned int dropped, deactivated, enabled, disabled, sent;                          // calls of each function
    unsigned int last_dropped, last_deactivated, last_enabled, last_disabled, last_sent; // their last INTID
    unsigned int last_cpu; // of the last enable, disable or SGI
};
__attribute__((weak)) struct fake_gicv3 fake_gicv3;

static inline void fake_gicv3_note(unsigned int *count, unsigned int *last, unsigned int intid)
{
    (*count)++;
    *last = intid;
    fake_effect(FAKE_GIC, intid);
}

__attribute__((weak)) unsigned int gicv3_acknowledge(void)
{
    return fake_gicv3.pending_count > 0 ? fake_gicv3.pending[--fake_gicv3.pending_count] : INTID_SPURIOUS;
}

__attribute__((weak)) void gicv3_drop_priority(unsigned int intid)
{
    fake_gicv3_note(&fake_gicv3.dropped, &fake_gicv3.last_dropped, intid);
}

__attribute__((weak)) void gicv3_deactivate(unsigned int intid)
{
    fake_gicv3_note(&fake_gicv3.deactivated, &fake_gicv3.last_deactivated, intid);
}

__attribute__((weak)) void gicv3_enable(unsigned int intid, unsigned int cpu)
{
    fake_gicv3.last_cpu = cpu;
    fake_gicv3_note(&fake_gicv3.enabled, &fake_gicv3.last_enabled, intid);
}

__attribute__((weak)) void gicv3_disable(unsigned int intid, unsigned int cpu)
{
    fake_gicv3.last_cpu = cpu;
    fake_gicv3_note(&fake_gicv3.disabled, &fake_gicv3.last_disabled, intid);
}

__attribute__((weak)) void gicv3_send_sgi(unsigned int intid, unsigned int cpu)
{
    fake_gicv3.last_cpu = cpu;
    fake_gicv3_note(&fake_gicv3.sent, &fake_gicv3.last_sent, intid);
}
