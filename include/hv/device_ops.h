// SPDX-License-Identifier: Apache-2.0
// What a device that ariel emulates is to the rest of EL2: a struct device_ops, which its file in vdev/ defines as
// device_<emulation> and its row in device_table.h names. vdev/device.c makes its table from the rows.
#pragma once

#include <hv/device_table.h>
#include <hv/mmio.h>
#include <hv/status.h>
#include <hv/types.h>

struct vcpu;
struct vm;

struct device_ops {
    // An access by vcpu (mmio.h says how offset, access and *value are to be read). Within the size that the row
    // claims, on vcpu's own CPU, no locks held; several vCPUs may call it at the same time.
    enum mmio_result (*access)(struct vcpu *vcpu, uint32_t offset, unsigned int access, uint64_t *value);

    // Puts vm's device into its state at reset, its lock included. Once for each VM, in the order of the rows, on the
    // boot CPU before any of its vCPUs runs. NULL: the device has no state.
    void (*reset)(struct vm *vm);

    // The INTID of the interrupt that the device's own file raises by vgic_set_line, an SPI of which it is the one
    // source; 0: it has none, or more than one, whose numbers follow from the transport.
    unsigned int interrupt;

    // A snapshot of vm's device, all vCPUs paused. save writes at most size bytes to state and returns how many it
    // needs; load takes what save wrote and refuses with HV_ERR_INVALID, and without any effect, what save cannot have
    // written. NULL while nothing takes snapshots, and for a device that has no state.
    size_t (*save)(const struct vm *vm, void *state, size_t size);
    enum hv_status (*load)(struct vm *vm, const void *state, size_t size);
};

// The emulations that the rows name; `none` refuses every access (vdev/device.c).
#define DEVICE_OPS(id, name, base, size, kind, emulation, ...) extern const struct device_ops device_##emulation;
DEVICE_TABLE(DEVICE_OPS)
#undef DEVICE_OPS
