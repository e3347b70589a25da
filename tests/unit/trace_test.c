// SPDX-License-Identifier: Apache-2.0
// The rings of the trace: what a reader of memory finds at any moment, what a sink gets, in which order, and that
// numbers and drop counters agree whatever the sink does.
//
// Links: trace/trace.c

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fake_trace.h>

#include <hv/trace.h>
#include <hv/trace_lost.h>
#include <hv/arch/registers.h>

#define RECORDS TRACE_CHUNK_RECORDS
#define BOOT    UINT64_C(0x1122334455667788)

static _Alignas(128) uint8_t memory[TRACE_SIZE];
static struct vm vm;
static struct vcpu *const cpu0 = &vm.vcpus[0], *const cpu1 = &vm.vcpus[1];

// A sink that takes chunks while `room` is not 0, and what it got.
static unsigned int room, taken;
static struct trace_chunk *got[64];
static bool done_at_once;

static bool take(unsigned int cpu, struct trace_chunk *chunk)
{
    if (room == 0)
        return false;
    room--;
    got[taken++ % 64] = chunk;
    assert_int_not_equal(chunk->closed, 0);
    assert_int_equal(chunk->cpu, cpu);
    if (done_at_once)
        trace_chunk_done(cpu, chunk);
    return true;
}

static const struct trace_sink sink = {.hand_over = take};

static int set_up(void **state)
{
    (void)state;
    memset(memory, 0x5a, sizeof(memory));
    memset(&vm, 0, sizeof(vm));
    fake_sysreg_reset();
    fake_sysreg_set("CNTPCT_EL0", 1000);
    fake_sysreg_set("VBAR_EL1", 0xffff800010000000);
    fake_sysreg_set("CNTVOFF_EL2", 77);
    trace_init(memory, BOOT);
    for (unsigned int n = 0; n < 2; n++) {
        vm.vcpus[n].vm = &vm;
        vm.vcpus[n].cpu = n;
        trace_init_vcpu(&vm.vcpus[n]);
    }
    room = taken = 0;
    done_at_once = false;
    return 0;
}

// Writes count records, whose sequence numbers go on from *number.
static void write(struct vcpu *vcpu, unsigned int count, uint64_t *number)
{
    for (unsigned int i = 0; i < count; i++) {
        struct trace_record record = {.event = {.sequence = (*number)++, .type = TRACE_TYPE_EXIT}};
        trace_write(vcpu, &record);
    }
}

static const struct trace_chunk *chunk(unsigned int cpu, unsigned int index)
{
    return (const struct trace_chunk *)(memory + cpu * TRACE_RING_SIZE + index * TRACE_CHUNK_SIZE);
}

static uint64_t sequence(const struct trace_chunk *of, unsigned int record)
{
    return ((const struct trace_record *)(of + 1))[record].event.sequence;
}

static void memory_of_older_boots_holds_no_chunk(void **state)
{
    (void)state;
    for (unsigned int cpu = 0; cpu < CPU_MAX; cpu++)
        for (unsigned int i = 0; i < TRACE_RING_CHUNKS; i++)
            assert_int_not_equal(chunk(cpu, i)->magic, TRACE_MAGIC);
}

static void a_reader_of_memory_sees_each_record_at_once(void **state)
{
    uint64_t number = 0;
    (void)state;

    write(cpu1, 3, &number);
    const struct trace_chunk *open = chunk(1, 0);
    assert_int_equal(open->magic, TRACE_MAGIC);
    assert_int_equal(open->version, TRACE_VERSION);
    assert_int_equal(open->kind, TRACE_KIND_RECORDS);
    assert_int_equal(open->boot, BOOT);
    assert_int_equal(open->count, 3);
    assert_int_equal(open->closed, 0);
    assert_int_equal(open->cpu, 1);
    assert_int_equal(open->opened, 1000);
    assert_int_equal(open->vbar_el1, 0xffff800010000000);
    assert_int_equal(open->virtual_offset, 77);
    assert_int_equal(sequence(open, 2), 2);
}

static void the_first_chunk_is_kept_for_meta(void **state)
{
    uint64_t number = 0;
    (void)state;

    struct trace_chunk *meta = trace_meta_chunk();
    assert_ptr_equal(meta, memory);
    assert_int_equal(meta->kind, TRACE_KIND_META);
    assert_int_equal(meta->boot, BOOT);
    meta->count = 5;
    write(cpu0, 40 * RECORDS, &number);
    assert_int_equal(meta->kind, TRACE_KIND_META);
    assert_int_equal(meta->count, 5);
    assert_int_equal(trace_counts(cpu0).dropped, 0);
}

// Without a sink the ring comes round, and the numbers of its chunks are without a gap from the oldest on.
static void without_a_sink_the_oldest_is_overwritten(void **state)
{
    uint64_t number = 0;
    (void)state;

    write(cpu1, 20 * RECORDS + 5, &number);
    assert_int_equal(trace_counts(cpu1).records, 20 * RECORDS + 5);
    assert_int_equal(trace_counts(cpu1).dropped, 0);
    for (unsigned int n = 5; n <= 20; n++) {
        const struct trace_chunk *at = chunk(1, n % TRACE_RING_CHUNKS);
        assert_int_equal(at->first, n * RECORDS);
        assert_int_equal(at->count, n == 20 ? 5 : RECORDS);
        assert_int_equal(sequence(at, 0), n * RECORDS);
    }
}

static void a_sink_gets_chunks_in_order_and_whole(void **state)
{
    uint64_t number = 0;
    (void)state;

    trace_set_sink(&sink);
    room = 100;
    done_at_once = true;
    write(cpu1, 33 * RECORDS, &number);
    assert_int_equal(taken, 32); // the last one is still open
    trace_flush(cpu1);
    assert_int_equal(taken, 33);
    assert_int_equal(got[32]->bytes, RECORDS * 128);
    trace_flush(cpu1);
    assert_int_equal(taken, 33); // nothing was left
    assert_int_equal(trace_counts(cpu1).dropped, 0);
}

static void a_flush_hands_on_what_is_there(void **state)
{
    uint64_t number = 0;
    (void)state;

    trace_set_sink(&sink);
    room = 100;
    write(cpu0, 2, &number);
    trace_flush(cpu0);
    assert_int_equal(taken, 1);
    assert_int_equal(got[0]->count, 2);
    assert_int_equal(got[0]->bytes, 256);
    write(cpu0, 1, &number);
    trace_flush(cpu0);
    assert_ptr_not_equal(got[1], got[0]);
    assert_int_equal(got[1]->first, 2);
    assert_int_equal(trace_counts(cpu0).waiting, 2);
    trace_chunk_done(0, got[0]);
    assert_int_equal(trace_counts(cpu0).waiting, 1);
}

// A sink that takes nothing: all 16 chunks fill, then records are dropped. Each dropped one has a number.
static void what_finds_no_room_is_counted(void **state)
{
    uint64_t number = 0;
    (void)state;

    trace_set_sink(&sink);
    write(cpu1, 16 * RECORDS + 7, &number);
    assert_int_equal(trace_counts(cpu1).dropped, 7);
    assert_int_equal(trace_counts(cpu1).records, 16 * RECORDS + 7);
    room = 1;
    trace_flush(cpu1);
    assert_int_equal(taken, 1);
    assert_int_equal(got[0]->first, 0); // the oldest, unharmed
    write(cpu1, 1, &number);            // it is not done: no room yet
    assert_int_equal(trace_counts(cpu1).dropped, 8);
    trace_chunk_done(1, got[0]);
    write(cpu1, 1, &number);
    assert_int_equal(trace_counts(cpu1).dropped, 8);
    assert_int_equal(got[0]->first, 16 * RECORDS + 8);
    assert_int_equal(got[0]->dropped, 8);
    assert_int_equal(sequence(got[0], 0), 16 * RECORDS + 8);
}

// What is taken and given back in any rhythm: gaps between the chunks that arrived are what was dropped, to the record.
static void gaps_are_the_drop_counter(void **state)
{
    uint64_t number = 0, expected = 0, missing = 0;
    uint32_t random = 1;
    unsigned int given = 0, seen = 0;
    (void)state;

    trace_set_sink(&sink);
    for (unsigned int round = 0; round < 20000; round++) {
        random = random * 1664525 + 1013904223;
        write(cpu1, (random >> 8) % 1200, &number);
        room = (random >> 20) % 4;
        if (random >> 31)
            trace_flush(cpu1);
        for (; seen < taken; seen++) {
            const struct trace_chunk *at = got[seen % 64];
            missing += at->first - expected;
            assert_int_equal(at->dropped, missing);
            assert_int_equal(sequence(at, 0), at->first);
            assert_int_equal(sequence(at, at->count - 1), at->first + at->count - 1);
            expected = at->first + at->count;
        }
        if ((random >> 27) % 3 == 0)
            for (; given < taken; given++)
                trace_chunk_done(1, got[given % 64]);
    }
    assert_true(missing > 0 && seen > 100);
}

// What a sink could not write counts as dropped, from the next chunk on, and its place is free again.
static void a_chunk_that_was_not_written_is_counted(void **state)
{
    uint64_t number = 0;
    (void)state;

    trace_set_sink(&sink);
    room = 1;
    write(cpu1, 5, &number);
    trace_flush(cpu1);
    trace_chunk_lost(1, got[0]);
    assert_int_equal(trace_counts(cpu1).dropped, 5);
    assert_int_equal(trace_counts(cpu1).waiting, 0);
    room = 1;
    write(cpu1, 1, &number);
    trace_flush(cpu1);
    assert_int_equal(got[1]->first, 5);
    assert_int_equal(got[1]->dropped, 5);
    assert_int_equal(trace_counts(cpu1).records, 6);
}

static void a_chunk_that_a_lost_sink_has_is_not_overwritten(void **state)
{
    uint64_t number = 0;
    (void)state;

    trace_set_sink(&sink);
    room = 1;
    write(cpu1, RECORDS + 1, &number);
    assert_int_equal(taken, 1);
    trace_set_sink(NULL);
    write(cpu1, 60 * RECORDS, &number);
    assert_int_equal(got[0]->first, 0);
    trace_chunk_done(1, got[0]);
    write(cpu1, 17 * RECORDS, &number);
    assert_int_not_equal(got[0]->first, 0);
    assert_int_equal(trace_counts(cpu1).dropped, 0);
}

static void a_record_is_found_by_its_number(void **state)
{
    struct trace_record record;
    uint64_t number = 0;
    (void)state;

    assert_false(trace_copy(cpu0, 0, &record));
    assert_int_equal(trace_oldest(cpu0), 0);
    write(cpu0, 30 * RECORDS + 2, &number);
    assert_int_equal(trace_oldest(cpu0), 16 * RECORDS); // 15 chunks: one is meta's
    for (uint64_t n = trace_oldest(cpu0); n < number; n++) {
        assert_true(trace_copy(cpu0, n, &record));
        assert_int_equal(record.event.sequence, n);
    }
    assert_false(trace_copy(cpu0, number, &record));
    assert_false(trace_copy(cpu0, trace_oldest(cpu0) - 1, &record));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(memory_of_older_boots_holds_no_chunk, set_up),
        cmocka_unit_test_setup(a_reader_of_memory_sees_each_record_at_once, set_up),
        cmocka_unit_test_setup(the_first_chunk_is_kept_for_meta, set_up),
        cmocka_unit_test_setup(without_a_sink_the_oldest_is_overwritten, set_up),
        cmocka_unit_test_setup(a_sink_gets_chunks_in_order_and_whole, set_up),
        cmocka_unit_test_setup(a_flush_hands_on_what_is_there, set_up),
        cmocka_unit_test_setup(what_finds_no_room_is_counted, set_up),
        cmocka_unit_test_setup(gaps_are_the_drop_counter, set_up),
        cmocka_unit_test_setup(a_chunk_that_was_not_written_is_counted, set_up),
        cmocka_unit_test_setup(a_chunk_that_a_lost_sink_has_is_not_overwritten, set_up),
        cmocka_unit_test_setup(a_record_is_found_by_its_number, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
