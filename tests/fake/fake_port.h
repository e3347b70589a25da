// SPDX-License-Identifier: Apache-2.0
// In the place of console/port.c and drivers/virtio_serial.c: ports that are files in memory.
#pragma once

#include <hv/port.h>
#include <hv/virtio_serial.h>

struct fake_port {
    const struct serial_client *client[SERIAL_PORT_COUNT];
    bool open[SERIAL_PORT_COUNT];
    bool has_log;
    bool following;
    bool full;          // ariel.monitor takes nothing
    char text[1 << 16]; // what ariel.monitor got, terminated
    size_t length;
};
extern struct fake_port fake_port;

// The host connects to a port (on) or leaves; its client is told.
void fake_port_open(enum serial_port port, bool on);
// The host sends text.
void fake_port_type(enum serial_port port, const char *text);
// Forgets what ariel.monitor got.
void fake_port_clear(void);
