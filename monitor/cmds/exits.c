// SPDX-License-Identifier: Apache-2.0
// What the guest did: exc (counters, latency, the last events), policy (rows, counts, the verdict on an access) and
// log. Counters and events belong to running CPUs: what is read here may be one exit old, and an event that is
// overwritten while it is copied is left out.
#include <hv/monitor_cmds.h>
#include <hv/monitor_explain.h>

#include <hv/arch/registers.h>
#include <hv/cpu.h>
#include <hv/log.h>
#include <hv/monitor_out.h>
#include <hv/policy.h>
#include <hv/string.h>
#include <hv/telemetry.h>
#include <hv/vm.h>

#define TOP_DEFAULT  10u
#define TOP_MAX      100000u
#define LAST_DEFAULT 16u

enum group { GROUP_CLASS, GROUP_CALL, GROUP_DEVICE, GROUP_REGISTER, GROUP_COUNT };
static const char *const group_names[GROUP_COUNT] = {"class", "call", "device", "register"};

static enum group key_group(unsigned int key)
{
    if (key < KEY_HVC_FIRST)
        return GROUP_CLASS;
    if (key < KEY_DEVICE_FIRST)
        return GROUP_CALL;
    return key < KEY_SYSREG_FIRST ? GROUP_DEVICE : GROUP_REGISTER;
}

// One character per bucket, up to the last used one: the share of the row's exits it holds.
static void histogram_line(const struct telemetry_stat *stat, uint64_t count, char *text)
{
    static const char levels[] = ".:-=+*#%@";

    for (unsigned int i = 0; i < TELEMETRY_BUCKETS; i++)
        text[i] = stat->bucket[i] == 0 ? ' ' : levels[stat->bucket[i] * (sizeof(levels) - 2) / count];
    text[TELEMETRY_BUCKETS] = '\0';
}

static void show_stat(unsigned int key, uint64_t total)
{
    char text[TELEMETRY_BUCKETS + 1];
    struct telemetry_stat stat;
    uint64_t count;

    telemetry_sum(key, cpu_count(), &stat);
    count = telemetry_count(&stat);
    if (count == 0)
        return;
    histogram_line(&stat, count, text);
    out("group:%-8s key:%-23s count:%10lu percent:%3lu%% mean_ns:%9lu", group_names[key_group(key)],
        event_key_name(key), count, count * 100 / (total > 0 ? total : 1), monitor_nanoseconds(stat.ticks / count));
    if (out_is_json())
        out_numbers("buckets", stat.bucket, TELEMETRY_BUCKETS);
    out_note(" |%s|", text);
    out("\n");
}

// Says that a list is not all there is, and what shows the rest.
static void show_rest(unsigned int rest, const char *group)
{
    if (rest > 0)
        out_note("%u more: 'exc top %s%s1000' shows them\n", rest, group, group[0] != '\0' ? " " : "");
}

static uint64_t fill_counts(uint64_t *counts, enum group group)
{
    struct telemetry_stat stat;
    uint64_t total = 0;

    for (unsigned int key = 0; key < KEY_COUNT; key++) {
        telemetry_sum(key, cpu_count(), &stat);
        counts[key] = telemetry_count(&stat);
        total += counts[key];
        if (group != GROUP_COUNT && key_group(key) != group)
            counts[key] = 0;
    }
    return total;
}

// The largest count that is not 0 yet; false when all are.
static bool largest(const uint64_t *counts, unsigned int count, unsigned int *best)
{
    *best = 0;
    for (unsigned int n = 1; n < count; n++) {
        if (counts[n] > counts[*best])
            *best = n;
    }
    return counts[*best] != 0;
}

static unsigned int count_nonzero(const uint64_t *counts, unsigned int count)
{
    unsigned int found = 0;

    for (unsigned int n = 0; n < count; n++)
        found += counts[n] != 0;
    return found;
}

static void top_keys(enum group group, uint64_t wanted)
{
    static uint64_t counts[KEY_COUNT];
    uint64_t total = fill_counts(counts, group);
    unsigned int best;

    out_heading("%-8s %-23s %10s share %8s |log2 of ticks|", "group", "key", "count", "mean ns");
    for (; wanted > 0 && largest(counts, KEY_COUNT, &best); wanted--) {
        show_stat(best, total);
        counts[best] = 0;
    }
    show_rest(count_nonzero(counts, KEY_COUNT), group < GROUP_COUNT ? group_names[group] : "");
    out_note("%lu exits\n", (unsigned long)total);
}

static uint64_t row_count(unsigned int row);
static void show_row(unsigned int n, bool with_count);

static void top_rows(uint64_t wanted)
{
    static uint64_t counts[POLICY_ROW_MAX];
    unsigned int best;

    for (unsigned int n = 0; n < policy_row_count; n++)
        counts[n] = row_count(n);
    for (; wanted > 0 && largest(counts, policy_row_count, &best); wanted--) {
        show_row(best, true);
        counts[best] = 0;
    }
    show_rest(count_nonzero(counts, policy_row_count), "row");
}

// exc top [class|call|device|register|row] [n]
static const char *exc_top(const struct monitor_words *words)
{
    const char *word = words->count > 2 ? words->word[2] : "";
    bool rows = strcmp(word, "row") == 0;
    unsigned int group = 0;
    unsigned int at = 2;
    uint64_t wanted = TOP_DEFAULT;
    const char *error = NULL;

    while (group < GROUP_COUNT && strcmp(group_names[group], word) != 0)
        group++;
    at += rows || group < GROUP_COUNT;
    if (words->count > at + 1 || (at == 2 && words->count > 2 && !parse_u64(word, &wanted)))
        return monitor_error("'%s' is none of class, call, device, register, row or a number", word);
    if (words->count > at)
        error = monitor_number("n", words->word[at], 1, TOP_MAX, &wanted);
    if (error != NULL)
        return error;
    if (rows)
        top_rows(wanted);
    else
        top_keys((enum group)group, wanted);
    return NULL;
}

// The newest event not yet taken, over all CPUs: position[cpu] counts down from the sequence. False when none is left.
static bool step_back(uint64_t *position, unsigned int *from)
{
    uint64_t newest = 0;
    bool found = false;

    for (unsigned int cpu = 0; cpu < cpu_count(); cpu++) {
        const struct event *event;

        event = position[cpu] == 0 ? NULL : telemetry_find(&telemetry_cpu[cpu], position[cpu] - 1);
        if (event != NULL && (!found || event->entry >= newest)) {
            newest = event->entry;
            *from = cpu;
            found = true;
        }
    }
    if (found)
        position[*from]--;
    return found;
}

static const char *exc_last(const struct monitor_words *words)
{
    uint64_t position[CPU_MAX] = {0};
    uint64_t end[CPU_MAX] = {0};
    uint64_t wanted = LAST_DEFAULT;
    unsigned int from;
    const char *error;

    if (words->count > 2) {
        error = monitor_number("n", words->word[2], 1, TELEMETRY_LAST * CPU_MAX, &wanted);
        if (error != NULL)
            return error;
    }
    for (unsigned int cpu = 0; cpu < cpu_count(); cpu++)
        position[cpu] = end[cpu] = telemetry_cpu[cpu].sequence;
    while (wanted-- > 0 && step_back(position, &from))
        continue;
    monitor_show_events(position, end);
    if (step_back(position, &from))
        out_note("older ones are kept: 'exc last %u' shows all\n", TELEMETRY_LAST * cpu_count());
    return NULL;
}

static void reset_counters(void *argument)
{
    (void)argument;
    telemetry_reset(&telemetry_cpu[cpu_id()]);
}

const char *key_counters_reset(const struct monitor_words *words)
{
    (void)words;
    return cpu_call_all(reset_counters, NULL) ? NULL : "not every CPU answered";
}

const char *cmd_exc(const struct monitor_words *words)
{
    if (words->count == 1 || strcmp(words->word[1], "top") == 0)
        return exc_top(words);
    if (strcmp(words->word[1], "last") == 0)
        return exc_last(words);
    if (strcmp(words->word[1], "reset") == 0)
        return key_counters_reset(words);
    if (strcmp(words->word[1], "log") == 0) {
        log_counters();
        return NULL;
    }
    return monitor_error("exc '%s' is none of top, last, log, reset", words->word[1]);
}

// ---- policy

static uint64_t row_count(unsigned int row)
{
    uint64_t count = 0;

    for (unsigned int cpu = 0; cpu < cpu_count(); cpu++)
        count += telemetry_cpu[cpu].row_count[row];
    return count;
}

// Two lines, for 80 columns.
static void show_row(unsigned int n, bool with_count)
{
    const struct policy_row *row = &policy_rows[n];

    out("row:%3u ", n);
    if (with_count)
        out("count:%10lu ", row_count(n));
    out("at:%-22s action:%-7s subject:%s", row->place, policy_action_name(row->action), row->text);
    if (row->why[0] != '\0')
        out_note("\n   ");
    out(" why:%s\n", row->why);
}

static void show_verdict(const char *name, const char *direction, const struct policy_verdict *verdict)
{
    const struct policy_row *row = &policy_rows[verdict->row];

    out("access:%-6s key:%-20s verdict:%-8s at:%s", direction, name, policy_action_name(verdict->action), row->place);
    out_note("\n   ");
    out(" subject:%s default=%d log=%d why:%s\n", row->text, (verdict->flags & POLICY_FLAG_DEFAULT) != 0,
        (verdict->flags & POLICY_FLAG_LOG) != 0, row->why);
}

static const char *policy_test(const struct monitor_words *words)
{
    const char *subject = words->word[words->count - 1];
    const struct policy_verdict *verdicts;
    const char *name = subject;
    bool only_read = words->count > 3 && strcmp(words->word[2], "read") == 0;
    bool only_write = words->count > 3 && strcmp(words->word[2], "write") == 0;
    uint64_t ipa;

    if (words->count > 3 && !only_read && !only_write)
        return monitor_error("'%s' is none of read, write", words->word[2]);
    if (parse_u64(subject, &ipa)) {
        const struct policy_range *range = policy_find_range(ipa_make(ipa));

        if (ipa >= GUEST_RAM_IPA && ipa - GUEST_RAM_IPA < GUEST_RAM_SIZE)
            return monitor_error("%s is guest RAM: the guest's own", subject);
        verdicts = range != NULL ? range->verdict : policy_verdicts_of(KEY_DEVICE_NONE);
        name = event_key_name(range != NULL ? range->key : KEY_DEVICE_NONE);
    } else {
        unsigned int key = event_key_find(subject);

        if (key >= KEY_COUNT)
            return monitor_error("'%s' is no register, device, call or address", subject);
        verdicts = policy_verdicts_of(key);
    }
    if (!only_write)
        show_verdict(name, "read", &verdicts[0]);
    if (!only_read)
        show_verdict(name, "write", &verdicts[1]);
    return NULL;
}

const char *cmd_policy(const struct monitor_words *words)
{
    bool count = strcmp(words->word[1], "stat") == 0;

    if (strcmp(words->word[1], "test") == 0)
        return policy_test(words);
    if (!count && strcmp(words->word[1], "show") != 0)
        return monitor_error("policy '%s' is none of show, stat, test", words->word[1]);
    out("policy=%s rows=%u\n", policy_name, policy_row_count);
    for (unsigned int n = 0; n < policy_row_count; n++)
        show_row(n, count);
    return NULL;
}

// ---- log

// A record stays one line, to be searched, copied and decoded.
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

static void skip_record(const char *line, size_t length, void *argument)
{
    (void)line, (void)length, (void)argument;
}

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
            error = monitor_error("'%s' is none of -n, -c, level, clear, previous, each once", words->word[i]);
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

const char *cmd_log(const struct monitor_words *words)
{
    if (words->count > 1 && strcmp(words->word[1], "level") == 0)
        return log_level(words);
    if (words->count > 1 && strcmp(words->word[1], "clear") == 0) {
        log_clear();
        return NULL;
    }
    if (words->count > 1 && strcmp(words->word[1], "previous") == 0) {
        log_previous_for_each(UINT32_MAX, LOG_CLASS_COUNT, show_record, NULL);
        return NULL;
    }
    return log_show(words);
}

static const char *shift_level(int step)
{
    int level = (int)log_get_level() + step;

    if (level >= LOG_DEBUG && level <= LOG_ERROR)
        log_set_level((enum log_level)level);
    out("level=%s\n", log_level_name(log_get_level()));
    return NULL;
}

const char *key_log_more(const struct monitor_words *words)
{
    (void)words;
    return shift_level(-1);
}

const char *key_log_less(const struct monitor_words *words)
{
    (void)words;
    return shift_level(1);
}
