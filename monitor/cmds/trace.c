// SPDX-License-Identifier: Apache-2.0
// trace: whether each exit is written into the rings of the trace, which ones are, how many were, and the last of them.
// A filter is read twice: first all of it is checked, and only then does it replace the one there was.
#include <hv/monitor_cmds.h>

#include <hv/event_key.h>
#include <hv/machine.h>
#include <hv/monitor_candidates.h>
#include <hv/monitor_out.h>
#include <hv/monitor_reply.h>
#include <hv/monitor_subject.h>
#include <hv/plan.h>
#include <hv/policy.h>
#include <hv/printf.h>
#include <hv/string.h>
#include <hv/trace.h>
#include <hv/trace_control.h>
#include <hv/trace_filter.h>

#define LAST_DEFAULT 16u
#define LAST_MAX     (TRACE_RING_CHUNKS * TRACE_CHUNK_RECORDS * CPU_MAX)

// trace: the state, then each CPU's ring.
static void show_state(void)
{
    out("trace=%s filter=%s", trace_is_on() ? "on" : "off", trace_filter_words());
    out("\n");
    out_heading("%3s %12s %10s %8s", "cpu", "records", "dropped", "waiting");
    for (unsigned int n = 0; n < monitor_vm()->vcpu_count; n++) {
        const struct vcpu *vcpu = &monitor_vm()->vcpus[n];
        struct trace_counts counts = trace_counts(vcpu);
        out("cpu:%3u records:%12lu dropped:%10lu waiting:%8u\n", vcpu->cpu, counts.records, counts.dropped,
            counts.waiting);
    }
}

static const char *turn(bool on)
{
    if (!trace_turn(on))
        return "not every CPU answered";
    show_state();
    return NULL;
}

// One part of a filter, one or two words from word[at] on. What it names is added to the filter of vm, or, with vm
// NULL, only looked at. *at moves behind it.
static const char *add_part(const struct monitor_words *words, unsigned int *at, struct vm *vm)
{
    const char *kind = words->word[(*at)++];
    const char *error = NULL;
    uint64_t number;

    if (strcmp(kind, "all") == 0) {
        if (vm != NULL)
            trace_filter_add_all(vm);
        return NULL;
    }
    if (*at == words->count)
        return monitor_error("'%s' is none of all, class <name>, key <name>, row <n>, vm <n>", kind);
    const char *name = words->word[(*at)++];
    if (strcmp(kind, "class") == 0) {
        unsigned int class = trace_class_find(name);
        if (class == TRACE_CLASS_COUNT)
            return monitor_error("class '%s' is none of cause, call, device, register, extra", name);
        if (vm != NULL)
            trace_filter_add_class(vm, (enum trace_class) class);
    } else if (strcmp(kind, "key") == 0) {
        unsigned int key = event_key_find(name);
        if (key == KEY_COUNT)
            return monitor_error("no register, device, call or cause '%s' (Tab lists them)", name);
        if (vm != NULL)
            trace_filter_add_key(vm, key);
    } else if (strcmp(kind, "row") == 0) {
        error = monitor_number("row", name, 0, monitor_vm()->policy->row_count - 1, &number);
        if (error == NULL && vm != NULL)
            trace_filter_add_row(vm, (unsigned int)number);
    } else if (strcmp(kind, "vm") == 0) {
        error = monitor_number("vm", name, 0, plan_vm_count() - 1, &number);
    } else {
        return monitor_error("'%s' is none of all, class <name>, key <name>, row <n>, vm <n>", kind);
    }
    return error;
}

// Whether the filter is about a VM: every VM, unless some are named.
static bool is_about(const struct monitor_words *words, unsigned int vm)
{
    bool named = false;

    for (unsigned int at = 2; at + 1 < words->count; at += strcmp(words->word[at], "all") == 0 ? 1 : 2) {
        uint64_t number;
        if (strcmp(words->word[at], "vm") != 0 || !parse_u64(words->word[at + 1], &number))
            continue;
        if (number == vm)
            return true;
        named = true;
    }
    return !named;
}

// vm <n> alone means all that this VM does.
static bool names_vms_alone(const struct monitor_words *words)
{
    for (unsigned int at = 2; at < words->count; at += 2)
        if (strcmp(words->word[at], "vm") != 0)
            return false;
    return true;
}

static void choose(const struct monitor_words *words, struct vm *vm)
{
    trace_filter_clear(vm);
    if (!is_about(words, vm->number))
        return;
    if (names_vms_alone(words))
        trace_filter_add_all(vm);
    for (unsigned int at = 2; at < words->count;)
        (void)add_part(words, &at, vm);
}

// What was typed behind "filter", for trace to show.
static void keep_words(const struct monitor_words *words)
{
    char text[TRACE_FILTER_WORDS] = "";
    size_t length = 0;

    for (unsigned int at = 2; at < words->count && length + 1 < sizeof(text); at++) {
        int more = format_text(text + length, sizeof(text) - length, "%s%s", at == 2 ? "" : " ", words->word[at]);
        length = more > 0 ? length + (size_t)more : length;
    }
    trace_set_filter_words(text);
}

static const char *filter(const struct monitor_words *words)
{
    for (unsigned int at = 2; at < words->count;) {
        const char *error = add_part(words, &at, NULL);
        if (error != NULL)
            return error;
    }
    if (words->count > 2) {
        for (unsigned int n = 0; n < plan_vm_count(); n++)
            choose(words, plan_vm(n));
        trace_apply_filters();
        keep_words(words);
    }
    show_state();
    return NULL;
}

// The record of a vCPU that comes before position, if it is still there; records that are no exits are passed over.
static bool before(const struct vcpu *vcpu, uint64_t *position, struct trace_record *record)
{
    uint64_t oldest = trace_oldest(vcpu);

    for (unsigned int n = 0; n < TRACE_RING_CHUNKS * TRACE_CHUNK_RECORDS && *position > oldest; n++) {
        (*position)--;
        if (trace_copy(vcpu, *position, record) && record->event.type == TRACE_TYPE_EXIT)
            return true;
    }
    return false;
}

// Takes the newest record of all vCPUs that was not taken yet, whose numbers are below position[n].
static bool step_back(uint64_t *position)
{
    struct trace_record record;
    unsigned int from = CPU_MAX;
    uint64_t newest = 0, at = 0;

    for (unsigned int n = 0; n < monitor_vm()->vcpu_count; n++) {
        uint64_t number = position[n];
        if (before(&monitor_vm()->vcpus[n], &number, &record) && (from == CPU_MAX || record.event.entry >= newest)) {
            newest = record.event.entry;
            from = n;
            at = number;
        }
    }
    if (from < CPU_MAX)
        position[from] = at;
    return from < CPU_MAX;
}

// The next record of a vCPU that is an exit, from *position on, below end.
static bool next(const struct vcpu *vcpu, uint64_t *position, uint64_t end, struct trace_record *record)
{
    for (; *position < end; (*position)++)
        if (trace_copy(vcpu, *position, record) && record->event.type == TRACE_TYPE_EXIT)
            return true;
    return false;
}

// trace last [n]: as exc last, from the rings.
static const char *last(const struct monitor_words *words)
{
    uint64_t position[CPU_MAX] = {0}, end[CPU_MAX] = {0}, wanted = LAST_DEFAULT;
    struct trace_record record, first;
    unsigned int from;
    const char *error = words->count > 2 ? monitor_number("n", words->word[2], 1, LAST_MAX, &wanted) : NULL;

    if (error != NULL)
        return error;
    for (unsigned int n = 0; n < monitor_vm()->vcpu_count; n++)
        position[n] = end[n] = trace_counts(&monitor_vm()->vcpus[n]).records;
    while (wanted-- > 0 && step_back(position))
        continue;
    monitor_show_event_heading();
    do {
        from = CPU_MAX;
        for (unsigned int n = 0; n < monitor_vm()->vcpu_count; n++) {
            if (next(&monitor_vm()->vcpus[n], &position[n], end[n], &record) &&
                (from == CPU_MAX || record.event.entry < first.event.entry)) {
                first = record;
                from = n;
            }
        }
        if (from < CPU_MAX) {
            monitor_show_event(&first.event);
            position[from]++;
        }
    } while (from < CPU_MAX);
    return NULL;
}

const char *cmd_trace(const struct monitor_words *words)
{
    const char *word = words->count > 1 ? words->word[1] : "";

    if (strcmp(word, "on") == 0 || strcmp(word, "off") == 0)
        return turn(strcmp(word, "on") == 0);
    if (strcmp(word, "filter") == 0)
        return filter(words);
    if (strcmp(word, "last") == 0)
        return last(words);
    if (words->count > 1)
        return monitor_error("trace '%s' is none of on, off, filter, last", word);
    show_state();
    return NULL;
}

static const char *candidate_class(unsigned int n, const char *list, size_t *length)
{
    (void)list;
    return n < TRACE_CLASS_COUNT ? monitor_candidate_word(trace_class_name(n), length) : NULL;
}

// Behind "class" the classes, behind "key" the keys, else what a part of a filter begins with.
monitor_candidate complete_trace(const char *typed, const char **list)
{
    size_t length = strlen(typed);

    if (strncmp(typed, "filter ", 7) != 0)
        return NULL;
    if (length >= 6 && strcmp(typed + length - 6, "class ") == 0)
        return candidate_class;
    if (length >= 4 && strcmp(typed + length - 4, "key ") == 0)
        return monitor_candidate_key;
    *list = "all class key row vm";
    return NULL;
}
