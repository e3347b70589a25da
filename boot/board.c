// SPDX-License-Identifier: Apache-2.0
// Whether this machine is the board that the build is for (hv/platform.h). A build for another board would write to
// whatever lies at the addresses of its own table, so this looks before it touches: the identification registers of the
// interrupt controller and of the UART, one redistributor for each CPU, and RAM as far as the guest's reaches. What is
// not as the table says is named with the value that was found, and no guest starts.
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

static bool differs(struct board_fault *fault, const char *reason, const char *name, uint64_t value, uint64_t bound)
{
    *fault = (struct board_fault){.reason = reason, .name = name, .value = value, .bound = bound};
    return false;
}

// A device register; ~0 when nothing answers there, which is no register's right value here.
static uint64_t look(uint64_t address)
{
    uint64_t value;

    return guarded_device_read(pa_make(address), 4, &value) ? value : ~UINT64_C(0);
}

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

// The first CPU of the table is the one that boots, and the CPUs that are there are the first ones of the table.
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

static bool check_uart(struct board_fault *fault)
{
    uint64_t low = look(platform.uarts[0].base + UARTPERIPHID0), high = look(platform.uarts[0].base + UARTPERIPHID1);
    uint64_t part = (low & 0xff) | (high & 0xf) << 8;

    if (low > UINT32_MAX || part != PL011_PART)
        return differs(fault, "no PL011 where this board has it: build for this machine's board (PLATFORM=)",
                       "uart_part", part, PL011_PART);
    return true;
}

// The last 8 bytes of what stands behind the guest's RAM answer. If not, the record says how much RAM there is.
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
    if (!stage1_is_complete())
        return differs(fault, "stage 1 has too few tables for this board: raise TABLES in mm/stage1.c", "complete", 0,
                       1);
    return check_gic(fault) && check_cpus(fault) && check_uart(fault) && check_ram(fault);
}

unsigned int board_cpu_count(uint64_t options)
{
    unsigned int found = gicv3_cpu_count();
    unsigned int wanted = (unsigned int)FIELD_GET(BOOT_OPTIONS_CPUS, options);

    return wanted != 0 && wanted < found ? wanted : found;
}
