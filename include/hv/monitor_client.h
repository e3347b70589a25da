// SPDX-License-Identifier: Apache-2.0
// Whom a command of the monitor is run for: a person at the serial line (monitor/session.c), or a program at the port
// ariel.monitor (monitor/socket.c). Both are there at once. A command runs to its end before the next one begins, so
// there is one client at a time, and everything that a command asks or says is that client's. On the boot CPU only.
#pragma once

#include <hv/types.h>

struct vm;

struct monitor_client {
    // Takes whole lines of a reply. NULL: they go to the terminal on the serial line (monitor_screen.h).
    void (*write)(const char *text, size_t length);
    bool json; // replies are JSON, whether a line has -j or not
    // What commands are about where they name nothing (monitor_subject.h)
    struct vm *vm;
    unsigned int vcpu;
};

// The client whose command runs; between commands, the person at the serial line. Never NULL.
struct monitor_client *monitor_client_now(void);
// From now on it is client; NULL: the person at the serial line.
void monitor_client_set(struct monitor_client *client);
