// SPDX-License-Identifier: Apache-2.0
// What vdev/vpl031.c keeps of one guest's clock. Only that file changes the fields.
#pragma once

#include <hv/lock.h>
#include <hv/types.h>

struct vpl031 {
    struct spinlock lock; // guards all
    uint32_t offset;      // the guest's clock less the machine's, in seconds, modulo 2^32
    uint32_t load;        // RTCLR as written last
    uint32_t match;       // RTCMR
    uint32_t mask;        // RTCIMSC
    uint32_t raw;         // RTCRIS
    bool level;           // what the interrupt line was last set to
    bool armed;           // the alarm is to come,
    uint32_t due;         // when the machine's clock shows this
};
