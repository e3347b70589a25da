// SPDX-License-Identifier: Apache-2.0
// A guest that does the same refused thing over and over, at the same PC and address: firmware that looks for a flash
// that is not there, a kernel without vectors. The watchdog notices it once a second. It is told in one record, and
// from then on the log only counts the records of that place, until the guest does something else.
#pragma once

#include <hv/event.h>
#include <hv/types.h>

struct telemetry;

// Looks at the last exits of vCPU number vcpu in telemetry, and writes the record guest-loop for each place of a loop
// that is new. Once a second, on the CPU that writes telemetry; no locks held.
void guest_loop_tick(const struct telemetry *telemetry, unsigned int vcpu);

// Whether event is at a place of a loop that was told. On the CPU of the event.
bool guest_loop_has(const struct event *event);
