// SPDX-License-Identifier: Apache-2.0
// The table of commands and the table of one-key commands, one row each. A new command is a function in a file of
// cmds/, its declaration in monitor_cmds.h, and a row here: whoever runs, completes or documents commands reads the
// table and knows no command by name. help is here too, because it shows the table.
#include <hv/monitor_commands.h>

#include <hv/monitor_candidates.h>
#include <hv/monitor_cmds.h>
#include <hv/monitor_out.h>
#include <hv/monitor_reply.h>
#include <hv/string.h>

// Each way to call a command, on a line of its own.
static void show_usage(const struct monitor_command *command)
{
    const char *usage = command->usage;
    const char *lead = "usage:";

    do {
        const char *end = usage;

        while (*end != '\0' && strncmp(end, " | ", 3) != 0)
            end++;
        out_note("%-6s %s %.*s\n", lead, command->name, (int)(end - usage), usage);
        usage = *end == '\0' ? end : end + 3;
        lead = "";
    } while (*usage != '\0');
}

// A command's line in the list. JSON has in it what help <command> says to a person.
static void help_row(const struct monitor_command *command)
{
    out("name:%-8s help:%s", command->name, command->help);
    if (out_is_json())
        out("usage=%s alias=%s", command->usage, command->alias);
    out("\n");
}

// help: the list of commands; help <command>: its arguments, a line for each way to call it, and its other names.
static const char *cmd_help(const struct monitor_words *words)
{
    const struct monitor_command *command;

    if (words->count == 1) {
        for (unsigned int n = 0; n < monitor_command_count; n++)
            help_row(&monitor_commands[n]);
        out_note("help <command>: its arguments. -j: JSON, an object a line.\n"
                 "Ctrl-] h, from the guest's console: one-key commands.\n");
        return NULL;
    }
    command = monitor_find_command(words->word[1]);
    if (command == NULL)
        return monitor_error("no command '%s' (help lists them)", words->word[1]);
    help_row(command);
    show_usage(command);
    if (command->alias[0] != '\0')
        out_note("also: %s\n", command->alias);
    return NULL;
}

const char *monitor_candidate_command(unsigned int n, const char *list, size_t *length)
{
    (void)list;
    return n < monitor_command_count ? monitor_candidate_word(monitor_commands[n].name, length) : NULL;
}

// Only the first word behind help is a command's name.
static monitor_candidate complete_help(const char *typed, const char **list)
{
    (void)list;
    return *typed == '\0' ? monitor_candidate_command : NULL;
}

// help lists the table in its own order, so the rows must be in alphabetical order.
static bool commands_are_sorted(void)
{
    for (unsigned int i = 1; i < monitor_command_count; i++) {
        if (strcmp(monitor_commands[i - 1].name, monitor_commands[i].name) >= 0)
            return false;
    }
    return true;
}

// The table is this file's, so whether it is sorted is handed to the self test.
static const char *cmd_hv(const struct monitor_words *words)
{
    return monitor_selftest(words, commands_are_sorted());
}

static const char *key_help(const struct monitor_words *words);
static const char *key_everything(const struct monitor_words *words);

// The columns of a row: name, other names, the words that Tab offers behind it, usage, a line of help, the function,
// and the function that finds further candidates for Tab, or NULL.
#define COMMAND(name, alias, words, usage, help, handler, complete)                                                    \
    {(name), (alias), (words), (usage), (help), (handler), (complete)}
#define KEY(name, help, handler) COMMAND(name, "", "", "", help, handler, NULL)

// clang-format off
const struct monitor_command monitor_commands[] = {
    COMMAND("close",   "quit q exit", "", "", "back to the guest's console", cmd_close, NULL),
    COMMAND("console", "", "transparent on off", "[transparent on|off]",
            "transparent: Ctrl-] is the guest's too, and a BREAK alone opens the monitor", cmd_console, NULL),
    COMMAND("exc",     "", "top last log reset", "[top [class|cause|call|device|register|row|<class>] [n]] | last [n] | log | reset",
            "counts and latency of the guest's exits, the last ones", cmd_exc, complete_exc),
    COMMAND("explain", "", "esr", "<seq> [vcpu] | esr <value>", "one exit, or a syndrome, in words", cmd_explain, NULL),
    COMMAND("gic",     "irq", "", "[vcpu]", "the guest's interrupts and list registers", cmd_gic, NULL),
    COMMAND("halt",    "poweroff", "", "", "power the machine off", cmd_halt, NULL),
    COMMAND("help",    "?", "", "[command]", "what there is, or one command", cmd_help, complete_help),
    COMMAND("hv",      "", "selftest", "selftest", "check ariel's own invariants", cmd_hv, NULL),
    COMMAND("inject",  "", "undef abort serror irq break", "undef|abort|serror [vcpu] | irq <n> [vcpu] | break",
            "give the guest an exception, an interrupt, or a BREAK on its serial line", cmd_inject, NULL),
    COMMAND("log",     "", "-n -c level clear previous follow on off",
            "[-n N] [-c class] | level [name] | clear | previous | follow on|off", "records of the ring, newest last", cmd_log, complete_log),
    COMMAND("mem",     "", "read write find crc",
            "read [-v|-k] <address> [bytes [width [vcpu]]] | write <ipa> <value> [width] | "
            "find <ipa> <bytes> <value|text> [width] | crc <ipa> <bytes>", "guest memory: IPA, -v virtual, -k the kernel's", cmd_mem, NULL),
    COMMAND("pause",   "stop", "", "", "stop every vCPU; guest time stands still", cmd_pause, NULL),
    COMMAND("policy",  "", "show stat test request set", "show | stat | test [read|write] <register|device|call|ipa> | "
            "set <register|device|call> [read|write] allow|emulate|deny|pause | "
            "request <transport> <device> <request> [sector [sectors]]",
            "the policy's rows, how often each spoke, its verdict", cmd_policy, complete_policy),
    COMMAND("print",   "p", "", "[/x|a|d|u|o|t|c] <expression> ... | <register> [value [vcpu]]",
            "numbers and $registers, with + and -", cmd_print, complete_register),
    COMMAND("regs",    "r registers", "", "[vcpu]", "a vCPU's registers, decoded", cmd_regs, NULL),
    COMMAND("reset",   "system_reset", "", "", "start the guest again", cmd_reset, NULL),
    COMMAND("resume",  "cont c continue", "", "", "let the guest run again, and back to its console", cmd_resume, NULL),
    COMMAND("set",     "", "pager width color json", "[pager|width|color|json <number|off|on>]",
            "the terminal: lines of a page, columns, colour; replies in JSON", cmd_set, NULL),
    COMMAND("sr",      "", "", "<name> [value [vcpu]]", "read or write a register", cmd_sr, complete_register),
    COMMAND("status",  "info", "", "", "state of the guest, its vCPUs and ariel", cmd_status, NULL),
    COMMAND("step",    "s stepi si", "", "[n [vcpu]]", "run n instructions of a paused guest", cmd_step, NULL),
    COMMAND("sym",     "", "", "[<address|name>]", "names of the guest's functions, and where they are", cmd_sym, NULL),
    COMMAND("timer",   "", "", "[vcpu]", "guest time, its drift, deadlines and lateness", cmd_timer, NULL),
    COMMAND("trace",   "", "on off filter last",
            "[on|off] | filter [all|class|key|row|vm] [name|n] ... | last [n]",
            "a record of each exit: on or off, of which exits, the last ones", cmd_trace, complete_trace),
    COMMAND("vcpu",    "thread", "", "[n]", "the vCPU that is meant where none is named", cmd_vcpu, NULL),
    COMMAND("version", "", "", "", "of ariel", cmd_version, NULL),
    COMMAND("virtio",  "", "", "", "the guest's virtio devices, their queues and counters", cmd_virtio, NULL),
    COMMAND("vm",      "", "walk", "walk [-k] [-t <table>] <va> [vcpu]", "guest stage 1, then stage 2, for an address", cmd_vm, NULL),
    COMMAND("x",       "", "", "[/<count><x|a|d|u|o|t|c|s><b|h|w|g>] [-k] <address> ... [bytes [width]]",
            "guest memory by virtual address, as gdb spells it", cmd_x, NULL),
    COMMAND("xp",      "", "", "[/<count><x|a|d|u|o|t|c|s><b|h|w|g>] <ipa> ... [bytes [width]]",
            "guest memory by IPA, as QEMU spells it", cmd_xp, NULL),
};

const struct monitor_command monitor_keys[] = {
    KEY("h", "this list", key_help),
    KEY("b", "a BREAK for the guest", key_break),
    KEY("d", "registers of the chosen vCPU, 0 at first", cmd_regs),
    KEY("q", "state of the guest and its vCPUs", cmd_status),
    KEY("t", "timers", cmd_timer),
    KEY("m", "guest memory and stage 2", key_memory),
    KEY("P", "reset the exit counters", key_counters_reset),
    KEY("+", "more log records on the console", key_log_more),
    KEY("-", "fewer log records on the console", key_log_less),
    KEY("*", "all of q, m, t, d and the exit counters", key_everything),
    KEY("R", "reset: start the guest again", cmd_reset),
};
// clang-format on

// "info registers pc" is about one register. "i" alone is "info" alone.
const struct monitor_info monitor_infos[] = {
    {"i", "status", false},   {"threads", "status", false}, {"registers", "sr", true},
    {"symbol", "sym", false}, {"address", "sym", false},
};
const unsigned int monitor_info_count = ARRAY_COUNT(monitor_infos);
const unsigned int monitor_command_count = ARRAY_COUNT(monitor_commands);
const unsigned int monitor_key_count = ARRAY_COUNT(monitor_keys);

static const char *key_help(const struct monitor_words *words)
{
    (void)words;
    for (unsigned int n = 0; n < monitor_key_count; n++)
        out_note("%s  %s\n", monitor_keys[n].name, monitor_keys[n].help);
    out_note("Enter  the monitor's prompt\nCtrl-]  a Ctrl-] for the guest\nCtrl-C  nothing\n");
    return NULL;
}

// The key *: a report to send to somebody. It ends with the first part that has an error.
static const char *key_everything(const struct monitor_words *words)
{
    static const monitor_handler parts[] = {cmd_status, key_memory, cmd_timer, cmd_regs, cmd_exc};
    const char *error = NULL;

    for (unsigned int n = 0; n < ARRAY_COUNT(parts) && error == NULL; n++)
        error = parts[n](words);
    return error;
}

// Finds a row by its name or one of its other names. There are some 30 rows, and a person types one at a time: a search
// from the start is quick enough.
const struct monitor_command *monitor_find_command(const char *name)
{
    for (unsigned int n = 0; n < monitor_command_count; n++) {
        if (strcmp(monitor_commands[n].name, name) == 0 || parse_find_word(monitor_commands[n].alias, name) != NULL)
            return &monitor_commands[n];
    }
    return NULL;
}

// A one-key command's name is one character.
const struct monitor_command *monitor_find_key(int key)
{
    for (unsigned int n = 0; n < monitor_key_count; n++) {
        if (monitor_keys[n].name[0] == key)
            return &monitor_keys[n];
    }
    return NULL;
}
