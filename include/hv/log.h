// SPDX-License-Identifier: Apache-2.0
// Log records: one logfmt line each, beginning "ariel: ", with sequence number, time, CPU, event and named fields, and
// the tag drawn at boot. Schema: docs/LOG.md. The last records stay in a ring at LOG_RING_PA that survives a crash.
#pragma once

#include <hv/event.h>
#include <hv/types.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_LEVEL_COUNT };

// Classes for 'log -c': rows (ID, "name").
// clang-format off
#define LOG_CLASS_TABLE(CLASS) \
    CLASS(BOOT, "boot") CLASS(CPU, "cpu") CLASS(VM, "vm") CLASS(TRAP, "trap") CLASS(POLICY, "policy") CLASS(FAULT, "fault") \
    CLASS(GUEST, "guest") CLASS(MONITOR, "monitor") CLASS(PSCI, "psci") CLASS(IRQ, "irq") CLASS(PANIC, "panic")
// clang-format on
enum log_class {
#define LOG_CLASS_ENUM(id, name) LOG_##id,
    LOG_CLASS_TABLE(LOG_CLASS_ENUM) LOG_CLASS_COUNT,
};

// Draws the tag and prepares the ring; keeps what an earlier boot left for log_previous. Before any record.
void log_init(void);

// Writes one record. event is a word ([a-z0-9-]+); format makes the named fields ("key=0x%lx name=%s"), already logfmt:
// values with blanks or quotes go through %pQ, which quotes and escapes. Any CPU; takes the log's lock; never fails:
// what does not fit a record (LOG_LINE_MAX) is cut and marked cut=1.
__attribute__((format(printf, 4, 5))) void log_record(enum log_level level, enum log_class class, const char *event,
                                                      const char *format, ...);

// As log_record at level error and class panic, but waits for no lock: another CPU may have died with it.
__attribute__((format(printf, 2, 3))) void log_panic(const char *event, const char *format, ...);

// Prints the ring on the console, oldest record first (HVC_DUMP_LOG): not as new records.
void log_dump(void);

// The record of a policy verdict: cites row, file, line and why; rate limited per row.
void log_verdict(const struct event *event);

// Records below level go to the ring only, not to the console. Returns the old level.
enum log_level log_set_level(enum log_level level);
