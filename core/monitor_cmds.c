// SPDX-License-Identifier: Apache-2.0
// The table of commands and of one-key commands, and the commands about ariel itself and the run state of the VM.
#include <hv/monitor_cmds.h>

#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/log.h>
#include <hv/monitor_out.h>
#include <hv/policy.h>
#include <hv/string.h>
#include <hv/vm.h>

#include <version.h>

static void help_row(const struct monitor_command *command)
{
    out("name:%-8s help:%s", command->name, command_help(command));
    if (out_is_json())
        out("usage=%s alias=%s", command_usage(command), command_alias(command));
    out("\n");
}

static const char *cmd_help(const struct monitor_words *words)
{
    const struct monitor_command *command;

    if (words->count == 1) {
        for (unsigned int n = 0; n < monitor_command_count; n++)
            help_row(&monitor_commands[n]);
        out_note("help <command>: its arguments. -j: one JSON object a line. Ctrl-] h: one-key commands.\n");
        return NULL;
    }
    command = monitor_find_command(words->word[1]);
    if (command == NULL)
        return monitor_error("no command '%s' (help lists them)", words->word[1]);
    help_row(command);
    out_note("usage: %s %s\n", command->name, command_usage(command));
    if (command_alias(command)[0] != '\0')
        out_note("also: %s\n", command_alias(command));
    return NULL;
}

static const char *cmd_version(const struct monitor_words *words)
{
    (void)words;
    out("ariel=%s policy=%s compiler=%s\n", ARIEL_VERSION, policy_name, __VERSION__);
    return NULL;
}

static const char *cmd_pause(const struct monitor_words *words)
{
    (void)words;
    return vm_pause(&vm0) == HV_OK ? NULL : monitor_error("the guest is %s", monitor_vm_state());
}

static const char *cmd_resume(const struct monitor_words *words)
{
    (void)words;
    if (vm0.state == VM_STOPPED)
        return "the guest is stopped for good: only reset starts it again";
    if (vm_resume(&vm0) != HV_OK)
        return monitor_error("the guest is %s", monitor_vm_state());
    monitor_ask_close();
    return NULL;
}

static void reset_now(void)
{
    vm_reset(&vm0);
}

static void halt_now(void)
{
    vm_power_off(&vm0);
}

static const char *cmd_reset(const struct monitor_words *words)
{
    (void)words;
    monitor_after_reply(reset_now);
    return NULL;
}

static const char *cmd_halt(const struct monitor_words *words)
{
    (void)words;
    monitor_after_reply(halt_now);
    return NULL;
}

static const char *cmd_close(const struct monitor_words *words)
{
    (void)words;
    monitor_ask_close();
    return NULL;
}

static const char *key_help(const struct monitor_words *words);

#define COMMAND(name, alias, words, usage, help, handler)                                                              \
    {                                                                                                                  \
        name "\0" alias "\0" words "\0" usage "\0" help, (handler)                                                     \
    }
#define KEY(name, help, handler) COMMAND(name, "", "", "", help, handler)

// clang-format off
const struct monitor_command monitor_commands[] = {
    COMMAND("close",   "quit q exit", "", "", "back to the guest's console", cmd_close),
    COMMAND("console", "", "transparent on off", "[transparent on|off]",
            "transparent: Ctrl-] is the guest's too, and a BREAK alone opens the monitor", cmd_console),
    COMMAND("exc",     "", "top last log reset", "[top [class|call|device|register|row] [n]] | last [n] | log | reset",
            "counts and latency of the guest's exits, the last ones", cmd_exc),
    COMMAND("explain", "", "esr", "<seq> [cpu] | esr <value>", "one exit, or a syndrome, in words", cmd_explain),
    COMMAND("gic",     "irq", "", "[vcpu]", "the guest's interrupts and list registers", cmd_gic),
    COMMAND("halt",    "poweroff", "", "", "power the machine off", cmd_halt),
    COMMAND("help",    "?", "", "[command]", "what there is, or one command", cmd_help),
    COMMAND("hv",      "", "selftest", "selftest", "check ariel's own invariants", cmd_hv),
    COMMAND("inject",  "", "undef abort serror irq break", "undef|abort|serror [vcpu] | irq <n> [vcpu] | break",
            "give the guest an exception, an interrupt, or a BREAK on its serial line", cmd_inject),
    COMMAND("log",     "", "-n -c level clear previous",
            "[-n N] [-c class] | level [name] | clear | previous", "records of the ring, newest last", cmd_log),
    COMMAND("mem",     "", "read write find crc", "read <ipa> [bytes [width]] | write <ipa> <value> [width] | "
            "find <ipa> <bytes> <value|text> [width] | crc <ipa> <bytes>", "guest memory by IPA", cmd_mem),
    COMMAND("pause",   "stop", "", "", "stop every vCPU; guest time stands still", cmd_pause),
    COMMAND("policy",  "", "show stat test", "show | stat | test [read|write] <register|device|call|ipa>",
            "the policy's rows, how often each spoke, its verdict", cmd_policy),
    COMMAND("regs",    "r registers", "", "[vcpu]", "a vCPU's registers, decoded", cmd_regs),
    COMMAND("reset",   "system_reset", "", "", "start the guest again", cmd_reset),
    COMMAND("resume",  "cont c continue", "", "", "let the guest run again, and back to its console", cmd_resume),
    COMMAND("sr",      "p", "", "<name> [value [vcpu]]", "read or write a register", cmd_sr),
    COMMAND("status",  "info", "", "", "state of the guest, its vCPUs and ariel", cmd_status),
    COMMAND("step",    "s stepi si", "", "[n [vcpu]]", "run n instructions of a paused guest", cmd_step),
    COMMAND("timer",   "", "", "[vcpu]", "guest time, its drift, deadlines and lateness", cmd_timer),
    COMMAND("version", "", "", "", "of ariel", cmd_version),
    COMMAND("vm",      "", "walk", "walk <va> [vcpu]", "guest stage 1, then stage 2, for an address", cmd_vm),
    COMMAND("xp",      "x", "", "[/<count>x<b|h|w|g>] <ipa> [bytes [width]]", "guest memory, as gdb and QEMU spell it", cmd_xp),
};

static const struct monitor_command keys[] = {
    KEY("h", "this list", key_help),
    KEY("b", "a BREAK for the guest", key_break),
    KEY("d", "registers of vCPU 0", cmd_regs),
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
const unsigned int monitor_command_count = ARRAY_COUNT(monitor_commands);

static const char *key_help(const struct monitor_words *words)
{
    (void)words;
    for (unsigned int n = 0; n < ARRAY_COUNT(keys); n++)
        out_note("%s  %s\n", keys[n].name, command_help(&keys[n]));
    out_note("Enter  the monitor's prompt\nCtrl-]  a Ctrl-] for the guest\nCtrl-C  nothing\n");
    return NULL;
}

const char *key_everything(const struct monitor_words *words)
{
    static const monitor_handler parts[] = {cmd_status, key_memory, cmd_timer, cmd_regs, cmd_exc};
    const char *error = NULL;

    for (unsigned int n = 0; n < ARRAY_COUNT(parts) && error == NULL; n++)
        error = parts[n](words);
    return error;
}

const struct monitor_command *monitor_find_command(const char *name)
{
    for (unsigned int n = 0; n < monitor_command_count; n++) {
        if (strcmp(monitor_commands[n].name, name) == 0 ||
            text_find_word(command_alias(&monitor_commands[n]), name) != NULL)
            return &monitor_commands[n];
    }
    return NULL;
}

const struct monitor_command *monitor_find_key(int key)
{
    for (unsigned int n = 0; n < ARRAY_COUNT(keys); n++) {
        if (keys[n].name[0] == key)
            return &keys[n];
    }
    return NULL;
}
