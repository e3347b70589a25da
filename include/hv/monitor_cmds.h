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
    const char *name; // and behind it, as text_nth reads them, the texts below
    monitor_handler handler;
};

// Other names, with blanks between; "".
static inline const char *command_alias(const struct monitor_command *command)
{
    return text_nth(command->name, 1);
}

// What Tab offers as the second word, with blanks between; "".
static inline const char *command_words(const struct monitor_command *command)
{
    return text_nth(command->name, 2);
}

// Its arguments: alternatives with " | " between, what may be left out in []. What does not fit never reaches the
// handler.
static inline const char *command_usage(const struct monitor_command *command)
{
    return text_nth(command->name, 3);
}

// One line.
static inline const char *command_help(const struct monitor_command *command)
{
    return text_nth(command->name, 4);
}

extern const struct monitor_command monitor_commands[];
extern const unsigned int monitor_command_count;

// The command of this name or alias, or NULL.
const struct monitor_command *monitor_find_command(const char *name);

// One-key commands: 'h' ... NULL when key is none of them. They take no words.
const struct monitor_command *monitor_find_key(int key);

// Runs a line (without end of line) and ends the reply with "ok" or "err ...". An empty line does nothing.
void monitor_run(const char *line);
// Runs a one-key command; the same reply.
void monitor_run_key(const struct monitor_command *command);

// Tab: completes the word before the cursor, or lists what it may become.
struct monitor_line;
void monitor_complete(struct monitor_line *line);

// Formats an error into a buffer that holds until the next call; returned by handlers.
__attribute__((format(printf, 1, 2))) const char *monitor_error(const char *format, ...);
// The usual ones: NULL and *value, or the error that names the word, its bounds and the usage.
const char *monitor_number(const char *what, const char *word, uint64_t min, uint64_t max, uint64_t *value);

// NULL, or the error that there is neither a vCPU nor guest memory.
const char *monitor_refused(void);
// The vCPU whose number word is (word NULL: vCPU 0); NULL and *vcpu, or the error.
struct vcpu;
const char *monitor_vcpu(const char *word, struct vcpu **vcpu);
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
MONITOR_HANDLER(cmd_regs);
MONITOR_HANDLER(cmd_sr);
MONITOR_HANDLER(cmd_status);
MONITOR_HANDLER(cmd_step);
MONITOR_HANDLER(cmd_timer);
MONITOR_HANDLER(cmd_vm);
MONITOR_HANDLER(cmd_xp);
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
