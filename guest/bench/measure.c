// SPDX-License-Identifier: Apache-2.0
// What every measurement of the bench guest uses: the clock, the line that says a result, a call, and the end when the
// machine does what nobody expected.
#include "bench.h"

#include "lib/print.h"
#include "lib/registers.h"

uint64_t bench_rounds;

_Noreturn void bench_unexpected(uint64_t esr, uint64_t elr, uint64_t far);

int64_t bench_call(uint64_t number, uint64_t a1, uint64_t a2, uint64_t a3)
{
    register uint64_t x0 __asm__("x0") = number;
    register uint64_t x1 __asm__("x1") = a1;
    register uint64_t x2 __asm__("x2") = a2;
    register uint64_t x3 __asm__("x3") = a3;

    __asm__ volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::"memory");
    return (int64_t)x0;
}

uint64_t bench_now(void)
{
    uint64_t ticks;
    __asm__ volatile("isb\n mrs %0, cntvct_el0" : "=r"(ticks)::"memory");
    return ticks;
}

static uint64_t nanoseconds_each(uint64_t ticks, uint64_t rounds)
{
    uint64_t ns = ticks * 1000000000 / READ_REG(cntfrq_el0);
    return (ns + rounds / 2) / rounds;
}

void bench_say(const char *name, uint64_t ticks, uint64_t rounds)
{
    print("# cost %s %lu\n", name, nanoseconds_each(ticks, rounds));
}

void bench_say_both(const char *name, uint64_t ticks_x1, uint64_t ticks_x19, uint64_t rounds)
{
    uint64_t x1 = nanoseconds_each(ticks_x1, rounds), x19 = nanoseconds_each(ticks_x19, rounds);

    print("# cost %s %lu x1 %lu x19 %lu\n", name, x1 > x19 ? x1 : x19, x1, x19);
}

// The end of every vector but that of interrupts (vectors.S).
_Noreturn void bench_unexpected(uint64_t esr, uint64_t elr, uint64_t far)
{
    print("\n# bench: unexpected exception ESR 0x%lx ELR 0x%lx FAR 0x%lx\n", esr, elr, far);
    for (;;)
        __asm__ volatile("wfi");
}
