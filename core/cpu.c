// SPDX-License-Identifier: Apache-2.0
// The physical CPUs: bringing up the others, and running a function on one. A mailbox per CPU holds one call; callers
// take turns in the order in which they came, so that no guest's calls keep the monitor's waiting, and whoever waits
// serves its own mailbox meanwhile, so that two callers cannot wait for each other. A caller that has waited long
// enough takes its call back; one that has begun it waits for, since the argument is the caller's.

#include <hv/cpu.h>

#include <hv/arch/psci_firmware.h>
#include <hv/arch/registers.h>
#include <hv/gicv3.h>
#include <hv/log.h>
#include <hv/memory_map.h>
#include <hv/monitor.h>
#include <hv/vm.h>

#define COUNTER_POLLS  256
#define START_LIMIT_MS 10000

struct mailbox {
    void (*function)(void *argument); // NULL: empty
    void *argument;
};

static struct mailbox mailboxes[CPU_MAX];
static struct {
    uint32_t next;    // ticket of the next caller
    uint32_t serving; // the caller whose turn it is
} callers;
static unsigned int running_count = 1;
static bool running[CPU_MAX] = {true};

unsigned int cpu_count(void)
{
    return running_count;
}

// Stands in a mailbox while its call runs.
static void under_way(void *argument)
{
    (void)argument;
}

static bool replace_call(struct mailbox *box, void (*from)(void *argument), void (*to)(void *argument))
{
    return __atomic_compare_exchange_n(&box->function, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static uint64_t deadline(unsigned int milliseconds)
{
    return READ_SYSREG(CNTPCT_EL0) + READ_SYSREG(CNTFRQ_EL0) * milliseconds / 1000;
}

void cpu_serve_kick(void)
{
    struct mailbox *box = &mailboxes[cpu_id()];
    void (*function)(void *) = __atomic_load_n(&box->function, __ATOMIC_ACQUIRE);

    cpu_yield(); // whoever waits comes here
    if (function != NULL && function != under_way && replace_call(box, function, under_way)) {
        function(box->argument);
        (void)replace_call(box, under_way, NULL); // what panic has put there meanwhile stays
    }
    if (cpu_id() == 0) {
        const char *reason = vm_take_monitor_request();
        if (reason != NULL)
            monitor_open(reason);
    }
}

static bool post(unsigned int cpu, void (*function)(void *argument), void *argument)
{
    uint64_t limit = deadline(CPU_LATE_MS);

    mailboxes[cpu].argument = argument;
    __atomic_store_n(&mailboxes[cpu].function, function, __ATOMIC_RELEASE);
    gicv3_send_sgi(GICV3_SGI_KICK, cpu);
    for (unsigned int poll = 1; __atomic_load_n(&mailboxes[cpu].function, __ATOMIC_ACQUIRE) != NULL; poll++) {
        cpu_serve_kick();
        // Seldom: each reading of the counter takes QEMU's one big lock, which the answer needs too.
        if (poll % COUNTER_POLLS == 0 && READ_SYSREG(CNTPCT_EL0) >= limit &&
            replace_call(&mailboxes[cpu], function, NULL)) {
            log_record(LOG_ERROR, LOG_CPU, "cpu-late", "vcpu=%u limit_ms=%u", cpu, CPU_LATE_MS);
            return false;
        }
    }
    return true;
}

bool cpu_call(unsigned int cpu, void (*function)(void *argument), void *argument)
{
    if (cpu == cpu_id()) {
        function(argument);
        return true;
    }
    if (cpu >= running_count)
        return false;
    uint32_t ticket = __atomic_fetch_add(&callers.next, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&callers.serving, __ATOMIC_ACQUIRE) != ticket)
        cpu_serve_kick();
    bool done = post(cpu, function, argument);
    __atomic_store_n(&callers.serving, ticket + 1, __ATOMIC_RELEASE);
    return done;
}

bool cpu_call_all(void (*function)(void *argument), void *argument)
{
    bool done = true;
    for (unsigned int cpu = 0; cpu < running_count; cpu++)
        if (cpu != cpu_id())
            done = cpu_call(cpu, function, argument) && done;
    function(argument);
    return done;
}

void cpu_post_all(void (*function)(void *argument), void *argument)
{
    for (unsigned int cpu = 0; cpu < running_count; cpu++) {
        if (cpu == cpu_id())
            continue;
        mailboxes[cpu].argument = argument;
        __atomic_store_n(&mailboxes[cpu].function, function, __ATOMIC_RELEASE);
        gicv3_send_sgi(GICV3_SGI_KICK, cpu);
    }
}

void cpu_mark_running(void)
{
    __atomic_store_n(&running[cpu_id()], true, __ATOMIC_RELEASE);
}

bool cpu_start_others(unsigned int count)
{
    for (unsigned int cpu = 1; cpu < count; cpu++) {
        int64_t result = firmware_cpu_on(cpu, cpu);
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
