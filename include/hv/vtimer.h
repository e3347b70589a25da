// SPDX-License-Identifier: Apache-2.0
// Guest time: the virtual counter is the physical one minus vm->virtual_offset, which grows while the VM is paused.
#pragma once

#include <hv/types.h>
#include <hv/vtimer_state.h>

struct vcpu;

// Whether a virtual timer fires when its counter leads the machine's, so that CNTVOFF_EL2 is below 0 and the sum of it
// and the deadline wraps. It tries on this CPU's timers, which nobody may be using yet, and leaves them off.
bool vtimer_may_wrap(uint64_t lead);
// CNTVOFF_EL2, CNTHCTL_EL2, and the guest's timers off, on this CPU. Before the vCPU first runs, and whenever it is
// turned on; after hyp_timer_init_cpu.
void vtimer_init_cpu(struct vcpu *vcpu);
// The physical virtual-timer interrupt was taken: hands it to the guest; while the vCPU waits, keeps it until
// vtimer_update_offset.
void vtimer_interrupt(struct vcpu *vcpu);
// Writes CNTVOFF_EL2 anew after a pause, and settles the timers by it. On vcpu's own CPU.
void vtimer_update_offset(struct vcpu *vcpu);

// The guest's physical timer, where policy has CNTHCTL_EL2 trap it. CNTPCT is what its counter reads: the virtual
// counter, unless policy lets the guest read the physical counter directly. TVAL is sign-extended by the caller's view:
// 32 bits count. On vcpu's own CPU.
enum vtimer_register { VTIMER_CNTPCT, VTIMER_CNTP_CTL, VTIMER_CNTP_CVAL, VTIMER_CNTP_TVAL };
uint64_t vtimer_physical_read(struct vcpu *vcpu, enum vtimer_register reg);
void vtimer_physical_write(struct vcpu *vcpu, enum vtimer_register reg, uint64_t value);

// For the monitor's 'timer'. Counts in ticks of frequency.
struct vtimer_snapshot {
    uint64_t frequency;
    uint64_t physical_count;
    uint64_t virtual_count; // what the guest's counter reads
    uint64_t offset;        // CNTVOFF_EL2
    uint64_t paused_ticks;  // total time paused: the guest's clock is this far behind
    uint64_t virtual_ctl;   // CNTV_CTL_EL0: ENABLE bit 0, IMASK bit 1, ISTATUS bit 2
    uint64_t virtual_cval;  // CNTV_CVAL_EL0
    int64_t virtual_due;    // ticks until the deadline; negative: past it
    uint64_t physical_ctl;  // CNTP_CTL_EL0 as the guest reads it
    uint64_t physical_cval;
    uint64_t late[VTIMER_LATE_BUCKETS];
};

// Read on vcpu's CPU (cpu_call). From any CPU, no locks held.
void vtimer_snapshot(struct vcpu *vcpu, struct vtimer_snapshot *snapshot);
