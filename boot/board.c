// SPDX-License-Identifier: Apache-2.0
// Whether this machine is the board that the build is for (hv/platform.h). A build for another board would write to
// whatever lies at the addresses of its own table, so this file looks before anything else touches: it reads the
// identification registers of the interrupt controller and of the UART, looks for one redistributor for each CPU, and
// reads the last bytes of the RAM that the guest needs. The first thing that is not as the table says goes into struct
// board_fault, with the value that was found and the value that was wanted; main.c then refuses to start a guest.
#include "board.h"

#include <hv/arch/el2_setup.h>
#include <hv/arch/guarded.h>
#include <hv/arch/registers.h>
#include <hv/boot_options.h>
#include <hv/gicv3.h>
#include <hv/platform.h>
#include <hv/stage1.h>

// GICD_PIDR2.ArchRev (IHI 0069 12.9): 3 for GICv3, 4 for GICv4, which can do all that a GICv3 can.
#define GICD_PIDR2         0xffe8
#define GICD_PIDR2_ARCHREV GENMASK64(7, 4)
// UARTPeriphID0 and 1 (DDI 0183 3.3.15): the part number, 0x011 for a PL011, in their lowest 12 bits.
#define UARTPERIPHID0 0xfe0
#define UARTPERIPHID1 0xfe4
#define PL011_PART    0x011

// Notes what is wrong, for the record that main.c writes. It returns false so that a check can end with
// "return differs(...)".
static bool differs(struct board_fault *fault, const char *reason, const char *name, uint64_t value, uint64_t bound)
{
    *fault = (struct board_fault){.reason = reason, .name = name, .value = value, .bound = bound};
    return false;
}

// Reads a device register of 32 bits. When nothing answers at the address, the read is an external abort, which
// guarded_device_read survives; the result is then ~0. No register of 32 bits can have that value, so a caller tells
// the two apart by value > UINT32_MAX.
static uint64_t look(uint64_t address)
{
    uint64_t value;

    return guarded_device_read(pa_make(address), 4, &value) ? value : ~UINT64_C(0);
}

// ID_AA64PFR0_EL1.GIC says that the CPU has the system registers of a GICv3 (ICC_*_EL1 and the rest), GICD_PIDR2 that a
// distributor of that architecture stands at the address of the table. EL2 needs both, and only the second one tells
// two boards apart.
static bool check_gic(struct board_fault *fault)
{
    unsigned int gic = cpu_features_read().gic;

    if (gic == 0)
        return differs(fault, "no GICv3: give QEMU -M virt,virtualization=on,gic-version=3", "id_aa64pfr0_gic", gic, 1);
    uint64_t pidr2 = look(platform.gicd.base + GICD_PIDR2);
    uint64_t revision = FIELD_GET(GICD_PIDR2_ARCHREV, pidr2);
    if (pidr2 > UINT32_MAX || (revision != 3 && revision != 4))
        return differs(fault,
                       "no GICv3 distributor where this board has it: build for this machine's board (PLATFORM=)",
                       "gicd_pidr2", pidr2, 3);
    if (gicv3_cpu_count() > platform.cpu_count)
        return differs(fault, "too many CPUs: give QEMU -smp 8 or less", "cpus", gicv3_cpu_count(), platform.cpu_count);
    return true;
}

// The table has the affinity (MPIDR_EL1.Aff3 to Aff0) of each CPU. Two things must hold: the CPU that boots is the
// first of the table, since EL2 calls it CPU 0; and a machine with fewer CPUs than the table has the first ones, so
// that CPU numbers have no gaps. A machine with 2 CPUs has rows 0 and 1, never 0 and 2. GICR_TYPER of a redistributor
// names the affinity of its CPU (IHI 0069), so the redistributors say which CPUs there are.
static bool check_cpus(struct board_fault *fault)
{
    uint64_t booted = READ_SYSREG(MPIDR_EL1) & MPIDR_AFFINITY;

    if (platform_cpu_number(booted) != 0)
        return differs(fault, "this board boots on another CPU: build for this machine's board (PLATFORM=)", "mpidr",
                       booted, platform.cpus[0]);
    for (unsigned int cpu = 0; cpu < gicv3_cpu_count(); cpu++)
        if (!gicv3_has_cpu(cpu))
            return differs(fault,
                           "a CPU of this board has no redistributor: build for this machine's board (PLATFORM=)",
                           "affinity", platform.cpus[cpu], gicv3_cpu_count());
    return true;
}

// The part number is spread over two registers, of which each has 8 bits that count: bits 7:0 of it are in
// UARTPeriphID0, bits 11:8 in the low 4 bits of UARTPeriphID1. A PL011 reads 0x11 and 0x10: 0x11 | (0x10 & 0xf) << 8 is
// 0x011. A read that failed is ~0 and has no right part number in it either.
static bool check_uart(struct board_fault *fault)
{
    uint64_t low = look(platform.uarts[0].base + UARTPERIPHID0), high = look(platform.uarts[0].base + UARTPERIPHID1);
    uint64_t part = (low & 0xff) | (high & 0xf) << 8;

    if (low > UINT32_MAX || part != PL011_PART)
        return differs(fault, "no PL011 where this board has it: build for this machine's board (PLATFORM=)",
                       "uart_part", part, PL011_PART);
    return true;
}

// Memory that the machine does not have does not answer, so one read of the last 8 bytes of what the guest's RAM needs
// says whether all of it is there. Only when that read fails, the loop goes up from the guest's first MiB to find out
// how much there is, so that the record can say so: on a machine with 512 MiB it says ram_bytes=0x20000000.
static bool check_ram(struct board_fault *fault)
{
    uint64_t needed = platform.guest_ram.base + platform.guest_ram.size - platform.ram_base;
    uint64_t found = platform.guest_ram.base - platform.ram_base, value; // EL2 itself lies below the guest's

    if (guarded_device_read(pa_make(platform.ram_base + needed - 8), 8, &value))
        return true;
    while (found < needed && guarded_device_read(pa_make(platform.ram_base + found + MIB(1) - 8), 8, &value))
        found += MIB(1);
    return differs(fault, "too little RAM: give QEMU -m 1G or more", "ram_bytes", found, needed);
}

bool board_check(struct board_fault *fault)
{
    // Without EL2's whole map the reads below could fault for a reason that is not the machine's.
    if (!stage1_is_complete())
        return differs(fault, "stage 1 has too few tables for this board: raise TABLES in mm/stage1.c", "complete", 0,
                       1);
    return check_gic(fault) && check_cpus(fault) && check_uart(fault) && check_ram(fault);
}

// How many CPUs run the guest: all that the machine has, or fewer when the person asked for fewer (0 is no wish). A
// wish for more than there are is not an error; the guest gets what there is.
unsigned int board_cpu_count(uint64_t options)
{
    unsigned int found = gicv3_cpu_count();
    unsigned int wanted = (unsigned int)FIELD_GET(BOOT_OPTIONS_CPUS, options);

    return wanted != 0 && wanted < found ? wanted : found;
}
