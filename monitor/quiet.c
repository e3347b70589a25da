// SPDX-License-Identifier: Apache-2.0
// While somebody types, a guest's records would flood what they read: thousands a second can come between two keys. So
// at the prompt only errors come through, unless 'log level' said otherwise. A guest can have the prompt opened, and
// nobody may be there to type; a guest must not silence the log that way. So the session calls monitor_quieten only
// after a person's key, never because the monitor has opened.
#include <hv/monitor_quiet.h>

#include <hv/port.h>

static enum log_level prompt_level = LOG_ERROR; // the least that comes through at the prompt
static bool at_prompt;                          // a person is

// A person has pressed a key at the prompt. Records that go to a port of their own do not disturb anybody there.
void monitor_quieten(void)
{
    if (port_has_log())
        return;
    at_prompt = true;
    log_quieten(prompt_level);
}

// The line is the guest's again. LOG_DEBUG, the lowest level, holds nothing back.
void monitor_leave_prompt(void)
{
    at_prompt = false;
    log_quieten(LOG_DEBUG);
}

// 'log level': the person has chosen, and the choice also holds at the prompt.
void monitor_set_level(enum log_level level)
{
    prompt_level = level;
    (void)log_set_level(level);
    if (at_prompt)
        log_quieten(prompt_level);
}

// The level from which on records come through at the prompt: both limits must be passed, so the higher one counts.
enum log_level monitor_prompt_level(void)
{
    enum log_level level = log_get_level();

    return level < prompt_level ? prompt_level : level;
}
