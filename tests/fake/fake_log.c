// SPDX-License-Identifier: Apache-2.0
#include "fake_log.h"

#include <hv/log_virtio.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct fake_log fake_log = {.level = LOG_INFO};

enum log_level log_get_level(void)
{
    return fake_log.level;
}

enum log_level log_set_level(enum log_level new_level)
{
    enum log_level old = fake_log.level;

    assert_true(new_level < LOG_LEVEL_COUNT);
    fake_log.level = new_level;
    return old;
}

void log_quieten(enum log_level least)
{
    fake_log.quiet = least;
}

void log_dump(void)
{
    fake_log.dumps++;
}

unsigned int log_for_each(unsigned int count, enum log_class class, log_callback callback, void *argument)
{
    static const char text[] = "seq=1 why=\"a \\\\ and a \x01\"";

    (void)class;
    for (unsigned int i = 0; i < count && i < 3; i++)
        callback(text, sizeof(text) - 1, argument);
    return 3;
}

uint64_t log_boot_number(void)
{
    return 0x0123456789abcdef;
}

uint64_t log_start(void)
{
    return fake_log.start;
}

unsigned int log_previous_for_each(unsigned int count, enum log_class class, log_callback callback, void *argument)
{
    return log_for_each(count, class, callback, argument);
}

void log_record(enum log_level of, enum log_class class, const char *event, const char *format, ...)
{
    (void)of, (void)class, (void)event, (void)format;
    fake_log.records++;
}

void log_clear(void)
{
}

void log_counters(const struct vm *vm)
{
    (void)vm;
}

void log_flush(void)
{
}

uint64_t log_sequence(void)
{
    return 3;
}

uint64_t log_written_of_key(const struct vm *vm, unsigned int key)
{
    (void)vm;
    (void)key;
    return 0;
}

uint64_t log_written_of_row(const struct vm *vm, unsigned int row)
{
    (void)vm;
    return row == fake_log.suppressed_row ? fake_log.written_of_row : 0;
}

uint64_t log_suppressed_of_key(const struct vm *vm, unsigned int key)
{
    (void)vm;
    return key < KEY_COUNT ? fake_log.suppressed_of_key[key] : 0;
}

uint64_t log_suppressed_of_row(const struct vm *vm, unsigned int row)
{
    (void)vm;
    return row == fake_log.suppressed_row ? fake_log.suppressed_of_row : 0;
}

uint64_t log_suppressed(void)
{
    return 0;
}

uint64_t log_virtio_count(const struct vm *vm, unsigned int row)
{
    (void)vm;
    return row == fake_log.suppressed_row ? fake_log.virtio_count : 0;
}

void log_virtio_reset(struct vm *vm)
{
    (void)vm;
    fake_log.virtio_count = 0;
}
