// SPDX-License-Identifier: Apache-2.0
// What takes several CPUs: an SGI to another one, and all of them trapping at once. Under -icount QEMU runs one CPU at
// a time. While one waits for another it yields; while all trap, each has its own timer, masked, end its turn now and
// then, in the guest or anywhere in EL2: 16 to 256 instructions on for each CPU that there is, since newer QEMUs (10,
// not 7.2) part the time up to the next timer among the CPUs. CPUs are not done at the same time; what those that are
// done execute while they wait for the others is counted and taken off.
#include "bench.h"

#include <hv/memory_map.h>

#include "lib/gic.h"
#include "lib/mmio.h"
#include "lib/registers.h"

#define PSCI_CPU_ON   0xc4000003
#define GICR_TYPER    0x8
#define GICR_LAST     0x10
#define GICR_PRIORITY 0x10404
#define STACK_WORDS   128

extern const char bench_count_interrupt[], bench_start_secondary[]; // vectors.S

static uint64_t stacks[CPU_MAX][STACK_WORDS] __attribute__((aligned(16)));
static struct {
    volatile uint64_t job;           // what all CPUs shall do, from 1 on
    volatile uint64_t done[CPU_MAX]; // the last job that a CPU has done
    volatile uint64_t up[CPU_MAX];   // 1: a CPU waits for jobs
    volatile uint64_t idle[CPU_MAX]; // instructions that a CPU has waited since it was done
    volatile uint64_t interrupts;
    volatile uint64_t stop;
} shared;

static void yield_until(const volatile uint64_t *word, uint64_t value)
{
    while (*word != value)
        __asm__ volatile("yield" ::: "memory");
}

// TPIDR_EL0 is the number of CPUs; a tick of the timer is 16 instructions.
#define JOB(name, body)                                                                                                \
    LOOP(name, "and x3, left, #15\n mrs x2, tpidr_el0\n madd x3, x3, x2, x2\n msr cntv_tval_el0, x3\n" body)

JOB(call, "mov x0, x4\n hvc #0")
JOB(status, "ldr dataw, [x4]")
JOB(byte, "strb leftw, [x4]")

// Waits while *word == value, and counts in *idle the instructions that this takes: seven a round.
static void wait_while(const volatile uint64_t *word, uint64_t value, volatile uint64_t *idle)
{
    *idle = 0;
    __asm__ volatile("mov x1, #0\n"
                     "1: yield\n ldr x0, [%0]\n cmp x0, %1\n b.ne 2f\n add x1, x1, #7\n str x1, [%2]\n b 1b\n 2:"
                     :
                     : "r"(word), "r"(value), "r"(idle)
                     : "x0", "x1", "cc", "memory");
}

// Takes interrupts until it is told to stop.
static void receive(void)
{
    __asm__ volatile("mov x20, %0\n mov x23, %1\n msr daifclr, #2\n"
                     "1: yield\n ldr x0, [%2]\n cbz x0, 1b\n msr daifset, #2"
                     :
                     : "r"(bench_count_interrupt), "r"(&shared.interrupts), "r"(&shared.stop)
                     : "x0", "x20", "x23", "x24", "x25", "memory");
}

static void send(uint64_t sgi, uint64_t rounds)
{
    for (uint64_t i = 1; i <= rounds; i++) {
        __asm__ volatile("msr icc_sgi1r_el1, %0\n isb" : : "r"(sgi) : "memory");
        yield_until(&shared.interrupts, i);
    }
}

enum job { JOB_CALL = 1, JOB_OWN_DEVICE, JOB_SAME_STATUS, JOB_SAME_LOCK, JOB_RECEIVE };

static void do_job(uint64_t job)
{
    uint64_t own = GICR_IPA + (uint64_t)cpu_index() * GICR_STRIDE;

    switch (job) {
    case JOB_CALL:
        return loop_call(BENCH_PSCI_VERSION, bench_rounds, false);
    case JOB_OWN_DEVICE:
        return loop_byte(own + GICR_PRIORITY, bench_rounds, false);
    case JOB_SAME_STATUS:
        return loop_status(PL011_IPA + 0x18, bench_rounds, false);
    case JOB_SAME_LOCK:
        return loop_byte(GICD_IPA + 0x424, bench_rounds, false);
    default:
        return receive();
    }
}

// What a started CPU runs.
static _Noreturn void run_jobs(void)
{
    unsigned int cpu = cpu_index();

    gic_init_cpu();
    gic_enable(BENCH_SGI, BENCH_PRIORITY);
    WRITE_REG(cntv_ctl_el0, 3); // on, masked
    WRITE_REG(tpidr_el0, bench_cpu_count());
    shared.up[cpu] = 1;
    for (;;) {
        wait_while(&shared.job, shared.done[cpu], &shared.idle[cpu]);
        uint64_t job = shared.job;
        do_job(job);
        shared.idle[cpu] = 0;
        shared.done[cpu] = job;
    }
}

static void start(unsigned int cpu)
{
    uint64_t *top = &stacks[cpu][STACK_WORDS - 2]; // 16 bytes, so that the stack pointer stays aligned

    *top = (uint64_t)run_jobs;
    shared.done[cpu] = shared.job;
    (void)bench_call(PSCI_CPU_ON, cpu, (uint64_t)bench_start_secondary, (uint64_t)top);
    yield_until(&shared.up[cpu], 1);
}

// All CPUs do job; the time of one exit, as if they were one CPU.
static void measure_job(const char *name, uint64_t job, unsigned int cpu_count)
{
    uint64_t before = shared.job, begin = bench_now(), idle = 0;

    shared.job = job;
    do_job(job);
    for (unsigned int cpu = 1; cpu < cpu_count; cpu++) {
        wait_while(&shared.done[cpu], before, &shared.idle[0]);
        idle += shared.idle[0];
    }
    uint64_t ticks = bench_now() - begin;
    for (unsigned int cpu = 1; cpu < cpu_count; cpu++)
        idle += shared.idle[cpu];
    bench_say(name, ticks - idle / COUNTER_GRAIN, bench_rounds * cpu_count);
}

static void measure_sgi(void)
{
    shared.job = JOB_RECEIVE;
    uint64_t begin = bench_now();
    send((uint64_t)BENCH_SGI << 24 | 2, bench_rounds);
    bench_say("sgi-to-other", bench_now() - begin, bench_rounds);
    shared.stop = 1;
    yield_until(&shared.done[1], JOB_RECEIVE);
}

unsigned int bench_cpu_count(void)
{
    unsigned int last = 0;

    while (last < CPU_MAX - 1 && !(mmio_read64(GICR_IPA + last * GICR_STRIDE + GICR_TYPER) & GICR_LAST))
        last++;
    return last + 1;
}

void bench_several(unsigned int cpu_count)
{
    if (cpu_count > 1) {
        start(1);
        measure_sgi();
    }
    for (unsigned int cpu = 2; cpu < cpu_count; cpu++)
        start(cpu);
    WRITE_REG(cntv_ctl_el0, 3);
    WRITE_REG(tpidr_el0, cpu_count);
    measure_job("at-once-call", JOB_CALL, cpu_count);
    measure_job("at-once-own-device", JOB_OWN_DEVICE, cpu_count);
    measure_job("at-once-same-device", JOB_SAME_STATUS, cpu_count);
    measure_job("at-once-same-lock", JOB_SAME_LOCK, cpu_count);
}
