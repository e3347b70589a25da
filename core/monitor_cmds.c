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

static const char *state_name(void)
{
    static const char *const names[] = {[VM_RUNNING] = "running", [VM_PAUSED] = "paused", [VM_STOPPED] = "stopped"};

    return names[vm0.state];
}

static void help_row(const struct monitor_command *command)
{
    out_text("name", 9, command->name);
    out_text("usage", 44, command->usage);
    out_text("help", 1, command->help);
    if (out_is_json())
        out_text("alias", 0, command->alias);
    out_end();
}

static const char *cmd_help(const struct monitor_words *words)
{
    const struct monitor_command *command;

    if (words->count == 1) {
        for (unsigned int n = 0; n < monitor_command_count; n++)
            help_row(&monitor_commands[n]);
        out_note("-j with any command: one JSON object a line. After Ctrl-]: one key, h lists them.\n");
        return NULL;
    }
    command = monitor_find_command(words->word[1]);
    if (command == NULL)
        return monitor_error("no command '%s' (help lists them)", words->word[1]);
    help_row(command);
    if (command->alias[0] != '\0')
        out_note("also: %s\n", command->alias);
    return NULL;
}

static const char *cmd_status(const struct monitor_words *words)
{
    (void)words;
    out_text("vm", 0, state_name());
    out_text("guest", 0, vm0.guest_name == NULL ? "none" : vm0.guest_name);
    if (vm0.stop_reason != NULL)
        out_text("reason", 0, vm0.stop_reason);
    out_number("vcpus", 0, vm0.vcpu_count);
    out_text("policy", 0, policy_name);
    out_end();
    return NULL;
}

static const char *cmd_pause(const struct monitor_words *words)
{
    (void)words;
    return vm_pause(&vm0) == HV_OK ? NULL : monitor_error("the guest is %s", state_name());
}

static const char *cmd_resume(const struct monitor_words *words)
{
    (void)words;
    if (vm0.state == VM_STOPPED)
        return "the guest is stopped for good: only reset starts it again";
    return vm_resume(&vm0) == HV_OK ? NULL : monitor_error("the guest is %s", state_name());
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

// clang-format off
const struct monitor_command monitor_commands[] = {
    {"close",  "quit exit", "", "", "back to the guest's console", cmd_close, 0, 0},
    {"halt",   "poweroff", "", "", "power the machine off", cmd_halt, 0, 0},
    {"help",   "?", "", "[command]", "what there is, or one command", cmd_help, 0, 1},
    {"pause",  "stop", "", "", "stop every vCPU; guest time stands still", cmd_pause, 0, 0},
    {"reset",  "system_reset", "", "", "start the guest again", cmd_reset, 0, 0},
    {"resume", "cont c", "", "", "let the guest run again", cmd_resume, 0, 0},
    {"status", "info", "", "", "state of the guest, its vCPUs and ariel", cmd_status, 0, 0},
};

static const struct monitor_command keys[] = {
    {"h", "", "", "", "this list", key_help, 0, 0},
    {"q", "", "", "", "state of the guest", cmd_status, 0, 0},
};
// clang-format on
const unsigned int monitor_command_count = ARRAY_COUNT(monitor_commands);

static const char *key_help(const struct monitor_words *words)
{
    (void)words;
    for (unsigned int n = 0; n < ARRAY_COUNT(keys); n++)
        out_note("%s  %s\n", keys[n].name, keys[n].help);
    return NULL;
}

static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);

    while (list != NULL && *list != '\0') {
        if (strncmp(list, word, length) == 0 && (list[length] == ' ' || list[length] == '\0'))
            return true;
        list = strchr(list, ' ');
        if (list != NULL)
            list++;
    }
    return false;
}

const struct monitor_command *monitor_find_command(const char *name)
{
    for (unsigned int n = 0; n < monitor_command_count; n++) {
        if (strcmp(monitor_commands[n].name, name) == 0 || has_word(monitor_commands[n].alias, name))
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
