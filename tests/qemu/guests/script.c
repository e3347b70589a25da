// SPDX-License-Identifier: Apache-2.0
// A guest_main that does what a line on its console says, word by word, so that a test can have it print and do things
// while the monitor is open and nothing reaches it:
//   h1b5b6d  prints these bytes       d  writes to the GPIO, which policy diag denies and logs
//   w15      waits 1.5 s              f  waits until somebody has written to FLAG (the monitor's mem write)
//   n        calls HVC_DUMP_LOG and prints its result     p  HVC_PAUSE
//   t        prints what it has been sent meanwhile, in hexadecimal
//   o        powers off               r  resets
#include "lib/call.h"
#include "lib/cpu.h"
#include "lib/exception.h"
#include "lib/mmio.h"
#include "lib/print.h"

#include <hv/guest_abi.h>
#include <hv/memory_map.h>

#define FLAG       ((volatile uint32_t *)0x40300000)
#define GPIO_DIR   0x09030400
#define UARTFR     (PL011_IPA + 0x18)
#define FR_RXFE    0x10
#define SYSTEM_OFF 0x84000008
#define SYSTEM_RST 0x84000009
#define LINE_MAX   4096

void guest_main(void);

static bool has_byte(void)
{
    return !(mmio_read32(UARTFR) & FR_RXFE);
}

static uint8_t read_byte(void)
{
    while (!has_byte())
        ;
    return (uint8_t)mmio_read32(PL011_IPA);
}

static void write_denied(void)
{
    static uint32_t value;

    exception_expect();
    mmio_write32(GPIO_DIR, ++value);
    (void)exception_end();
}

static void wait_tenths(uint64_t tenths)
{
    uint64_t end = READ_REG(cntvct_el0) + READ_REG(cntfrq_el0) * tenths / 10;

    while (READ_REG(cntvct_el0) < end)
        ;
}

static unsigned int digit(char c)
{
    return (unsigned int)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static const char *print_bytes(const char *hex)
{
    for (; hex[0] > ' ' && hex[1] > ' '; hex += 2)
        mmio_write32(PL011_IPA, digit(hex[0]) << 4 | digit(hex[1]));
    return hex;
}

static const char *wait_word(const char *at)
{
    uint64_t tenths = 0;

    for (; *at >= '0' && *at <= '9'; at++)
        tenths = tenths * 10 + digit(*at);
    wait_tenths(tenths);
    return at;
}

static void print_typed(void)
{
    print("# typed:");
    while (has_byte())
        print(" %02x", (unsigned int)read_byte());
    print("\n");
}

// One word; returns what is behind it.
static const char *run_word(const char *at)
{
    switch (*at++) {
    case 'h':
        return print_bytes(at);
    case 'd':
        write_denied();
        return at;
    case 'w':
        return wait_word(at);
    case 'f':
        while (*FLAG == 0)
            ;
        *FLAG = 0;
        return at;
    case 'n':
        print("# dump: %d\n", (int)call_hvc(HVC_DUMP_LOG, 0, 0, 0));
        return at;
    case 'p':
        (void)call_hvc(HVC_PAUSE, 0, 0, 0);
        return at;
    case 't':
        print_typed();
        return at;
    case 'o':
        call_hvc(SYSTEM_OFF, 0, 0, 0);
        return at;
    case 'r':
        call_hvc(SYSTEM_RST, 0, 0, 0);
        return at;
    default:
        return at;
    }
}

void guest_main(void)
{
    static char line[LINE_MAX];

    *FLAG = 0;
    for (;;) {
        unsigned int length = 0;

        print("# ready\n");
        for (uint8_t byte = read_byte(); byte != '\r' && length + 1 < LINE_MAX; byte = read_byte())
            line[length++] = (char)byte;
        line[length] = '\0';
        for (const char *at = line; *at != '\0';)
            at = run_word(at);
    }
}
