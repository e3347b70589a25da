// SPDX-License-Identifier: Apache-2.0
// Offsets and register values that the guest's assembly and C share; the structures assert them.
#pragma once

// struct exception_frame
#define FRAME_X    0
#define FRAME_SPSR 256
#define FRAME_FAR  272
#define FRAME_SIZE 288

// struct cpu_state
#define STATE_X           0
#define STATE_SP          248
#define STATE_NZCV        256
#define STATE_TPIDR_EL0   264
#define STATE_TPIDRRO_EL0 272
#define STATE_TPIDR_EL1   280
#define STATE_FPCR        288
#define STATE_FPSR        296
#define STATE_V           304
#define STATE_SIZE        816

// SCTLR_EL1: RES1 bits of Armv8.0, stack alignment checks; MMU, caches and alignment checks off; WFI, WFE, DC ZVA,
// cache maintenance and CTR_EL0 not trapped from EL0
#define GUEST_SCTLR_OFF  0x34d5d838
#define GUEST_CPACR_FPEN 0x300000
