// SPDX-License-Identifier: Apache-2.0
// EL2's own virtio-serial device (VIRTIO 1.2, 5.3): the board's last transport, when a console device with several
// ports is there. A port is a line to the host of its own: a file, or a socket to which a program connects. EL2 finds
// its ports by their names, whatever their numbers.
//
// Nobody waits for the host. What is written to a port that nobody has connected to, or whose reader is too slow for
// the buffer, is dropped as a whole and counted. SERIAL_TRACE has no buffer: who sends there lends the device its own
// memory. Functions may be called on any CPU unless they say otherwise; the
// device's lock (LOCK_SERIAL) is the last of all, so it may be taken under any other.
#pragma once

#include <hv/status.h>
#include <hv/types.h>

// SERIAL_id, and the name of the port on the host's side
#define SERIAL_PORT_TABLE(row)                                                                                         \
    row(MONITOR, "ariel.monitor") row(LOG, "ariel.log") row(TRACE, "ariel.trace") row(GDB, "ariel.gdb")

#define SERIAL_PORT_ID(id, name) SERIAL_##id,
enum serial_port { SERIAL_PORT_TABLE(SERIAL_PORT_ID) SERIAL_PORT_COUNT };

#define SERIAL_NUMBER_MAX 7       // of a port; those with higher numbers, and port 0, are not EL2's
#define SERIAL_WRITE_MAX  0x10000 // bytes that can wait for the host, for each port
#define SERIAL_READ_MAX   256     // bytes that the host sends in one go

// Who uses a port. Called on the boot CPU from virtio_serial_serve, with no locks held; either may be NULL.
struct serial_client {
    void (*opened)(bool open); // the host's side was connected (again), or has gone
    void (*receive)(const uint8_t *bytes, size_t length);
};

// Memory that the device reads in place.
struct serial_piece {
    const void *bytes;
    uint32_t length;
};

// Starts the device, and waits, a few milliseconds at most, until its ports have names. HV_ERR_NOT_FOUND: there is no
// such device, and the board is as it would be without this file. HV_ERR_UNSUPPORTED: it is behind the legacy interface
// or has no MULTIPORT; HV_ERR_STATE: it does not do what a device must. Once, on the boot CPU, after stage1_enable.
enum hv_status virtio_serial_init(void);
// The device's INTID, 0 when there is none.
uint32_t virtio_serial_intid(void);
// What the device has to say: new ports, connections, bytes; and it takes what has waited for it. On the boot CPU: from
// its interrupt, or polled.
void virtio_serial_serve(void);

// From now on client is told of port, first whether it is open when it is. At boot, once for each port; client stays
// valid.
void virtio_serial_set_client(enum serial_port port, const struct serial_client *client);

// Tells the client of port `which` at once what virtio_serial_serve would tell it of its connection.
void virtio_serial_tell(enum serial_port which);

// "ariel.log" ...
const char *virtio_serial_port_name(enum serial_port port);
// Whether the device has a port of that name, and whether its host side is connected.
bool virtio_serial_has(enum serial_port port);
bool virtio_serial_is_open(enum serial_port port);

// Of every port but SERIAL_TRACE. Sends length bytes, 1 .. SERIAL_WRITE_MAX. False: the port is not there, not open, or
// has no room for all of them; then none is sent, and they are counted as dropped.
bool virtio_serial_write(enum serial_port port, const void *bytes, size_t length);
// The same in two pieces, one behind the other: both or none.
bool virtio_serial_write_two(enum serial_port port, const void *first, size_t first_length, const void *second,
                             size_t second_length);
// Whether length bytes would be taken now.
bool virtio_serial_has_room(enum serial_port port, size_t length);
// As virtio_serial_write, for the report of a panic: the lock's holder may be dead, so it is waited for a short while
// only.
void virtio_serial_panic_write(enum serial_port port, const void *bytes, size_t length);
// Bytes of writes that were dropped since boot.
uint64_t virtio_serial_dropped(enum serial_port port);

// From now on returned is called when the device has done with what virtio_serial_lend was given: it has read it, or
// not (the host's side has closed, or the device was reset). On any CPU, with the device's lock held, so that it may
// take no lock and call nothing of this file. At boot.
void virtio_serial_set_lender(void (*returned)(void *token, bool read));
// Of SERIAL_TRACE. Sends a piece (1 byte or more) where it lies. True: nobody may change it until the lender is told
// that it has returned, with this token (never NULL), which may be before this call returns. False: the port is not
// there, not open, has no place for one more, or its connection was not begun; the memory is the caller's still, and
// nothing is counted.
bool virtio_serial_lend(enum serial_port port, struct serial_piece piece, void *token);
// The same for the first piece of a connection, whatever other CPUs have to send: virtio_serial_lend sends nothing
// before it. For the client's opened(true).
bool virtio_serial_lend_first(enum serial_port port, struct serial_piece piece, void *token);
// Takes back what the device has read, and returns how many loans it has still.
uint32_t virtio_serial_lent(enum serial_port port);
// Sends two pieces (either may be empty) for the report of a panic, as virtio_serial_panic_write. They are never
// changed again; nobody is told.
void virtio_serial_panic_lend(enum serial_port port, const struct serial_piece pieces[2]);
