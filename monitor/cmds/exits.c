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
#include <hv/string.h>
#include <hv/telemetry.h>

// How many rows and events are shown where no number is typed, and the largest number that may be.
#define TOP_DEFAULT  10u
#define TOP_MAX      100000u
#define LAST_DEFAULT 16u

enum group { GROUP_CLASS, GROUP_CALL, GROUP_DEVICE, GROUP_REGISTER, GROUP_COUNT };
static const char *const group_names[GROUP_COUNT] = {"class", "call", "device", "register"};

// Keys are numbered by kind (event_key.h): causes, calls, devices, registers.
static enum group key_group(unsigned int key)
{
    if (key < KEY_HVC_FIRST)
        return GROUP_CLASS;
    if (key < KEY_DEVICE_FIRST)
        return GROUP_CALL;
    return key < KEY_SYSREG_FIRST ? GROUP_DEVICE : GROUP_REGISTER;
}

// A histogram as a line of text: a character for each bucket, blank where it is empty, else from "." for a small share
// of the exits to "@" for all of them.
static void histogram_line(const struct telemetry_stat *stat, uint64_t count, char *text)
{
    static const char levels[] = ".:-=+*#%@";

    for (unsigned int i = 0; i < TELEMETRY_BUCKETS; i++)
        text[i] = stat->bucket[i] == 0 ? ' ' : levels[stat->bucket[i] * (sizeof(levels) - 2) / count];
    text[TELEMETRY_BUCKETS] = '\0';
}

// The counts of one key, summed over all vCPUs; nothing when there are none. total: exits of all keys.
static void show_stat(unsigned int key, uint64_t total)
{
    char text[TELEMETRY_BUCKETS + 1];
    struct telemetry_stat stat;
    uint64_t count;

    telemetry_sum(monitor_vm(), key, &stat);
    count = telemetry_count(&stat);
    if (count == 0)
        return;
    histogram_line(&stat, count, text);
    out("group:%-8s key:%-23s count:%9lu percent:%3lu%% mean_ns:%9lu suppressed:%5lu", group_names[key_group(key)],
        event_key_name(key), count, count * 100 / (total > 0 ? total : 1), monitor_nanoseconds(stat.ticks / count),
        log_suppressed_of_key(monitor_vm(), key));
    if (out_is_json())
        out_numbers("buckets", stat.bucket, TELEMETRY_BUCKETS);
    out_note("|%s|", text);
    out("\n");
}

// Says that a list is not all there is, and what shows the rest.
static void show_rest(unsigned int rest, const char *group)
{
    if (rest > 0)
        out_note("%u more: 'exc top %s%s1000' shows them\n", rest, group, group[0] != '\0' ? " " : "");
}

// counts[key] becomes the number of exits of each key of group (GROUP_COUNT: of every group), 0 for the others. Returns
// the number of all exits.
static uint64_t fill_counts(uint64_t *counts, enum group group)
{
    struct telemetry_stat stat;
    uint64_t total = 0;

    for (unsigned int key = 0; key < KEY_COUNT; key++) {
        telemetry_sum(monitor_vm(), key, &stat);
        counts[key] = telemetry_count(&stat);
        total += counts[key];
        if (group != GROUP_COUNT && key_group(key) != group)
            counts[key] = 0;
    }
    return total;
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
// each line is quick enough, and needs no sort.
static void top_keys(enum group group, uint64_t wanted)
{
    static uint64_t counts[KEY_COUNT];
    uint64_t total = fill_counts(counts, group);
    unsigned int best;

    out_heading("%-8s %-23s %9s share %8s supp.|log2 of ticks|", "group", "key", "count", "mean ns");
    for (; wanted > 0 && largest(counts, KEY_COUNT, &best); wanted--) {
        show_stat(best, total);
        counts[best] = 0;
    }
    show_rest(count_nonzero(counts, KEY_COUNT), group < GROUP_COUNT ? group_names[group] : "");
    out_note("%lu exits\n", (unsigned long)total);
}

// The same for rows of the policy, by how often each decided.
static void top_rows(uint64_t wanted)
{
    static uint64_t counts[POLICY_ROW_MAX];
    unsigned int row_count = monitor_vm()->policy->row_count;
    unsigned int best;

    for (unsigned int n = 0; n < row_count; n++)
        counts[n] = monitor_row_count(n);
    for (; wanted > 0 && largest(counts, row_count, &best); wanted--) {
        monitor_show_row(best, true);
        counts[best] = 0;
    }
    show_rest(count_nonzero(counts, row_count), "row");
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
        error = monitor_number("n", words->word[2], 1, TELEMETRY_LAST * CPU_MAX, &wanted);
        if (error != NULL)
            return error;
    }
    for (unsigned int n = 0; n < monitor_vm()->vcpu_count; n++)
        position[n] = end[n] = monitor_vm()->vcpus[n].telemetry->sequence;
    while (wanted-- > 0 && step_back(position, &from))
        continue;
    monitor_show_events(position, end);
    if (step_back(position, &from))
        out_note("older ones are kept: 'exc last %u' shows all\n", TELEMETRY_LAST * monitor_vm()->vcpu_count);
    return NULL;
}

// Runs on the vCPU's own CPU, because a counter is written by that CPU alone and has no lock.
static void reset_counters(void *argument)
{
    telemetry_reset(argument);
}

// exc reset and the key P: all counters begin at 0 again.
const char *key_counters_reset(const struct monitor_words *words)
{
    (void)words;
    bool answered = true;

    for (unsigned int n = 0; n < monitor_vm()->vcpu_count; n++)
        answered &= cpu_call(monitor_vm()->vcpus[n].cpu, reset_counters, monitor_vm()->vcpus[n].telemetry);
    log_virtio_reset(monitor_vm());
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

// Behind "exc top" there is a list of its own; the words behind "exc" come from the command's row.
monitor_candidate complete_exc(const char *typed, const char **list)
{
    if (strcmp(typed, "top ") == 0)
        *list = "class call device register row";
    return NULL;
}
