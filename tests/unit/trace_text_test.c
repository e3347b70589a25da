// SPDX-License-Identifier: Apache-2.0
// Records of the trace that are no exits: lines of text in pieces, and requests to virtio devices.
//
// Links: trace/trace_text.c trace/trace_virtio.c trace/trace.c

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fake_trace.h>

#include <hv/arch/registers.h>
#include <hv/event_key.h>
#include <hv/machine.h>
#include <hv/policy.h>
#include <hv/trace_text.h>
#include <hv/trace_virtio.h>

static _Alignas(128) uint8_t memory[TRACE_SIZE];
static struct vm vm = {.number = 3};

static int set_up(void **state)
{
    (void)state;
    fake_sysreg_reset();
    fake_sysreg_set("CNTPCT_EL0", 77);
    fake_sysreg_set("TPIDR_EL2", (uint64_t)&vm.vcpus[2]);
    trace_init(memory, 1);
    vm.vcpus[2] = (struct vcpu){.vm = &vm, .id = 2, .cpu = 2};
    trace_init_vcpu(&vm.vcpus[2]);
    trace_set_extras(true);
    return 0;
}

static const struct trace_record *record(unsigned int back)
{
    static struct trace_record found[4];
    struct trace_record *copy = &found[back % 4]; // a test looks at several at once

    assert_true(trace_copy(&vm.vcpus[2], trace_counts(&vm.vcpus[2]).records - 1 - back, copy));
    return copy;
}

static void check_piece(const struct trace_record *piece, const char *bytes, size_t length, bool last)
{
    assert_int_equal(piece->event.type, TRACE_TYPE_TEXT);
    assert_int_equal(piece->event.entry, 77);
    assert_int_equal(piece->event.sequence + piece->event.exit, 0);
    assert_int_equal(piece->event.vcpu, 2);
    assert_int_equal(piece->event.row, 3);
    assert_int_equal(piece->event.syndrome, length);
    assert_int_equal(piece->event.result, last);
    assert_memory_equal(piece->text, bytes, length);
    for (size_t i = length; i < TRACE_TEXT_SIZE; i++)
        assert_int_equal(piece->text[i], 0);
}

static void a_line_is_cut_into_pieces(void **state)
{
    static const size_t lengths[] = {0, 1, 63, 64, 65, 127, 128, 129, 512};
    char line[512];
    (void)state;

    for (unsigned int i = 0; i < sizeof(line); i++)
        line[i] = (char)i; // also bytes that end a string
    for (unsigned int i = 0; i < ARRAY_COUNT(lengths); i++) {
        unsigned int pieces = lengths[i] == 0 ? 1 : (unsigned int)(lengths[i] + 63) / 64;

        trace_text_add(&(struct trace_text){TRACE_TEXT_CONSOLE, i, 1000, i % 2 == 0}, line, lengths[i]);
        for (unsigned int n = 0; n < pieces; n++) {
            size_t left = lengths[i] - 64 * n;
            const struct trace_record *piece = record(pieces - 1 - n);
            check_piece(piece, &line[64 * n], left < 64 ? left : 64, i % 2 == 0 && n == pieces - 1);
            assert_int_equal(piece->event.key, TRACE_TEXT_CONSOLE);
            assert_int_equal(piece->event.value, i);
            assert_int_equal(piece->event.address, 1000 + 64 * n);
        }
    }
}

static void records_of_the_log_are_lines(void **state)
{
    (void)state;
    trace_text_log(9, "ariel: seq=9", 12, false);
    trace_text_log(10, "ariel: seq=10", 13, true);
    check_piece(record(1), "ariel: seq=9", 12, true);
    check_piece(record(0), "ariel: seq=10", 13, true);
    assert_int_equal(record(0)->event.key, TRACE_TEXT_LOG);
    assert_int_equal(record(0)->event.value, 10);
    trace_set_extras(false);
    trace_text_log(11, "nobody wants it", 15, false);
    assert_int_equal(record(0)->event.value, 10);
}

static void a_request_has_all_that_is_known_of_it(void **state)
{
    const struct policy_virtio row = {.row = 12, .action = POLICY_DENY};
    const struct policy_virtio_access access = {.transport = 5, .request = VIRTIO_REQUEST_WRITE, .sector = 2048};
    struct trace_virtio_request request = {&row, &access, 70, 4096, 1, "refused"};
    (void)state;

    trace_virtio(&request);
    const struct trace_record *made = record(0);
    assert_int_equal(made->event.type, TRACE_TYPE_VIRTIO);
    assert_int_equal(made->event.entry, 70);
    assert_int_equal(made->event.exit, 77);
    assert_int_equal(made->event.address, 2048);
    assert_int_equal(made->event.value, 4096);
    assert_int_equal(made->event.key, KEY_DEVICE_VIRTIO_MMIO);
    assert_int_equal(made->event.row, 12);
    assert_int_equal(made->event.verdict, POLICY_DENY);
    assert_int_equal(made->vm, 3);
    assert_int_equal(made->x[0], 5);
    assert_int_equal(made->x[1], VIRTIO_REQUEST_WRITE);
    assert_string_equal(trace_virtio_status_name((unsigned int)made->x[2]), "refused");
    assert_int_equal(made->x[3], 1);
    static const char *const words[] = {"ok", "error", "unsupported", "dropped"};
    for (unsigned int i = 0; i < ARRAY_COUNT(words); i++) {
        request.status = words[i];
        trace_virtio(&request);
        assert_string_equal(trace_virtio_status_name((unsigned int)record(0)->x[2]), words[i]);
    }
    request.status = "something new";
    trace_virtio(&request);
    assert_int_equal(record(0)->x[2], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_line_is_cut_into_pieces, set_up),
        cmocka_unit_test_setup(records_of_the_log_are_lines, set_up),
        cmocka_unit_test_setup(a_request_has_all_that_is_known_of_it, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
