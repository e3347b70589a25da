// SPDX-License-Identifier: Apache-2.0
// The table of the board that this build is for. A board is one header of numbers, platform/<board>.h: the preprocessor
// gives the linker script and the run script the same numbers that EL2 reads here.

#include <hv/platform.h>

#include <hv/bits.h>

#include PLATFORM_HEADER

// The header's lists are macros that take the name of another macro and apply it to each row.
#define UART_ROW(base, intid, clock_hz) {base, intid, clock_hz},
#define CPU_ROW(affinity)               affinity,

const struct platform platform = {
    .name = PLATFORM_NAME,
    .ram_base = RAM_PA,
    .image = {HV_PA, HV_MAX_SIZE},
    .guest_manifest = {GUEST_MANIFEST_PA, GUEST_MANIFEST_SIZE},
    .boot_record = {BOOT_RECORD_PA, BOOT_RECORD_SIZE},
    .boot_options = {BOOT_OPTIONS_PA, BOOT_OPTIONS_SIZE},
    .trace = {TRACE_PA, TRACE_SIZE},
    .symbols = {SYMBOLS_PA, SYMBOLS_SIZE},
    .log_ring = {LOG_RING_PA, LOG_RING_SIZE},
    .guest_ram = {GUEST_RAM_PA, GUEST_RAM_SIZE},
    .gicd = {GICD_PA, GICD_PA_SIZE},
    .gicr = {GICR_PA, GICR_PA_SIZE},
    .gicr_stride = GICR_PA_STRIDE,
    .maintenance_intid = PPI_MAINTENANCE,
    .hyp_timer_intid = PPI_HYP_TIMER,
    .uart_count = ARRAY_COUNT(((struct platform_uart[]){PLATFORM_UARTS(UART_ROW)})),
    .uarts = {PLATFORM_UARTS(UART_ROW)},
    .virtio = {VIRTIO_PA, VIRTIO_STRIDE, VIRTIO_COUNT, VIRTIO_INTID},
    .rtc = {PL031_PA, PL031_PA_SIZE},
    .flash = {FLASH_PA, FLASH_PA_SIZE},
    .gpio = {PL061_PA, PL061_PA_SIZE},
    .cpu_count = ARRAY_COUNT(((uint64_t[]){PLATFORM_CPUS(CPU_ROW)})),
    .cpus = {PLATFORM_CPUS(CPU_ROW)},
};

// A guest's timers have the INTIDs that Arm recommends (Base System Architecture, "PPI assignments"), and the real
// timers interrupt the guest by the same number through its list registers (vdev/vtimer.c). A board on which they
// differ needs that file changed first.
_Static_assert(PPI_VIRTUAL_TIMER == 27 && PPI_PHYSICAL_TIMER == 30);

// The number of a CPU is its place in the board's table, whatever affinity fields the board gives it.
unsigned int platform_cpu_number(uint64_t mpidr)
{
    for (unsigned int cpu = 0; cpu < platform.cpu_count; cpu++)
        if (platform.cpus[cpu] == (mpidr & MPIDR_AFFINITY))
            return cpu;
    return PLATFORM_NO_CPU;
}

// The last byte counts as well, and nothing may wrap: with size <= range->size the difference of the sizes is not below
// 0, and with base >= range->base neither is that of the bases. base + size could wrap, and is not computed.
static bool lies_within(uint64_t base, uint64_t size, const struct platform_range *range)
{
    return size <= range->size && base >= range->base && base - range->base <= range->size - size;
}

// The devices that a policy may map for a guest on this board. A board that lacks one has a range of size 0 for it.
bool platform_may_pass(uint64_t base, uint64_t size)
{
    return lies_within(base, size, &platform.rtc) || lies_within(base, size, &platform.flash) ||
           lies_within(base, size, &platform.gpio);
}
