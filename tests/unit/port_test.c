// SPDX-License-Identifier: Apache-2.0
// Links: console/port.c platform/platform.c lib/printf.c lib/status.c tests/fake/fake_log.c
// Where EL2's words go: to the port ariel.log where there is one, and to the serial line in the cases that port.c
// names.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fake_irq.h>
#include <fake_log.h>
#include <hv/arch/cpu.h>
#include <hv/console.h>
#include <hv/gicv3.h>
#include <hv/port.h>
#include <hv/tick.h>
#include <hv/virtio_serial.h>

static enum hv_status device = HV_OK;
static bool has[SERIAL_PORT_COUNT];
static bool room;
static uint64_t dropped;
static char line[4096], got[SERIAL_PORT_COUNT][4096];
static const struct log_sink *sink;
static unsigned int serves, cpu;

enum hv_status virtio_serial_init(void)
{
    return device;
}

uint32_t virtio_serial_intid(void)
{
    return device == HV_OK ? 79 : 0;
}

void virtio_serial_serve(void)
{
    serves++;
}

const char *virtio_serial_port_name(enum serial_port port)
{
    return port == SERIAL_LOG ? "ariel.log" : "another";
}

bool virtio_serial_has(enum serial_port port)
{
    return has[port];
}

bool virtio_serial_has_room(enum serial_port port, size_t length)
{
    (void)length;
    return has[port] && room;
}

uint64_t virtio_serial_dropped(enum serial_port port)
{
    return port == SERIAL_LOG ? dropped : 0;
}

bool virtio_serial_write(enum serial_port port, const void *bytes, size_t length)
{
    strncat(got[port], bytes, length);
    return true;
}

bool virtio_serial_write_two(enum serial_port port, const void *first, size_t first_length, const void *second,
                             size_t second_length)
{
    return virtio_serial_write(port, first, first_length) && virtio_serial_write(port, second, second_length);
}

void virtio_serial_panic_write(enum serial_port port, const void *bytes, size_t length)
{
    (void)virtio_serial_write(port, bytes, length);
}

void console_line(const char *text, size_t length)
{
    strncat(line, text, length);
    strcat(line, "\n");
}

void console_panic_line(const char *text, size_t length)
{
    console_line(text, length);
}

void log_set_sink(const struct log_sink *of)
{
    sink = of;
}

void log_routine(enum log_class class, const char *event, const char *format, ...)
{
    (void)class, (void)event, (void)format;
    fake_log.records++;
}

void gicv3_enable(unsigned int intid, unsigned int of)
{
    assert_int_equal(intid, 79);
    assert_int_equal(of, CPU_BOOT);
}

unsigned int cpu_id(void)
{
    return cpu;
}

static int setup(void **state)
{
    (void)state;
    device = HV_OK;
    memset(has, true, sizeof(has));
    memset(got, 0, sizeof(got));
    line[0] = '\0';
    sink = NULL;
    room = true;
    port_follow_log(false);
    fake_log.records = serves = cpu = 0;
    return 0;
}

static void without_a_device_nothing_changes(void **state)
{
    (void)state;
    device = HV_ERR_NOT_FOUND;
    memset(has, false, sizeof(has));
    port_init();
    port_record();
    port_listen();
    assert_null(sink);
    assert_null(fake_tick_function);
    assert_int_equal(fake_log.records, 0);
    device = HV_ERR_UNSUPPORTED;
    port_init();
    port_record();
    assert_null(sink);
    assert_int_equal(fake_log.records, 1); // says why
}

static void records_go_to_their_port(void **state)
{
    (void)state;
    port_init();
    sink->line("ariel: seq=1", 12);
    assert_string_equal(got[SERIAL_LOG], "ariel: seq=1\n");
    assert_string_equal(line, "");
    assert_true(port_has_log());
    sink->urgent_line("ariel: seq=2", 12);
    assert_string_equal(got[SERIAL_LOG], "ariel: seq=1\nariel: seq=2\n");
    assert_string_equal(line, "ariel: seq=2\n");
    sink->panic_line("ariel: seq=3", 12);
    assert_string_equal(got[SERIAL_LOG], "ariel: seq=1\nariel: seq=2\nariel: seq=3\n");
    assert_string_equal(line, "ariel: seq=2\nariel: seq=3\n");
}

// A device with a monitor and no log, or one that has failed meanwhile.
static void without_the_port_they_are_on_the_line(void **state)
{
    (void)state;
    port_init();
    has[SERIAL_LOG] = false;
    sink->line("ariel: seq=1", 12);
    sink->urgent_line("ariel: seq=2", 12);
    sink->panic_line("ariel: seq=3", 12);
    assert_string_equal(line, "ariel: seq=1\nariel: seq=2\nariel: seq=3\n");
    assert_string_equal(got[SERIAL_LOG], "");
    assert_false(port_has_log());
}

static void a_program_follows_them(void **state)
{
    (void)state;
    port_init();
    port_follow_log(true);
    sink->line("ariel: seq=1 why=\"a b\"", 22);
    assert_string_equal(got[SERIAL_MONITOR], "event {\"event\":\"record\",\"record\":\"seq=1 why=\\\"a b\\\"\"}\n");
    port_follow_log(false);
    sink->line("ariel: seq=2", 12);
    assert_null(strstr(got[SERIAL_MONITOR], "seq=2"));
}

static void what_was_dropped_is_told_when_it_can_be(void **state)
{
    (void)state;
    port_init();
    port_listen();
    fake_tick_function();
    assert_int_equal(serves, 1);
    assert_int_equal(fake_log.records, 0);
    dropped += 100;
    room = false;
    fake_tick_function();
    assert_int_equal(fake_log.records, 0);
    room = true;
    fake_tick_function();
    fake_tick_function();
    assert_int_equal(fake_log.records, 1);
    cpu = 1;
    dropped += 100;
    fake_tick_function(); // another CPU's
    assert_int_equal(fake_log.records, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_a_device_nothing_changes, setup),
        cmocka_unit_test_setup(records_go_to_their_port, setup),
        cmocka_unit_test_setup(without_the_port_they_are_on_the_line, setup),
        cmocka_unit_test_setup(a_program_follows_them, setup),
        cmocka_unit_test_setup(what_was_dropped_is_told_when_it_can_be, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
