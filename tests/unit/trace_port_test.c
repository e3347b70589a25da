// SPDX-License-Identifier: Apache-2.0
// The trace's way out: real rings, and in the place of the serial device a host that reads, does not read, or is not
// there. Whatever it does, what it gets and what was counted as dropped are all there was.
//
// Links: console/trace_port.c trace/trace.c

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fake_cpu_id.h>
#include <fake_trace.h>

#include <hv/arch/registers.h>
#include <hv/channel.h>
#include <hv/cpu.h>
#include <hv/event_key.h>
#include <hv/hyp_timer.h>
#include <hv/log.h>
#include <hv/machine.h>
#include <hv/trace.h>
#include <hv/trace_port.h>
#include <hv/virtio_serial.h>

#define CPUS 2
#define HZ   1000

static _Alignas(128) uint8_t memory[TRACE_SIZE];
static struct vm vm;

// The host: whether it is connected, how many loans it takes, those that it has not read, and all that it has read.
static struct {
    bool open, begun;
    bool reads;
    unsigned int room;
    void *lent[128];
    unsigned int count;
    uint8_t *got;
    size_t length;
} host;

static const struct serial_client *client;
static void (*returned)(void *token, bool read);
static void (*tick)(void *argument);
static uint64_t next_tick;
static unsigned int records, channel_ends;
static uint64_t told;

void virtio_serial_set_lender(void (*function)(void *token, bool read))
{
    returned = function;
}

void virtio_serial_set_client(enum serial_port port, const struct serial_client *new_client)
{
    assert_int_equal(port, SERIAL_TRACE);
    client = new_client;
}

void virtio_serial_tell(enum serial_port port)
{
    assert_int_equal(port, SERIAL_TRACE);
    client->opened(host.open);
}

static void read_piece(struct serial_piece piece)
{
    host.got = realloc(host.got, host.length + piece.length);
    memcpy(&host.got[host.length], piece.bytes, piece.length);
    host.length += piece.length;
}

static struct serial_piece whole(const struct trace_chunk *chunk)
{
    return (struct serial_piece){chunk, 128 + 128 * chunk->count};
}

static void read_all(void)
{
    for (unsigned int i = 0; i < host.count; i++) {
        read_piece(whole(host.lent[i]));
        returned(host.lent[i], true);
    }
    host.count = 0;
}

bool virtio_serial_lend(enum serial_port port, struct serial_piece piece, void *token)
{
    assert_int_equal(port, SERIAL_TRACE);
    assert_ptr_equal(piece.bytes, token);
    if (!host.open || !host.begun || host.count == host.room)
        return false;
    host.lent[host.count++] = token;
    assert_int_equal(piece.length, whole(token).length);
    if (host.reads)
        read_all();
    return true;
}

bool virtio_serial_lend_first(enum serial_port port, struct serial_piece piece, void *token)
{
    host.begun = true;
    return virtio_serial_lend(port, piece, token);
}

uint32_t virtio_serial_lent(enum serial_port port)
{
    assert_int_equal(port, SERIAL_TRACE);
    return host.count;
}

void virtio_serial_panic_lend(enum serial_port port, const struct serial_piece pieces[2])
{
    assert_int_equal(port, SERIAL_TRACE);
    read_piece(pieces[0]);
    if (pieces[1].length > 0)
        read_piece(pieces[1]);
}

void hyp_timer_set(uint64_t at, void (*expired)(void *argument), void *argument)
{
    assert_null(argument);
    next_tick = at;
    tick = expired;
}

unsigned int cpu_count(void)
{
    return CPUS;
}

static void run_on(unsigned int cpu)
{
    fake_cpu_id = cpu;
    fake_sysreg_set("TPIDR_EL2", (uint64_t)&vm.vcpus[cpu]);
}

bool cpu_call_each(uint32_t cpus, void (*function)(void *argument), void *argument)
{
    unsigned int here = fake_cpu_id;

    assert_int_equal(cpus, 1U << (1 - here)); // the other one
    run_on(1 - here);
    function(argument);
    run_on(here);
    return true;
}

void channel_end(void)
{
    channel_ends++;
}

void log_record(enum log_level level, enum log_class class, const char *event, const char *format, ...)
{
    va_list arguments;

    assert_int_equal(level, LOG_WARN);
    assert_int_equal(class, LOG_MONITOR);
    assert_string_equal(event, "trace-dropped");
    (void)format; // C23's va_start does not look at it
    va_start(arguments, format);
    told += va_arg(arguments, uint64_t);
    va_end(arguments);
    records++;
}

static void time_passes(void)
{
    fake_sysreg_set("CNTPCT_EL0", fake_sysreg_get("CNTPCT_EL0") + 100);
}

static int set_up(void **state)
{
    (void)state;
    memset(&vm, 0, sizeof(vm));
    fake_sysreg_reset();
    fake_sysreg_set("CNTFRQ_EL0", HZ);
    fake_sysreg_set("CNTPCT_EL0", 5000);
    fake_yield = time_passes;
    trace_init(memory, 7);
    for (unsigned int n = 0; n < CPUS; n++) {
        vm.vcpus[n].vm = &vm;
        vm.vcpus[n].cpu = n;
        trace_init_vcpu(&vm.vcpus[n]);
    }
    free(host.got);
    memset(&host, 0, sizeof(host));
    host.room = ARRAY_COUNT(host.lent);
    host.reads = true;
    records = channel_ends = 0;
    told = 0;
    tick = NULL;
    run_on(0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(host.got);
    host.got = NULL;
    return 0;
}

static void start(bool open)
{
    struct trace_chunk *meta = trace_meta_chunk();

    host.open = open;
    meta->count = 3;
    meta->bytes = 300;
    trace_port_start(meta);
}

static void connect_host(bool open)
{
    host.open = open;
    host.begun = false;
    client->opened(open);
}

static void write(unsigned int cpu, unsigned int count)
{
    struct trace_record record = {.event = {.type = TRACE_TYPE_EXIT}};

    for (unsigned int i = 0; i < count; i++)
        trace_write(&vm.vcpus[cpu], &record);
}

// Walks what the host has got since `from`: it begins with a meta chunk, and the chunks of each CPU follow each other.
// Returns how many records of cpu there are; *gap: how many numbers are missing between them, *dropped: by how much the
// drop counter has grown between the first and the last.
static uint64_t walk(size_t from, unsigned int cpu, uint64_t *gap, uint64_t *dropped)
{
    uint64_t count = 0, next = 0, before = 0;
    bool found = false;

    *gap = *dropped = 0;
    for (size_t at = from; at < host.length;) {
        const struct trace_chunk *chunk = (const struct trace_chunk *)&host.got[at];

        assert_int_equal(chunk->magic, TRACE_MAGIC);
        assert_int_equal(chunk->kind, at == from ? TRACE_KIND_META : TRACE_KIND_RECORDS);
        at += whole(chunk).length;
        if (chunk->kind == TRACE_KIND_META || chunk->cpu != cpu)
            continue;
        assert_int_equal(chunk->bytes, 128 * chunk->count);
        assert_int_not_equal(chunk->closed, 0);
        if (found) {
            *gap += chunk->first - next;
            *dropped += chunk->dropped - before;
        }
        found = true;
        next = chunk->first + chunk->count;
        before = chunk->dropped;
        count += chunk->count;
    }
    return count;
}

static void without_a_port_nothing_happens(void **state)
{
    (void)state;
    assert_false(trace_port_exists() || trace_port_is_open());
    trace_port_init_cpu();
    assert_null(tick);
    write(0, 5);
    trace_port_flush();
    trace_port_end_others();
    trace_port_end();
    assert_int_equal(vm.vcpus[0].trace_chunk->count, 5); // still open: memory has it as it is
    trace_panic();
    assert_int_equal(host.length, 0);
}

static void a_host_that_reads_gets_everything(void **state)
{
    uint64_t gap, dropped;
    (void)state;

    start(true);
    assert_true(trace_port_exists() && trace_port_is_open());
    trace_port_init_cpu();
    assert_int_equal(next_tick, 5000 + HZ / TRACE_PORT_HZ);
    for (unsigned int i = 0; i < 100; i++) {
        write(0, 100);
        write(1, 333);
    }
    assert_int_equal(walk(0, 0, &gap, &dropped), 9709); // 19 full chunks: the newest one is not full
    tick(NULL);
    assert_int_equal(walk(0, 0, &gap, &dropped), 10000);
    assert_int_equal(gap + dropped, 0);
    tick(NULL); // nothing new: nothing is sent
    size_t length = host.length;
    tick(NULL);
    assert_int_equal(host.length, length);
    run_on(1);
    trace_port_flush();
    assert_int_equal(walk(0, 1, &gap, &dropped), 33300);
    assert_int_equal(records, 0);
}

static void what_a_slow_host_costs_is_counted(void **state)
{
    uint64_t gap, dropped, got;
    (void)state;

    start(true);
    trace_port_init_cpu();
    host.reads = false;
    for (unsigned int i = 0; i < 400; i++) {
        write(0, 97);
        if (i % 7 == 0)
            tick(NULL);
        if (i % 160 == 159)
            read_all();
    }
    read_all();
    write(0, 1);
    tick(NULL);
    host.reads = true;
    read_all();
    got = walk(0, 0, &gap, &dropped);
    assert_true(dropped > 1000);
    assert_int_equal(gap, dropped);
    assert_int_equal(got + dropped, 400 * 97 + 1);
    for (unsigned int i = 0; i < 3 * TRACE_PORT_HZ; i++)
        tick(NULL);
    assert_int_equal(told, dropped);
    assert_in_range(records, 2, 8); // not one for each second of it
}

static void a_device_without_room_is_asked_again(void **state)
{
    uint64_t gap, dropped;
    (void)state;

    start(true);
    host.reads = false;
    host.room = 2;
    write(0, 5 * TRACE_CHUNK_RECORDS);
    assert_int_equal(host.count, 2);
    read_all();
    trace_port_flush();
    read_all();
    trace_port_flush();
    read_all();
    assert_int_equal(walk(0, 0, &gap, &dropped), 5 * TRACE_CHUNK_RECORDS);
    assert_int_equal(gap + dropped, 0);
}

// Who connects later gets the newest that is in memory, and from then on everything.
static void each_connection_begins_with_the_meta_chunk(void **state)
{
    uint64_t gap, dropped;
    size_t second;
    (void)state;

    start(false);
    assert_false(trace_port_is_open());
    write(0, 40 * TRACE_CHUNK_RECORDS);
    connect_host(true);
    trace_port_flush();
    assert_int_equal(walk(0, 0, &gap, &dropped), 15 * TRACE_CHUNK_RECORDS);
    assert_int_equal(gap + dropped, 0);
    write(0, 10);
    connect_host(false);
    trace_port_flush();
    write(0, 20);
    second = host.length;
    connect_host(true);
    trace_port_flush();
    assert_int_equal(walk(second, 0, &gap, &dropped), 30);
    assert_int_equal(gap + dropped, 0);
}

static void at_the_end_everything_is_handed_on(void **state)
{
    uint64_t gap, dropped;
    (void)state;

    start(true);
    write(0, 3);
    write(1, 4);
    run_on(1);
    trace_port_end_others();
    assert_int_equal(walk(0, 0, &gap, &dropped), 3);
    assert_int_equal(walk(0, 1, &gap, &dropped), 0);
    write(1, 2);
    host.reads = false; // and it does not answer: a second, and no longer
    uint64_t before = fake_sysreg_get("CNTPCT_EL0");
    trace_port_end();
    assert_in_range(fake_sysreg_get("CNTPCT_EL0") - before, HZ, HZ + 200);
    assert_int_equal(host.count, 1);
    assert_int_equal(channel_ends, 1);
    read_all();
    assert_int_equal(walk(0, 1, &gap, &dropped), 6);
    for (unsigned int cpu = 0; cpu < CPUS; cpu++)
        for (unsigned int key = 0; key < 2 * KEY_COUNT; key++)
            assert_int_equal(vm.vcpus[cpu].trace_filter[key], 0);
}

// A panic finds chunks in every state, and changes none of another CPU's.
static void a_panic_hands_on_what_is_there(void **state)
{
    uint64_t gap, dropped;
    (void)state;

    start(true);
    write(0, 3);
    host.room = 0;
    write(1, 2 * TRACE_CHUNK_RECORDS + 9);
    trace_panic();
    assert_int_equal(walk(0, 0, &gap, &dropped), 3);
    assert_int_equal(walk(0, 1, &gap, &dropped), 2 * TRACE_CHUNK_RECORDS + 9);
    assert_int_equal(gap + dropped, 0);
    assert_int_equal(vm.vcpus[1].trace_chunk->closed, 0);
    assert_int_equal(vm.vcpus[1].trace_chunk->bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_a_port_nothing_happens, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_host_that_reads_gets_everything, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_slow_host_costs_is_counted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_device_without_room_is_asked_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(each_connection_begins_with_the_meta_chunk, set_up, tear_down),
        cmocka_unit_test_setup_teardown(at_the_end_everything_is_handed_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_panic_hands_on_what_is_there, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
