// SPDX-License-Identifier: Apache-2.0
// The name of what an event was about.
#pragma once

#include <stddef.h>

#include <hv/event.h>

#define EVENT_NAME_SIZE 24

// The name of the event's key; for a register that sysreg_table.h does not have, its encoding from the syndrome
// (S3_7_C15_C15_7), written to buffer. size: EVENT_NAME_SIZE or more. Never NULL; valid as long as buffer is.
const char *event_name(const struct event *event, char *buffer, size_t size);
