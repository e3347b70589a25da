// SPDX-License-Identifier: Apache-2.0
// EL2's own lines to the host, beside the serial line: which of EL2's words go to a named port of its serial device
// (hv/virtio_serial.h), when the machine has one. Without it everything is on the serial line.
#pragma once

#include <hv/types.h>

// Looks for the device. From now on records of the log go to the port ariel.log, if there is one: errors of the boot
// and the report of a panic to the serial line as well. Once, on the boot CPU, between console_init and log_init_at.
void port_init(void);
// Records what port_init has found. Once, after log_init_at.
void port_record(void);
// From now on the device's interrupt, taken by the CPU that calls this, brings what the host sends; and once a second
// what was dropped is recorded ("port-dropped"). Once, on the boot CPU, after gicv3_init_cpu.
void port_listen(void);
// Takes what the host has sent, where no interrupt comes. On the boot CPU.
void port_poll(void);

// Whether records go to a port and not to the serial line.
bool port_has_log(void);
// on: whoever is connected to ariel.monitor gets each record as well, as an event: a line
//     event {"event":"record","record":"seq=1 ..."}
void port_follow_log(bool on);
