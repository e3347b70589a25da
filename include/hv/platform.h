// SPDX-License-Identifier: Apache-2.0
// What the board is: where its RAM, its interrupt controller and its devices are, and how its CPUs are numbered. One
// constant table, made from platform/<board>.h (make PLATFORM=<board>); nothing else in EL2 knows an address of the
// board. What a *guest* sees is another matter: it is the same on every board (hv/memory_map.h).
#pragma once

#include <hv/memory_map.h>
#include <hv/types.h>

#define PLATFORM_UARTS_MAX 4

// Physical addresses base .. base + size - 1. Size 0: the board has none.
struct platform_range {
    uint64_t base;
    uint64_t size;
};

// A PL011: 4 KiB of registers.
struct platform_uart {
    uint64_t base;
    uint32_t intid;
    uint32_t clock_hz; // of UARTCLK, from which the baud rate is divided
};

// virtio-mmio transports, number n (0 .. count - 1) at base + n * stride with interrupt intid + n.
struct platform_virtio {
    uint64_t base;
    uint32_t stride;
    uint32_t count;
    uint32_t intid;
};

struct platform {
    const char *name; // that of PLATFORM=
    // RAM: where it begins; EL2's image; what EL2 keeps over a warm reset; the RAM that stands behind the guest's.
    uint64_t ram_base;
    struct platform_range image;
    struct platform_range guest_manifest;
    struct platform_range boot_record;
    struct platform_range boot_options;
    struct platform_range trace;   // the rings of the trace; not kept: each boot begins them anew
    struct platform_range symbols; // names of the guest's functions, likewise
    struct platform_range log_ring;
    struct platform_range guest_ram;
    // The GICv3. gicr holds frames of gicr_stride bytes, one for each CPU.
    struct platform_range gicd;
    struct platform_range gicr;
    uint32_t gicr_stride;
    // INTIDs of the PPIs that EL2 uses
    uint32_t maintenance_intid;
    uint32_t hyp_timer_intid;
    // The first UART is EL2's console.
    uint32_t uart_count;
    struct platform_uart uarts[PLATFORM_UARTS_MAX];
    struct platform_virtio virtio;
    // Devices of which a guest may be given the real one.
    struct platform_range rtc; // a PL031
    struct platform_range flash;
    struct platform_range gpio; // a PL061
    // CPU n has the MPIDR_EL1 affinity cpus[n]; the first is the one that boots.
    uint32_t cpu_count;
    uint64_t cpus[CPU_MAX];
};

extern const struct platform platform;

// The bits of MPIDR_EL1 that say which CPU it is: Aff3, Aff2, Aff1 and Aff0 (DDI 0487 D19.2).
#define MPIDR_AFFINITY UINT64_C(0xff00ffffff)

#define PLATFORM_NO_CPU UINT32_MAX

// The number of the CPU whose MPIDR_EL1 this is, 0 .. platform.cpu_count - 1; PLATFORM_NO_CPU when the table has none
// such. Only the affinity fields count.
unsigned int platform_cpu_number(uint64_t mpidr);

// Whether a guest may be given the board's real device at base .. base + size - 1: all of it belongs to one of rtc,
// flash and gpio. On a board that has RAM or another device there, the answer is no.
bool platform_may_pass(uint64_t base, uint64_t size);
