// SPDX-License-Identifier: Apache-2.0
// Tab: what the word before the cursor may become. The first word of a line is the name of a command; for the others
// that command's row says what there is. If one candidate fits, the word becomes it; if several do, the word grows by
// what they all begin with, and once it does not grow they are listed. Upper and lower case count as one, as they do in
// the names of registers.
#include <hv/monitor_complete.h>

#include <hv/console.h>
#include <hv/monitor_candidates.h>
#include <hv/monitor_commands.h>
#include <hv/monitor_line.h>
#include <hv/string.h>

#define COLUMNS   76u // of a line of candidates
#define LINES_MAX 12u // lines of candidates
#define BACKSPACE 0x7f

// Finds the candidates for the word that follows typed, which consists of whole words with one blank after each. typed
// is changed: its first blank becomes an end of string, so that its first word is a string by itself.
static monitor_candidate candidates(char *typed, const char **list)
{
    const struct monitor_command *command;
    monitor_candidate found = NULL;
    char *blank = strchr(typed, ' ');

    *list = "";
    if (blank == NULL)
        return monitor_candidate_command;
    *blank = '\0';
    command = monitor_find_command(typed);
    if (command != NULL) {
        const char *rest = blank + 1;

        *list = *rest == '\0' ? command->words : "";
        if (command->complete != NULL)
            found = command->complete(rest, list);
    }
    return found != NULL ? found : monitor_candidate_in_list;
}

// Only ASCII letters have a lower case here: no name in the monitor has others.
static char lower(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? (char)(letter | 0x20) : letter;
}

// Whether the first length bytes of a and b are the same, upper and lower case being one.
static bool begin_alike(const char *a, const char *b, size_t length)
{
    while (length > 0 && lower(a[length - 1]) == lower(b[length - 1]))
        length--;
    return length == 0;
}

// Whether a candidate begins with what was typed. The length 0 is no candidate (monitor_candidate_register has such).
static bool matches(const char *word, size_t length, const char *typed, size_t typed_length)
{
    return length > 0 && length >= typed_length && begin_alike(word, typed, typed_length);
}

// Shows the candidates, as many to a line as fit, and "..." where they are more than LINES_MAX lines.
static void list_all(monitor_candidate candidate, const char *list, const char *typed, size_t typed_length)
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

// The word is what stands between the last blank and the cursor. The first pass over the candidates counts those that
// fit and finds how far they are alike; a second one lists them, where the word cannot grow and there are several.
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

    monitor_candidate candidate = candidates(before, &list);
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
