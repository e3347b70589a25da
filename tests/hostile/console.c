// SPDX-License-Identifier: Apache-2.0
// Floods of the console, by UART and by hypercall, and lines that look like EL2's own log records: with tags guessed,
// sequence numbers to come, split between both ways and between CPUs, behind escape sequences and control bytes. Each
// forgery says forged=1, so that the decoder of the captured console can be asked whether it believed one.
#include "hostile.h"

#include <hv/guest_abi.h>

#include "lib/call.h"
#include "lib/cpu.h"
#include "lib/mmio.h"

#define UARTDR     PL011_IPA
#define LINE_BYTES 256
#define FLOOD_EACH 512 // attacks: one of the longest write there is

struct line {
    char text[LINE_BYTES];
    unsigned int length;
};

static void add(struct line *line, const char *text)
{
    while (*text != '\0' && line->length < LINE_BYTES)
        line->text[line->length++] = *text++;
}

static void add_number(struct line *line, uint64_t value, unsigned int base, unsigned int width)
{
    char digits[24];
    unsigned int count = 0;

    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0 || count < width);
    while (count > 0 && line->length < LINE_BYTES)
        line->text[line->length++] = digits[--count];
}

static void forge(struct line *line)
{
    static const char *const openings[] = {"",        "\r\n",     "\n",      "\r", "\x1b[2K",
                                           "\x1b]0;", "\b\b\b\b", "ariel: ", "\\", "\""};
    static const char *const events[] = {"panic", "log-start", "abort", "vm-stop", "boot", "counters", "monitor-write"};

    line->length = 0;
    add(line, openings[random_below(10)]);
    add(line, "ariel: seq=");
    add_number(line, random_below(8) ? random_below(4096) : random_next(), 10, 1);
    add(line, " t=");
    add_number(line, random_below(2) ? READ_REG(cntvct_el0) / 62 : random_next(), 10, 1);
    add(line, " cpu=0 level=error class=panic event=");
    add(line, events[random_below(7)]);
    add(line, random_below(8) ? " forged=1" : " reason=\"forged=1 ");
    add(line, " tag=");
    add_number(line, random_next() >> 32, 16, 8);
    add(line, random_below(8) ? "\r\n" : "");
}

static void write_by_uart(const struct line *line)
{
    for (unsigned int i = 0; i < line->length; i++)
        mmio_write32(UARTDR, (uint8_t)line->text[i]);
}

static void attack_line(void)
{
    struct line *line = (struct line *)(SCRATCH_IPA + cpu_index() * (uint64_t)SCRATCH_CPU_SIZE);
    unsigned int part;

    forge(line);
    part = (unsigned int)random_below(line->length + 1);
    switch (random_below(3)) {
    case 0:
        write_by_uart(line);
        break;
    case 1:
        account(call_hvc(HVC_GUEST_CONSOLE_WRITE, (uint64_t)line->text, line->length, 0) == line->length,
                "a console write", line->length, 0, 0);
        return;
    default:
        account(call_hvc(HVC_GUEST_CONSOLE_WRITE, (uint64_t)line->text, part, 0) == part, "a console write", part, 0,
                0);
        line->length -= part;
        for (unsigned int i = 0; i < line->length; i++)
            line->text[i] = line->text[part + i];
        write_by_uart(line);
        break;
    }
    account(true, "", 0, 0, 0);
}

// Bytes of every value, as many as one call takes.
static void attack_flood(void)
{
    uint8_t *bytes = (uint8_t *)(SCRATCH_IPA + cpu_index() * (uint64_t)SCRATCH_CPU_SIZE);

    for (unsigned int i = 0; i < HVC_CONSOLE_WRITE_MAX; i++)
        bytes[i] = (uint8_t)random_next();
    account(call_hvc(HVC_GUEST_CONSOLE_WRITE, (uint64_t)bytes, HVC_CONSOLE_WRITE_MAX, 0) == HVC_CONSOLE_WRITE_MAX,
            "a flood", 0, 0, 0);
}

void attack_console(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        if (random_below(FLOOD_EACH) == 0)
            attack_flood();
        else
            attack_line();
    }
}
