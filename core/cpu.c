// SPDX-License-Identifier: Apache-2.0
// The physical CPUs: bringing up the others, and running a function on some of them.
//
// How CPU 1 calls a function on CPUs 2 and 3. It writes function and argument into calls[1], sets bit 1 of asked[2] and
// of asked[3], sends both an SGI, and waits until both have cleared their bit in calls[1].left. CPU 2 takes the SGI,
// takes all bits of asked[2] at once, and runs the call of each CPU whose bit was set.
//
// Nobody takes turns: if CPU 0 calls CPU 2 at the same time, CPU 2 finds both bits and runs both functions. So a caller
// waits for one round of the others, however many CPUs call at once. While it waits, it runs what it is itself asked
// for, so that two CPUs that call each other do not wait for ever.
//
// A CPU that does not answer in CPU_LATE_MS is given up: the caller takes its bit in asked[] back. If the bit is gone
// already, that CPU has begun the function and uses the argument, which lies on the caller's stack: then the caller
// waits for it to finish.

#include <hv/cpu.h>

#include <hv/arch/psci_firmware.h>
#include <hv/arch/registers.h>
#include <hv/gicv3.h>
#include <hv/irq.h>
#include <hv/log_budget.h>
#include <hv/memory_map.h>
#include <hv/notify.h>
#include <hv/panic.h>
#include <hv/platform.h>

#define COUNTER_POLLS  256   // polls between two looks at the counter
#define START_LIMIT_MS 10000 // a CPU that has not come up by then is left out

struct call {
    void (*function)(void *argument);
    void *argument;
    uint32_t left; // the CPUs that have not finished it
};

static struct call calls[CPU_MAX]; // by the CPU that calls
static uint32_t asked[CPU_MAX];    // by the CPU that is asked: bit n: it shall run calls[n]
static unsigned int running_count = 1;
static bool running[CPU_MAX] = {true};

// The CPUs that are running have the numbers 0 to cpu_count() - 1: cpu_start_others stops at the first one that fails,
// so no gap can arise.
unsigned int cpu_count(void)
{
    return running_count;
}

// The value of CNTPCT_EL0 that is reached after so many milliseconds. For example, with CNTFRQ_EL0 = 62,500,000, a
// limit of 100 ms lies 6,250,000 ticks ahead.
static uint64_t deadline(unsigned int milliseconds)
{
    return READ_SYSREG(CNTPCT_EL0) + READ_SYSREG(CNTFRQ_EL0) * milliseconds / 1000;
}

// Runs the functions of all CPUs that have asked this one. A function may itself wait for another CPU, and then this
// function is entered a second time from within it. That does no harm: the exchange has taken all bits at once, so the
// inner call does not see the calls that the outer one is working on. The release at the end orders what the function
// has written before the caller sees its bit of `left` cleared.
static COLD void serve_calls(unsigned int me)
{
    uint32_t callers = __atomic_exchange_n(&asked[me], 0, __ATOMIC_ACQ_REL);

    for (; callers != 0; callers &= callers - 1) {
        struct call *call = &calls[__builtin_ctz(callers)];
        call->function(call->argument);
        __atomic_fetch_and(&call->left, ~(uint32_t)BIT64(me), __ATOMIC_RELEASE);
    }
}

// The kick is one SGI for every purpose. Whoever wants something of a CPU first writes it to memory and then sends the
// SGI, so this function looks in all places where a request can be. A kick for which nothing is found is harmless:
// another kick has brought the request already.
void cpu_serve_kick(void)
{
    unsigned int me = cpu_id();

    cpu_yield(); // this is also the body of loops that wait for another CPU
    if (__atomic_load_n(&asked[me], __ATOMIC_RELAXED) != 0)
        serve_calls(me);
    notify_serve();
}

// The interrupt handler of GICV3_SGI_KICK.
static enum irq_end kicked(void *argument)
{
    (void)argument;
    cpu_serve_kick();
    return IRQ_DONE;
}

// What panic_end calls: each other CPU is asked to run `park`, and nobody waits for it.
static void stop_others(void (*park)(void *argument))
{
    cpu_post_all(park, NULL);
}

void cpu_init(void)
{
    irq_register(GICV3_SGI_KICK, kicked, NULL);
    panic_register(stop_others);
}

// Writes the call first and asks for it then: whoever finds the bit finds the function.
static void ask(uint32_t cpus, void (*function)(void *argument), void *argument)
{
    unsigned int me = cpu_id();

    calls[me].function = function;
    calls[me].argument = argument;
    __atomic_store_n(&calls[me].left, cpus, __ATOMIC_RELAXED);
    for (uint32_t left = cpus; left != 0; left &= left - 1) {
        unsigned int cpu = (unsigned int)__builtin_ctz(left);
        __atomic_fetch_or(&asked[cpu], (uint32_t)BIT64(me), __ATOMIC_ACQ_REL);
        gicv3_send_sgi(GICV3_SGI_KICK, cpu);
    }
}

// Takes the call back from those of cpus that have not begun it, and names each in a record. False when there was one.
static bool take_back(uint32_t cpus)
{
    uint32_t mine = (uint32_t)BIT64(cpu_id());
    bool none = true;

    for (; cpus != 0; cpus &= cpus - 1) {
        unsigned int cpu = (unsigned int)__builtin_ctz(cpus);
        if (!(__atomic_fetch_and(&asked[cpu], ~mine, __ATOMIC_ACQ_REL) & mine))
            continue;
        __atomic_fetch_and(&calls[cpu_id()].left, ~(uint32_t)BIT64(cpu), __ATOMIC_RELAXED);
        log_limited(LOG_LIMIT(LOG_SOURCE_LATE, LOG_ERROR), LOG_CPU, "cpu-late", "target=%u limit_ms=%u", cpu,
                    CPU_LATE_MS);
        none = false;
    }
    return none;
}

// Waits until every CPU that was asked has finished. A CPU that has not begun when the counter reaches limit is given
// up, and the result is then false. The loop serves this CPU's own kicks, because the CPU that it waits for may itself
// be waiting for this one.
static bool wait_for_answers(uint64_t limit)
{
    const uint32_t *left = &calls[cpu_id()].left;
    bool done = true;

    for (unsigned int poll = 1; __atomic_load_n(left, __ATOMIC_ACQUIRE) != 0; poll++) {
        cpu_serve_kick();
        // The counter is read once in COUNTER_POLLS polls: on QEMU, each reading takes a lock that the CPU which is to
        // answer needs as well.
        if (poll % COUNTER_POLLS == 0 && READ_SYSREG(CNTPCT_EL0) >= limit)
            done = take_back(__atomic_load_n(left, __ATOMIC_ACQUIRE)) && done;
    }
    return done;
}

// The set of all running CPUs, one bit for each. For example, three running CPUs are 0b111.
static uint32_t running_cpus(void)
{
    return (uint32_t)(BIT64(running_count) - 1);
}

// The other CPUs are asked first, and this one runs the function itself after they have finished. A CPU of the set that
// does not run cannot be asked, and makes the result false.
bool cpu_call_each(uint32_t cpus, void (*function)(void *argument), void *argument)
{
    uint32_t me = (uint32_t)BIT64(cpu_id());
    uint32_t others = cpus & running_cpus() & ~me;
    bool done = (cpus & ~running_cpus()) == 0;

    if (others != 0) {
        uint64_t limit = deadline(CPU_LATE_MS);
        ask(others, function, argument);
        done = wait_for_answers(limit) && done;
    }
    if (cpus & me)
        function(argument);
    return done;
}

bool cpu_call(unsigned int cpu, void (*function)(void *argument), void *argument)
{
    return cpu < CPU_MAX && cpu_call_each((uint32_t)BIT64(cpu), function, argument);
}

bool cpu_call_all(void (*function)(void *argument), void *argument)
{
    return cpu_call_each(running_cpus(), function, argument);
}

// Nobody waits for these calls, so function and argument must stay valid for ever. This CPU's earlier call in calls[]
// is overwritten: only panic, after which there is no other call, may use this function.
void cpu_post_all(void (*function)(void *argument), void *argument)
{
    ask(running_cpus() & ~(uint32_t)BIT64(cpu_id()), function, argument);
}

void cpu_mark_running(void)
{
    __atomic_store_n(&running[cpu_id()], true, __ATOMIC_RELEASE);
}

// Starts the CPUs one after the other by PSCI's CPU_ON (DEN 0022), because each CPU that comes up uses what the boot
// CPU has prepared for it. That costs a little time at boot, and in exchange the record cpu-fail names exactly the CPU
// that failed. CPU_ON returns as soon as the firmware has accepted the request; the CPU itself says by cpu_mark_running
// that it has come up.
bool cpu_start_others(unsigned int count, uint64_t entry)
{
    for (unsigned int cpu = 1; cpu < count; cpu++) {
        int64_t result = firmware_cpu_on(platform.cpus[cpu], entry, cpu);
        uint64_t limit = deadline(START_LIMIT_MS);
        while (result == 0 && !__atomic_load_n(&running[cpu], __ATOMIC_ACQUIRE)) {
            cpu_yield();
            if (READ_SYSREG(CNTPCT_EL0) >= limit)
                result = -1;
        }
        if (result != 0) {
            log_record(LOG_ERROR, LOG_CPU, "cpu-fail", "target=%u result=%ld", cpu, result);
            return false;
        }
        running_count = cpu + 1;
    }
    return true;
}
