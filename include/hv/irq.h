// SPDX-License-Identifier: Apache-2.0
// EL2's own interrupts: who handles which. Whoever owns a device or uses an SGI registers its handler at boot, and the
// dispatcher knows no device.
#pragma once

#include <hv/types.h>

// What is left to do with an interrupt whose handler has returned.
enum irq_end {
    IRQ_DONE,      // EL2 has done with it: deactivate it, so that it can come again
    IRQ_FORWARDED, // it stays active until the guest deactivates it through its list register (IHI 0069 4.2.1)
};

// Called on the CPU that took the interrupt, with interrupts masked and no locks held.
typedef enum irq_end (*irq_handler)(void *argument);

// From now on handler(argument) is called for intid (0 .. INTID_SPECIAL - 1) on every CPU. It does not enable the
// interrupt: gicv3_enable does, on each CPU. At boot, once for each intid; registering the same handler again is no
// fault. Panics when intid is out of range or belongs to another handler.
void irq_register(unsigned int intid, irq_handler handler, void *argument);

// intid was acknowledged (gicv3_acknowledge) on this CPU, while the guest ran or in EL2's idle loop: serves it and all
// that are pending then, IRQ_PER_EXIT_MAX at most. INTID_SPECIAL and above: there was none. An interrupt that nobody
// has registered is turned off and recorded ("stray").
void irq_serve(unsigned int intid);

#define IRQ_PER_EXIT_MAX 16 // so that a storm of interrupts cannot keep EL2 from the guest
