// SPDX-License-Identifier: Apache-2.0
// The physical GICv3 (Arm IHI 0069). EL2 owns all of it: the distributor, one redistributor for each CPU, and each
// CPU's interface. A guest never reaches it; what a guest programs is the virtual GIC (vdev/vgic).
//
// Every interrupt is Non-secure Group 1, and EL2 takes it at EL2 with interrupts masked, so one never nests in another.
// SPIs, of which EL2 uses the UART's alone, have a higher priority than SGIs and PPIs: a guest can make its timers'
// PPIs come without end, and a person's keys must get through all the same.
//
// ICC_CTLR_EL1.EOImode is 1 (IHI 0069 12.2), so that an interrupt ends in two steps. The priority drop (ICC_EOIR1_EL1)
// lets the next one come. The deactivation (ICC_DIR_EL1) lets the same one come again; for an interrupt that EL2 has
// passed on through a list register with the HW bit, the guest does it by the end of the virtual interrupt. Until then
// a level-sensitive line that is still high does not come back.
//
// No wait for the hardware is endless: one that runs out is recorded as gic-timeout, and EL2 goes on.

#include <hv/gicv3.h>

#include <hv/arch/barrier.h>
#include <hv/arch/io.h>
#include <hv/arch/registers.h>
#include <hv/log.h>
#include <hv/memory_map.h>
#include <hv/platform.h>

// The distributor's registers, as offsets from platform.gicd.base (IHI 0069, the distributor register map). Where a
// register has one bit for each interrupt, word n holds INTIDs 32n to 32n + 31; an IPRIORITYR has one byte for each
// interrupt, an ICFGR two bits, and an IROUTER eight bytes.
#define GICD_CTLR      0x0000
#define GICD_TYPER     0x0004
#define GICD_IGROUPR   0x0080
#define GICD_ISENABLER 0x0100
#define GICD_ICENABLER 0x0180
#define GICD_ISPENDR   0x0200
#define GICD_ICPENDR   0x0280
#define GICD_ICACTIVER 0x0380
#define GICD_IPRIORITY 0x0400
#define GICD_ICFGR     0x0c00
#define GICD_IROUTER   0x6000

// The bits of GICD_CTLR as the Non-secure state sees them. RWP reads as 1 while a write is still under way.
#define GICD_CTLR_ENABLE_GRP1 0x02
#define GICD_CTLR_ARE_NS      0x10
#define GICD_CTLR_RWP         0x80000000u
#define ON                    (GICD_CTLR_ARE_NS | GICD_CTLR_ENABLE_GRP1)
#define GICD_TYPER_LINES      0x1f

// A redistributor's registers, as offsets from its RD_base frame. The SGI_base frame lies 64 KB above.
#define GICR_CTLR       0x0000
#define GICR_TYPER      0x0008
#define GICR_WAKER      0x0014
#define GICR_SGI        0x10000 // the frame that has the registers of SGIs and PPIs, laid out as the distributor's
#define GICR_CTLR_RWP   0x08
#define GICR_TYPER_LAST 0x10
#define WAKER_SLEEP     0x02
#define WAKER_CHILDREN  0x04
#define PRIORITY_SPI    0x80808080u // four interrupts a word; a lower number is a higher priority (IHI 0069 4.8)
#define PRIORITY_OWN    0xa0a0a0a0u // of SGIs and PPIs
#define WAIT_POLLS      100000u     // some ms at least, where a register settles in microseconds
#define SRE_EL2_ALL     0xf         // SRE, DFB, DIB, Enable
#define CTLR_EOIMODE    0x2

// Filled in by gicv3_init_cpu on the CPU itself; 0: that CPU has not come up.
static uint64_t redistributor[CPU_MAX];
static uint64_t affinity[CPU_MAX]; // MPIDR_EL1 Aff3.Aff2.Aff1.Aff0

// Waits until the bits of mask read as value: a write to the GIC may still be under way (IHI 0069, GICD_CTLR.RWP), and
// a bit that was written may not be implemented. what names the wait in the record of one that runs out.
static void wait_for(uint64_t address, uint32_t mask, uint32_t value, const char *what)
{
    for (unsigned int poll = 0; poll < WAIT_POLLS; poll++)
        if ((io_read32(address) & mask) == value)
            return;
    log_limited(LOG_LIMIT(LOG_SOURCE_GIC, LOG_ERROR), LOG_IRQ, "gic-timeout", "wait=%s register=0x%lx", what, address);
}

// The RD_base frame of the redistributor with this index.
static uint64_t frame_at(unsigned int index)
{
    return platform.gicr.base + (uint64_t)index * platform.gicr_stride;
}

// The redistributors lie side by side, and GICR_TYPER.Last marks the last one (IHI 0069 12.11). On a machine without
// that mark the board's region ends the walk.
unsigned int gicv3_cpu_count(void)
{
    unsigned int index = 0, last = (unsigned int)(platform.gicr.size / platform.gicr_stride) - 1;

    while (index < last && !(io_read64(frame_at(index) + GICR_TYPER) & GICR_TYPER_LAST))
        index++;
    return index + 1;
}

// The affinity fields of an MPIDR_EL1 (Aff3 in bits 39:32) in the order of GICR_TYPER[63:32] (Aff3 in bits 31:24).
static uint64_t packed_affinity(uint64_t mpidr)
{
    return (mpidr & 0xffffff) | ((mpidr >> 8) & 0xff000000);
}

// The redistributor of the CPU with this affinity, or 0 when there is none. GICR_TYPER[63:32] is the affinity of the
// CPU that a redistributor belongs to.
static uint64_t find_redistributor(uint64_t wanted)
{
    unsigned int count = gicv3_cpu_count();

    for (unsigned int index = 0; index < count; index++)
        if (io_read64(frame_at(index) + GICR_TYPER) >> 32 == wanted)
            return frame_at(index);
    return 0;
}

// A CPU of the device tree without a redistributor could not receive an SGI, so it must not be started.
bool gicv3_has_cpu(unsigned int cpu)
{
    return find_redistributor(packed_affinity(platform.cpus[cpu])) != 0;
}

// Brings the distributor into a known state, whatever the firmware has left: every SPI is disabled, not pending, not
// active, in Group 1 and of one priority. GICD_TYPER.ITLinesNumber + 1 is the number of banks of 32 INTIDs. Bank 0
// holds the SGIs and PPIs, which belong to the redistributors. Forwarding is turned off first, and on last.
void gicv3_init_distributor(void)
{
    uint64_t base = platform.gicd.base;
    unsigned int banks = (io_read32(base + GICD_TYPER) & GICD_TYPER_LINES) + 1;

    io_write32(base + GICD_CTLR, 0);
    wait_for(base + GICD_CTLR, GICD_CTLR_RWP | GICD_CTLR_ENABLE_GRP1, 0, "distributor-off");
    // Affinity routing first: with it on, IROUTER counts and the banked registers of bank 0 do not.
    io_write32(base + GICD_CTLR, GICD_CTLR_ARE_NS);
    wait_for(base + GICD_CTLR, GICD_CTLR_RWP | GICD_CTLR_ARE_NS, GICD_CTLR_ARE_NS, "distributor-are");
    for (unsigned int bank = 1; bank < banks; bank++) {
        io_write32(base + GICD_ICENABLER + 4 * bank, ~0u);
        io_write32(base + GICD_ICPENDR + 4 * bank, ~0u);
        io_write32(base + GICD_ICACTIVER + 4 * bank, ~0u);
        io_write32(base + GICD_IGROUPR + 4 * bank, ~0u);
        for (unsigned int word = 0; word < 8; word++)
            io_write32(base + GICD_IPRIORITY + 32 * bank + 4 * word, PRIORITY_SPI);
    }
    wait_for(base + GICD_CTLR, GICD_CTLR_RWP, 0, "distributor-disable");
    io_write32(base + GICD_CTLR, ON);
    wait_for(base + GICD_CTLR, GICD_CTLR_RWP | ON, ON, "distributor-on");
}

// Wakes the redistributor: while GICR_WAKER.ProcessorSleep is 1 it forwards nothing, and ChildrenAsleep says when the
// change has been made. Then it does for SGIs and PPIs what gicv3_init_distributor does for SPIs. The second ICFGR word
// is that of the PPIs; SGIs are always edge-triggered.
static void init_redistributor(uint64_t base)
{
    io_write32(base + GICR_WAKER, io_read32(base + GICR_WAKER) & ~(uint32_t)WAKER_SLEEP);
    wait_for(base + GICR_WAKER, WAKER_CHILDREN, 0, "redistributor-wake");
    io_write32(base + GICR_SGI + GICD_ICENABLER, ~0u);
    wait_for(base + GICR_CTLR, GICR_CTLR_RWP, 0, "redistributor-disable");
    io_write32(base + GICR_SGI + GICD_ICPENDR, ~0u);
    io_write32(base + GICR_SGI + GICD_ICACTIVER, ~0u);
    io_write32(base + GICR_SGI + GICD_IGROUPR, ~0u);
    io_write32(base + GICR_SGI + GICD_ICFGR + 4, 0); // PPIs: level-sensitive, where that can be chosen
    for (unsigned int word = 0; word < 8; word++)
        io_write32(base + GICR_SGI + GICD_IPRIORITY + 4 * word, PRIORITY_OWN);
}

// Sets up the CPU interface of the CPU that calls. ICC_SRE_EL2.SRE must be 1 before the other ICC and ICH registers may
// be used. PMR = 0xff lets every priority through; BPR = 0 asks for as many levels of preemption as there are.
void gicv3_init_cpu(unsigned int cpu)
{
    uint64_t base = find_redistributor(packed_affinity(READ_SYSREG(MPIDR_EL1)));

    WRITE_SYSREG(ICC_SRE_EL2, SRE_EL2_ALL);
    barrier_context(); // the other ICC and ICH registers exist from here on
    WRITE_SYSREG(ICH_HCR_EL2, 0);
    WRITE_SYSREG(ICC_PMR_EL1, 0xff);
    WRITE_SYSREG(ICC_BPR1_EL1, 0);
    WRITE_SYSREG(ICC_CTLR_EL1, CTLR_EOIMODE);
    WRITE_SYSREG(ICC_IGRPEN1_EL1, 1);
    barrier_context();
    if (base == 0 || cpu >= CPU_MAX) {
        log_record(LOG_ERROR, LOG_IRQ, "gic-no-redistributor", "affinity=0x%lx",
                   packed_affinity(READ_SYSREG(MPIDR_EL1)));
        return;
    }
    init_redistributor(base);
    affinity[cpu] = packed_affinity(READ_SYSREG(MPIDR_EL1));
    redistributor[cpu] = base;
    gicv3_enable(GICV3_SGI_KICK, cpu);
    gicv3_enable(platform.maintenance_intid, cpu);
}

// An SPI is routed to the CPU before it is enabled, so that it cannot arrive elsewhere. GICD_IROUTER has Aff3 in bits
// 39:32, as MPIDR_EL1 has it: the packed form is unpacked here. For example, affinity 0x01000002 becomes 0x100000002.
void gicv3_enable(unsigned int intid, unsigned int cpu)
{
    uint64_t bit = BIT64(intid % 32);

    if (cpu >= CPU_MAX || intid >= INTID_SPECIAL || redistributor[cpu] == 0)
        return;
    if (intid < 32) {
        io_write32(redistributor[cpu] + GICR_SGI + GICD_ISENABLER, (uint32_t)bit);
        return;
    }
    io_write64(platform.gicd.base + GICD_IROUTER + 8 * (uint64_t)intid,
               (affinity[cpu] & 0xffffff) | (affinity[cpu] >> 24) << 32);
    io_write32(platform.gicd.base + GICD_ISENABLER + 4 * (uint64_t)(intid / 32), (uint32_t)bit);
}

// When this returns, the interrupt does not come any more: a write to an ICENABLER has taken effect when RWP reads 0.
void gicv3_disable(unsigned int intid, unsigned int cpu)
{
    uint64_t bit = BIT64(intid % 32);

    if (cpu >= CPU_MAX || intid >= INTID_SPECIAL || redistributor[cpu] == 0)
        return;
    if (intid < 32) {
        io_write32(redistributor[cpu] + GICR_SGI + GICD_ICENABLER, (uint32_t)bit);
        wait_for(redistributor[cpu] + GICR_CTLR, GICR_CTLR_RWP, 0, "disable");
    } else {
        io_write32(platform.gicd.base + GICD_ICENABLER + 4 * (uint64_t)(intid / 32), (uint32_t)bit);
        wait_for(platform.gicd.base + GICD_CTLR, GICD_CTLR_RWP, 0, "disable");
    }
}

// SGIs and PPIs (INTIDs below 32) have their registers in the redistributor of the CPU that they belong to.
static bool has_redistributor(unsigned int intid, unsigned int cpu)
{
    return cpu < CPU_MAX && intid < 32 && redistributor[cpu] != 0;
}

void gicv3_clear_pending(unsigned int intid, unsigned int cpu)
{
    if (has_redistributor(intid, cpu))
        io_write32(redistributor[cpu] + GICR_SGI + GICD_ICPENDR, (uint32_t)BIT64(intid));
}

// An ICFGR has two bits for each interrupt, 16 interrupts to a word, and the upper bit of the two is 1 for
// edge-triggered. For example, the bit of INTID 27 is bit 2 * 11 + 1 = 23 of the second word.
bool gicv3_is_edge(unsigned int intid, unsigned int cpu)
{
    if (!has_redistributor(intid, cpu))
        return false;
    return io_read32(redistributor[cpu] + GICR_SGI + GICD_ICFGR + 4 * (intid / 16)) >> (2 * (intid % 16) + 1) & 1;
}

void gicv3_set_edge(unsigned int intid, unsigned int cpu, bool edge)
{
    if (!has_redistributor(intid, cpu))
        return;
    uint64_t address = redistributor[cpu] + GICR_SGI + GICD_ICFGR + 4 * (intid / 16);
    uint32_t bit = (uint32_t)BIT64(2 * (intid % 16) + 1);
    uint32_t others = io_read32(address) & ~bit;
    io_write32(address, edge ? others | bit : others);
}

bool gicv3_is_pending(unsigned int intid, unsigned int cpu)
{
    if (!has_redistributor(intid, cpu))
        return false;
    return io_read32(redistributor[cpu] + GICR_SGI + GICD_ISPENDR) >> intid & 1;
}

// Makes the highest pending interrupt active and returns its INTID. Without one, it returns a special INTID (1020 to
// 1023).
unsigned int gicv3_acknowledge(void)
{
    unsigned int intid = (unsigned int)READ_SYSREG(ICC_IAR1_EL1);

    barrier_complete_system(); // the acknowledge is seen by the redistributor before what the handler does
    return intid;
}

// With EOImode = 1 a write to ICC_EOIR1_EL1 drops the running priority and leaves the interrupt active.
void gicv3_drop_priority(unsigned int intid)
{
    WRITE_SYSREG(ICC_EOIR1_EL1, intid);
}

// With EOImode = 1 a write to ICC_DIR_EL1 deactivates the interrupt, so that it may become pending and come again.
void gicv3_deactivate(unsigned int intid)
{
    WRITE_SYSREG(ICC_DIR_EL1, intid);
}

// An SGI is sent to the CPUs of one cluster by ICC_SGI1R_EL1: Aff3 stands in bits 55:48, RS in 47:44, Aff2 in 39:32,
// the INTID in 27:24 and Aff1 in 23:16. The target list in bits 15:0 has one bit for each of 16 values of Aff0, and RS
// says which 16. For example, Aff0 = 18 is RS = 1 and bit 2 of the list.
void gicv3_send_sgi(unsigned int intid, unsigned int cpu)
{
    uint64_t target;

    if (cpu >= CPU_MAX || redistributor[cpu] == 0)
        return;
    target = affinity[cpu];
    // What the other CPU shall find is in memory before the SGI arrives there.
    barrier_complete();
    WRITE_SYSREG(ICC_SGI1R_EL1, (target >> 24 & 0xff) << 48 | (target >> 4 & 0xf) << 44 | (target >> 16 & 0xff) << 32 |
                                    (uint64_t)(intid & 0xf) << 24 | (target >> 8 & 0xff) << 16 | BIT64(target & 0xf));
    barrier_context();
}
