// SPDX-License-Identifier: Apache-2.0
// Running a command line.
#pragma once

#include <hv/monitor_command.h>

// Runs a line (without end of line) and ends the reply with "ok" or "err ...". An empty line does nothing. The line is
// at most LINE_LENGTH_MAX bytes long (monitor_line.h); what is behind those is not looked at.
void monitor_run(const char *line);
// Runs a one-key command; the same reply.
void monitor_run_key(const struct monitor_command *command);
