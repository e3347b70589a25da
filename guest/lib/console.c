// SPDX-License-Identifier: Apache-2.0
// The guest's line editor, fed by the PL011's receive interrupt. The interrupt handler only moves bytes into a ring;
// lines are put together and executed with interrupts masked, so that tests run as they did the first time.
#include "lib/console.h"

#include <hv/guest_abi.h>
#include <hv/memory_map.h>

#include "lib/call.h"
#include "lib/registers.h"
#include "lib/gic.h"
#include "lib/mmio.h"
#include "lib/print.h"
#include "lib/test.h"

#define PL011_DR      (PL011_IPA + 0x00)
#define PL011_FR      (PL011_IPA + 0x18)
#define PL011_IMSC    (PL011_IPA + 0x38)
#define PL011_ICR     (PL011_IPA + 0x44)
#define PL011_FR_RXFE 0x10
#define PL011_INT_RX  0x10
#define PL011_INT_RT  0x40
#define RING_SIZE     256
#define LINE_SIZE     80

static volatile char ring[RING_SIZE];
static volatile unsigned int ring_in, ring_out;

static void receive(unsigned int intid)
{
    if (intid != PL011_INTID)
        return;
    while (ring_in - ring_out < RING_SIZE && !(mmio_read32(PL011_FR) & PL011_FR_RXFE)) {
        ring[ring_in % RING_SIZE] = (char)mmio_read32(PL011_DR);
        ring_in++;
    }
    // Without room here the UART holds the rest, and its interrupt, until console_run has made some. To clear it now
    // would be to hear of that rest only with the next character.
    if (ring_in - ring_out == RING_SIZE)
        mmio_write32(PL011_IMSC, 0);
    else
        mmio_write32(PL011_ICR, PL011_INT_RX | PL011_INT_RT);
}

static void open_uart(void)
{
    if (!gic_init())
        print("# no interrupt controller: what is typed is not seen\n");
    exception_set_irq_handler(receive);
    gic_enable(PL011_INTID, 0x80);
    mmio_write32(PL011_IMSC, PL011_INT_RX | PL011_INT_RT);
}

// Tests use the interrupt controller and the handler for themselves.
static void run_tests(const char *filter)
{
    test_run(filter);
    open_uart();
}

// The rest of line when it begins with word and then ends or goes on after spaces; else NULL.
static const char *argument_of(const char *line, const char *word)
{
    for (; *word; word++, line++)
        if (*line != *word)
            return NULL;
    if (*line && *line != ' ')
        return NULL;
    while (*line == ' ')
        line++;
    return line;
}

static void execute(const char *line)
{
    const char *filter = argument_of(line, "run");

    if (filter)
        run_tests(filter);
    else if (argument_of(line, "list"))
        test_list();
    else if (argument_of(line, "pause"))
        print("# HVC_PAUSE returned %ld\n", call_hvc(HVC_PAUSE, 0, 0, 0));
}

static void type(char c)
{
    static char line[LINE_SIZE];
    static unsigned int length;

    if (c == '\r' || c == '\n') {
        print("\n");
        line[length] = '\0';
        length = 0;
        execute(line);
    } else if ((c == 0x7f || c == '\b') && length) {
        print("\b \b");
        length--;
    } else if (c >= ' ' && c < 0x7f && length < LINE_SIZE - 1) {
        print_char(c);
        line[length++] = c;
    }
}

_Noreturn void console_run(void)
{
    open_uart();
    for (;;) {
        // WFI wakes for an interrupt that is pending though masked: no byte is missed between the test and the sleep.
        cpu_irq_mask();
        if (ring_out == ring_in)
            __asm__ volatile("dsb sy\n wfi" ::: "memory");
        cpu_irq_unmask();
        __asm__ volatile("isb" ::: "memory");
        cpu_irq_mask();
        while (ring_out != ring_in)
            type(ring[ring_out++ % RING_SIZE]);
        mmio_write32(PL011_IMSC, PL011_INT_RX | PL011_INT_RT);
    }
}
