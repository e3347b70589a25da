// SPDX-License-Identifier: Apache-2.0
// A guest that attacks EL2. It executes lines, first those that the host has put into its memory, then those that are
// typed: `<attack> <seed> <count>` makes count attacks of that kind with random numbers from seed, on every CPU where
// the kind can, and prints the account: how many were made, and how many ended otherwise than they should. Whether EL2
// still stands is then for others to say: tests/qemu/test_hostile.py.
#include "../../platform/virt.h"
#include "hostile.h"

#include "lib/cpu.h"
#include "lib/gic.h"
#include "lib/mmio.h"
#include "lib/print.h"
#include "lib/smp.h"

#define UARTDR       (PL011_IPA + 0x000)
#define UARTFR       (PL011_IPA + 0x018)
#define UARTLCR_H    (PL011_IPA + 0x02c)
#define UARTCR       (PL011_IPA + 0x030)
#define UARTIMSC     (PL011_IPA + 0x038)
#define FR_RXFE      0x10
#define LCR_H_FIFO_8 0x70
#define CR_ON        0x301
#define EC_SVE       0x19
#define BAD_PRINTED  8
#define OFF_ROUNDS   4 // of smp_wait_off's 30 seconds
#define LINE_SIZE    80

void guest_main(void);

struct attack {
    const char *name;
    void (*run)(uint64_t count);
    bool on_all;
};

static const struct attack attacks[] = {
    {"aarch32", attack_aarch32, false}, {"ask", attack_ask, true},          {"calls", attack_calls, true},
    {"console", attack_console, true},  {"disk", attack_disk, true},        {"double", attack_double, true},
    {"el0", attack_el0, false},         {"gic", attack_gic, true},          {"immediates", attack_immediates, false},
    {"mmio", attack_mmio, true},        {"net", attack_net, true},          {"psci", attack_psci, true},
    {"races", attack_races, true},      {"reset", attack_reset, true},      {"storm", attack_storm, true},
    {"sweep", attack_sweep, true},      {"sysregs", attack_sysregs, false}, {"tables", attack_tables, true},
    {"timers", attack_timers, true},    {"watch", attack_watch, false},     {"wfi", attack_wfi, true},
};

static struct {
    const struct attack *attack;
    uint64_t seed;
    uint64_t count;
    unsigned int cpus;
} job;

static struct {
    uint64_t state;
    uint64_t made;
    uint64_t bad;
} cpus[CPU_MAX];

uint64_t random_next(void)
{
    uint64_t *state = &cpus[cpu_index()].state;

    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * 0x2545f4914f6cdd1d;
}

uint64_t random_below(uint64_t n)
{
    return (random_next() >> 11) % n;
}

uint64_t random_hostile(void)
{
    static const uint64_t edges[] = {
        0,
        1,
        GUEST_RAM_IPA,
        GUEST_RAM_IPA + GUEST_RAM_SIZE,
        GUEST_RAM_PA,
        GUEST_RAM_PA + GUEST_RAM_SIZE,
        HV_PA,
        LOG_RING_PA,
        TRACE_PA,
        SYMBOLS_PA,
        GICD_IPA,
        GICR_IPA,
        PL011_IPA,
        0x09010000,
        0xa000000,
        SCRATCH_IPA,
        UINT64_C(1) << 31,
        UINT64_C(1) << 32,
        UINT64_C(1) << 39,
        UINT64_C(1) << 40,
        UINT64_C(1) << 48,
        UINT64_C(1) << 55,
        UINT64_C(1) << 63,
        0x4010000000,
        UINT64_C(0xffff) << 48,
        0x1000,
    };
    uint64_t edge = edges[random_below(sizeof(edges) / sizeof(edges[0]))];

    switch (random_below(6)) {
    case 0:
        return random_next();
    case 1:
        return random_next() >> random_below(64);
    case 2:
        return edge + random_below(0x4000);
    case 3:
        return edge - random_below(0x4000);
    default:
        return edge + random_below(17) - 8;
    }
}

// Device registers that an attack may have left so that nothing could be said any more.
static void restore_uart(void)
{
    mmio_write32(UARTCR, CR_ON);
    mmio_write32(UARTLCR_H, LCR_H_FIFO_8);
    mmio_write32(UARTIMSC, 0);
}

void account(bool good, const char *words, uint64_t a, uint64_t b, uint64_t c)
{
    unsigned int cpu = cpu_index();

    cpus[cpu].made++;
    __asm__ volatile("yield"); // where CPUs take turns (QEMU with -icount), after each attack
    if (good)
        return;
    cpus[cpu].bad++;
    if (cpus[cpu].bad > BAD_PRINTED)
        return;
    restore_uart();
    print("# bad %s 0x%lx 0x%lx 0x%lx cpu %u\n", words, a, b, c, cpu);
}

uint64_t job_seed(void)
{
    return job.seed;
}

unsigned int job_cpus(void)
{
    return job.cpus;
}

bool is_refusal(const struct exception *e)
{
    uint32_t status = e->iss & ISS_FSC_MASK;
    bool memory = status < 4 || status == FSC_EXTERNAL || status == FSC_ALIGNMENT || status == 0x35;

    if (e->taken == 0)
        return true;
    if (e->taken != 1)
        return false;
    if (e->ec == EC_DABT || e->ec == EC_IABT)
        return memory;
    return e->ec == EC_UNKNOWN || e->ec == EC_SVE || (e->ec == EC_PC_ALIGN && e->elr % 4 != 0);
}

bool is_own_fault(const struct exception *e)
{
    uint32_t status = e->iss & ISS_FSC_MASK;

    if (e->taken == 1 && (e->ec == EC_DABT || e->ec == EC_IABT) && status < FSC_EXTERNAL_WALK + 4)
        return status <= FSC_EXTERNAL || status >= FSC_EXTERNAL_WALK;
    return is_refusal(e);
}

static void run_here(void)
{
    exception_expect();
    job.attack->run(job.count);
    (void)exception_end();
}

static void run(const struct attack *attack, uint64_t seed, uint64_t count)
{
    unsigned int cpu_count = attack->on_all ? smp_cpu_count() : 1;
    uint64_t start = READ_REG(cntvct_el0);
    uint64_t made = 0, bad = 0;
    bool late = false;

    job.attack = attack;
    job.seed = seed;
    job.count = count;
    job.cpus = cpu_count;
    for (unsigned int cpu = 0; cpu < cpu_count; cpu++) {
        cpus[cpu].state = (seed + 1) * 0x9e3779b97f4a7c15 ^ (cpu + 1) * 0xbf58476d1ce4e5b9;
        cpus[cpu].made = cpus[cpu].bad = 0;
    }
    for (unsigned int cpu = 1; cpu < cpu_count; cpu++)
        late |= attack->run != attack_psci && smp_start(cpu, run_here) != 0;
    run_here();
    for (unsigned int cpu = 1; cpu < cpu_count; cpu++)
        for (unsigned int n = 0; !smp_wait_off(cpu); n++)
            if (n == OFF_ROUNDS) {
                late = true;
                break;
            }
    restore_uart();
    for (unsigned int cpu = 0; cpu < cpu_count; cpu++) {
        made += cpus[cpu].made;
        bad += cpus[cpu].bad;
    }
    print("\n# hostile: %s seed=%lu cpus=%u attacks=%lu bad=%lu late=%u ticks=%lu\n", attack->name, seed, cpu_count,
          made, bad, (unsigned int)late, READ_REG(cntvct_el0) - start);
}

static uint64_t read_number(const char **text)
{
    uint64_t value = 0;

    while (**text == ' ')
        (*text)++;
    for (; **text >= '0' && **text <= '9'; (*text)++)
        value = value * 10 + (uint64_t)(**text - '0');
    return value;
}

static void execute(const char *line)
{
    for (unsigned int i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
        const char *name = attacks[i].name, *rest = line;

        while (*name != '\0' && *name == *rest)
            name++, rest++;
        if (*name == '\0' && *rest == ' ') {
            uint64_t seed = read_number(&rest);
            run(&attacks[i], seed, read_number(&rest));
            return;
        }
    }
    print("# hostile: no attack '%s'\n", line);
}

// The lines that the host has put into memory; the machine is the same each time then, where typed lines come at any
// time.
static void execute_jobs(void)
{
    char *job_line = (char *)JOBS_IPA;

    for (char *c = job_line; c < (char *)JOBS_IPA + JOBS_SIZE && *c != '\0'; c++) {
        if (*c != '\n')
            continue;
        *c = '\0';
        execute(job_line);
        job_line = c + 1;
    }
}

void guest_main(void)
{
    char line[LINE_SIZE];
    unsigned int length = 0;

    restore_uart();
    gic_init();
    execute_jobs();
    print("# hostile: ready\n");
    for (;;) {
        while (mmio_read32(UARTFR) & FR_RXFE)
            ;
        char byte = (char)mmio_read32(UARTDR);
        if (byte != '\r' && length + 1 < LINE_SIZE) {
            line[length++] = byte;
            continue;
        }
        line[length] = '\0';
        length = 0;
        execute(line);
    }
}
