// SPDX-License-Identifier: Apache-2.0
// exc: what the guest did, as counts and latencies of its exits, and the last of them one by one. The counters and the
// ring of events belong to the vCPU, whose CPU writes them on each exit, without a lock, and goes on while they are
// read here. So a count may be one exit old; an event is copied and then looked at again, and is left out when its slot
// was used anew meanwhile (monitor_copy_event).
#include <hv/monitor_cmds.h>

#include <hv/arch/registers.h>
#include <hv/cpu.h>
#include <hv/log.h>
#include <hv/log_virtio.h>
#include <hv/machine.h>
#include <hv/monitor_out.h>
#include <hv/monitor_reply.h>
#include <hv/monitor_subject.h>
#include <hv/policy.h>
#include <hv/printf.h>
#include <hv/string.h>
#include <hv/telemetry.h>

// How many rows and events are shown where no number is typed, and the largest number that may be.
#define TOP_DEFAULT  10u
#define TOP_MAX      100000u
#define LAST_DEFAULT 16u

// A key belongs to one group, by what it names (event_key.h), and so does each exit. "cause" are the exits that name
// nothing else than why they came: interrupts, WFI, instruction aborts.
enum group { GROUP_CAUSE, GROUP_CALL, GROUP_DEVICE, GROUP_REGISTER, GROUP_COUNT };
static const char *const group_names[GROUP_COUNT] = {"cause", "call", "device", "register"};

static enum group key_group(unsigned int key)
{
    if (key < KEY_HVC_FIRST)
        return GROUP_CAUSE;
    if (key < KEY_DEVICE_FIRST)
        return GROUP_CALL;
    return key < KEY_SYSREG_FIRST ? GROUP_DEVICE : GROUP_REGISTER;
}

// A histogram as a word of text: a character for each PER_COLUMN buckets, blank where they are empty, else from "." for
// a small share of the exits to "@" for all of them.
#define PER_COLUMN 4u
#define COLUMNS    ((TELEMETRY_BUCKETS + PER_COLUMN - 1) / PER_COLUMN)

static void histogram_line(const struct telemetry_stat *stat, uint64_t count, char *text)
{
    static const char levels[] = ".:-=+*#%@";
    uint64_t sums[COLUMNS] = {0};

    for (unsigned int i = 0; i < TELEMETRY_BUCKETS; i++)
        sums[i / PER_COLUMN] += stat->bucket[i];
    for (unsigned int i = 0; i < COLUMNS; i++)
        text[i] = sums[i] == 0 ? ' ' : levels[sums[i] * (sizeof(levels) - 2) / count];
    text[COLUMNS] = '\0';
}

// A time of at most five characters, cut to what fits: "0", "480ns", "16us", "1.5ms", "134ms", "8.5s".
#define DURATION_SIZE 8

static void duration(char *text, size_t size, uint64_t ns)
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    unsigned int unit = 0;
    uint64_t tenths = ns * 10;

    for (; tenths >= 10000 && unit + 1 < ARRAY_COUNT(units); unit++)
        tenths /= 1000;
    if (ns == 0)
        (void)format_text(text, size, "0");
    else if (unit > 0 && tenths < 100)
        (void)format_text(text, size, "%lu.%lu%s", tenths / 10, tenths % 10, units[unit]);
    else
        (void)format_text(text, size, "%lu%s", tenths / 10, units[unit]);
}

// How long the exit of this rank took at most. Of one that is longer than the histogram counts it is said only that.
static void duration_of_rank(char *text, size_t size, const struct telemetry_stat *stat, uint64_t rank)
{
    uint64_t longest = UINT64_C(1) << (TELEMETRY_BUCKETS - 2); // where the last bucket begins

    if (telemetry_at_least(stat, rank) < longest) {
        duration(text, size, monitor_nanoseconds(telemetry_at_most(stat, rank)));
        return;
    }
    *text = '>';
    duration(text + 1, size - 1, monitor_nanoseconds(longest));
}

// A row of `exc top` for a person, and in JSON, with the same bounds of the times. exits: how many there were when the
// list was made, and in its class; total: of all keys. The times are those of all that stat has.
static void show_text(unsigned int key, uint64_t exits, uint64_t total, const struct telemetry_stat *stat)
{
    char shortest[DURATION_SIZE], half[DURATION_SIZE], most[DURATION_SIZE], longest[DURATION_SIZE];
    char text[COLUMNS + 1];
    uint64_t count = telemetry_count(stat);

    duration(shortest, sizeof(shortest), monitor_nanoseconds(telemetry_at_least(stat, 1)));
    duration_of_rank(half, sizeof(half), stat, telemetry_rank_of_median(count));
    duration_of_rank(most, sizeof(most), stat, telemetry_rank_of_p99(count));
    duration_of_rank(longest, sizeof(longest), stat, count);
    histogram_line(stat, count, text);
    out_note("%-23s%10lu%4lu%%%6lu %5s %5s %5s %5s |%s|\n", event_key_name(key), exits, exits * 100 / total,
             log_suppressed_of_key(monitor_vm(), key), shortest, half, most, longest, text);
}

static void show_json(unsigned int key, uint64_t exits, uint64_t total, const struct telemetry_stat *stat)
{
    uint64_t count = telemetry_count(stat);

    out("group:%s key:%s count:%lu percent:%lu mean_ns:%lu suppressed:%lu", group_names[key_group(key)],
        event_key_name(key), exits, exits * 100 / total, monitor_nanoseconds(stat->ticks / count),
        log_suppressed_of_key(monitor_vm(), key));
    out(" min_ns:%lu p50_ns:%lu p99_ns:%lu max_ns:%lu", monitor_nanoseconds(telemetry_at_least(stat, 1)),
        monitor_nanoseconds(telemetry_at_most(stat, telemetry_rank_of_median(count))),
        monitor_nanoseconds(telemetry_at_most(stat, telemetry_rank_of_p99(count))),
        monitor_nanoseconds(telemetry_at_most(stat, count)));
    out_numbers("buckets", stat->bucket, TELEMETRY_BUCKETS);
    out("\n");
}

// One key, summed over all vCPUs. They count on meanwhile, so that its histogram may have more exits than the list.
static void show_stat(unsigned int key, uint64_t exits, uint64_t total)
{
    struct telemetry_stat stat;

    telemetry_sum(monitor_vm(), key, &stat);
    if (telemetry_count(&stat) == 0) // reset meanwhile
        return;
    if (out_is_json())
        show_json(key, exits, total, &stat);
    else
        show_text(key, exits, total, &stat);
}

// Says that a list is not all there is, and what shows the rest.
static void show_rest(unsigned int rest, const char *group)
{
    if (rest > 0)
        out_note("%u more: 'exc top %s%s1000' shows them\n", rest, group, group[0] != '\0' ? " " : "");
}

// What a list of keys is about: one group, or one class of exceptions, or all keys.
struct keys {
    enum group group;   // GROUP_COUNT: every group
    unsigned int cause; // KEY_COUNT: every class
};

// counts[key] becomes the number of exits of each key that the list is about, 0 for the others. sums[group] becomes the
// sum of each group over all keys.
static void fill_counts(uint64_t *counts, const struct keys *keys, uint64_t *sums)
{
    struct telemetry_stat stat;

    for (unsigned int key = 0; key < KEY_COUNT; key++) {
        telemetry_sum(monitor_vm(), key, &stat);
        counts[key] = telemetry_count(&stat);
        sums[key_group(key)] += counts[key];
        if (keys->group != GROUP_COUNT && key_group(key) != keys->group)
            counts[key] = 0;
        else if (keys->cause != KEY_COUNT)
            counts[key] = telemetry_count_in_class(monitor_vm(), keys->cause, key);
    }
}

static uint64_t sum_of(const uint64_t *counts, unsigned int count)
{
    uint64_t sum = 0;

    for (unsigned int n = 0; n < count; n++)
        sum += counts[n];
    return sum;
}

// Finds the largest of the counts; false when all of them are 0. Whoever has shown it sets it to 0 and asks again.
static bool largest(const uint64_t *counts, unsigned int count, unsigned int *best)
{
    *best = 0;
    for (unsigned int n = 1; n < count; n++) {
        if (counts[n] > counts[*best])
            *best = n;
    }
    return counts[*best] != 0;
}

// How many rows the list would have had beyond those that were shown, since each that was shown is 0 now.
static unsigned int count_nonzero(const uint64_t *counts, unsigned int count)
{
    unsigned int found = 0;

    for (unsigned int n = 0; n < count; n++)
        found += counts[n] != 0;
    return found;
}

// The wanted keys with the most exits, the largest first. There are some 600 keys, so looking for the largest anew for
// each line is quick enough, and needs no sort. The last line adds up: each exit is in one group.
static void top_keys(const struct keys *keys, const char *word, uint64_t wanted)
{
    static uint64_t counts[KEY_COUNT];
    uint64_t sums[GROUP_COUNT] = {0};
    unsigned int best;

    fill_counts(counts, keys, sums);
    uint64_t total = sum_of(sums, GROUP_COUNT), listed = sum_of(counts, KEY_COUNT);
    out_heading("%-23s %9s share supp.   min  half   99%%   max |x16 each|", "key", "count");
    for (; wanted > 0 && largest(counts, KEY_COUNT, &best); wanted--) {
        show_stat(best, counts[best], total);
        counts[best] = 0;
    }
    show_rest(count_nonzero(counts, KEY_COUNT), word);
    if (keys->cause != KEY_COUNT)
        out("exits:%lu exits, listed:%lu in class:%s\n", total, listed, word);
    else
        out("exits:%lu exits: cause:%lu cause, call:%lu call, device:%lu device, register:%lu register\n", total,
            sums[GROUP_CAUSE], sums[GROUP_CALL], sums[GROUP_DEVICE], sums[GROUP_REGISTER]);
}

// How many exits there were of a class of exceptions, and of how many keys.
static uint64_t count_class(unsigned int cause, unsigned int *keys)
{
    uint64_t sum = 0;

    *keys = 0;
    for (unsigned int key = 0; key < KEY_COUNT; key++) {
        uint64_t count = telemetry_count_in_class(monitor_vm(), cause, key);
        *keys += count != 0;
        sum += count;
    }
    return sum;
}

// The same for classes of exceptions, ESR_EL2.EC as cause_table.h names it. Each exit has one class.
static void top_classes(uint64_t wanted)
{
    uint64_t counts[KEY_HVC_FIRST];
    unsigned int keys[KEY_HVC_FIRST];
    unsigned int best;

    for (unsigned int cause = 0; cause < KEY_HVC_FIRST; cause++)
        counts[cause] = count_class(cause, &keys[cause]);
    uint64_t total = sum_of(counts, KEY_HVC_FIRST);
    out_heading("%-13s %10s share keys", "class", "count");
    for (; wanted > 0 && largest(counts, KEY_HVC_FIRST, &best); wanted--) {
        out("class:%-13s count:%10lu percent:%4lu%% keys:%4u", event_key_name(best), counts[best],
            counts[best] * 100 / total, keys[best]);
        out_note("  %s", monitor_cause_sentence(best));
        out("\n");
        counts[best] = 0;
    }
    show_rest(count_nonzero(counts, KEY_HVC_FIRST), "class");
    out("exits:%lu exits: the sum of all classes\n", total);
}

// Exits with this row; POLICY_ROW_NONE: exits about which no row decided.
static uint64_t count_exits_of_row(unsigned int row)
{
    uint64_t count = 0;

    for (unsigned int n = 0; n < monitor_vm()->vcpu_count; n++)
        count += monitor_vm()->vcpus[n].telemetry->row_count[row];
    return count;
}

// The same for rows of the policy, by how often each decided. Rows about virtio devices decide about requests, of which
// one exit can bring many, and none of which is an exit.
static void top_rows(uint64_t wanted)
{
    static uint64_t counts[POLICY_ROW_MAX];
    unsigned int row_count = monitor_vm()->policy->row_count;
    uint64_t decided = 0, none = count_exits_of_row(POLICY_ROW_NONE);
    unsigned int best;

    for (unsigned int n = 0; n < row_count; n++) {
        uint64_t exits = count_exits_of_row(n);
        counts[n] = exits + log_virtio_count(monitor_vm(), n);
        decided += exits;
    }
    uint64_t requests = sum_of(counts, row_count) - decided;
    monitor_row_heading(true);
    for (; wanted > 0 && largest(counts, row_count, &best); wanted--) {
        monitor_show_row(best, true);
        counts[best] = 0;
    }
    show_rest(count_nonzero(counts, row_count), "row");
    out("exits:%lu exits: decided:%lu decided by rows, none:%lu by none; requests:%lu virtio requests\n",
        decided + none, decided, none, requests);
}

// The words behind "exc top", but for the classes' names: a list of keys, or one of these two.
enum { LIST_CLASSES = GROUP_COUNT, LIST_ROWS, LIST_COUNT };
static const char *const list_names[LIST_COUNT] = {"cause", "call", "device", "register", "class", "row"};

// The list that word names: LIST_COUNT when it is none of theirs.
static unsigned int find_list(const char *word)
{
    unsigned int n = 0;

    while (n < LIST_COUNT && strcmp(list_names[n], word) != 0)
        n++;
    return n;
}

static void show_top(unsigned int list, unsigned int cause, const char *word, uint64_t wanted)
{
    struct keys keys = {.group = list < GROUP_COUNT ? (enum group)list : GROUP_COUNT, .cause = cause};

    if (list == LIST_ROWS)
        top_rows(wanted);
    else if (list == LIST_CLASSES)
        top_classes(wanted);
    else
        top_keys(&keys, word, wanted);
}

// exc top [cause|call|device|register|class|row|<class>] [n]
static const char *exc_top(const struct monitor_words *words)
{
    const char *word = words->count > 2 ? words->word[2] : "";
    unsigned int list = find_list(word);
    unsigned int cause = event_key_find(word);
    uint64_t wanted = TOP_DEFAULT;
    const char *error = NULL;

    cause = cause < KEY_HVC_FIRST ? cause : KEY_COUNT;
    bool named = list < LIST_COUNT || cause < KEY_COUNT;
    unsigned int at = named ? 3 : 2;
    if (words->count > at + 1 || (at == 2 && words->count > 2 && !parse_u64(word, &wanted)))
        return monitor_error("'%s' is none of class, cause, call, device, register, row, a class or a number", word);
    if (words->count > at)
        error = monitor_number("n", words->word[at], 1, TOP_MAX, &wanted);
    if (error != NULL)
        return error;
    show_top(list, cause, named ? word : "", wanted);
    return NULL;
}

// Takes the newest event of all vCPUs that was not taken yet. Events of vCPU n with a number of position[n] or above
// are taken; *from is the vCPU whose position went down by one. False when none keeps an older one.
static bool step_back(uint64_t *position, unsigned int *from)
{
    uint64_t newest = 0;
    bool found = false;

    for (unsigned int n = 0; n < monitor_vm()->vcpu_count; n++) {
        const struct event *event;

        event = position[n] == 0 ? NULL : telemetry_find(monitor_vm()->vcpus[n].telemetry, position[n] - 1);
        if (event != NULL && (!found || event->entry >= newest)) {
            newest = event->entry;
            *from = n;
            found = true;
        }
    }
    if (found)
        position[*from]--;
    return found;
}

// exc last [n]: goes back n events over all vCPUs, by time, and shows from there to now, in order. The end is taken
// first, so that exits that happen meanwhile do not push the list on.
static const char *exc_last(const struct monitor_words *words)
{
    uint64_t position[CPU_MAX] = {0};
    uint64_t end[CPU_MAX] = {0};
    uint64_t wanted = LAST_DEFAULT;
    unsigned int from;
    const char *error;

    if (words->count > 2) {
        error = monitor_number("n", words->word[2], 1, TELEMETRY_KEPT * CPU_MAX, &wanted);
        if (error != NULL)
            return error;
    }
    for (unsigned int n = 0; n < monitor_vm()->vcpu_count; n++)
        position[n] = end[n] = monitor_vm()->vcpus[n].telemetry->sequence;
    while (wanted-- > 0 && step_back(position, &from))
        continue;
    monitor_show_events(position, end);
    if (step_back(position, &from))
        out_note("older ones are kept: 'exc last %u' shows all\n", TELEMETRY_KEPT * monitor_vm()->vcpu_count);
    return NULL;
}

// Runs on the vCPU's own CPU, because a counter is written by that CPU alone and has no lock.
static void reset_counters(void *argument)
{
    telemetry_reset(argument);
}

// exc reset and the key P: all counters begin at 0 again, also those of vCPUs that sleep or are off. Who reads the
// counters in the log learns by a record that they begin anew.
const char *key_counters_reset(const struct monitor_words *words)
{
    (void)words;
    bool answered = true;
    uint64_t exits = 0;

    for (unsigned int row = 0; row <= POLICY_ROW_MAX; row++)
        exits += count_exits_of_row(row);

    for (unsigned int n = 0; n < monitor_vm()->vcpu_count; n++)
        answered &= cpu_call(monitor_vm()->vcpus[n].cpu, reset_counters, monitor_vm()->vcpus[n].telemetry);
    log_virtio_reset(monitor_vm());
    log_record(LOG_INFO, LOG_MONITOR, "counters-reset", "count=%lu", exits);
    return answered ? NULL : "not every CPU answered";
}

// exc: top is what it shows without a word; log writes the counters as records, where the decoder finds them.
const char *cmd_exc(const struct monitor_words *words)
{
    if (words->count == 1 || strcmp(words->word[1], "top") == 0)
        return exc_top(words);
    if (strcmp(words->word[1], "last") == 0)
        return exc_last(words);
    if (strcmp(words->word[1], "reset") == 0)
        return key_counters_reset(words);
    if (strcmp(words->word[1], "log") == 0) {
        log_counters(monitor_vm());
        return NULL;
    }
    return monitor_error("exc '%s' is none of top, last, log, reset", words->word[1]);
}

// Behind "exc top" there is a list of its own, with the names of all classes; the words behind "exc" come from the
// command's row.
#define CLASS_WORD(id, ec, name, ...) " " name

monitor_candidate complete_exc(const char *typed, const char **list)
{
    if (strcmp(typed, "top ") == 0)
        *list = "class cause call device register row" CAUSE_TABLE(CLASS_WORD);
    return NULL;
}
