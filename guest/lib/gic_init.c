// SPDX-License-Identifier: Apache-2.0
// The GIC brought up where there may be none: a policy may deny it, so that the first read aborts. gic.c itself expects
// no exception, because exception.c takes interrupts through it.
#include "lib/gic.h"

#include <hv/memory_map.h>

#include "lib/exception.h"
#include "lib/mmio.h"

#define GICD_TYPER (GICD_IPA + 0x4)

bool gic_init(void)
{
    exception_expect();
    uint32_t type = mmio_read32(GICD_TYPER);

    if (exception_end().taken || !type)
        return false;
    gic_init_distributor();
    gic_init_cpu();
    return true;
}
