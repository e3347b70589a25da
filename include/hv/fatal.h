// SPDX-License-Identifier: Apache-2.0
// How code of any room, lib's too, ends EL2 when it finds a bug of ours. The report itself needs the log, the CPUs and
// the vCPUs, which are above lib: core/panic.c registers it. Code above core calls panic() (panic.h), which formats.
#pragma once

typedef void (*fatal_report_fn)(const char *reason);

// From now on fatal() calls report, which does not return. Once, on the boot CPU, before stage1_enable makes the place
// where it is kept read-only.
void fatal_set_report(fatal_report_fn report);

// Ends EL2 with reason on the first line of the report. Any CPU, any time; before fatal_set_report it is an exception
// of EL2 without that text.
_Noreturn void fatal(const char *reason);
