// SPDX-License-Identifier: Apache-2.0
// Names of enum hv_status. Owns one constant table; promises a name for every value, so that a caller can print what it
// was given without a check of its own.
#include <hv/status.h>

#include <stddef.h>

static const char *const status_names[HV_STATUS_COUNT] = {
    [HV_OK] = "ok",
    [HV_ERR_EMPTY] = "empty",
    [HV_ERR_ALIGN] = "align",
    [HV_ERR_WRAP] = "wrap",
    [HV_ERR_BOUNDS] = "bounds",
    [HV_ERR_TOO_LONG] = "too-long",
    [HV_ERR_EXISTS] = "exists",
    [HV_ERR_NOT_FOUND] = "not-found",
    [HV_ERR_NO_MEMORY] = "no-memory",
    [HV_ERR_UNSUPPORTED] = "unsupported",
    [HV_ERR_STATE] = "state",
    [HV_ERR_INVALID] = "invalid",
    [HV_ERR_FAULT] = "fault",
};

// A status that was made from a number may be out of range.
const char *hv_status_name(enum hv_status status)
{
    size_t index = (size_t)status;

    return index < HV_STATUS_COUNT ? status_names[index] : "?";
}
