// SPDX-License-Identifier: Apache-2.0
// Chunks of the trace on their way to the host.
//
// A chunk goes when it is full, by the CPU whose it is, and so does what there is of a newer one: ten times a second,
// when a vCPU begins to wait (a pause, a stop), and at the end of the machine or of EL2. The device reads it in place.
// A host that reads slowly keeps more and more chunks; a CPU that has none left drops records and counts them
// (trace.c). Nobody waits, but for the end of the machine, and there a second at most.
//
// Nobody connected is another matter than a slow reader: then the rings go round and keep the newest records, and who
// connects gets these first, behind the meta chunk, without which no reader can tell what they mean.
#include <hv/trace_port.h>

#include <hv/arch/cpu.h>
#include <hv/arch/registers.h>
#include <hv/channel.h>
#include <hv/cpu.h>
#include <hv/hyp_timer.h>
#include <hv/log.h>
#include <hv/machine.h>
#include <hv/string.h>
#include <hv/trace.h>
#include <hv/trace_lost.h>
#include <hv/trace_text.h>
#include <hv/virtio_serial.h>

#define DRAIN_SECONDS 1

static struct trace_chunk *meta; // NULL: there is no port
static bool connected;           // atomic: written by the boot CPU

static struct serial_piece piece_of(const struct trace_chunk *chunk)
{
    return (struct serial_piece){chunk, (uint32_t)(sizeof(*chunk) + chunk->count * sizeof(struct trace_record))};
}

static bool hand_over(unsigned int cpu, struct trace_chunk *chunk)
{
    (void)cpu;
    return virtio_serial_lend(SERIAL_TRACE, piece_of(chunk), chunk);
}

// The header of a chunk that another CPU may still be writing is not touched: the host gets a copy of it.
static void hand_over_in_panic(const struct trace_chunk *chunk)
{
    static struct trace_chunk heads[CPU_MAX];
    struct serial_piece piece = piece_of(chunk);

    if (chunk->closed != 0) {
        virtio_serial_panic_lend(SERIAL_TRACE, (const struct serial_piece[2]){piece, {NULL, 0}});
        return;
    }
    struct trace_chunk *head = &heads[chunk->cpu % CPU_MAX];
    *head = *chunk;
    head->count = (piece.length - (uint32_t)sizeof(*head)) / (uint32_t)sizeof(struct trace_record);
    head->bytes = piece.length - (uint32_t)sizeof(*head);
    head->closed = READ_SYSREG(CNTPCT_EL0);
    virtio_serial_panic_lend(SERIAL_TRACE,
                             (const struct serial_piece[2]){{head, sizeof(*head)}, {chunk + 1, head->bytes}});
}

static const struct trace_sink sink = {hand_over, hand_over_in_panic};

// The meta chunk comes back as well, and is nobody's to use again. The records of a chunk that the host has not read,
// since it has left, are dropped ones.
static void returned(void *token, bool read)
{
    struct trace_chunk *chunk = token;

    if (chunk == meta)
        return;
    if (read)
        trace_chunk_done(chunk->cpu, chunk);
    else
        trace_chunk_lost(chunk->cpu, chunk);
}

static void opened(bool open)
{
    trace_set_sink(NULL);
    bool begun = open && virtio_serial_lend_first(SERIAL_TRACE, piece_of(meta), meta);
    if (begun)
        trace_set_sink(&sink);
    __atomic_store_n(&connected, begun, __ATOMIC_RELEASE);
}

void trace_port_start(struct trace_chunk *meta_chunk)
{
    static const struct serial_client client = {opened, NULL};

    meta = meta_chunk;
    virtio_serial_set_lender(returned);
    virtio_serial_set_client(SERIAL_TRACE, &client);
    virtio_serial_tell(SERIAL_TRACE);
}

bool trace_port_exists(void)
{
    return meta != NULL;
}

bool trace_port_is_open(void)
{
    return __atomic_load_n(&connected, __ATOMIC_RELAXED);
}

void trace_port_flush(void)
{
    if (trace_port_is_open())
        trace_flush(vcpu_current());
}

// Of one CPU: its drop counter when it was looked at last, and when a record told of it last.
static struct {
    uint64_t seen, told;
    unsigned int looks;
    bool dropping;
} drops[CPU_MAX];

static void tell_dropped(const struct vcpu *vcpu)
{
    uint64_t dropped = trace_counts(vcpu).dropped;
    uint64_t told = drops[vcpu->cpu].told;

    if (dropped == told)
        return;
    drops[vcpu->cpu].told = dropped;
    log_record(LOG_WARN, LOG_MONITOR, "trace-dropped", "dropped=%lu total=%lu", dropped - told, dropped);
}

// A CPU that drops records says so when it begins to, and how many they were when it has stopped for a second. Dropped
// records of the trace are no reason to write one record of the log after the other.
static void look_at_drops(const struct vcpu *vcpu)
{
    typeof(drops[0]) *cpu = &drops[vcpu->cpu];

    if (++cpu->looks % TRACE_PORT_HZ != 0)
        return;
    uint64_t dropped = trace_counts(vcpu).dropped;
    bool dropping = dropped != cpu->seen;
    if (dropping != cpu->dropping)
        tell_dropped(vcpu);
    cpu->dropping = dropping;
    cpu->seen = dropped;
}

static void tenth_passed(void *argument)
{
    hyp_timer_set(READ_SYSREG(CNTPCT_EL0) + READ_SYSREG(CNTFRQ_EL0) / TRACE_PORT_HZ, tenth_passed, argument);
    trace_port_flush();
    look_at_drops(vcpu_current());
}

void trace_port_init_cpu(void)
{
    if (trace_port_exists())
        tenth_passed(NULL);
}

static void end_here(void)
{
    trace_stop(vcpu_current());
    trace_port_flush();
}

static void end_other(void *argument)
{
    (void)argument;
    tell_dropped(vcpu_current());
    end_here();
}

void trace_port_end_others(void)
{
    uint32_t others = (uint32_t)BIT64(cpu_count()) - 1;

    if (!trace_port_is_open())
        return;
    (void)cpu_call_each(others & ~(uint32_t)BIT64(cpu_id()), end_other, NULL);
    tell_dropped(vcpu_current());
}

void trace_port_end(void)
{
    uint64_t start = READ_SYSREG(CNTPCT_EL0);
    uint64_t wait = DRAIN_SECONDS * READ_SYSREG(CNTFRQ_EL0);

    if (!trace_port_is_open())
        return;
    channel_end();
    end_here();
    while (virtio_serial_lent(SERIAL_TRACE) != 0 && READ_SYSREG(CNTPCT_EL0) - start <= wait)
        cpu_yield();
}
