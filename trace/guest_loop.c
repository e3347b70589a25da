// SPDX-License-Identifier: Apache-2.0
// The loops of refused accesses that guests are known to be in. A guest in such a loop would write the same record
// thousands of times a second, or, where no row asks for a record, would look like a guest that works. No exit pays for
// the search: it reads, once a second, the last events that telemetry keeps anyway, and counts how many of them were at
// the same place, that is, had the same PC, address, key and direction. A loop of several places (a driver that asks
// three absent registers in turn) is found place by place.
#include <hv/guest_loop.h>

#include <hv/event_name.h>
#include <hv/log_budget.h>
#include <hv/machine.h>
#include <hv/policy.h>
#include <hv/telemetry.h>
#include <hv/trap_result.h>

#define EXITS_PER_SECOND 1000 // fewer are no loop
#define SHARE            8    // a loop's place has at least one in so many of the last exits
#define CANDIDATES       8    // so many of the last events are looked at

// Two exits are at the same place when all four agree. For example, a read and a write of one register by two
// instructions of a driver are two places.
static bool is_at(const struct telemetry_loop *place, const struct event *event)
{
    return place->pc == event->pc && place->address == event->address && place->key == event->key &&
           place->write == event->write;
}

bool guest_loop_has(const struct telemetry *telemetry, const struct event *event)
{
    const struct telemetry_loop *places = telemetry->loops;

    for (unsigned int i = 0; i < TELEMETRY_LOOPS; i++)
        if (places[i].active && is_at(&places[i], event))
            return true;
    return false;
}

// How many of the last events are at the same place. The oldest slot is left out: it is that of the exit under way.
static unsigned int count_at(const struct telemetry *telemetry, const struct telemetry_loop *place)
{
    unsigned int count = 0;

    for (unsigned int i = 1; i < TELEMETRY_LAST; i++)
        count += is_at(place, &telemetry->last[(telemetry->sequence - i) % TELEMETRY_LAST]);
    return count;
}

// A guest may repeat for ever what it is not refused: a driver that polls a status register is no loop.
static bool is_refused(const struct event *event)
{
    return event->verdict == POLICY_DENY || event->result == TRAP_INJECT_UNDEF || event->result == TRAP_INJECT_ABORT;
}

// Which device a data or instruction abort was about: the range of the policy in which the address lies.
static const char *name_of_device(const struct policy *policy, const struct event *event)
{
    const struct policy_range *range = policy_find_range(policy, ipa_make(event->address));

    if (event->cause != KEY_CAUSE_IABT && event->cause != KEY_CAUSE_DABT)
        return "none";
    if (event->key == KEY_GUEST_RAM)
        return event_key_name(KEY_GUEST_RAM);
    return event_key_name(range != NULL ? range->key : KEY_DEVICE_NONE);
}

// No record of a loop is cut, whatever the policy says.
#define LOOP_LONGEST                                                                                                   \
    LOG_HEAD_LONGEST "vcpu=7 key=S3_7_C15_C15_7_and_more op=write device=pcie-ecam-low addr=0x0123456789abcdef "       \
                     "pc=0x0123456789abcdef esr=0x01234567 result=reflect per_second=999999999 row=1023 at= why="
_Static_assert(sizeof(LOOP_LONGEST) + POLICY_PLACE_MAX + POLICY_WHY_MAX < LOG_LINE_MAX - LOG_TAIL_MAX, "policy.h");

// Writes the record guest-loop. Its source has a budget, so that a guest which walks from place to place cannot flood
// the log with these records either.
static void record(const struct vcpu *vcpu, const struct event *event, uint64_t per_second)
{
    const struct policy_row *row = &vcpu->vm->policy->rows[event->row];
    char name[EVENT_NAME_SIZE];

    log_limited(LOG_LIMIT(LOG_SOURCE_LOOP, LOG_WARN), LOG_GUEST, "guest-loop",
                "vcpu=%u key=%s op=%s device=%s addr=0x%lx pc=0x%lx esr=0x%x result=%s per_second=%lu row=%u at=%pQ "
                "why=%pQ",
                vcpu->id, event_name(event, name, sizeof(name)), event->write ? "write" : "read",
                name_of_device(vcpu->vm->policy, event), event->address, event->pc, event->syndrome,
                trap_result_name(event->result), per_second, event->row, row->place, row->why);
}

// Remembers the event's place and tells it, unless it is known already, is rare among the last exits, or
// TELEMETRY_LOOPS places are known. exits is the number of all exits of the last second: of 5,000 exits, with half of
// the 256 last events at this place, the record says per_second=2500.
static void notice(struct vcpu *vcpu, const struct event *event, uint64_t exits)
{
    struct telemetry_loop *places = vcpu->telemetry->loops;
    struct telemetry_loop found = {event->pc, event->address, event->key, event->write, true};
    unsigned int count = count_at(vcpu->telemetry, &found);

    if (guest_loop_has(vcpu->telemetry, event) || count < TELEMETRY_LAST / SHARE)
        return;
    for (unsigned int i = 0; i < TELEMETRY_LOOPS; i++) {
        if (!places[i].active) {
            places[i] = found;
            record(vcpu, event, exits * count / TELEMETRY_LAST);
            return;
        }
    }
}

// Called once a second on the vCPU's CPU. A known place whose share has fallen is forgotten, so that the same loop is
// told again if it comes back. Then the newest events are looked at for places that are not known.
void guest_loop_tick(struct vcpu *vcpu)
{
    struct telemetry *telemetry = vcpu->telemetry;
    struct telemetry_loop *places = telemetry->loops;
    uint64_t exits = telemetry->sequence - telemetry->loop_sequence;

    telemetry->loop_sequence = telemetry->sequence;
    for (unsigned int i = 0; i < TELEMETRY_LOOPS; i++)
        if (places[i].active && (exits < EXITS_PER_SECOND || count_at(telemetry, &places[i]) < TELEMETRY_LAST / SHARE))
            places[i].active = false;
    for (unsigned int i = 1; exits >= EXITS_PER_SECOND && i <= CANDIDATES; i++) {
        const struct event *event = &telemetry->last[(telemetry->sequence - i) % TELEMETRY_LAST];
        if (is_refused(event))
            notice(vcpu, event, exits);
    }
}
