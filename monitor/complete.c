// SPDX-License-Identifier: Apache-2.0
// Tab: what the word before the cursor may become. The first word is a command; the second is in the command's row;
// further ones are named by what stands before them. Case does not matter, as it does not for register names.
#include <hv/monitor_cmds.h>

#include <hv/arch/el1_regs.h>
#include <hv/console.h>
#include <hv/event_key.h>
#include <hv/log.h>
#include <hv/monitor_line.h>
#include <hv/string.h>

#define COLUMNS   76u // of a line of candidates
#define LINES_MAX 12u // lines of candidates
#define BACKSPACE 0x7f

// Candidate n, its length in *length; NULL behind the last.
typedef const char *(*candidate_fn)(unsigned int n, const char *list, size_t *length);

static const char *whole(const char *word, size_t *length)
{
    *length = strlen(word);
    return word;
}

static const char *command_name(unsigned int n, const char *list, size_t *length)
{
    (void)list;
    return n < monitor_command_count ? whole(monitor_commands[n].name, length) : NULL;
}

static const char *list_word(unsigned int n, const char *list, size_t *length)
{
    while (*list != '\0') {
        const char *end = strchr(list, ' ');

        *length = end == NULL ? strlen(list) : (size_t)(end - list);
        if (n-- == 0)
            return list;
        list += *length + (end != NULL);
    }
    return NULL;
}

static const char *level_name(unsigned int n, const char *list, size_t *length)
{
    (void)list;
    return n < LOG_LEVEL_COUNT ? whole(log_level_name(n), length) : NULL;
}

static const char *class_name(unsigned int n, const char *list, size_t *length)
{
    (void)list;
    return n < LOG_CLASS_COUNT ? whole(log_class_name(n), length) : NULL;
}

static const char *key_name(unsigned int n, const char *list, size_t *length)
{
    (void)list;
    return n < KEY_COUNT ? whole(event_key_name(n), length) : NULL;
}

static const char *register_name(unsigned int n, const char *list, size_t *length)
{
    (void)list;
    // Those that cannot be trapped have no key.
    if (n < EL1_REGISTER_COUNT)
        return whole(event_key_find(el1_register_name(n)) < KEY_COUNT ? "" : el1_register_name(n), length);
    n += KEY_SYSREG_FIRST - EL1_REGISTER_COUNT;
    return n < KEY_SYSREG_UNKNOWN ? whole(event_key_name(n), length) : NULL;
}

// Which candidates the word after the words in typed has; typed is whole words with one blank after each.
static candidate_fn candidates(char *typed, const char **list)
{
    const struct monitor_command *command;
    char *blank = strchr(typed, ' ');
    char *second;

    *list = "";
    if (blank == NULL)
        return command_name;
    *blank = '\0';
    second = blank + 1;
    command = monitor_find_command(typed);
    if (command == NULL)
        return list_word;
    if (strcmp(command->name, "help") == 0 && *second == '\0')
        return command_name;
    if ((strcmp(command->name, "sr") == 0 || strcmp(command->name, "print") == 0) && *second == '\0')
        return register_name;
    *list = *second == '\0' ? command->words : "";
    if (strcmp(second, "-c ") == 0)
        return class_name;
    if (strcmp(second, "level ") == 0)
        return level_name;
    if (strcmp(second, "top ") == 0)
        *list = "class call device register row";
    return strncmp(second, "test ", 5) == 0 ? key_name : list_word;
}

static char lower(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? (char)(letter | 0x20) : letter;
}

static bool begin_alike(const char *a, const char *b, size_t length)
{
    while (length > 0 && lower(a[length - 1]) == lower(b[length - 1]))
        length--;
    return length == 0;
}

static bool matches(const char *word, size_t length, const char *typed, size_t typed_length)
{
    return length > 0 && length >= typed_length && begin_alike(word, typed, typed_length);
}

static void list_all(candidate_fn candidate, const char *list, const char *typed, size_t typed_length)
{
    char text[COLUMNS];
    unsigned int lines = 0;
    size_t used = 0;
    size_t length;
    const char *word;

    for (unsigned int n = 0; (word = candidate(n, list, &length)) != NULL && lines < LINES_MAX; n++) {
        if (!matches(word, length, typed, typed_length) || length + 2 > sizeof(text))
            continue;
        if (used + length + 2 > sizeof(text)) {
            console_line(text, used);
            used = 0;
            lines++;
        }
        memcpy(&text[used], word, length);
        text[used + length] = ' ';
        used += length + 1;
    }
    if (lines == LINES_MAX)
        console_line("...", 3);
    else if (used > 0)
        console_line(text, used);
}

// Puts length bytes of word in the place of the typed_length bytes before the cursor.
static void replace(struct monitor_line *line, size_t typed_length, const char *word, size_t length, bool complete)
{
    if (line->length - typed_length + length + 1 > LINE_LENGTH_MAX)
        return;
    while (typed_length-- > 0)
        (void)monitor_line_byte(line, BACKSPACE);
    (void)monitor_line_insert(line, word, length);
    if (complete)
        (void)monitor_line_insert(line, " ", 1);
}

void monitor_complete(struct monitor_line *line)
{
    char before[LINE_LENGTH_MAX + 1];
    char typed[LINE_LENGTH_MAX + 1];
    size_t start = line->cursor;
    size_t common = 0;
    unsigned int found = 0;
    const char *first = NULL;
    const char *list;
    const char *word;
    size_t length;

    while (start > 0 && line->text[start - 1] != ' ')
        start--;
    if (start < line->cursor && line->text[start] == '$') // gdb's sign of a register
        start++;
    memcpy(before, line->text, start);
    before[start] = '\0';
    memcpy(typed, &line->text[start], line->cursor - start);
    typed[line->cursor - start] = '\0';

    candidate_fn candidate = candidates(before, &list);
    for (unsigned int n = 0; (word = candidate(n, list, &length)) != NULL; n++) {
        if (!matches(word, length, typed, line->cursor - start))
            continue;
        if (found++ == 0) {
            first = word;
            common = length;
        }
        while (common > length || !begin_alike(word, first, common))
            common--;
    }
    if (found == 0)
        return;
    if (found > 1 && common == line->cursor - start)
        list_all(candidate, list, typed, common);
    replace(line, line->cursor - start, first, common, found == 1);
}
