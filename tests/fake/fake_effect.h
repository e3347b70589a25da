// SPDX-License-Identifier: Apache-2.0
// What leaves the files under test, told by the fakes of this folder as it happens: a test that compares two ways of
// doing the same sums it up, and one that wants something to be true at such a moment looks then. Tests of one thing
// read what its fake has counted instead.
#pragma once

#include <stdint.h>

enum fake_effect {
    FAKE_CHANNEL_PUT,  // value: the byte
    FAKE_CHANNEL_TEXT, // value: the length and the first byte, added
    FAKE_CHANNEL_ROOM,
    FAKE_SHADOW,       // value: whether the page is shown; before it changes
    FAKE_VERDICT,      // a record of one; value: the key
    FAKE_DUMP,         // the log on the console
    FAKE_VCPU_REQUEST, // value: the vCPU's number and the request, added
    FAKE_WAIT,         // for an interrupt, by the vCPU or by the CPU that it has
    FAKE_VM_STOP,
    FAKE_VM_BREAK,
    FAKE_GIC, // a call of the GIC's driver that changes something; value: the INTID
};

__attribute__((weak)) void (*fake_effect_hook)(uint64_t effect, uint64_t value); // NULL: nobody listens

static inline void fake_effect(enum fake_effect effect, uint64_t value)
{
    if (fake_effect_hook != NULL)
        fake_effect_hook(effect, value);
}
