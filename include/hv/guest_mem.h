// SPDX-License-Identifier: Apache-2.0
// The only way from EL2 into guest memory. Every address is a checked ipa_range that stage 2 maps as Normal memory;
// permission bits are checked for the guest's own calls. Copies are bounded; a bad range moves nothing.
#pragma once

#include <hv/range.h>
#include <hv/status.h>
#include <hv/types.h>

struct vm;

// Whether all of [ipa, ipa + size) is mapped guest RAM: HV_OK, or the error that a read of it would give.
enum hv_status guest_mem_check(struct vm *vm, ipa_t ipa, uint64_t size);
// size bytes from ipa to buffer. HV_ERR_EMPTY, HV_ERR_WRAP, HV_ERR_BOUNDS (outside guest RAM), HV_ERR_NOT_FOUND (a
// stage-2 hole).
enum hv_status guest_mem_read(struct vm *vm, ipa_t ipa, void *buffer, size_t size);
// The same way back; cleans the data cache to the point of unification, so that the guest may execute what was written.
enum hv_status guest_mem_write(struct vm *vm, ipa_t ipa, const void *buffer, size_t size);
