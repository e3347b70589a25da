// SPDX-License-Identifier: Apache-2.0
// A machine of two vCPUs for the tests of the monitor: the whole monitor and what is pure beside it is real, the rest
// is faked. Tests and the fuzzer share it. What a test has no Links line for, it has from here.
// Links: tests/unit/monitor_world.c monitor/*.c monitor/cmds/*.c policy/event_key.c trace/event_name.c
// Links: policy/policy.c policy/policy_virtio.c lib/rate.c
// Links: console/terminal_input.c trace/telemetry.c console/held.c trace/log_names.c
// Links: arch/aarch64/esr_fields.c arch/aarch64/vcpu_registers.c mm/guest_walk.c mm/kernel_tables.c lib/parse.c
// Links: vm/symbols.c vm/symbols_table.c trace/trace.c trace/trace_filter.c trace/trace_text.c trap/trace_control.c
// Links: trace/trace_meta.c trace/trace_virtio.c platform/platform.c
// Links: lib/printf.c lib/status.c tests/fake/fake_console.c tests/fake/fake_cpu.c tests/fake/fake_devices.c
// Links: tests/fake/fake_guest_memory.c tests/fake/fake_log.c tests/fake/fake_port.c tests/fake/fake_vm.c
#pragma once

#include <hv/arch/registers.h>
#include <hv/monitor.h>
#include <hv/monitor_commands.h>
#include <hv/monitor_reply.h>
#include <hv/monitor_run.h>
#include <hv/monitor_screen.h>
#include <hv/policy.h>
#include <hv/telemetry.h>
#include <hv/vm.h>

#include <fake_console.h>
#include <fake_guest_memory.h>
#include <fake_log.h>
#include <fake_vm.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fake_notify.h>

#define PROMPT "ariel> "
#define HINTED PROMPT "(Enter alone: prompt) "

#define KERNEL_VA UINT64_C(0xffffff8000000000) // of 39 bits
#define KERNEL    0x1000u                      // in memory[]: level 1 table of the kernel
#define PROGRAM   0x2000u                      // of a program
#define VECTORS   0x3000u                      // of a trampoline, which has nothing of the kernel

extern struct vm vm0; // the one that the monitor is about
extern struct trap_frame frames[2];
extern struct telemetry telemetry_cpu[2]; // by vCPU
extern unsigned int fake_cpu_count, fake_injected;
// Lines that must succeed.
extern const char *const good_lines[];
extern const unsigned int good_line_count;

// The monitor is closed, the VM runs, nothing was typed or written; set_up_screen: and the terminal is as at boot.
int set_up(void **state);
int set_up_screen(void **state);

// Runs line; returns the last line of the reply, "" when there is none. The rows are before it in fake_console.text.
const char *run(const char *line);
// Whether last is how a reply ends.
bool is_end(const char *last);
void assert_reply_ends(const char *line);
// Every row of the reply, which line gave, is a JSON object.
void assert_json(const char *line);
// Runs line, which must be refused with words that begin so.
void refused(const char *line, const char *words);
// Runs line, which must succeed and say words.
void says(const char *line, const char *words);
// Types keys, all at once.
void type(const char *keys);

// Translation tables for the guest: see monitor_world.c.
void make_tables(void);
void monitor_world_entry(unsigned int table, unsigned int index, uint64_t descriptor);

// The same numbers in each run.
uint32_t random_below(uint32_t limit);
const char *random_word(void);
