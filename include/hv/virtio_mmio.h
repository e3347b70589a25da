// SPDX-License-Identifier: Apache-2.0
// The virtio-mmio transports of QEMU virt as the guest sees them: none has a device behind it.
#pragma once

#include <hv/trap.h>
#include <hv/types.h>

// An access (mmio.h) at offset from the first transport. Always TRAP_DONE.
enum trap_result virtio_mmio_access(uint32_t offset, unsigned int access, uint64_t *value);
