// SPDX-License-Identifier: Apache-2.0
// The end of a boot that cannot have a guest.
#pragma once

#include <hv/machine.h>

// No VM can run: says so in one record, with the value that was found and its bound, and leaves the person the monitor.
_Noreturn void refuse(struct vm *vm, const char *reason, const char *name, uint64_t value, uint64_t bound);
