// SPDX-License-Identifier: Apache-2.0
// A guest that tries to fill the log. What it does is the number at JOB, which QEMU's loader has put there
// (tests/qemu/test_floods.py):
//   1 bursts from all CPUs, ROUNDS of them a second apart, of every kind of refusal that it knows; then power off
//   2 the same refused access for LOOP_SECONDS, then another one
//   3 resets: the first boot does something that the later ones do not; each floods; RESETS of them
//   4 one access each of several kinds, then RING_RECORDS of a kind whose row is unlimited
#include "lib/call.h"
#include "lib/cpu.h"
#include "lib/exception.h"
#include "lib/mmio.h"
#include "lib/print.h"
#include "lib/smp.h"

#define JOB    0x50000000
#define BOOTS  0x50001000 // RAM keeps it through resets
#define FW_CFG 0x09020000
#define SMMU   0x09050000
#define VIRTIO 0x0a000000
#define PL011  0x09000000
#define PL031  0x09010000

#define ROUNDS       4
#define EACH         200
#define LOOP_SECONDS 4
#define RESETS       12
#define RING_RECORDS 1500

#define PSCI_SYSTEM_OFF   0x84000008
#define PSCI_SYSTEM_RESET 0x84000009

void guest_main(void);

static void wait_until(uint64_t time)
{
    WRITE_REG(cntv_cval_el0, time);
    WRITE_REG(cntv_ctl_el0, 1);
    while (READ_REG(cntvct_el0) < time)
        __asm__ volatile("wfi");
    WRITE_REG(cntv_ctl_el0, 0);
}

static void read_exclusive(uint64_t address)
{
    uint32_t value;
    __asm__ volatile("ldxr %w0, [%1]" : "=r"(value) : "r"(address) : "memory");
}

// Eight exits that are recorded, each of a source of its own.
static void one_of_each(void)
{
    (void)mmio_read32(FW_CFG);
    mmio_write32(FW_CFG, 1);
    (void)mmio_read32(VIRTIO);
    (void)READ_REG(pmcr_el0);
    WRITE_REG(pmcr_el0, 0);
    read_exclusive(PL011);
    __asm__ volatile("smc #1" ::: "x0", "x1", "x2", "x3", "memory");
    (void)call_hvc(5, 1, 2, 3); // HVC_REPORT_EXCEPTION
}

static void burst(void)
{
    exception_expect();
    for (unsigned int i = 0; i < EACH; i++)
        one_of_each();
    (void)exception_end();
}

static void bursts(void)
{
    unsigned int cpus = smp_cpu_count();

    for (unsigned int round = 0; round < ROUNDS; round++) {
        uint64_t next = READ_REG(cntvct_el0) + READ_REG(cntfrq_el0);

        for (unsigned int cpu = 1; cpu < cpus; cpu++)
            (void)smp_start(cpu, burst);
        burst();
        for (unsigned int cpu = 1; cpu < cpus; cpu++)
            (void)smp_wait_off(cpu);
        wait_until(next);
    }
    print("# flood: %u of each on %u CPUs\n", ROUNDS * EACH, cpus);
    (void)call_hvc(PSCI_SYSTEM_OFF, 0, 0, 0);
}

static void loop(void)
{
    uint64_t end = READ_REG(cntvct_el0) + LOOP_SECONDS * READ_REG(cntfrq_el0);
    unsigned long count = 0;

    exception_expect();
    for (; READ_REG(cntvct_el0) < end; count++)
        (void)mmio_read32(VIRTIO + 0x10);
    (void)exception_end();
    print("# flood: %lu in a loop\n", count);
    exception_expect();
    (void)mmio_read32(FW_CFG);
    (void)exception_end();
    wait_until(end + 5 * READ_REG(cntfrq_el0) / 2);
    print("# flood: the loop is over\n");
    (void)call_hvc(PSCI_SYSTEM_OFF, 0, 0, 0);
}

static void resets(void)
{
    volatile uint64_t *boots = (volatile uint64_t *)BOOTS;

    if (++*boots == 1) {
        exception_expect();
        (void)mmio_read32(SMMU + 0x44); // what the loop of resets is meant to push out
        (void)exception_end();
    }
    burst();
    if (*boots < RESETS)
        (void)call_hvc(PSCI_SYSTEM_RESET, 0, 0, 0);
    print("# flood: %lu boots\n", (unsigned long)*boots);
}

static void fill_ring(void)
{
    exception_expect();
    one_of_each();
    for (unsigned int i = 0; i < RING_RECORDS; i++)
        (void)mmio_read32(SMMU + 4 * (i % 8));
    (void)exception_end();
    print("# flood: the ring is full\n");
}

void guest_main(void)
{
    switch (*(volatile uint64_t *)JOB) {
    case 1:
        bursts();
        break;
    case 2:
        loop();
        break;
    case 3:
        resets();
        break;
    default:
        fill_ring();
        break;
    }
    for (;;)
        __asm__ volatile("wfi");
}
