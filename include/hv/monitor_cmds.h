// SPDX-License-Identifier: Apache-2.0
// The monitor's commands: one table, from which dispatch, help, completion and docs/MONITOR.md come.
#pragma once

#include <hv/log.h>
#include <hv/string.h>
#include <hv/types.h>

#define MONITOR_WORDS_MAX 16

// A command line taken apart: word[0] is the command; -j is taken out.
struct monitor_words {
    unsigned int count; // 1 .. MONITOR_WORDS_MAX
    const char *word[MONITOR_WORDS_MAX];
};

// NULL for ok, or what was wrong (monitor_error).
typedef const char *(*monitor_handler)(const struct monitor_words *words);

struct monitor_command {
    const char *name;
    const char *alias; // other names, with blanks between; ""
    const char *words; // what Tab offers as the second word, with blanks between; ""
    // Its arguments: alternatives with " | " between, what may be left out in []. What does not fit never reaches the
    // handler.
    const char *usage;
    const char *help; // one line
    monitor_handler handler;
};

extern const struct monitor_command monitor_commands[];
extern const unsigned int monitor_command_count;

// The command of this name or alias, or NULL.
const struct monitor_command *monitor_find_command(const char *name);

// One-key commands: 'h' ... NULL when key is none of them. They take no words.
const struct monitor_command *monitor_find_key(int key);

// Runs a line (without end of line) and ends the reply with "ok" or "err ...". An empty line does nothing. The line is
// at most LINE_LENGTH_MAX bytes long (monitor_line.h); what is behind those is not looked at.
void monitor_run(const char *line);
// Runs a one-key command; the same reply.
void monitor_run_key(const struct monitor_command *command);

// Tab: completes the word before the cursor, or lists what it may become.
struct monitor_line;
void monitor_complete(struct monitor_line *line);

// Formats an error into a buffer that holds until the next call; returned by handlers.
__attribute__((format(printf, 1, 2))) const char *monitor_error(const char *format, ...);
// Whether a number was typed with 0x: what is said about it is then hexadecimal too.
bool monitor_is_hexadecimal(const char *word);
// NULL and *value, or the error that names the word as it was typed, and its bounds in the same base.
const char *monitor_number(const char *what, const char *word, uint64_t min, uint64_t max, uint64_t *value);

// NULL, or why size bytes at ipa cannot be read; the words are what was typed for them, NULL where it was computed.
const char *monitor_ipa_error(const char *ipa_word, uint64_t ipa, const char *size_word, uint64_t size);
// A width of 1, 2, 4 or 8; NULL and *width, or the error.
const char *monitor_width(const char *word, unsigned int *width);
// width bytes, little-endian, as the guest's CPU loads them.
uint64_t monitor_load(const uint8_t *bytes, unsigned int width);
// value, of width bytes, as gdb's letter shows it: x a d u o t c. False when it is none of them.
#define MONITOR_VALUE_MAX 72
bool monitor_format_value(char letter, uint64_t value, unsigned int width, char text[MONITOR_VALUE_MAX]);

// NULL, or the error that there is neither a vCPU nor guest memory.
const char *monitor_refused(void);
// The vCPU whose number word is (word NULL: the chosen one, 0 at first); NULL and *vcpu, or the error.
struct vcpu;
const char *monitor_vcpu(const char *word, struct vcpu **vcpu);
// A register's value by name, with or without gdb's $; vcpu's, taken on its CPU. NULL and *value, or the error.
const char *monitor_register(struct vcpu *vcpu, const char *name, uint64_t *value);
// An expression of one word or, where operators stand alone, of several: numbers and $registers of vcpu, with + and -
// between. It begins at words->word[*at]; *at is then behind it. NULL and *value, or the error, which calls it what.
const char *monitor_expression(const char *what, const struct monitor_words *words, unsigned int *at, struct vcpu *vcpu,
                               uint64_t *value);
// "running", "paused", "stopped".
const char *monitor_vm_state(void);
// Microseconds of ticks of the counter.
uint64_t monitor_microseconds(uint64_t ticks);

// The handlers of monitor_cmds_*.c.
#define MONITOR_HANDLER(name) const char *name(const struct monitor_words *words)
MONITOR_HANDLER(cmd_exc);
MONITOR_HANDLER(cmd_explain);
MONITOR_HANDLER(cmd_gic);
MONITOR_HANDLER(cmd_hv);
MONITOR_HANDLER(cmd_inject);
MONITOR_HANDLER(cmd_console);
MONITOR_HANDLER(cmd_log);
MONITOR_HANDLER(cmd_mem);
MONITOR_HANDLER(cmd_policy);
MONITOR_HANDLER(cmd_print);
MONITOR_HANDLER(cmd_regs);
MONITOR_HANDLER(cmd_set);
MONITOR_HANDLER(cmd_sr);
MONITOR_HANDLER(cmd_status);
MONITOR_HANDLER(cmd_step);
MONITOR_HANDLER(cmd_timer);
MONITOR_HANDLER(cmd_vcpu);
MONITOR_HANDLER(cmd_vm);
MONITOR_HANDLER(cmd_x);
MONITOR_HANDLER(cmd_xp);
MONITOR_HANDLER(monitor_mem_read);
// For one-key commands.
MONITOR_HANDLER(key_counters_reset);
MONITOR_HANDLER(key_everything);
MONITOR_HANDLER(key_log_less);
MONITOR_HANDLER(key_log_more);
MONITOR_HANDLER(key_memory);
MONITOR_HANDLER(key_break);

// While somebody types at the prompt the console shows fewer records. set: the level from now on, at the prompt too.
// prompt: the least that comes through there.
void monitor_set_level(enum log_level level);
enum log_level monitor_prompt_level(void);

// Asks for something that must not happen before the reply is out: called after "ok".
void monitor_after_reply(void (*function)(void));
// Says that the reply comes later, by monitor_end_reply; whether one is still due.
void monitor_defer_reply(void);
bool monitor_reply_deferred(void);
// The last line of a reply: "ok" (NULL) or "err ...".
void monitor_end_reply(const char *error);
// A row per vCPU that is on: where it stands. The VM is paused or stopped.
void monitor_show_places(void);
// Asks to close the monitor after this reply; whether that was asked since the last question.
void monitor_ask_close(void);
bool monitor_close_asked(void);
