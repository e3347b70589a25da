// SPDX-License-Identifier: Apache-2.0
// Links: vdev/vgic/vgic.c vdev/vgic/vgic_view.c vdev/vgic/vgic_icc.c vdev/vgic/vgic_lr.c vdev/vgic/vgic_bank.c
// Links: vdev/vgic/vgic_dist.c vdev/vgic/vgic_redist.c vdev/vpl011.c vdev/vpl031.c drivers/hyp_timer.c
// Links: console/channel.c console/line.c console/guest_words.c console/terminal_filter.c platform/platform.c
// Links: lib/range.c tests/fake/fake_trace_text.c
// Two VMs beside each other: whatever the guest of one does to its interrupts, its UART, its console and its clock
// leaves every byte of the other as it was, also when EL2's timer comes while the other runs. Two of the rest, each
// where its module is tested:
//     policy, controls, VMID, tables, counters, CPUs   vm_test.c, space_test.c
//     images and device trees                          loader_test.c
//     ID registers                                     sysreg_test.c
//     notifications                                    notify_test.c, monitor_test.c
//     deadlines                                        hyp_timer_test.c
//     bursts of cache maintenance                      log_verdict_test.c

#include <fake_irq.h>
#include <fake_notify.h>
#include <fake_panic.h>
#include <fake_records.h>
#include <fake_shadow.h>

#include "vgic_world.h"

#include <hv/arch/guarded.h>
#include <hv/channel.h>
#include <hv/hyp_timer.h>
#include <hv/pl011.h>

#define SPI      40
#define UART_DR  0x00
#define UART_FR  0x18
#define UART_CR  0x30
#define UART_RIS 0x3c
#define FR_RXFE  0x10
#define INT_RT   0x40
#define RTC_MR   0x04
#define RTC_IMSC 0x10
#define MACHINE  1700000000u // seconds on the board's clock

static struct vm other; // beside the world's vm
static struct vm kept;  // what one of them was
static char line[64];   // what went out on the serial line
static size_t line_length;
static uint32_t board_clock;

bool pl011_try_put(uint8_t byte)
{
    pl011_put(byte);
    return true;
}

void pl011_put(uint8_t byte)
{
    assert_true(line_length < sizeof(line) - 1);
    line[line_length++] = (char)byte;
}

void pl011_listen(bool on)
{
    (void)on;
}

int pl011_get(void)
{
    return PL011_EMPTY;
}

uint64_t pl011_dropped(void)
{
    return 0;
}

unsigned int cpu_id(void)
{
    return vcpu_current()->cpu;
}

void log_set_sink(const struct log_sink *sink)
{
    (void)sink;
}

static bool read_board_clock(pa_t pa, unsigned int size, bool write, uint64_t *value)
{
    (void)pa, (void)size;
    assert_false(write);
    *value = board_clock;
    return true;
}

// The CPU runs vcpu.
static void run(struct vcpu *vcpu)
{
    fake_sysreg_set("TPIDR_EL2", (uint64_t)vcpu);
}

static void uart_write(struct vm *of, uint32_t offset, uint64_t value)
{
    run(&of->vcpus[0]);
    assert_int_equal(device_pl011.access(&of->vcpus[0], offset, 4 | MMIO_WRITE, &value), MMIO_DONE);
}

static uint64_t uart_read(struct vm *of, uint32_t offset)
{
    uint64_t value = 0;

    run(&of->vcpus[0]);
    assert_int_equal(device_pl011.access(&of->vcpus[0], offset, 4, &value), MMIO_DONE);
    return value;
}

// As a kernel does first, and then an SPI and an SGI for each vCPU of its VM.
static void interrupts(struct vm *of)
{
    run(&of->vcpus[0]);
    dist_write(0, 3);
    for (unsigned int i = 0; i < WORLD_CPUS; i++) {
        redist_write(i, WAKER, 0);
        redist_write(i, SGI_FRAME + IGROUPR, ~0u);
        redist_write(i, SGI_FRAME + ISENABLER, 0xffff);
    }
    dist_write(IGROUPR + 4, ~0u);
    set_priority(0, SPI, 0x40);
    distributor(IROUTER + 8 * SPI, 8, true, 1);
    dist_write(ISENABLER + 4, 1u << (SPI - 32));
    dist_write(ISPENDR + 4, 1u << (SPI - 32));
    assert_int_equal(vgic_set_line(of, 0, SPI + 1, true), HV_OK);
    assert_int_equal(vgic_set_pending(of, 2, 5), HV_OK);
    vgic_write_sgi1r(&of->vcpus[0], UINT64_C(7) << 24 | 7); // SGI 7 to vCPUs 0 to 2
}

static void clock_write(struct vm *of, uint32_t offset, uint64_t value)
{
    run(&of->vcpus[0]);
    assert_int_equal(device_pl031.access(&of->vcpus[0], offset, 4 | MMIO_WRITE, &value), MMIO_DONE);
}

// The counter goes on, and EL2's timer comes while vcpu runs, if it is due.
static void time_passes(struct vcpu *vcpu, uint64_t ticks)
{
    uint64_t now = fake_sysreg_get("CNTPCT_EL0") + ticks;

    run(vcpu);
    fake_sysreg_set("CNTPCT_EL0", now);
    if (now >= fake_sysreg_get("CNTHP_CVAL_EL2"))
        hyp_timer_interrupt();
}

static void print(struct vm *of, const char *text)
{
    uart_write(of, UART_CR, 0x301);
    while (*text != '\0')
        uart_write(of, UART_DR, (uint8_t)*text++);
}

static int two(void **state)
{
    struct channel *front = vm.uart.channel, *behind = other.uart.channel; // a channel is opened once

    world_reset(state);
    vm.uart.channel = front;
    device_pl011.reset(&vm); // the first channel that is opened is the one in front
    memcpy(&other, &vm, sizeof(other));
    other.uart.channel = behind;
    for (unsigned int i = 0; i < WORLD_CPUS; i++)
        other.vcpus[i].vm = &other;
    run(&other.vcpus[0]);
    device_gicd.reset(&other);
    device_gicr.reset(&other);
    device_pl011.reset(&other);
    run(&vm.vcpus[0]);
    device_pl031.reset(&vm);
    device_pl031.reset(&other);
    fake_guarded_device = read_board_clock;
    board_clock = MACHINE;
    fake_sysreg_set("CNTFRQ_EL0", 16000000);
    hyp_timer_init_cpu();
    memset(line, 0, sizeof(line));
    line_length = 0;
    return 0;
}

static void interrupts_of_one_are_not_the_others(void **state)
{
    (void)state;
    memcpy(&kept, &other, sizeof(kept));
    interrupts(&vm);
    assert_memory_equal(&other, &kept, sizeof(kept));
    run(&vm.vcpus[0]);
    assert_int_equal(dist_read(ISPENDR + 4), 3u << (SPI - 32));
    run(&other.vcpus[0]);
    assert_int_equal(dist_read(ISPENDR + 4), 0);
    assert_int_equal(redist_read(1, SGI_FRAME + ISPENDR), 0);

    memcpy(&kept, &vm, sizeof(kept));
    interrupts(&other);
    assert_memory_equal(&vm, &kept, sizeof(kept));
    assert_int_equal(fake_records.count, 0);
}

static void consoles_of_two_are_apart(void **state)
{
    (void)state;
    memcpy(&kept, &other, sizeof(kept));
    print(&vm, "front");
    channel_type('x');
    assert_memory_equal(&other, &kept, sizeof(kept));
    assert_string_equal(line, "front");
    assert_int_equal(uart_read(&other, UART_FR) & FR_RXFE, FR_RXFE);
    assert_int_equal(uart_read(&vm, UART_FR) & FR_RXFE, 0);
    assert_int_equal(uart_read(&vm, UART_DR), 'x');

    memcpy(&kept, &vm, sizeof(kept));
    print(&other, "behind");
    assert_memory_equal(&vm, &kept, sizeof(kept));
    assert_string_equal(line, "front"); // the other's waits in its own channel
    assert_int_equal(fake_records.count, 0);
}

// Both vCPUs 0 are on one CPU here, so that both alarms are deadlines of it.
static void alarms_ring_for_the_vm_that_set_them(void **state)
{
    (void)state;
    clock_write(&vm, RTC_IMSC, 1);
    clock_write(&other, RTC_IMSC, 1);
    clock_write(&vm, RTC_MR, MACHINE + 2);
    clock_write(&other, RTC_MR, MACHINE + 9);
    memcpy(&kept, &other, sizeof(kept));
    board_clock += 2;
    time_passes(&other.vcpus[0], 2 * UINT64_C(16000000));
    assert_int_equal(vm.rtc.raw, 1);
    assert_memory_equal(&other, &kept, sizeof(kept));
    memcpy(&kept, &vm, sizeof(kept));
    board_clock += 7;
    time_passes(&vm.vcpus[0], 7 * UINT64_C(16000000));
    assert_int_equal(other.rtc.raw, 1);
    assert_memory_equal(&vm, &kept, sizeof(kept));
    assert_int_equal(fake_records.count, 0);
}

// What is typed for the VM in front comes on the boot CPU, which may run another one.
static void typed_characters_time_out_for_their_own_vm(void **state)
{
    (void)state;
    uart_write(&vm, UART_CR, 0x301);
    uart_write(&other, UART_CR, 0x301);
    memcpy(&kept, &other, sizeof(kept));
    channel_type('x');
    assert_int_equal(vm.uart.count, 1);
    time_passes(&other.vcpus[0], UINT64_C(1) << 40);
    assert_memory_equal(&other, &kept, sizeof(kept));
    assert_int_equal(uart_read(&vm, UART_RIS) & INT_RT, INT_RT);
    assert_int_equal(fake_records.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(interrupts_of_one_are_not_the_others, two),
        cmocka_unit_test_setup(consoles_of_two_are_apart, two),
        cmocka_unit_test_setup(alarms_ring_for_the_vm_that_set_them, two),
        cmocka_unit_test_setup(typed_characters_time_out_for_their_own_vm, two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
