// SPDX-License-Identifier: Apache-2.0
// Instruction and data aborts from the guest: what they were, and what ariel means to do about them.
#pragma once

#include <hv/trap.h>

#define ALIGNMENT_NEVER 0 // DC ZVA and its kin: an alignment fault wherever memory is Device (DDI 0487 C6.2, DC ZVA)

// How one faulting load or store moves data; filled from ESR_EL2.ISS when ISV = 1, else from the instruction itself.
struct abort_access {
    uint8_t size;      // bytes of one register: 1, 2, 4, 8, 16
    uint8_t alignment; // bytes of which its address must be a multiple in Device memory; ALIGNMENT_NEVER: none will do
    uint8_t count;     // registers moved: 1, or 2 for a pair
    uint8_t reg[2];    // 0..30, 31 = zero register; for SIMD V0..V31
    bool write;
    bool sign_extend;
    bool sixty_four; // the destination is an X register (SF)
    bool simd;       // reg[] are SIMD registers
    bool acquire_release;
    bool writeback;         // base register base gets base_offset added (pre or post index)
    uint8_t base;           // 0..30, 31 = SP
    int64_t base_offset;    // bytes
    int64_t address_offset; // of the first byte from the base register's old value; not for register offset and literal
};

enum abort_verdict {
    ABORT_DEVICE, // emulate the access: address and abort_access are valid
    ABORT_SKIP,   // has no effect there: go on after the instruction
    ABORT_RETRY,  // the stage-2 entry is valid now: execute again
    ABORT_INJECT, // abort into the guest; reason says why, status as what
    ABORT_STOP,   // the VM stops; reason says why
};

struct abort_plan {
    enum abort_verdict verdict;
    const char *reason; // constant words for the log: "an exclusive access", "a hole in guest RAM" ...; NULL for DEVICE
    uint8_t status;     // of ABORT_INJECT: fault status code for the guest; 0: what the syndrome's becomes (inject.h)
    ipa_t address;      // of the first byte; 0 when not known
    struct abort_access access;
};

// Classifies the abort in vcpu->frame (EC 0x20 or 0x24; esr, far and hpfar saved). Fetches the instruction when ISV =
// 0. On the vCPU's own CPU.
void abort_classify(struct vcpu *vcpu, struct abort_plan *plan);

// Decodes an A64 load or store. False when it is none that can be emulated; then *reason names what it is ("an atomic
// operation", "an exclusive access", "an SVE access" ...), and access has its alignment alone. Pure.
bool abort_decode_instruction(uint32_t instruction, struct abort_access *access, const char **reason);

// The whole life of an abort: classify, ask policy and devices through trap_mmio, move registers, write back the base.
// event is partly filled (syndrome, pc, entry, cause); this adds the rest. An access of several parts is done in order
// of address; when one is refused no register changes, and frame->far_el2 points at the part that was.
enum trap_result abort_handle(struct vcpu *vcpu, struct event *event);

// The stack pointer that the guest's SP names: SP_EL0 or SP_EL1, after SPSR_EL2.
uint64_t abort_stack_pointer(const struct vcpu *vcpu);

// The level of the guest's stage-1 table that an abort on a walk (S1PTW) could not read.
unsigned int abort_walk_level(struct vcpu *vcpu);

// What TRAP_INJECT_ABORT means after an abort: the frame's syndrome as an external abort of the guest.
void abort_inject(struct vcpu *vcpu);
