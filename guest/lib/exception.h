// SPDX-License-Identifier: Apache-2.0
// Exceptions taken by the guest itself at EL1. A test that provokes one says so first and gets back what was taken:
//   exception_expect(); <instruction>; struct exception e = exception_end();
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/layout.h"

// Undefined instructions in a row, in the upper half, after which exception_handle goes back to the caller.
#define EXCEPTION_LOST 64

struct exception {
    unsigned int
        taken; // how many synchronous exceptions and SErrors since exception_expect(); the rest describes the last
    unsigned int slot; // vector slot 0..15
    unsigned int ec;   // ESR_EL1.EC
    uint32_t iss;      // ESR_EL1.ISS
    uint64_t esr;
    uint64_t elr;
    uint64_t far;
    uint64_t spsr;
};

struct exception_frame {
    uint64_t x[31];
    uint64_t elr;
    uint64_t spsr;
    uint64_t esr;
    uint64_t far;
    uint64_t slot;
};

#define EC_UNKNOWN    0x00
#define EC_WFX        0x01
#define EC_FP         0x07
#define EC_ILLEGAL    0x0e
#define EC_SVC64      0x15
#define EC_SYSREG     0x18
#define EC_IABT_LOWER 0x20
#define EC_IABT       0x21
#define EC_PC_ALIGN   0x22
#define EC_DABT_LOWER 0x24
#define EC_DABT       0x25
#define EC_SP_ALIGN   0x26
#define EC_SERROR     0x2f
#define EC_BRK        0x3c

#define SLOT_CURRENT_SP0 0
#define SLOT_CURRENT_SPX 4
#define SLOT_LOWER_64    8
#define SLOT_LOWER_32    12

// ISS of aborts
#define ISS_FSC_MASK      0x3f
#define ISS_WNR           (1u << 6)
#define ISS_S1PTW         (1u << 7)
#define ISS_CM            (1u << 8)
#define FSC_TRANSLATION_0 0x04 // .. 0x07: level 0 to 3
#define FSC_PERMISSION_0  0x0c // .. 0x0f
#define FSC_EXTERNAL      0x10 // not on a table walk
#define FSC_EXTERNAL_WALK 0x14 // .. 0x17: on the walk, level 0 to 3
#define FSC_ALIGNMENT     0x21

// From here to exception_end a synchronous exception is recorded and execution goes on behind the instruction: after
// it, or, for a fetch that failed, at the address in x30.
void exception_expect(void);
struct exception exception_end(void);

// The C end of every vector slot.
void exception_handle(struct exception_frame *frame);

// Leaves EL0 (el0_run): see lib/el0.h. NULL when no EL0 code runs.
typedef void exception_el0_handler(struct exception_frame *frame);
void exception_set_el0_handler(exception_el0_handler *handler);

// Called with the INTID of each interrupt taken (INTIDs below 1020). NULL: interrupts are only counted.
typedef void exception_irq_handler(unsigned int intid);
void exception_set_irq_handler(exception_irq_handler *handler);

// Called after an exception that nobody expected was reported. Ends the running test and does not return, or returns
// when this CPU runs no test; then the CPU stops. NULL: the CPU stops.
typedef void exception_unexpected_handler(void);
void exception_set_unexpected_handler(exception_unexpected_handler *handler);

_Static_assert(__builtin_offsetof(struct exception_frame, spsr) == FRAME_SPSR, "start.S");
_Static_assert(__builtin_offsetof(struct exception_frame, far) == FRAME_FAR, "start.S");
_Static_assert(sizeof(struct exception_frame) == FRAME_SIZE && FRAME_SIZE % 16 == 0, "start.S");
