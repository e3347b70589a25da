// SPDX-License-Identifier: Apache-2.0
// From a typed line to a reply. The line is taken apart into words, -j is taken out, gdb's spellings become ariel's,
// and the first word finds the command's row in the table (commands.c). The row's usage text says how many arguments
// there may be: "[n [vcpu]]" is none, one or two, and alternatives stand between " | ". A line that does not fit is
// answered with that text and never reaches the command's function, so no such function checks its number of words.
// Whatever happens, the last line of the reply is "ok" or "err <text>", because scripts wait for one of the two.
#include <hv/monitor_run.h>

#include <hv/monitor_client.h>
#include <hv/monitor_commands.h>
#include <hv/monitor_line.h>
#include <hv/monitor_out.h>
#include <hv/monitor_place.h>
#include <hv/monitor_reply.h>
#include <hv/string.h>

// Takes text apart into words, in place: blanks become ends of strings. "..." makes one word of what has blanks in it.
// -j is no word; *json says whether it was there. NULL, or what is wrong with the line.
static const char *split(char *text, struct monitor_words *words, bool *json)
{
    words->count = 0;
    *json = false;
    for (;;) {
        char end = ' ';
        char *start;

        while (*text == ' ')
            text++;
        if (*text == '\0')
            return NULL;
        if (*text == '"') {
            end = '"';
            text++;
        }
        start = text;
        while (*text != '\0' && *text != end)
            text++;
        if (*text == '\0' && end == '"')
            return monitor_error("\"%s has no second \"", start);
        if (*text != '\0')
            *text++ = '\0';
        if (strcmp(start, "-j") == 0) {
            *json = true;
            continue;
        }
        if (words->count == MONITOR_WORDS_MAX)
            return monitor_error("more than %u words", MONITOR_WORDS_MAX);
        words->word[words->count++] = start;
    }
}

// An error ends a reply in any case: what a handler with an error was to wait for will not come.
static void end_unless_deferred(const char *error)
{
    if (error != NULL || !monitor_reply_deferred())
        monitor_end_reply(error);
}

// gdb writes the format right behind the command: x/4xw. It becomes a word of its own here: "x /4xw". text must have
// room for the one byte more.
static void part_format(char *text)
{
    char *slash;

    while (*text == ' ' || strncmp(text, "-j ", 3) == 0)
        text += *text == ' ' ? 1 : 3;
    slash = text;
    while (*slash != ' ' && *slash != '/' && *slash != '\0')
        slash++;
    if (*slash != '/' || slash == text)
        return;
    memmove(slash + 1, slash, strlen(slash) + 1);
    *slash = ' ';
}

// Removes the first word.
static void drop_word(struct monitor_words *words)
{
    words->count--;
    for (unsigned int n = 0; n < words->count; n++)
        words->word[n] = words->word[n + 1];
}

// Whether the words are what info is about: a command by any of its names ("info r pc"), or a word of gdb's own.
static bool is_info(const struct monitor_info *info, const struct monitor_words *words)
{
    const struct monitor_command *command = monitor_find_command(info->word);
    uint64_t number;

    if (info->names && (words->count != 2 || parse_u64(words->word[1], &number)))
        return false;
    return strcmp(words->word[0], info->word) == 0 ||
           (command != NULL && monitor_find_command(words->word[0]) == command);
}

// gdb and QEMU say "info registers" where the command here is "registers": the word info is dropped. What has another
// name here is called by that one (monitor_infos): "info registers pc" becomes "sr pc".
static void translate_info(struct monitor_words *words)
{
    if (strcmp(words->word[0], "info") != 0 && strcmp(words->word[0], "i") != 0)
        return;
    if (words->count > 1)
        drop_word(words);
    for (unsigned int n = 0; n < monitor_info_count; n++) {
        if (is_info(&monitor_infos[n], words)) {
            words->word[0] = monitor_infos[n].command;
            return;
        }
    }
}

// Whether count arguments are as many as part asks for. part is a usage text, or begins at one of its alternatives; it
// ends with the text or before the next " | ", and *length is how long it is. Each word of it is an argument, one in []
// may be left out, and "..." stands for any number more: "<ipa> ... [bytes [width]]" asks for one or more.
static bool count_fits(const char *part, unsigned int count, unsigned int *length)
{
    unsigned int required = 0;
    unsigned int total = 0;
    unsigned int depth = 0;
    const char *c;

    for (c = part; *c != '\0'; c++) {
        depth += (*c == '[') - (*c == ']');
        if (c != part && c[-1] != ' ')
            continue;
        if (*c == '|')
            break;
        if (strncmp(c, "...", 3) == 0) {
            total = MONITOR_WORDS_MAX;
            continue;
        }
        total++;
        required += depth == 0;
    }
    *length = (unsigned int)(c - part) - (*c == '|');
    return count >= required && count <= total;
}

// Where the second word begins an alternative of the usage ("mem read ..."), that alternative is what the words are
// held to and what the error shows; else the whole usage is.
static const char *run_words(const struct monitor_words *words)
{
    const struct monitor_command *command = monitor_find_command(words->word[0]);
    const char *usage;
    const char *part;
    unsigned int length;

    if (command == NULL)
        return monitor_error("no command '%s' (help lists them)", words->word[0]);
    usage = command->usage;
    part = words->count > 1 ? parse_find_word(usage, words->word[1]) : NULL;
    if (count_fits(part != NULL ? part : usage, words->count - 1, &length))
        return command->handler(words);
    if (part != NULL)
        return monitor_error("usage: %s %.*s", command->name, length, part);
    return monitor_error("usage: %s %s", command->name, usage);
}

// Runs one line and writes its reply. The line is copied, because taking it apart changes it; the copy has room for the
// blank that part_format adds. An empty line has no reply.
void monitor_run(const char *line)
{
    char text[LINE_LENGTH_MAX + 2];
    struct monitor_words words;
    size_t length = strnlen(line, LINE_LENGTH_MAX);
    const char *error;
    bool json;

    memcpy(text, line, length);
    text[length] = '\0';
    part_format(text);
    error = split(text, &words, &json);
    out_begin((json && error == NULL) || monitor_client_now()->json);
    monitor_forget_place();
    if (error == NULL && words.count == 0) {
        if (!json)
            return;
        error = "usage: <command> -j";
    }
    if (error == NULL) {
        translate_info(&words);
        error = run_words(&words);
    }
    end_unless_deferred(error);
}

// A one-key command has no arguments, and its reply is for a person.
void monitor_run_key(const struct monitor_command *command)
{
    struct monitor_words words = {.count = 1, .word = {command->name}};

    out_begin(false);
    monitor_end_reply(command->handler(&words));
}
