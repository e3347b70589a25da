// SPDX-License-Identifier: Apache-2.0
// What one event was about, in one word: the log, explain and exc last spell it alike.

#include <hv/event_name.h>

#include <hv/arch/esr_fields.h>
#include <hv/event_key.h>

// A register that no table row names has no key of its own. Its name is then made of the encoding in the syndrome, as
// in S3_7_C15_C15_7. The result is valid as long as buffer is.
const char *event_name(const struct event *event, char *buffer, size_t size)
{
    if (event->key != KEY_SYSREG_UNKNOWN)
        return event_key_name(event->key);
    sysreg_encoded_name(event->syndrome, buffer, size);
    return buffer;
}
