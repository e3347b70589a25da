// SPDX-License-Identifier: Apache-2.0
// In the place of the virtual GIC and timer, and of the registers that can trap: constant answers to look at.
#include <hv/arch/inject.h>
#include <hv/arch/registers.h>
#include <hv/arch/sysreg.h>
#include <hv/arch/vcpu_registers.h>
#include <hv/event_key.h>
#include <hv/vgic.h>
#include <hv/virtio_device.h>
#include <hv/vm.h>
#include <hv/vtimer.h>

#include <stdio.h>
#include <string.h>

unsigned int fake_injected; // exceptions

void inject_undef(struct vcpu *vcpu)
{
    (void)vcpu;
    fake_injected++;
}

void inject_abort(struct vcpu *vcpu, gva_t far, bool instruction_fetch, bool write)
{
    (void)vcpu, (void)far, (void)instruction_fetch, (void)write;
    fake_injected++;
}

void inject_serror(struct vcpu *vcpu)
{
    (void)vcpu;
    fake_injected++;
}

enum hv_status sysreg_read(struct vcpu *of, unsigned int key, uint64_t *value)
{
    (void)of;
    *value = key;
    return HV_OK;
}

enum hv_status sysreg_write(struct vcpu *of, unsigned int key, uint64_t value)
{
    (void)of;
    (void)key, (void)value;
    return HV_ERR_UNSUPPORTED;
}

// By the table's column alone.
bool sysreg_is_readable(unsigned int key)
{
    enum { RO, WO, RW };
#define READABLE(name, op0, op1, crn, crm, op2, class, access, ...) (access) != WO,
    static const bool readable[SYSREG_COUNT] = {SYSREG_TABLE(READABLE)};

    return readable[key - KEY_SYSREG_FIRST];
}

bool vcpu_register_read(unsigned int number, uint64_t *value)
{
    *value = fake_sysreg_get(vcpu_registers[number].name);
    return true;
}

bool vcpu_register_write(unsigned int number, uint64_t value)
{
    fake_sysreg_write(vcpu_registers[number].name, value);
    return true;
}

unsigned int aarch32_register_key(uint32_t syndrome, bool *upper)
{
    *upper = false;
    return (syndrome & 0x3ff) == 0x2b ? KEY_PMCR_EL0 : KEY_SYSREG_UNKNOWN;
}

bool vgic_query(struct vcpu *vcpu, unsigned int intid, struct vgic_interrupt *interrupt)
{
    (void)vcpu;
    *interrupt = (struct vgic_interrupt){.intid = (uint16_t)intid, .enabled = intid % 100 == 0};
    return true;
}

enum hv_status vgic_set_pending(struct vm *vm, unsigned int vcpu_id, unsigned int intid)
{
    (void)vm, (void)vcpu_id;
    return intid < 512 ? HV_OK : HV_ERR_BOUNDS;
}

void vgic_snapshot(struct vcpu *vcpu, struct vgic_snapshot *snapshot)
{
    (void)vcpu;
    *snapshot = (struct vgic_snapshot){.lr_count = 4, .lr = {1}};
}

void vtimer_snapshot(struct vcpu *vcpu, struct vtimer_snapshot *snapshot)
{
    (void)vcpu;
    *snapshot = (struct vtimer_snapshot){.frequency = 62500000, .physical_count = 1000, .virtual_count = 500};
    snapshot->late[0] = 3;
    snapshot->late[14] = 20;
    snapshot->late[VTIMER_LATE_BUCKETS - 1] = 1;
}

// A net device on transport 1, with numbers that can be told apart.
bool virtio_snapshot(struct vm *vm, unsigned int number, struct virtio_snapshot *snapshot)
{
    (void)vm;
    if (number != 1)
        return false;
    *snapshot = (struct virtio_snapshot){
        .name = "net",
        .device_id = VIRTIO_ID_NET,
        .intid = 49,
        .status = 15,
        .interrupt_status = 1,
        .offered = UINT64_C(0x130000020),
        .negotiated = UINT64_C(0x100000020),
        .queue_count = 2,
        .queues = {{128, 256, true, VIRTIO_WAIT_TIME, 5, 7, 2}, {.size_max = 256}},
        .counters = {16, 17, 11, 12, 13, 14, 15, 18, 19},
        .row = 7,
    };
    return true;
}
