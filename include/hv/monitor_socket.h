// SPDX-License-Identifier: Apache-2.0
// The monitor for programs, at the port ariel.monitor (hv/virtio_serial.h). docs/MONITOR.md has what is sent. All of it
// runs on the boot CPU.
#pragma once

#include <hv/notify.h>
#include <hv/types.h>

struct vm;

// From now on whoever connects has a session of their own, about vm at first. Once, at boot.
void monitor_socket_init(struct vm *vm);
// An event has happened: the session whose step ends with it gets its reply, and is told of any other event. True: it
// needs no prompt on the serial line, because a program knows of it.
bool monitor_socket_notified(enum notify_event event, const struct vcpu *vcpu);
