// SPDX-License-Identifier: Apache-2.0
// policy: the rows of the policy, how often each decided, and the verdict that an access or a request would get. The
// build has folded the rows into one verdict for each key and direction, so that the answer to "what would happen" is
// looked up where an exit looks it up: what is shown is what an access would get, and not a second reading of the file.
#include <hv/monitor_cmds.h>

#include <hv/cpu.h>
#include <hv/event_key.h>
#include <hv/log.h>
#include <hv/log_virtio.h>
#include <hv/machine.h>
#include <hv/monitor_candidates.h>
#include <hv/monitor_out.h>
#include <hv/monitor_reply.h>
#include <hv/monitor_subject.h>
#include <hv/policy.h>
#include <hv/policy_set.h>
#include <hv/policy_virtio.h>
#include <hv/string.h>
#include <hv/telemetry.h>
#include <hv/vm.h>

// The counters of a row belong to the vCPUs, each of which counts its own exits without a lock; requests to virtio
// devices are counted for the VM.
uint64_t monitor_row_count(unsigned int row)
{
    uint64_t count = log_virtio_count(monitor_vm(), row);

    for (unsigned int n = 0; n < monitor_vm()->vcpu_count; n++)
        count += monitor_vm()->vcpus[n].telemetry->row_count[row];
    return count;
}

void monitor_row_heading(bool with_count)
{
    if (with_count)
        out_heading("%3s %10s %6s %6s %-22s %-7s %s", "row", "count", "logged", "supp.", "at", "action", "subject");
    else
        out_heading("%3s %-22s %-7s %s", "row", "at", "action", "subject");
}

// A row takes two lines on a terminal of 80 columns: what it is about, and below it why it is there.
void monitor_show_row(unsigned int n, bool with_count)
{
    const struct policy_row *row = &monitor_vm()->policy->rows[n];

    out("row:%3u ", n);
    if (with_count)
        out("count:%10lu logged:%6lu suppressed:%6lu ", monitor_row_count(n), log_written_of_row(monitor_vm(), n),
            log_suppressed_of_row(monitor_vm(), n));
    out("at:%-22s action:%-7s subject:%s", row->place, policy_action_name(row->action), row->text);
    if (row->why[0] != '\0')
        out_note("\n   ");
    out(" why:%s\n", row->why);
}

// What the policy says about an access in one direction, and the row that says so.
static void show_verdict(const char *name, const char *direction, const struct policy_verdict *verdict)
{
    const struct policy_row *row = &monitor_vm()->policy->rows[verdict->row];

    out("access:%-6s key:%-20s verdict:%-8s at:%s", direction, name, policy_action_name(verdict->action), row->place);
    out_note("\n   ");
    out(" subject:%s default=%d log=%d why:%s\n", row->text, (verdict->flags & POLICY_FLAG_DEFAULT) != 0,
        (verdict->flags & POLICY_FLAG_LOG) != 0, row->why);
}

// policy test [read|write] <subject>: the verdict that an access would get, without making one. A number is an address
// outside guest RAM; any other word is the name of a key.
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
        // As trap_mmio does it.
        const struct policy_range *range = policy_find_range(monitor_vm()->policy, ipa_make(ipa));

        if (space_is_ram(&monitor_vm()->space, ipa_make(ipa)))
            return monitor_error("%s is guest RAM: the guest's own", subject);
        verdicts = range != NULL ? range->verdict : policy_verdicts_of(monitor_vm()->policy, KEY_DEVICE_NONE);
        name = event_key_name(range != NULL ? range->key : KEY_DEVICE_NONE);
    } else {
        unsigned int key = event_key_find(subject);

        if (key >= KEY_COUNT)
            return monitor_error("'%s' is no register, device, call or address", subject);
        verdicts = policy_verdicts_of(monitor_vm()->policy, key);
    }
    if (!only_write)
        show_verdict(name, "read", &verdicts[0]);
    if (!only_read)
        show_verdict(name, "write", &verdicts[1]);
    return NULL;
}

// The request of this name that the device type has; VIRTIO_REQUEST_COUNT: none.
static unsigned int find_request(const char *name, unsigned int device_id)
{
    for (unsigned int n = 0; n < VIRTIO_REQUEST_COUNT; n++) {
        unsigned int type = policy_virtio_request_type(n);
        if (strcmp(policy_virtio_request_name(n), name) == 0 && (type == device_id || type == 0))
            return n;
    }
    return VIRTIO_REQUEST_COUNT;
}

static unsigned int find_type(const char *name)
{
    unsigned int id = 1;

    while (id < 32 && strcmp(policy_virtio_type_name(id), name) != 0)
        id++;
    return id;
}

// policy request <transport> <device> <request> [sector [sectors]]: what a request to a virtio device would get.
static const char *policy_request(const struct monitor_words *words)
{
    const struct policy *policy = monitor_vm()->policy;
    struct policy_virtio_access access = {.device_id = find_type(words->word[3])};
    const char *device = words->word[3], *name = words->word[4];
    uint64_t transport;

    if (!parse_u64(words->word[2], &transport) || transport >= POLICY_VIRTIO_TRANSPORTS)
        return monitor_error("'%s' is no transport from 0 to %u", words->word[2], POLICY_VIRTIO_TRANSPORTS - 1);
    if (access.device_id >= 32)
        return monitor_error("'%s' is none of net, block, console, rng, 9p", device);
    access.request = find_request(name, access.device_id);
    if (access.request >= VIRTIO_REQUEST_COUNT)
        return monitor_error("'%s' is no request of %s; any is one that has no name", name, device);
    for (unsigned int n = 5; n < words->count; n++)
        if (!parse_u64(words->word[n], n == 5 ? &access.sector : &access.sectors))
            return monitor_error("'%s' is no number", words->word[n]);
    access.transport = (unsigned int)transport;
    struct policy_virtio_verdict verdict = policy_virtio_request(policy, &access);
    const struct policy_row *row = &policy->rows[verdict.row->row];
    out("device:%-7s transport:%2lu request:%-12s verdict:%-8s at:%s", device, transport, name,
        verdict.allowed ? "emulate" : "deny", row->place);
    out_note("\n   ");
    out(" subject:%s default=%d log=%d why:%s\n", row->text, verdict.row->row == 0,
        (verdict.row->flags & POLICY_VIRTIO_LOG) != 0, row->why);
    return NULL;
}

static enum policy_action find_action(const char *name)
{
    static const enum policy_action actions[] = {POLICY_ALLOW, POLICY_EMULATE, POLICY_DENY, POLICY_PAUSE};

    for (unsigned int n = 0; n < ARRAY_COUNT(actions); n++)
        if (strcmp(policy_action_name(actions[n]), name) == 0)
            return actions[n];
    return POLICY_ACTION_COUNT;
}

// What policy_set's answer means to a person, and what to do.
static const char *why_not_set(enum hv_status status, const char *key, const char *action)
{
    switch (status) {
    case HV_OK:
        return NULL;
    case HV_ERR_STATE:
        return monitor_error("%s does not trap in this build: build with a row for it that says count = true", key);
    case HV_ERR_UNSUPPORTED:
        return monitor_error("ariel cannot %s %s (docs/POLICY.md says what each can be)", action, key);
    case HV_ERR_NO_MEMORY:
        return monitor_error("the policy has more than %u ranges of devices", POLICY_RANGE_MAX);
    default:
        return "set, but not every CPU answered: one may go by the old verdict of a device";
    }
}

// policy set <key> [read|write] <action>: from now on, until the next reset.
static const char *policy_set_verdict(const struct monitor_words *words)
{
    const char *last = words->word[words->count - 1];
    unsigned int directions = POLICY_SET_READ | POLICY_SET_WRITE;

    if (words->count < 4 || words->count > 5)
        return "usage: policy set <register|device|call> [read|write] allow|emulate|deny|pause";
    unsigned int key = event_key_find(words->word[2]);
    if (key >= KEY_COUNT)
        return monitor_error("'%s' is no register, device or call (Tab lists them)", words->word[2]);
    if (words->count == 5 && strcmp(words->word[3], "read") == 0)
        directions = POLICY_SET_READ;
    else if (words->count == 5 && strcmp(words->word[3], "write") == 0)
        directions = POLICY_SET_WRITE;
    else if (words->count == 5)
        return monitor_error("'%s' is none of read, write", words->word[3]);
    enum policy_action action = find_action(last);
    if (action == POLICY_ACTION_COUNT)
        return monitor_error("'%s' is none of allow, emulate, deny, pause", last);
    return why_not_set(policy_set(monitor_vm(), key, directions, action), words->word[2], last);
}

// The verdicts that a person has set, behind the rows.
static void show_set(const struct policy *policy)
{
    for (unsigned int n = 0; n < 2 * KEY_COUNT; n++) {
        const struct policy_verdict *verdict = &policy->verdicts[n / 2][n % 2];
        if (verdict->flags & POLICY_FLAG_SET)
            out("set:%-20s access:%-5s verdict:%s\n", event_key_name(n / 2), n % 2 != 0 ? "write" : "read",
                policy_action_name(verdict->action));
    }
}

// policy show and policy stat: all rows in the order of the file, stat with how often each decided.
const char *cmd_policy(const struct monitor_words *words)
{
    const struct policy *policy = monitor_vm()->policy;
    bool count = strcmp(words->word[1], "stat") == 0;

    if (strcmp(words->word[1], "test") == 0)
        return policy_test(words);
    if (strcmp(words->word[1], "request") == 0)
        return policy_request(words);
    if (strcmp(words->word[1], "set") == 0)
        return policy_set_verdict(words);
    if (!count && strcmp(words->word[1], "show") != 0)
        return monitor_error("policy '%s' is none of show, stat, test, request, set", words->word[1]);
    out("policy=%s rows=%u\n", policy->name, policy->row_count);
    monitor_row_heading(count);
    for (unsigned int n = 0; n < policy->row_count; n++)
        monitor_show_row(n, count);
    show_set(policy);
    return NULL;
}

// Behind "policy test" and "policy set" every key may stand; behind a key to be set, what it can be.
monitor_candidate complete_policy(const char *typed, const char **list)
{
    if (strncmp(typed, "test ", 5) == 0 || strcmp(typed, "set ") == 0)
        return monitor_candidate_key;
    if (strncmp(typed, "set ", 4) == 0)
        *list = "read write allow emulate deny pause";
    return NULL;
}
