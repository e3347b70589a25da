// SPDX-License-Identifier: Apache-2.0
// A virtual CPU, pinned to the physical CPU of the same number.
#pragma once

#include <hv/arch/frame.h>
#include <hv/arch/registers.h>
#include <hv/event.h>
#include <hv/types.h>
#include <hv/vgic_state.h>
#include <hv/vtimer.h>

struct vm;
struct telemetry;

enum vcpu_power { VCPU_ON = 0, VCPU_OFF = 1, VCPU_ON_PENDING = 2 }; // the values of PSCI AFFINITY_INFO

// What must happen before this vCPU runs guest code again; set by any CPU (with an SGI when it is another), 0 on the
// usual exit.
#define VCPU_REQUEST_WAIT    0x1u // the VM is paused or stopped, or this vCPU is off
#define VCPU_REQUEST_STEP    0x2u // the monitor steps this vCPU
#define VCPU_REQUEST_SUSPEND 0x4u // PSCI CPU_SUSPEND: wait for an interrupt when its exit has ended

// The access at which a policy row paused the VM: all that tells it from another one. It alone is let through.
struct vcpu_held {
    bool valid;
    bool write;
    uint16_t key;
    uint32_t syndrome; // with ISV = 1, and for system registers and calls, it describes the whole instruction
    uint64_t pc;
    uint64_t address;
    uint64_t value; // of a write; 0 for a read
    uint64_t x[31]; // arguments of a call, what else a store of several parts stores
    uint64_t parts[4];
};

struct vcpu {
    struct trap_frame *frame; // at the top of this CPU's EL2 stack; valid while in EL2
    struct vm *vm;
    struct telemetry *telemetry; // this CPU's counters
    uint32_t id;                 // 0 .. vm->vcpu_count - 1
    uint32_t request;            // VCPU_REQUEST_*
    enum vcpu_power power;
    bool waiting;          // in EL2's idle loop: frame and EL1 registers stand still
    bool step_owned;       // step owns MDSCR_EL1.SS and MDCR_EL2.TDE
    uint32_t step_count;   // instructions left to step
    uint32_t stuck_ticks;  // of the watchdog, at which the guest seemed to hang; in a row
    uint32_t retry_count;  // aborts in a row that ended in TRAP_RETRY
    uint64_t retry_next;   // sequence of the exit that would make it one more
    uint64_t guest_mdscr;  // MDSCR_EL1 as the guest left it, while step owns the register
    bool guest_os_lock;    // OSLSR_EL1.OSLK likewise
    uint64_t break_passed; // sequence + 1 of the exit in which the access held was let through
    uint64_t actlr;        // ACTLR_EL1 before a guest could write it
    bool actlr_known;
    uint64_t kernel_ttbr1; // TTBR1_EL1 when the kernel's stack was last seen mapped (kernel_tables.h); 0: never
    uint64_t on_entry;     // PSCI CPU_ON: entry point
    uint64_t on_context;   // PSCI CPU_ON: context id
    struct vgic_cpu gic;   // vdev/vgic/vgic*.c
    struct vtimer timer;   // vdev/vtimer.c
    struct vcpu_held held;
    uint64_t parts[4]; // what an access in several parts stores (trap/abort.c); 0 outside such an access
};

// Guest register n (0..30); 31 reads zero and ignores writes. The only code that indexes x[].
static inline uint64_t vcpu_get_reg(const struct vcpu *vcpu, unsigned int n)
{
    return n < 31 ? vcpu->frame->x[n] : 0;
}

static inline void vcpu_set_reg(struct vcpu *vcpu, unsigned int n, uint64_t value)
{
    if (n < 31)
        vcpu->frame->x[n] = value;
}

// The vCPU of the CPU this runs on: TPIDR_EL2, set by main, never NULL once the vectors are in use.
static inline struct vcpu *vcpu_current(void)
{
    return (struct vcpu *)READ_SYSREG(TPIDR_EL2);
}

// Makes vcpu start at entry with x0 = context and EL1 as after a reset: MMU off, interrupts masked (PSCI CPU_ON, DEN
// 0022 6.4). On its own CPU.
void vcpu_reset(struct vcpu *vcpu, uint64_t entry, uint64_t context);

// Waits in EL2, serving interrupts and the monitor, until the VM runs and this vCPU is on; a vCPU just turned on is
// reset to its entry point. On its own CPU.
void vcpu_wait(struct vcpu *vcpu);

// Waits for an interrupt that would wake the guest from WFI, or for a request. On its own CPU.
void vcpu_wait_for_interrupt(struct vcpu *vcpu);

// A policy row says pause for what the guest does, event. vcpu_break pauses the VM and opens the monitor; the result of
// the event is then TRAP_RETRY: the instruction is executed again when the VM goes on, with whatever registers and PC
// the person at the monitor left. If it then does what was held (the same instruction at the same PC, key, direction,
// address, value and general registers), vcpu_break_passed says true, for all parts of that access and once; if
// anything differs, it says false, and the VM pauses for what the access is now. On its own CPU.
bool vcpu_break_passed(struct vcpu *vcpu, const struct event *event);
void vcpu_break(struct vcpu *vcpu, const struct event *event);
// The monitor changed where vcpu goes on: what it waited for, or was held at, no longer counts. On its own CPU.
void vcpu_moved(struct vcpu *vcpu);

// Sets request bits of vcpu and kicks its CPU when that is another one.
void vcpu_request(struct vcpu *vcpu, uint32_t request);
