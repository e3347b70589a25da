// SPDX-License-Identifier: Apache-2.0
// The devices of a guest, as a table made from the rows of device_table.h. trap/ comes here with an access and vm/ with
// a reset; both know a device by its key only. No other file of EL2 lists devices, so a new one needs two things: a
// file in vdev/ that defines its struct device_ops, and a row in device_table.h.

#include <hv/device.h>

#include <hv/device_ops.h>

// For rows whose device ariel does not emulate, and for addresses where there is no device: the guest gets an external
// abort, as a bus gives it where nothing answers.
// NOLINTNEXTLINE(readability-non-const-parameter): its type is device_ops.access
static enum mmio_result refuse(struct vcpu *vcpu, uint32_t offset, unsigned int access, uint64_t *value)
{
    (void)vcpu, (void)offset, (void)access, (void)value;
    return MMIO_FAULT;
}

const struct device_ops device_none = {.access = refuse};

static const struct device devices[] = {
#define DEVICE_ENTRY(id, name, base, size, kind, emulation, ...)                                                       \
    [KEY_DEVICE_##id - KEY_DEVICE_FIRST] = {base, &device_##emulation},
    DEVICE_TABLE(DEVICE_ENTRY)
#undef DEVICE_ENTRY
        [KEY_DEVICE_NONE - KEY_DEVICE_FIRST] = {0, &device_none},
};

// The caller's key comes from the policy's own map, never from the guest, so it is in range.
const struct device *device_of(unsigned int key)
{
    return &devices[key - KEY_DEVICE_FIRST];
}

void device_reset_all(struct vm *vm)
{
    for (unsigned int i = 0; i < ARRAY_COUNT(devices); i++)
        if (devices[i].ops->reset != NULL)
            devices[i].ops->reset(vm);
}
