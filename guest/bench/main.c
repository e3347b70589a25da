// SPDX-License-Identifier: Apache-2.0
// What privileged operations cost, measured from EL1 by the virtual counter. An arm64 Image of its own, so that the
// same file runs under ariel, under other hypervisors and on the bare machine; the addresses are QEMU virt's.
//
// Prints a line `# cost <operation> <ns>` for each operation: the average, the loop of 2 to 4 instructions included.
// What moves data through a register is measured with x1 and with x19: `# cost <operation> <the worse> x1 <ns> x19
// <ns>`. Under QEMU's -icount shift=0,sleep=off one instruction takes one nanosecond, so the figures are executed
// instructions. Loops are assembly, so that they are the same with every compiler. With
// one CPU it measures that; with more, only what takes several.

#include "bench.h"

#include <hv/memory_map.h>

#include "lib/gic.h"
#include "lib/mmio.h"
#include "lib/print.h"
#include "lib/registers.h"

#define PSCI_OFF 0x84000008

#define SPI_INTID      40 // nothing is behind it on QEMU virt
#define SPI_BIT        256
#define GICD_TYPER     (GICD_IPA + 0x4)
#define GICD_ISENABLER (GICD_IPA + 0x104)
#define GICD_ISPENDR   (GICD_IPA + 0x204)
#define GICD_PRIORITY  (GICD_IPA + 0x424)
#define GICD_ICFGR     (GICD_IPA + 0xc08)
#define GICR_SGI       0x10000
#define GICR_TYPER     (GICR_IPA + 0x8)
#define GICR_ISENABLER (GICR_IPA + GICR_SGI + 0x100)
#define GICR_PRIORITY  (GICR_IPA + GICR_SGI + 0x404)
#define PL011_DR       PL011_IPA
#define PL011_FR       (PL011_IPA + 0x18)

#define LOGGED_ROUNDS 8 // the policy's row logs ten a second
#define TOUCH_ROUNDS  64
#define TOUCH_FIRST   (GUEST_RAM_IPA + MIB_(256))
#define MIB_(n)       ((uint64_t)(n) << 20)
#define TIMER_AHEAD   128 // counter ticks from the arming of the timer to its deadline

#define TEXT_(v) #v
#define TEXT(v)  TEXT_(v)

extern const char bench_timer_sled[]; // vectors.S

void bench_main(uint64_t entered, uint64_t rounds);

typedef void (*loop_fn)(uint64_t operand, uint64_t rounds, bool high);

// Waits for the interrupt by its INTID (interrupts stay masked) and ends it.
#define TAKE(intid) "isb\n 2: mrs x0, icc_iar1_el1\n cmp w0, #" TEXT(intid) "\n b.ne 2b\n msr icc_eoir1_el1, x0"

LOOP(hvc, "mov x0, x4\n hvc #0")
LOOP(id_register, "mrs data, id_aa64mmfr0_el1")
LOOP(sysreg_write, "msr mdscr_el1, data")
LOOP(logged_read, "mrs data, dbgbvr0_el1")
LOOP(read, "ldr dataw, [x4]")
LOOP(read_64, "ldr data, [x4]")
LOOP(read_byte, "ldrb dataw, [x4]")
LOOP(write_zero, "str dataw, [x4]")
LOOP(write_byte, "strb leftw, [x4]")
LOOP(write_word, "str leftw, [x4]")
LOOP(uart_write, "mov dataw, #'.'\n str dataw, [x4]")
LOOP(uart_polled, "2: ldr dataw, [x4, #0x18]\n tbnz dataw, #5, 2b\n mov dataw, #'.'\n str dataw, [x4]")
LOOP(first_touch, "ldr dataw, [x4]\n add x4, x4, #0x200, lsl #12")
LOOP(sgi_self, "mov data, x4\n msr icc_sgi1r_el1, data\n" TAKE(BENCH_SGI))
LOOP(spi, "mov dataw, #" TEXT(SPI_BIT) "\n str dataw, [x4]\n" TAKE(SPI_INTID))

static uint64_t ticks_of(loop_fn loop, uint64_t operand, uint64_t rounds, bool high)
{
    uint64_t start = bench_now();

    loop(operand, rounds, high);
    return bench_now() - start;
}

static void measure_once(const char *name, loop_fn loop, uint64_t operand, uint64_t rounds)
{
    bench_say(name, ticks_of(loop, operand, rounds, false), rounds);
}

static void measure(const char *name, loop_fn loop, uint64_t operand)
{
    uint64_t ticks_x1 = ticks_of(loop, operand, bench_rounds, false);

    bench_say_both(name, ticks_x1, ticks_of(loop, operand, bench_rounds, true), bench_rounds);
}

// ---- The virtual timer

#define TIMER_WAIT(name, wait)                                                                                         \
    static __attribute__((noinline)) uint64_t name(uint64_t handler)                                                   \
    {                                                                                                                  \
        uint64_t ticks;                                                                                                \
        __asm__ volatile("mov x20, %1\n mov x21, #0\n isb\n mrs x22, cntvct_el0\n add x22, x22, %2\n"                  \
                         "msr cntv_cval_el0, x22\n mov x24, #1\n msr cntv_ctl_el0, x24\n isb\n" wait                   \
                         "msr daifclr, #2\n 1: cbz x21, 1b\n msr daifset, #2\n sub %0, x21, x22"                       \
                         : "=r"(ticks)                                                                                 \
                         : "r"(handler), "i"(TIMER_AHEAD)                                                              \
                         : "x20", "x21", "x22", "x24", "memory");                                                      \
        return ticks;                                                                                                  \
    }

TIMER_WAIT(timer_running, "")
TIMER_WAIT(timer_waiting, "wfi\n") // an interrupt ends it, masked or not

// From the deadline to the handler's first look at the counter. The counter moves once in 16 instructions: handlers
// that look 0 to 15 instructions later make the sum of the latencies in ticks the latency in instructions.
static void measure_timer(const char *name, uint64_t (*wait)(uint64_t handler))
{
    uint64_t rounds = (bench_rounds + COUNTER_GRAIN - 1) / COUNTER_GRAIN, ticks = 0;

    for (uint64_t i = 0; i < rounds * COUNTER_GRAIN; i++)
        ticks += wait((uint64_t)bench_timer_sled + 4 * (COUNTER_GRAIN - 1 - i % COUNTER_GRAIN));
    bench_say(name, ticks, rounds * COUNTER_GRAIN);
}

static void measure_one_cpu(void)
{
    measure_once("hvc-psci-version", loop_hvc, BENCH_PSCI_VERSION, bench_rounds); // its registers are x0 to x3
    measure_once("hvc-get-hv-id", loop_hvc, 0, bench_rounds);
    measure("id-register-read", loop_id_register, 0);
    measure("sysreg-write", loop_sysreg_write, 0);
    measure("gicd-typer-read", loop_read, GICD_TYPER);
    measure("gicd-isenabler-write", loop_write_zero, GICD_ISENABLER);
    measure("gicd-word-read", loop_read, GICD_ISENABLER);
    measure("gicd-word-write", loop_write_word, GICD_PRIORITY);
    measure("gicd-byte-read", loop_read_byte, GICD_PRIORITY);
    measure("gicd-byte-write", loop_write_byte, GICD_PRIORITY);
    measure("gicr-typer-read", loop_read_64, GICR_TYPER);
    measure("gicr-word-read", loop_read, GICR_ISENABLER);
    measure("gicr-word-write", loop_write_word, GICR_PRIORITY);
    measure("gicr-byte-read", loop_read_byte, GICR_PRIORITY);
    measure("gicr-byte-write", loop_write_byte, GICR_PRIORITY);
    measure("uart-status-read", loop_read, PL011_FR);
    measure("uart-write", loop_uart_write, PL011_DR);
    measure("uart-polled-write", loop_uart_polled, PL011_DR);
    print("\n");
    measure("sgi-to-self", loop_sgi_self, (uint64_t)BENCH_SGI << 24 | 1);
    measure("spi", loop_spi, GICD_ISPENDR);
    measure_timer("virtual-timer", timer_running);
    measure_timer("virtual-timer-wfi", timer_waiting);
    measure_once("first-touch", loop_first_touch, TOUCH_FIRST, TOUCH_ROUNDS);
    measure_once("logged-exit", loop_logged_read, 0, LOGGED_ROUNDS);
}

static void init_interrupts(void)
{
    mmio_write32(GICD_IPA, 0x10); // affinity routing
    mmio_write32(GICD_IPA, 0x12); // and Group 1
    gic_init_cpu();
    gic_enable(BENCH_SGI, BENCH_PRIORITY);
    gic_enable(GIC_INTID_VTIMER, BENCH_PRIORITY);
    gic_enable(SPI_INTID, BENCH_PRIORITY);
    mmio_write32(GICD_ICFGR, 2u << (2 * (SPI_INTID % 16))); // edge-triggered
}

void bench_main(uint64_t entered, uint64_t rounds)
{
    unsigned int cpu_count = bench_cpu_count();

    bench_rounds = rounds;
    print("# bench entered at %lu of %lu Hz\n", entered, READ_REG(cntfrq_el0));
    init_interrupts();
    if (cpu_count == 1)
        measure_one_cpu();
    bench_several(cpu_count);
    print("# bench end\n");
    (void)bench_call(PSCI_OFF, 0, 0, 0);
}
