// SPDX-License-Identifier: Apache-2.0
// The commands' own functions, one file of monitor/cmds/ each or a few to a file. monitor/commands.c has their rows.
#pragma once

#include <hv/event.h>
#include <hv/monitor_command.h>

#define MONITOR_HANDLER(name)    const char *name(const struct monitor_words *words)
#define MONITOR_COMPLETION(name) monitor_candidate name(const char *typed, const char **list)

MONITOR_HANDLER(cmd_close);
MONITOR_HANDLER(cmd_console);
MONITOR_HANDLER(cmd_exc);
MONITOR_HANDLER(cmd_explain);
MONITOR_HANDLER(cmd_gic);
MONITOR_HANDLER(cmd_halt);
MONITOR_HANDLER(cmd_inject);
MONITOR_HANDLER(cmd_log);
MONITOR_HANDLER(cmd_mem);
MONITOR_HANDLER(cmd_pause);
MONITOR_HANDLER(cmd_policy);
MONITOR_HANDLER(cmd_print);
MONITOR_HANDLER(cmd_regs);
MONITOR_HANDLER(cmd_reset);
MONITOR_HANDLER(cmd_resume);
MONITOR_HANDLER(cmd_set);
MONITOR_HANDLER(cmd_sr);
MONITOR_HANDLER(cmd_status);
MONITOR_HANDLER(cmd_step);
MONITOR_HANDLER(cmd_sym);
MONITOR_HANDLER(cmd_timer);
MONITOR_HANDLER(cmd_trace);
MONITOR_HANDLER(cmd_vcpu);
MONITOR_HANDLER(cmd_version);
MONITOR_HANDLER(cmd_virtio);
MONITOR_HANDLER(cmd_vm);
MONITOR_HANDLER(cmd_x);
MONITOR_HANDLER(cmd_xp);

// One-key commands that are no command as well.
MONITOR_HANDLER(key_break);
MONITOR_HANDLER(key_counters_reset);
MONITOR_HANDLER(key_log_less);
MONITOR_HANDLER(key_log_more);
MONITOR_HANDLER(key_memory);

// Tab.
MONITOR_COMPLETION(complete_exc);
MONITOR_COMPLETION(complete_log);
MONITOR_COMPLETION(complete_policy);
MONITOR_COMPLETION(complete_register);
MONITOR_COMPLETION(complete_trace);

// What one command has from another's file.
MONITOR_HANDLER(monitor_mem_read); // mem read
// hv selftest; commands_are_sorted: what it shows of the table that it must not know.
const char *monitor_selftest(const struct monitor_words *words, bool commands_are_sorted);
// An event as a row, and the line above such rows.
void monitor_show_event(const struct event *event);
void monitor_show_event_heading(void);
// Events begin[cpu] .. end[cpu] - 1 of every CPU, in order of time, a row each.
void monitor_show_events(const uint64_t *begin, const uint64_t *end);
// A copy of event sequence of cpu; false when it is gone, or changed meanwhile.
bool monitor_copy_event(unsigned int cpu, uint64_t sequence, struct event *event);
// The sentence that says what a cause is (cause_table.h); "?" when there is none with this number.
const char *monitor_cause_sentence(unsigned int cause);
// How often a row of the policy decided, on all CPUs; and the row, with or without that, and what stands above rows.
uint64_t monitor_row_count(unsigned int row);
void monitor_row_heading(bool with_count);
void monitor_show_row(unsigned int n, bool with_count);
