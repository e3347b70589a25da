// SPDX-License-Identifier: Apache-2.0
// The world of the tests of the guest's UART: one VM with one vCPU, whose UART has a channel, a line to the virtual
// GIC, and bit periods that pass when the test says so. EL2's timer is the real one.
// Links: vdev/vpl011.c drivers/hyp_timer.c platform/platform.c lib/range.c
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fake_channel.h>
#include <fake_cpu_id.h>
#include <fake_gicv3.h>
#include <fake_panic.h>
#include <fake_shadow.h>
#include <fake_vgic.h>

#include <hv/arch/registers.h>
#include <hv/device_ops.h>
#include <hv/hyp_timer.h>
#include <hv/vm.h>
#include <hv/vpl011.h>

#define DR    0x00
#define RSR   0x04
#define FR    0x18
#define ILPR  0x20
#define IBRD  0x24
#define FBRD  0x28
#define LCR_H 0x2c
#define CR    0x30
#define IFLS  0x34
#define IMSC  0x38
#define RIS   0x3c
#define MIS   0x40
#define ICR   0x44
#define DMACR 0x48

#define FEN    0x10
#define INT_RX 0x10
#define INT_TX 0x20
#define INT_RT 0x40
#define INT_BE 0x200
#define INT_OE 0x400

static struct vm vm;
static uint32_t flags_at_change; // UARTFR when the page was shown or hidden last

static inline bool line(void)
{
    return fake_vgic.level;
}

// The console may call in with its own lock held, so the UART's must be free when it is called.
static void look(uint64_t effect, uint64_t value)
{
    (void)value;
    if (effect == FAKE_CHANNEL_PUT || effect == FAKE_CHANNEL_ROOM)
        assert_int_equal(vm.uart.lock.ticket.held, 0);
    if (effect == FAKE_SHADOW)
        flags_at_change = vm.uart.reg[FR / 4];
}

// When EL2's timer is due.
static inline uint64_t timer(void)
{
    return fake_sysreg_get("CNTHP_CVAL_EL2");
}

// The counter goes on to count, and EL2's timer comes if it is due by then.
static inline void time_is(uint64_t count)
{
    fake_sysreg_set("CNTPCT_EL0", count);
    if (timer() <= count)
        hyp_timer_interrupt();
}

static inline void let_bits_pass(void)
{
    time_is(fake_sysreg_get("CNTPCT_EL0") + (UINT64_C(1) << 40));
}

static inline uint32_t rd(uint32_t offset)
{
    uint64_t value = 0xdead;
    assert_int_equal(device_pl011.access(&vm.vcpus[0], offset, 4, &value), MMIO_DONE);
    return (uint32_t)value;
}

static inline void wr(uint32_t offset, uint32_t value)
{
    uint64_t written = value;
    assert_int_equal(device_pl011.access(&vm.vcpus[0], offset, 4 | MMIO_WRITE, &written), MMIO_DONE);
}

static int setup(void **state)
{
    (void)state;
    memset(&vm, 0, sizeof(vm));
    vm.vcpu_count = 1;
    vm.vcpus[0].vm = &vm;
    fake_vgic = (struct fake_vgic){.vm = &vm, .intid = PL011_INTID, .edges_only = true};
    fake_shadow = (struct fake_shadow){.shown = true};
    fake_channel_reset();
    fake_effect_hook = look;
    fake_sysreg_reset();
    fake_sysreg_set("CNTFRQ_EL0", 24000000); // a tick is a UART clock
    fake_sysreg_set("TPIDR_EL2", (uint64_t)&vm.vcpus[0]);
    hyp_timer_init_cpu();
    device_pl011.reset(&vm);
    return 0;
}
