// SPDX-License-Identifier: Apache-2.0
// Which log records come through on the console while somebody types at the prompt. The ring has all of them.
#pragma once

#include <hv/log.h>

// A person is at the prompt: from now on only records of monitor_prompt_level or above come between.
void monitor_quieten(void);
// The prompt is left: every record that the console's level lets through comes again.
void monitor_leave_prompt(void);
// 'log level': the least level that the console shows from now on, at the prompt too.
void monitor_set_level(enum log_level level);
// The least level that comes through at the prompt.
enum log_level monitor_prompt_level(void);
