// SPDX-License-Identifier: Apache-2.0
// What one event was about, in one word: the log, explain and exc last spell it alike.

#include <hv/event_name.h>

#include <hv/arch/esr_fields.h>
#include <hv/event_key.h>

const char *event_name(const struct event *event, char *buffer, size_t size)
{
    if (event->key != KEY_SYSREG_UNKNOWN)
        return event_key_name(event->key);
    sysreg_encoded_name(event->syndrome, buffer, size);
    return buffer;
}
