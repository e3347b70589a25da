// SPDX-License-Identifier: Apache-2.0
// The physical interrupts behind what a guest sees: its two timers, whose interrupts go on to the guest, and the
// maintenance interrupt by which the list registers ask to be filled again. Each is about the vCPU of the CPU that took
// it.
#include <hv/vdev_interrupts.h>

#include <hv/gicv3.h>
#include <hv/irq.h>
#include <hv/machine.h>
#include <hv/platform.h>
#include <hv/vgic.h>
#include <hv/vtimer.h>

// IRQ_FORWARDED means that the physical interrupt stays active until the guest ends the virtual one: the list register
// has the HW bit and deactivates both. EL2 deactivates an interrupt that ends with IRQ_DONE itself.
static enum irq_end virtual_timer(void *argument)
{
    (void)argument;
    vtimer_interrupt(vcpu_current());
    return IRQ_FORWARDED;
}

static enum irq_end physical_timer(void *argument)
{
    (void)argument;
    vgic_forward(vcpu_current(), INTID_PHYSICAL_TIMER);
    return IRQ_FORWARDED;
}

static enum irq_end maintenance(void *argument)
{
    (void)argument;
    vgic_maintenance(vcpu_current());
    return IRQ_DONE;
}

void vdev_register_interrupts(void)
{
    irq_register(INTID_VIRTUAL_TIMER, virtual_timer, NULL);
    irq_register(INTID_PHYSICAL_TIMER, physical_timer, NULL);
    irq_register(platform.maintenance_intid, maintenance, NULL);
}
