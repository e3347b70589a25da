// SPDX-License-Identifier: Apache-2.0
// Log records: one logfmt line each, beginning "ariel: ", with sequence number, time, CPU, event and named fields, and
// the tag drawn at boot. Events and their fields: log_schema.h and docs/LOG.md. The last records stay in a ring at
// LOG_RING_PA that survives a crash and a warm reset.
//
// Any CPU in EL2 may call any function here. Records go out to a sink, which the console registers: the log knows
// neither the console nor the UART.
#pragma once

#include <hv/event.h>
#include <hv/types.h>

struct vcpu;
struct vm;

#define LOG_LINE_MAX 512 // bytes of a record, end of string included
// What the log itself may add behind a record's fields, end of string included; and the longest that it begins with.
#define LOG_TAIL_MAX sizeof(" cut=1 held=18446744073709551615 hidden=18446744073709551615 tag=01234567")
#define LOG_HEAD_LONGEST                                                                                               \
    "ariel: seq=999999999999999 t=999999999999999999 cpu=7 level=error class=policy event=guest-loop "

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_LEVEL_COUNT };

// Classes for 'log -c': rows (ID, "name").
// clang-format off
#define LOG_CLASS_TABLE(CLASS) \
    CLASS(BOOT, "boot") CLASS(CPU, "cpu") CLASS(VM, "vm") CLASS(TRAP, "trap") CLASS(POLICY, "policy") CLASS(FAULT, "fault") \
    CLASS(GUEST, "guest") CLASS(MONITOR, "monitor") CLASS(PSCI, "psci") CLASS(IRQ, "irq") CLASS(VIRTIO, "virtio") \
    CLASS(PANIC, "panic")
// clang-format on
enum log_class {
#define LOG_CLASS_ENUM(id, name) LOG_##id,
    LOG_CLASS_TABLE(LOG_CLASS_ENUM) LOG_CLASS_COUNT,
};

// Sources that are no verdict and no abort: rows SOURCE(ID, "event"), named after the event that they write.
// clang-format off
#define LOG_SOURCE_TABLE(SOURCE) \
    SOURCE(SERROR,    "serror") \
    SOURCE(CPU_ON,    "cpu-on") \
    SOURCE(CPU_OFF,   "cpu-off") \
    SOURCE(EXCEPTION, "guest-exception") \
    SOURCE(OOPS,      "guest-oops") \
    SOURCE(PANIC,     "guest-panic") \
    SOURCE(HANG,      "guest-hang") \
    SOURCE(LOOP,      "guest-loop") \
    SOURCE(DUMP,      "dump-log")        /* HVC_DUMP_LOG: no record, but the whole ring on the console */ \
    SOURCE(STRAY,     "stray") \
    SOURCE(GIC,       "gic-timeout") \
    SOURCE(LATE,      "cpu-late") \
    SOURCE(SLOW,      "slow-exit") \
    SOURCE(STALL,     "el2-stall") \
    SOURCE(VIRTIO_FAULT,   "virtio-fault") \
    SOURCE(VIRTIO_ERROR,   "virtio-error") \
    SOURCE(VIRTIO_IGNORED, "virtio-ignored")
// clang-format on

// What no guest causes is not limited; its source is its class (enum log_class), so that the ring keeps it by class.
enum log_source {
    LOG_SOURCE_CLASS_LAST = LOG_CLASS_COUNT - 1,
#define LOG_SOURCE_ENUM(id, name) LOG_SOURCE_##id,
    LOG_SOURCE_TABLE(LOG_SOURCE_ENUM) LOG_SOURCE_VERDICT, // log_source_of_verdict, log_source_of_abort
};

// Where records become visible. Each function gets a whole line, without its end.
struct log_sink {
    // One line at a time, in the order of the records, from any CPU; none of the log's locks is held. It writes no
    // record.
    void (*line)(const char *text, size_t length);
    // The same for the report of a panic: it may wait for no lock, since whoever holds it may have died.
    void (*panic_line)(const char *text, size_t length);
    // As line, for errors of the boot, which a person must see wherever records usually go. NULL: line is called.
    void (*urgent_line)(const char *text, size_t length);
};

// From now on records go to sink, which stays valid. Until then they go to the ring only. At boot, before log_init_at.
void log_set_sink(const struct log_sink *sink);

// Draws the tag, starts a new ring (what an earlier boot left stays for log_previous_for_each) and writes the first
// record, "log-start". The ring is at memory: LOG_RING_SIZE bytes, 8-byte aligned. Once, on the boot CPU: the console
// and the mapping of the ring are ready, no guest has run.
void log_init_at(void *memory);

// Writes one record. event is a word ([a-z0-9-]+); format makes the named fields ("key=0x%lx name=%s"), already logfmt:
// values with blanks or quotes go through %pQ, which quotes and escapes. Any CPU; takes the log's lock, and then the
// sink's; never fails: fields that do not fit a record (LOG_LINE_MAX) are left out and it is marked cut=1.
__attribute__((format(printf, 4, 5))) void log_record(enum log_level level, enum log_class class, const char *event,
                                                      const char *format, ...);

// While a person types at the monitor's prompt: records below least go to the ring only. LOG_DEBUG ends that. Any CPU;
// may be called again with the same level at each key.
void log_quieten(enum log_level least);

// Writes to the serial line what log_quieten has held back there since it was called, behind a record "held-back", and
// ends the quiet. What the ring has already lost to newer records stays counted as hidden.
void log_write_held(void);

// The machine is about to be reset or powered off: log_write_held, and from here on every record is shown, whatever the
// level.
void log_begin_end(void);

// Records of this boot that went to the ring only and were not written to the serial line since.
uint32_t log_hidden(void);

// What a record that a guest can cause is limited by, and where it goes.
struct log_limit {
    unsigned int source; // enum log_source, log_source_of_verdict, log_source_of_abort
    enum log_level level;
    bool console; // false: to the ring only, whatever its level
};
#define LOG_LIMIT(source, level)          ((struct log_limit){(source), (level), true})
#define LOG_PLACE(source, level, console) ((struct log_limit){(source), (level), (console)})

// Such a record: written when source's limit of LOG_LIMIT_PER_SECOND and the budget of this CPU's VM let it
// (log_budget.h), else counted. It has one field more, held=: how many of source were held back before it.
__attribute__((format(printf, 4, 5))) void log_limited(struct log_limit limit, enum log_class class, const char *event,
                                                       const char *format, ...);

// The same when log_budget_ask has said already that it may be written. No held=.
__attribute__((format(printf, 4, 5))) void log_allowed(struct log_limit limit, enum log_class class, const char *event,
                                                       const char *format, ...);

// A record at level info that each boot or each end of one writes. Where a reset by the guest is the reason, it goes to
// the ring only when the VM's budget is used up: a guest may reset the machine again and again.
__attribute__((format(printf, 3, 4))) void log_routine(enum log_class class, const char *event, const char *format,
                                                       ...);

// Whether the next of them goes to the console.
bool log_routine_fits(void);

// What each boot records is recorded: from now on log_routine is not limited.
void log_boot_done(void);
// The guest resets the machine: vm_reset comes next. Soon after an earlier reset of its own the next boot takes the
// half of the ring that this one has, so that a loop of resets leaves the other half alone.
void log_guest_resets(void);

// Before the machine is reset or powered off: waits until the records that other CPUs have under way are out, and keeps
// them from writing further ones. Then what the ring holds is in memory, where it outlives the caches.
void log_end(void);

// As log_record at level error and class panic, but waits for no lock for long and uses the sink's panic_line: another
// CPU, or this one, may have died with the log's lock or the console's.
__attribute__((format(printf, 2, 3))) void log_panic(const char *event, const char *format, ...);

// Prints the newest records of the ring (at most 128) on the console, oldest first (HVC_DUMP_LOG): not as new records.
void log_dump(void);

// The record of a policy verdict: cites row, file, line and why. Each key and direction has a limit of its own: that of
// the row, or LOG_LIMIT_PER_SECOND; what was held back is counted and told by a "suppressed" record. Maintenance by set
// and way is one record for all of it, with a count, when it has ended.
void log_verdict(const struct vcpu *vcpu, const struct event *event);

// Writes the records of what was held back and has been quiet for a second since. Once a second.
void log_tick(void);
// All that was held back. When the VM stops or a person looks. When the guest resets the machine, what the VM's budget
// has no place for comes in one record ("of=others").
void log_flush(void);

// Writes the telemetry counters of vm's vCPUs, summed, as records: "counters" per key and "row" per policy row that is
// not zero.
void log_counters(const struct vm *vm);

// Records below level go to the ring only, not to the console; with LOG_LEVEL_COUNT all of them. Returns the old level.
enum log_level log_set_level(enum log_level level);
enum log_level log_get_level(void);

// line: a record without its "ariel: ", so that a reader of the console never takes it for a new one. The lock is not
// held.
typedef void (*log_callback)(const char *line, size_t length, void *argument);

// Calls back for the newest count records of class (LOG_CLASS_COUNT: of all) in the ring, oldest first. Returns how
// many.
unsigned int log_for_each(unsigned int count, enum log_class class, log_callback callback, void *argument);
// The same for the boot before this one: 0 when it left nothing.
unsigned int log_previous_for_each(unsigned int count, enum log_class class, log_callback callback, void *argument);
// log_for_each starts after what is there now. A memory dump still has the text.
void log_clear(void);

uint32_t log_tag(void);
// CNTPCT_EL0 when this boot's log began. The t= of a record counts from there, and so do the times that the monitor
// shows (monitor_uptime_us). The counter itself does not begin again at a warm reset.
uint64_t log_start(void);
uint64_t log_boot_number(void); // of this boot, drawn at random by log_init_at; tells nothing of tag or secret
// Boots that the ring remembers, this one included.
uint32_t log_boots(void);
// Records written since boot, and those held back since.
uint64_t log_sequence(void);
uint64_t log_suppressed(void);
// Those of one event key (verdicts and aborts, reads and writes) and of one row of the policy, both of one VM.
uint64_t log_written_of_key(const struct vm *vm, unsigned int key);
uint64_t log_written_of_row(const struct vm *vm, unsigned int row);
uint64_t log_suppressed_of_key(const struct vm *vm, unsigned int key);
uint64_t log_suppressed_of_row(const struct vm *vm, unsigned int row);

// "info", "boot" ...; "?" when out of range.
const char *log_level_name(unsigned int level);
const char *log_class_name(unsigned int class);
// By exact name; LOG_LEVEL_COUNT or LOG_CLASS_COUNT when there is none.
enum log_level log_level_find(const char *name);
enum log_class log_class_find(const char *name);
