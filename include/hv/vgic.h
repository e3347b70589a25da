// SPDX-License-Identifier: Apache-2.0
// The GICv3 that the guest sees: distributor and redistributors emulated, the CPU interface by the virtual one in
// hardware.
#pragma once

#include <hv/arch/registers.h>
#include <hv/machine.h>
#include <hv/status.h>
#include <hv/types.h>

// Sets up the virtual CPU interface of this CPU for vcpu: ICH_HCR_EL2, ICH_VMCR_EL2 and empty list registers. On vcpu's
// own CPU, before it first runs and whenever it is turned on.
void vgic_init_cpu(struct vcpu *vcpu);
// Drives the line of intid (0..31 of vCPU vcpu_id, or an SPI): level true raises it. For an edge-triggered interrupt a
// rise latches it pending. HV_ERR_BOUNDS for an intid or vCPU that does not exist. From any CPU; kicks the target when
// it runs elsewhere.
enum hv_status vgic_set_line(struct vm *vm, unsigned int vcpu_id, unsigned int intid, bool level);
// Latches intid pending, as a write to GICD_ISPENDR would ('inject irq').
enum hv_status vgic_set_pending(struct vm *vm, unsigned int vcpu_id, unsigned int intid);
// A physical PPI (intid 16 to 31) that belongs to the guest was acknowledged: it reaches the guest with the HW bit.
void vgic_forward(struct vcpu *vcpu, unsigned int intid);
// Looks again at every interrupt of this vCPU and fills the list registers. On its own CPU.
void vgic_refill(struct vcpu *vcpu);
// Before eret: does what was left to do for this vCPU; one load when there is nothing.
static inline void vgic_flush(struct vcpu *vcpu)
{
    // volatile, because GCC gives an atomic load its address in a register of its own
    if (__builtin_expect(*(const volatile uint32_t *)&vcpu->gic.work != 0, 0))
        vgic_refill(vcpu);
}
// PSCI CPU_OFF, after vcpu->power is VCPU_OFF: takes back what the list registers hold, so that 1-of-N SPIs go to
// other vCPUs. On its own CPU.
void vgic_stop_cpu(struct vcpu *vcpu);
// The maintenance interrupt (PPI 25) was taken.
void vgic_maintenance(struct vcpu *vcpu);
// Whether no interrupt has a list register or waits for one: no refill is asked for, and those in use are empty by now.
static inline bool vgic_is_empty(const struct vcpu *vcpu)
{
    return vcpu->gic.work == 0 && !(vcpu->gic.lr_used & ~READ_SYSREG(ICH_ELRSR_EL2));
}
// Whether the vCPU has an interrupt that would wake it from WFI.
bool vgic_has_pending(struct vcpu *vcpu);
// A write of ICC_SGI1R_EL1 (IHI 0069 12.2.22): Group 1 SGIs; of ICC_SGI0R_EL1: Group 0.
void vgic_write_sgi1r(struct vcpu *vcpu, uint64_t value);
void vgic_write_sgi0r(struct vcpu *vcpu, uint64_t value);
// A write of ICC_DIR_EL1 (ICH_HCR_EL2.TDIR); with EOImode 0 it means nothing.
void vgic_write_dir(struct vcpu *vcpu, uint64_t value);

// For the monitor's 'gic'. One interrupt as the guest would read it; listed: it occupies a list register.
struct vgic_interrupt {
    uint16_t intid;
    uint8_t priority;
    uint8_t target; // vCPU, or VGIC_NO_TARGET
    bool enabled, pending, active, edge, group1, line, listed, hardware;
};
#define VGIC_NO_TARGET 0xff

struct vgic_snapshot {
    uint32_t ctlr; // GICD_CTLR as the guest reads it
    unsigned int lr_count;
    uint64_t lr[VGIC_LR_MAX]; // ICH_LR<n>_EL2
    uint64_t hcr;             // ICH_HCR_EL2
    uint64_t vmcr;            // ICH_VMCR_EL2
    uint64_t maintenance_count;
    uint64_t refill_count;
};

// The list registers of vcpu, read on its CPU (cpu_call). From any CPU, no locks held.
void vgic_snapshot(struct vcpu *vcpu, struct vgic_snapshot *snapshot);
// Interrupt intid as vcpu sees it, from what memory and the last snapshot know; false when there is none. From any CPU.
bool vgic_query(struct vcpu *vcpu, unsigned int intid, struct vgic_interrupt *interrupt);
