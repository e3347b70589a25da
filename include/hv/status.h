// SPDX-License-Identifier: Apache-2.0
// The caller's problems. The guest's faults are enum trap_result (trap.h); our own bugs are panic() (panic.h).
#pragma once

enum [[nodiscard]] hv_status {
    HV_OK = 0,
    HV_ERR_EMPTY,       // size is zero
    HV_ERR_ALIGN,       // base or size is not a multiple of the granule
    HV_ERR_WRAP,        // base + size wraps
    HV_ERR_BOUNDS,      // outside what the object covers
    HV_ERR_TOO_LONG,    // longer than the operation allows
    HV_ERR_EXISTS,      // there is something already
    HV_ERR_NOT_FOUND,   // there is nothing there
    HV_ERR_NO_MEMORY,   // the object's fixed pool is used up
    HV_ERR_UNSUPPORTED, // the CPU or the build cannot do it
    HV_ERR_STATE,       // not possible in the present state
    HV_ERR_INVALID,     // an argument is not one of the allowed values
    HV_ERR_FAULT,       // the access itself faulted
    HV_STATUS_COUNT,
};

// The lower-case name of status for logs and the monitor ("ok", "empty", "align" ...); never NULL.
const char *hv_status_name(enum hv_status status);
