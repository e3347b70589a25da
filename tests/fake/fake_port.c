// SPDX-License-Identifier: Apache-2.0
#include "fake_port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct fake_port fake_port;

void fake_port_open(enum serial_port port, bool on)
{
    fake_port.open[port] = on;
    if (fake_port.client[port] != NULL)
        fake_port.client[port]->opened(on);
}

void fake_port_type(enum serial_port port, const char *text)
{
    fake_port.client[port]->receive((const uint8_t *)text, strlen(text));
}

void fake_port_clear(void)
{
    fake_port.length = 0;
    fake_port.text[0] = '\0';
}

bool port_has_log(void)
{
    return fake_port.has_log;
}

void port_follow_log(bool on)
{
    fake_port.following = on;
}

void virtio_serial_set_client(enum serial_port port, const struct serial_client *client)
{
    fake_port.client[port] = client;
}

bool virtio_serial_is_open(enum serial_port port)
{
    return fake_port.open[port];
}

bool virtio_serial_has_room(enum serial_port port, size_t length)
{
    return fake_port.open[port] && !fake_port.full && fake_port.length + length < sizeof(fake_port.text);
}

bool virtio_serial_write(enum serial_port port, const void *bytes, size_t length)
{
    assert_int_equal(port, SERIAL_MONITOR);
    if (!virtio_serial_has_room(port, length))
        return false;
    memcpy(&fake_port.text[fake_port.length], bytes, length);
    fake_port.length += length;
    fake_port.text[fake_port.length] = '\0';
    return true;
}
