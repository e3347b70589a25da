// SPDX-License-Identifier: Apache-2.0
// One instruction at EL0. The guest's MMU is off, so EL0 may fetch it from anywhere in RAM.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/exception.h"

// Runs instruction at EL0 with *x0 in and out (it may use x0 alone), then SVC. The first exception: the instruction's
// own, or the SVC (EC_SVC64) when it had none.
struct exception el0_run(uint32_t instruction, uint64_t *x0);
// Runs A32 or T32 code (count words, the last one with an SVC) with r0 to r3 in x and, as the first exception finds
// them, out; nzcv is PSTATE's. EL0 must have AArch32.
struct exception el0_run32(const uint32_t *instructions, unsigned int count, bool thumb, uint32_t nzcv, uint64_t x[4]);
// Where the instruction stands.
uint64_t el0_address(void);
