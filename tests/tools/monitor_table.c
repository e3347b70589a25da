// SPDX-License-Identifier: Apache-2.0
// Prints the monitor's tables for the tests of the documents: a row a line, its fields apart by tabs. Links with
// monitor/commands.c alone: no command is ever called, so what they need stays unresolved.
#include <hv/monitor_commands.h>

#include <stdio.h>

static void show(const char *kind, const struct monitor_command *row)
{
    printf("%s\t%s\t%s\t%s\t%s\t%s\n", kind, row->name, row->alias, row->words, row->usage, row->help);
}

int main(void)
{
    for (unsigned int n = 0; n < monitor_command_count; n++)
        show("command", &monitor_commands[n]);
    for (unsigned int n = 0; n < monitor_key_count; n++)
        show("key", &monitor_keys[n]);
    return 0;
}
