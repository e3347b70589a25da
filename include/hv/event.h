// SPDX-License-Identifier: Apache-2.0
// One event record: what a guest did at privileged level and what it got. Trap path, telemetry, log, monitor and
// explain all speak of it in these fields.
#pragma once

#include <hv/types.h>

#define EVENT_TYPE_EXIT 1 // the other types: trace_schema.h

struct event {
    uint64_t sequence; // per vCPU, from 0 at boot, +1 per exit
    uint64_t entry;    // CNTPCT_EL0 when the handler began
    uint64_t exit;     // CNTPCT_EL0 just before eret; while in progress, see telemetry_enter
    uint64_t pc;       // guest address of the instruction (for HVC too)
    uint64_t address;  // IPA for aborts, function number for calls, else 0
    uint64_t value;    // written by the guest, or given to it on a read
    uint32_t syndrome; // ESR_EL2[31:0]
    uint16_t key;      // enum event_key
    uint16_t row;      // index into the rows of the VM's policy, or POLICY_ROW_NONE
    uint8_t cause;     // row of CAUSE_TABLE, which is the value of its KEY_CAUSE_
    uint8_t verdict;   // enum policy_action
    uint8_t result;    // enum trap_result
    uint8_t write;     // direction: 1 = the guest writes (or calls)
    uint8_t vcpu;      // which of its VM's vCPUs: vcpu->id
    uint8_t logged;    // a record cites this event
    uint8_t width;     // bytes of an access whose syndrome does not say it (ISV = 0), by the one who decoded it
    uint8_t type;      // EVENT_TYPE_EXIT: what the trace has beside exits is told from them by this byte
};

_Static_assert(sizeof(struct event) == 64, "one cache line per event");
