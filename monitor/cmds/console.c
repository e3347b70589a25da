// SPDX-License-Identifier: Apache-2.0
// console: whether Ctrl-] opens the monitor or is the guest's. A binary transfer to the guest (rx, kermit) may have any
// byte, 0x1d among them, and would end in the monitor. While the console is transparent every byte is the guest's, and
// only a BREAK, which is no byte, opens the monitor.
#include <hv/monitor_cmds.h>

#include <hv/channel.h>
#include <hv/console.h>
#include <hv/monitor_out.h>
#include <hv/monitor_reply.h>
#include <hv/string.h>

// console [transparent on|off]: sets it, and says what opens the monitor then. With no words it only says so.
const char *cmd_console(const struct monitor_words *words)
{
    if (words->count > 1) {
        const char *wanted = words->count > 2 ? words->word[2] : "";
        bool on = strcmp(wanted, "on") == 0;

        if (strcmp(words->word[1], "transparent") != 0 || (!on && strcmp(wanted, "off") != 0))
            return monitor_error("console takes 'transparent on' or 'transparent off'");
        channel_set_transparent(on);
    }
    out("transparent=%s opens_monitor=%s\n", channel_is_transparent() ? "on" : "off",
        channel_is_transparent() ? "break" : "ctrl-],break");
    return NULL;
}
