// SPDX-License-Identifier: Apache-2.0
// A guest that does the same refused thing over and over, at the same PC and address: firmware that looks for a flash
// that is not there, a kernel without vectors. The watchdog notices it once a second. It is told in one record, and
// from then on the log only counts the records of that place, until the guest does something else.
#pragma once

#include <hv/event.h>
#include <hv/types.h>

struct telemetry;
struct vcpu;

// Looks at the last exits of vcpu, and writes the record guest-loop for each place of a loop that is new. Once a
// second, on the CPU of vcpu; no locks held.
void guest_loop_tick(struct vcpu *vcpu);

// Whether event is at a place of a loop that was told, of the vCPU whose telemetry this is. On that vCPU's CPU.
bool guest_loop_has(const struct telemetry *telemetry, const struct event *event);
