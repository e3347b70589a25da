// SPDX-License-Identifier: Apache-2.0
// The dispatcher of EL2's interrupts. EL2 takes every physical interrupt, runs with interrupts masked and never nests,
// so an interrupt is served to its end before the next is acknowledged. EOImode is 1 (IHI 0069 4.3): the priority drop
// lets others come, and the deactivation is a step of its own, which EL2 leaves to the guest where the interrupt is the
// guest's own.
//
// A line that stays up whatever EL2 does would keep the CPU in this loop for ever. After IRQ_PER_EXIT_MAX interrupts
// the exit ends in any case. If all of them were the same PPI, its device will not be quietened by serving it once
// more: it is turned off on this CPU, so that the guest goes on without it. SGIs are sent by other CPUs and the UART's
// interrupt comes from a person's keys: both may well come so often, and stay on.
#include <hv/irq.h>

#include <hv/arch/cpu.h>
#include <hv/gicv3.h>
#include <hv/log.h>
#include <hv/panic.h>

// INTIDs 0 to 15 are SGIs, 16 to 31 are PPIs, and SPIs begin at 32 (IHI 0069, INTIDs). SGIs and PPIs belong to one CPU
// each.
#define PPI_FIRST 16
#define SPI_FIRST 32

static struct {
    irq_handler handler; // NULL: nobody's
    void *argument;
} table[INTID_SPECIAL];

// Two registrations for one INTID would leave one of the two without its interrupt, and that is a bug of EL2: it
// panics. The same registration again is allowed, because each CPU registers its PPIs when it comes up.
void irq_register(unsigned int intid, irq_handler handler, void *argument)
{
    if (intid >= INTID_SPECIAL)
        panic("irq: INTID %u is out of range: %u at most", intid, INTID_SPECIAL - 1);
    if (table[intid].handler != NULL && (table[intid].handler != handler || table[intid].argument != argument))
        panic("irq: INTID %u is registered twice", intid);
    table[intid].argument = argument;
    table[intid].handler = handler;
}

// Turns off, on this CPU, an interrupt that nobody serves or that never ends. Otherwise it would come again at once.
static void drop_stray(unsigned int intid)
{
    gicv3_disable(intid, cpu_id());
    log_limited(LOG_LIMIT(LOG_SOURCE_STRAY, LOG_WARN), LOG_IRQ, "stray", "intid=%u", intid);
}

// Runs the handler of one interrupt. A handler that returns something other than IRQ_DONE has passed the interrupt on
// to the guest, whose end of the virtual interrupt deactivates the physical one (ICH_LR<n>_EL2.HW = 1).
static void serve(unsigned int intid)
{
    enum irq_end end = IRQ_DONE;

    if (table[intid].handler != NULL)
        end = table[intid].handler(table[intid].argument);
    else
        drop_stray(intid);
    if (end == IRQ_DONE)
        gicv3_deactivate(intid);
}

// Serves the interrupt that was acknowledged, and those that are pending behind it. An acknowledge that finds none
// returns one of the special INTIDs, from 1020 on, and ends the loop. The priority drop comes before the handler,
// because every interrupt needs it; only the deactivation depends on what the handler returns.
void irq_serve(unsigned int intid)
{
    bool same = true; // all of them had one INTID

    for (unsigned int n = 1; intid < INTID_SPECIAL; n++) {
        gicv3_drop_priority(intid);
        serve(intid);
        if (n == IRQ_PER_EXIT_MAX) {
            if (same && intid >= PPI_FIRST && intid < SPI_FIRST)
                drop_stray(intid);
            return;
        }
        unsigned int next = gicv3_acknowledge();
        same = same && next == intid;
        intid = next;
    }
}
