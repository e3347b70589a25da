// SPDX-License-Identifier: Apache-2.0
// The world of the tests of vdev/virtio: a guest with 4 MiB of RAM behind real stage-2 tables, its driver's half of a
// queue, and devices of fake_virtio.h on the board.
// Links: vdev/virtio/*.c drivers/virtqueue.c tests/fake/fake_virtio.c
// Links: mm/guest_mem.c mm/space.c mm/stage2.c mm/pool.c arch/aarch64/tlb.c arch/aarch64/s2_pte.c
// Links: lib/range.c lib/rate.c policy/policy_virtio.c platform/platform.c tests/fake/fake_trace_text.c
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fake_virtio.h>
#include <hv/arch/guarded.h>
#include <hv/arch/registers.h>
#include <hv/device_ops.h>
#include <hv/gicv3.h>
#include <hv/hyp_timer.h>
#include <hv/irq.h>
#include <hv/log.h>
#include <hv/log_virtio.h>
#include <hv/machine.h>
#include <hv/pool.h>
#include <hv/space.h>
#include <hv/vgic.h>
#include <hv/virtio_device.h>

#include <platform/virt.h>

#define RAM      UINT64_C(0x40000000)
#define RAM_SIZE MIB(4)

// Queue q of the guest's driver: where its parts are.
#define QUEUE_SIZE 8u
#define DESC(q)    (RAM + 0x10000 * (q) + 0x1000)
#define AVAIL(q)   (RAM + 0x10000 * (q) + 0x3000)
#define USED(q)    (RAM + 0x10000 * (q) + 0x4000)

static uint8_t *memory;
static _Alignas(4096) uint64_t root[512];
static _Alignas(4096) uint8_t pages[8][4096];
static struct pool pool;
static struct vm vm;
static struct virtio virtio;
static const struct policy_row policy_rows[] = {{.place = "p:1", .text = "virtio *", .why = "default"},
                                                {.place = "p:2", .text = "virtio", .why = "first"}};
static struct policy_virtio virtio_rows[2]; // the first is the test's, and decides about nothing unless a test says so
static struct policy policy;
static bool line[32]; // of the guest's interrupt, by transport
static unsigned int rises[32];
static bool real_enabled[32]; // the real interrupt
static uint64_t timer;        // EL2's, HYP_TIMER_NEVER when it is not set
static void (*timer_expired)(void *argument);
static irq_handler handlers[32];
static void *arguments[32];
static uint32_t board_version; // of all transports
static struct {
    unsigned int count;
    char event[32], text[512];
} record;                     // the last
static unsigned int requests; // that have ended
static struct {
    const struct policy_virtio *row;
    uint64_t bytes;
    const char *status;
} last_request;
static struct policy_virtio_access last_access;

enum hv_status vgic_set_line(struct vm *of, unsigned int vcpu_id, unsigned int intid, bool level)
{
    assert_ptr_equal(of, &vm);
    assert_int_equal(vcpu_id, 0);
    assert_in_range(intid, GUEST_VIRTIO_INTID, GUEST_VIRTIO_INTID + 31);
    assert_int_not_equal(level, line[intid - GUEST_VIRTIO_INTID]);
    line[intid - GUEST_VIRTIO_INTID] = level;
    rises[intid - GUEST_VIRTIO_INTID] += level;
    return HV_OK;
}

void hyp_timer_set(uint64_t when, void (*expired)(void *argument), void *argument)
{
    assert_ptr_equal(argument, &vm);
    timer = when;
    timer_expired = expired;
}

void irq_register(unsigned int intid, irq_handler handler, void *argument)
{
    handlers[intid - VIRTIO_INTID] = handler;
    arguments[intid - VIRTIO_INTID] = argument;
}

void gicv3_enable(unsigned int intid, unsigned int cpu)
{
    assert_int_equal(cpu, 0);
    real_enabled[intid - VIRTIO_INTID] = true;
}

void gicv3_disable(unsigned int intid, unsigned int cpu)
{
    assert_int_equal(cpu, 0);
    real_enabled[intid - VIRTIO_INTID] = false;
}

static void note(const char *event, const char *format, va_list list)
{
    record.count++;
    snprintf(record.event, sizeof(record.event), "%s", event);
    // %pQ prints an address here, which no test looks at.
    vsnprintf(record.text, sizeof(record.text), format, list);
}

#define NOTE                                                                                                           \
    do {                                                                                                               \
        va_list list;                                                                                                  \
        va_start(list, format);                                                                                        \
        note(event, format, list);                                                                                     \
        va_end(list);                                                                                                  \
    } while (0)

void log_routine(enum log_class class, const char *event, const char *format, ...)
{
    (void)class;
    NOTE;
}

void log_limited(struct log_limit limit, enum log_class class, const char *event, const char *format, ...)
{
    (void)limit, (void)class;
    NOTE;
}

void log_virtio_request(struct vm *of, const struct policy_virtio *row, const struct policy_virtio_access *access,
                        uint64_t bytes, const char *status)
{
    assert_ptr_equal(of, &vm);
    requests++;
    last_request.row = row;
    last_request.bytes = bytes;
    last_request.status = status;
    last_access = *access;
}

// The board's transports answer with their version alone; all else is fake_virtio.c's.
static bool board_register(pa_t pa, unsigned int size, bool write, uint64_t *value)
{
    assert_int_equal(size, 4);
    assert_false(write);
    assert_int_equal((pa.v - VIRTIO_PA) % VIRTIO_STRIDE, VIRTIO_MMIO_VERSION);
    *value = board_version;
    return board_version != 0;
}

static int setup(void **state)
{
    struct ipa_range ram = {{RAM}, RAM_SIZE};

    (void)state;
    fake_sysreg_reset();
    fake_sysreg_set("CNTFRQ_EL0", 1000000);
    fake_sysreg_set("CNTPCT_EL0", 5000000);
    fake_sysreg_set("TPIDR_EL2", (uint64_t)(uintptr_t)&vm.vcpus[0]);
    fake_guarded_device = board_register;
    fake_virtio_reset();
    if (memory == NULL)
        memory = aligned_alloc(MIB(2), RAM_SIZE);
    assert_non_null(memory);
    memset(memory, 0, RAM_SIZE);
    memset(&vm, 0, sizeof(vm));
    memset(&virtio, 0xa5, sizeof(virtio));
    memset(line, 0, sizeof(line));
    memset(rises, 0, sizeof(rises));
    memset(real_enabled, 0, sizeof(real_enabled));
    memset(handlers, 0, sizeof(handlers));
    memset(&record, 0, sizeof(record));
    memset(&last_request, 0, sizeof(last_request));
    requests = 0;
    timer = HYP_TIMER_NEVER;
    board_version = VIRTIO_MMIO_VERSION_MODERN;
    vm.vcpus[0].vm = &vm;
    virtio_rows[0] = virtio_rows[1] = (struct policy_virtio){
        .sector_last = POLICY_VIRTIO_SECTOR_END,
        .devices = UINT32_MAX,
        .transports = UINT32_MAX,
        .requests = UINT32_MAX,
        .action = POLICY_EMULATE,
        .rate = POLICY_VIRTIO_NO_RATE,
    };
    virtio_rows[0].devices = 0;
    virtio_rows[0].row = 1;
    policy = (struct policy){.rows = policy_rows, .row_count = 2, .virtio = virtio_rows, .virtio_count = 2};
    vm.policy = &policy;
    vm.virtio = &virtio;
    pool_init(&pool, pages, ARRAY_COUNT(pages));
    space_init(&vm.space, root, &pool, 1);
    assert_int_equal(space_add_ram(&vm.space, &ram, pa_make((uintptr_t)memory)), HV_OK);
    device_virtio_mmio.reset(&vm);
    return 0;
}

// A device of that type on transport n.
static struct fake_virtio *add_device(unsigned int n, uint32_t id, uint64_t features, unsigned int queues)
{
    fake_virtio[n].id = id;
    fake_virtio[n].features = features | VIRTIO_F_VERSION_1;
    for (unsigned int i = 0; i < queues; i++)
        fake_virtio[n].queue_max[i] = 1024;
    return &fake_virtio[n];
}

static uint64_t access_at(uint32_t offset, unsigned int access, uint64_t value)
{
    assert_int_equal(device_virtio_mmio.access(&vm.vcpus[0], offset, access, &value), MMIO_DONE);
    for (unsigned int i = 0; i < 32; i++)
        assert_int_equal(virtio.devices[i].lock.ticket.held, 0);
    return value;
}

static uint32_t rd(unsigned int n, uint32_t offset)
{
    return (uint32_t)access_at(n * GUEST_VIRTIO_STRIDE + offset, 4, UINT64_C(0xdeaddeaddeaddead));
}

static void wr(unsigned int n, uint32_t offset, uint32_t value)
{
    (void)access_at(n * GUEST_VIRTIO_STRIDE + offset, 4 | MMIO_WRITE, value);
}

static void write_features(unsigned int n, uint64_t features)
{
    for (unsigned int half = 0; half < 2; half++) {
        wr(n, VIRTIO_MMIO_DRIVER_FEATURES_SEL, half);
        wr(n, VIRTIO_MMIO_DRIVER_FEATURES, (uint32_t)(features >> 32 * half));
    }
}

// The driver's steps of 3.1.1, up to DRIVER_OK.
#define ACKNOWLEDGED (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER)
#define AGREED       (ACKNOWLEDGED | VIRTIO_STATUS_FEATURES_OK)
#define WORKING      (AGREED | VIRTIO_STATUS_DRIVER_OK)

static void agree(unsigned int n, uint64_t features)
{
    wr(n, VIRTIO_MMIO_STATUS, 0);
    wr(n, VIRTIO_MMIO_STATUS, VIRTIO_STATUS_ACKNOWLEDGE);
    wr(n, VIRTIO_MMIO_STATUS, ACKNOWLEDGED);
    write_features(n, features | VIRTIO_F_VERSION_1);
    wr(n, VIRTIO_MMIO_STATUS, AGREED);
}

static void place_queue(unsigned int n, unsigned int q)
{
    wr(n, VIRTIO_MMIO_QUEUE_SEL, q);
    wr(n, VIRTIO_MMIO_QUEUE_NUM, QUEUE_SIZE);
    wr(n, VIRTIO_MMIO_QUEUE_DESC_LOW, (uint32_t)DESC(q));
    wr(n, VIRTIO_MMIO_QUEUE_DRIVER_LOW, (uint32_t)AVAIL(q));
    wr(n, VIRTIO_MMIO_QUEUE_DEVICE_LOW, (uint32_t)USED(q));
}

static void ready_queue(unsigned int n, unsigned int q)
{
    place_queue(n, q);
    wr(n, VIRTIO_MMIO_QUEUE_READY, 1);
}

static void start(unsigned int n, uint64_t features, unsigned int queues)
{
    agree(n, features);
    for (unsigned int q = 0; q < queues; q++)
        ready_queue(n, q);
    wr(n, VIRTIO_MMIO_STATUS, WORKING);
    assert_int_equal(rd(n, VIRTIO_MMIO_STATUS), WORKING);
}

static void notify(unsigned int n, unsigned int q)
{
    wr(n, VIRTIO_MMIO_QUEUE_NOTIFY, q);
}

// The real device's interrupt reaches EL2, if it is enabled.
static void deliver(unsigned int n)
{
    if (real_enabled[n])
        assert_int_equal(handlers[n](arguments[n]), IRQ_DONE);
    assert_int_equal(virtio.devices[n].lock.ticket.held, 0);
}
