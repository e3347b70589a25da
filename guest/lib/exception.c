// SPDX-License-Identifier: Apache-2.0
// What the guest does with its exceptions: those that a test expects are recorded and stepped over; interrupts are
// acknowledged and handed to the test's handler; anything else is reported to EL2 and handed to whoever runs the tests,
// who ends the one that runs. State is per CPU, so that a secondary CPU's exceptions cannot pass for the boot CPU's.
#include "lib/exception.h"

#include <hv/guest_abi.h>
#include <hv/memory_map.h>

#include "lib/call.h"
#include "lib/gic.h"
#include "lib/print.h"
#include "lib/registers.h"

struct exception_cpu {
    bool expected;
    struct exception last;
};

static struct exception_cpu cpus[CPU_MAX];
static exception_el0_handler *el0_handler;
static exception_irq_handler *irq_handler;
static exception_unexpected_handler *unexpected_handler;

void exception_expect(void)
{
    struct exception_cpu *cpu = &cpus[cpu_index()];

    cpu->last = (struct exception){0};
    cpu->expected = true;
    __asm__ volatile("isb" ::: "memory");
}

struct exception exception_end(void)
{
    struct exception_cpu *cpu = &cpus[cpu_index()];

    __asm__ volatile("isb" ::: "memory");
    cpu->expected = false;
    return cpu->last;
}

void exception_set_el0_handler(exception_el0_handler *handler)
{
    el0_handler = handler;
}

void exception_set_irq_handler(exception_irq_handler *handler)
{
    irq_handler = handler;
}

void exception_set_unexpected_handler(exception_unexpected_handler *handler)
{
    unexpected_handler = handler;
}

static void record(struct exception *last, const struct exception_frame *frame)
{
    last->taken++;
    last->slot = (unsigned int)frame->slot;
    last->ec = (unsigned int)(frame->esr >> 26) & 0x3f;
    last->iss = (uint32_t)frame->esr & 0x1ffffff;
    last->esr = frame->esr;
    last->elr = frame->elr;
    last->far = frame->far;
    last->spsr = frame->spsr;
}

// Where to go on after the recorded exception. In the upper half, where nothing of this program is, many undefined
// instructions in a row are memory that holds no program at all: back to the caller.
static void step_over(struct exception_frame *frame, const struct exception *last)
{
    bool lost = last->ec == EC_UNKNOWN && last->taken >= EXCEPTION_LOST && (int64_t)frame->elr < 0;

    if (frame->slot % 4 == 3) // SError: nothing to step over
        return;
    if (last->ec == EC_IABT || last->ec == EC_IABT_LOWER || last->ec == EC_PC_ALIGN || lost)
        frame->elr = frame->x[30];
    else if (last->ec != EC_SVC64)
        frame->elr += 4;
}

static void take_interrupt(void)
{
    unsigned int intid = gic_acknowledge();

    if (intid >= GIC_INTID_SPECIAL)
        return;
    if (irq_handler)
        irq_handler(intid);
    gic_end(intid);
}

void exception_handle(struct exception_frame *frame)
{
    struct exception_cpu *cpu = &cpus[cpu_index()];

    if (frame->slot % 4 == 1 || frame->slot % 4 == 2) {
        take_interrupt();
        return;
    }
    if (cpu->expected) {
        record(&cpu->last, frame);
        if (frame->slot >= SLOT_LOWER_64 && el0_handler)
            el0_handler(frame);
        else
            step_over(frame, &cpu->last);
        return;
    }
    call_hvc(HVC_REPORT_EXCEPTION, frame->esr, frame->elr, frame->far);
    print("# unexpected exception: vector %u ESR 0x%lx ELR 0x%lx FAR 0x%lx SPSR 0x%lx\n", (unsigned int)frame->slot,
          frame->esr, frame->elr, frame->far, frame->spsr);
    if (unexpected_handler)
        unexpected_handler();
    print("# no test to end: CPU %u stops here\n", cpu_index());
    for (;;)
        __asm__ volatile("wfi");
}
