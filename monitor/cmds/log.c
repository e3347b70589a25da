// SPDX-License-Identifier: Apache-2.0
// log: the records of the ring, and from which level on the console shows them. The ring has every record, whatever the
// console was to show, so that a person can look for what came before. Nothing here changes a record: log clear only
// makes this command begin later, and a memory dump still has them all.
#include <hv/monitor_cmds.h>

#include <hv/log.h>
#include <hv/monitor_candidates.h>
#include <hv/monitor_client.h>
#include <hv/monitor_out.h>
#include <hv/monitor_quiet.h>
#include <hv/monitor_reply.h>
#include <hv/port.h>
#include <hv/string.h>

// A record is not folded to the width of the terminal: it stays one line, so that it can be searched, copied and given
// to the decoder.
static void show_record(const char *line, size_t length, void *argument)
{
    (void)length;
    (void)argument;
    out_whole();
    if (parse_find_word(line, "level=error") != NULL)
        out_style(OUT_BAD);
    else if (parse_find_word(line, "level=warn") != NULL)
        out_style(OUT_WARN);
    out("record:%s\n", line);
}

// A callback that does nothing: log_for_each returns how many records there are, and that number is all that is wanted.
static void skip_record(const char *line, size_t length, void *argument)
{
    (void)line, (void)length, (void)argument;
}

// log [-n N] [-c class]: the newest records of the ring, 20 unless told. Records that a budget holds back are told
// first (log_flush), so that what is shown is complete.
static const char *log_show(const struct monitor_words *words)
{
    enum log_class class = LOG_CLASS_COUNT;
    const char *number = NULL;
    const char *error = NULL;
    uint64_t count = 20;
    unsigned int all;

    for (unsigned int i = 1; i < words->count && error == NULL; i += 2) {
        const char *value = i + 1 < words->count ? words->word[i + 1] : "";

        if (strcmp(words->word[i], "-n") == 0 && number == NULL) {
            error = monitor_number("N", value, 1, 100000, &count);
            number = value;
        } else if (strcmp(words->word[i], "-c") == 0 && class == LOG_CLASS_COUNT) {
            class = log_class_find(value);
            if (class == LOG_CLASS_COUNT)
                error = monitor_error("no class '%s'", value);
        } else {
            error = monitor_error("'%s' is none of -n, -c, level, clear, previous, follow, each once", words->word[i]);
        }
    }
    if (error != NULL)
        return error;
    log_flush();
    all = log_for_each(UINT32_MAX, class, skip_record, NULL);
    if (all > count)
        out_note("%u older records are not shown: 'log -n %u'\n", all - (unsigned int)count, all);
    log_for_each((unsigned int)count, class, show_record, NULL);
    return error;
}

// log level [name]: the level from which on records are shown, as a rule and at the prompt.
static const char *log_level(const struct monitor_words *words)
{
    enum log_level level;

    if (words->count > 2) {
        level = log_level_find(words->word[2]);
        if (level == LOG_LEVEL_COUNT)
            return monitor_error("level '%s' is none of debug, info, warn, error", words->word[2]);
        monitor_set_level(level);
    }
    out("level=%s prompt=%s\n", log_level_name(log_get_level()), log_level_name(monitor_prompt_level()));
    return NULL;
}

// log follow on|off: a program gets the records as events, one by one as they are written. A person has them on the
// console already.
static const char *log_follow(const struct monitor_words *words)
{
    bool on = strcmp(words->word[2], "on") == 0;

    if (!on && strcmp(words->word[2], "off") != 0)
        return monitor_error("follow '%s' is none of on, off", words->word[2]);
    if (monitor_client_now()->write == NULL)
        return monitor_error("records are on the console: 'log level' says which (follow is for programs)");
    port_follow_log(on);
    return NULL;
}

// log: level and clear act, previous shows what the boot before has left in the ring; anything else is the list of
// records.
const char *cmd_log(const struct monitor_words *words)
{
    if (words->count > 1 && strcmp(words->word[1], "level") == 0)
        return log_level(words);
    if (words->count > 1 && strcmp(words->word[1], "clear") == 0) {
        log_clear();
        return NULL;
    }
    if (words->count > 2 && strcmp(words->word[1], "follow") == 0)
        return log_follow(words);
    if (words->count > 1 && strcmp(words->word[1], "previous") == 0) {
        log_previous_for_each(UINT32_MAX, LOG_CLASS_COUNT, show_record, NULL);
        return NULL;
    }
    return log_show(words);
}

// The keys + and -: one step towards debug or towards error, and no further.
static const char *shift_level(int step)
{
    int level = (int)log_get_level() + step;

    if (level >= LOG_DEBUG && level <= LOG_ERROR)
        log_set_level((enum log_level)level);
    out("level=%s\n", log_level_name(log_get_level()));
    return NULL;
}

// The key +: a lower level shows more records.
const char *key_log_more(const struct monitor_words *words)
{
    (void)words;
    return shift_level(-1);
}

// The key -.
const char *key_log_less(const struct monitor_words *words)
{
    (void)words;
    return shift_level(1);
}

// Behind -c comes a class, behind level a level.
monitor_candidate complete_log(const char *typed, const char **list)
{
    (void)list;
    if (strcmp(typed, "-c ") == 0)
        return monitor_candidate_class;
    return strcmp(typed, "level ") == 0 ? monitor_candidate_level : NULL;
}
