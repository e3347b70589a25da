// SPDX-License-Identifier: Apache-2.0
// set: what a person says of the terminal. The run script has told ariel the terminal's size and whether it has colours
// (boot_options.h). A person whose terminal is another one by now, or who types through a pipe, corrects that here.
#include <hv/monitor_cmds.h>

#include <hv/monitor_client.h>
#include <hv/monitor_out.h>
#include <hv/monitor_reply.h>
#include <hv/monitor_screen.h>
#include <hv/string.h>

// The value 0 of rows or columns means "off": no pager, no folding.
static void show_settings(void)
{
    if (screen.rows == 0)
        out("pager=%s", "off");
    else
        out("pager=%u", screen.rows);
    if (screen.columns == 0)
        out(" width=%s", "off");
    else
        out(" width=%u", screen.columns);
    out(" color=%s json=%s\n", screen.color ? "on" : "off", monitor_client_now()->json ? "on" : "off");
}

// A setting that is a number in min .. max, or "off", which is 0.
static const char *set_number(const char *what, const char *word, unsigned int min, unsigned int max, uint16_t *setting)
{
    uint64_t value = 0;
    const char *error = strcmp(word, "off") == 0 ? NULL : monitor_number(what, word, min, max, &value);

    if (error == NULL)
        *setting = (uint16_t)value;
    return error;
}

// A setting that is on or off.
static const char *set_switch(const char *what, const char *word, bool *setting)
{
    if (strcmp(word, "on") != 0 && strcmp(word, "off") != 0)
        return monitor_error("%s '%s' is none of on, off", what, word);
    *setting = strcmp(word, "on") == 0;
    return NULL;
}

// set [pager|width|color|json <number|off|on>]: without words it shows the settings. A pager that was asked for by name
// pages what scripts send, too.
const char *cmd_set(const struct monitor_words *words)
{
    const char *what = words->count > 1 ? words->word[1] : NULL;
    const char *error = NULL;

    if (what == NULL) {
        show_settings();
    } else if (words->count == 2) {
        error = "usage: set [pager|width|color|json <number|off|on>]";
    } else if (strcmp(what, "pager") == 0) {
        error = set_number("pager", words->word[2], SCREEN_ROWS_MIN, SCREEN_ROWS_MAX, &screen.rows);
        if (error == NULL)
            screen.page_all = screen.rows != 0;
    } else if (strcmp(what, "width") == 0) {
        error = set_number("width", words->word[2], SCREEN_COLUMNS_MIN, SCREEN_COLUMNS_MAX, &screen.columns);
    } else if (strcmp(what, "color") == 0) {
        error = set_switch(what, words->word[2], &screen.color);
    } else if (strcmp(what, "json") == 0) {
        error = set_switch(what, words->word[2], &monitor_client_now()->json);
    } else {
        error = monitor_error("set '%s' is none of pager, width, color, json", what);
    }
    return error;
}
