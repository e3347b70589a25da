// SPDX-License-Identifier: Apache-2.0
// The GICv3 that the guest sees: distributor and redistributors emulated, the CPU interface by the virtual one in
// hardware.
#pragma once

#include <hv/mmio.h>
#include <hv/spinlock.h>
#include <hv/trap.h>
#include <hv/types.h>

struct vm;

struct vgic {
    struct spinlock lock;
};

// All interrupts as after a reset (IHI 0069 12.9, 12.11).
void vgic_init(struct vm *vm);
// ICH_HCR_EL2, ICH_VMCR_EL2 and empty list registers on this CPU.
void vgic_init_cpu(struct vcpu *vcpu);
// Drives the line of intid (0..31 of vCPU vcpu_id, or an SPI): level true raises it. For an edge-triggered interrupt a
// rise latches it pending. HV_ERR_BOUNDS for an intid or vCPU that does not exist. From any CPU; kicks the target when
// it runs elsewhere.
enum hv_status vgic_set_line(struct vm *vm, unsigned int vcpu_id, unsigned int intid, bool level);
// Latches intid pending, as a write to GICD_ISPENDR would ('inject irq').
enum hv_status vgic_set_pending(struct vm *vm, unsigned int vcpu_id, unsigned int intid);
// A physical interrupt that belongs to the guest was acknowledged: it reaches the guest with the HW bit.
void vgic_forward(struct vcpu *vcpu, unsigned int intid);
// Moves pending interrupts into list registers. Called before eret when something changed for this vCPU; cheap
// otherwise.
void vgic_flush(struct vcpu *vcpu);
// The maintenance interrupt (PPI 25) was taken.
void vgic_maintenance(struct vcpu *vcpu);
// Whether the vCPU has an interrupt that would wake it from WFI.
bool vgic_has_pending(struct vcpu *vcpu);
// The devices of the guest's address space. TRAP_DONE, or TRAP_INJECT_ABORT for what the architecture refuses.
enum trap_result vgic_distributor_access(struct vcpu *vcpu, struct mmio_access *access);
enum trap_result vgic_redistributor_access(struct vcpu *vcpu, struct mmio_access *access);
// A write of ICC_SGI1R_EL1 (IHI 0069 12.2.22).
void vgic_write_sgi1r(struct vcpu *vcpu, uint64_t value);
