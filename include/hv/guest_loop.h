// SPDX-License-Identifier: Apache-2.0
// A guest that does the same refused thing over and over, at the same PC and address: firmware that looks for
// a flash that is not there, a kernel without vectors. It is noticed once a second by the watchdog, told in one record,
// and from then on its records are only counted, until it does something else.
#pragma once

#include <hv/event.h>
#include <hv/types.h>

struct vcpu;

// Looks at the last exits of vcpu, which runs here. Once a second.
void guest_loop_tick(const struct vcpu *vcpu);

// Whether event, of the CPU this runs on, is part of a loop that was told.
bool guest_loop_has(const struct event *event);
