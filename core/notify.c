// SPDX-License-Identifier: Apache-2.0
// Events on their way to their listeners. The listeners talk to a person over the serial line, whose interrupt the boot
// CPU takes: so they run on that CPU and no other, and need no lock among themselves. That CPU may run a vCPU of
// another guest, so an event carries the vCPU that it is about. An event that another CPU posts waits in `posted` until
// the boot CPU takes the SGI that announces it.
#include <hv/notify.h>

#include <hv/arch/cpu.h>
#include <hv/gicv3.h>
#include <hv/machine.h>
#include <hv/panic.h>
#include <hv/types.h>

_Static_assert(NOTIFY_COUNT <= 32, "an event is a bit of events");
_Static_assert(CPU_MAX <= 32, "a CPU is a bit of posted_cpus");

static notify_listener listeners[NOTIFY_LISTENERS_MAX];
static unsigned int listener_count;

// What was posted by other CPUs than the boot CPU and is not told yet. A CPU runs one vCPU and no other, so the events
// about a vCPU have the place of its CPU, whichever CPU finds them.
static struct {
    struct vcpu *vcpu;
    uint32_t events; // bit n: event n
} posted[CPU_MAX];
static uint32_t posted_cpus; // bit n: posted[n] has events

// The words come from the same table as the events, so no event can be without words.
const char *notify_name(unsigned int event)
{
#define NOTIFY_WORDS(id, words) words,
    static const char *const names[NOTIFY_COUNT] = {NOTIFY_TABLE(NOTIFY_WORDS)};

    return event < NOTIFY_COUNT ? names[event] : "?";
}

void notify_register(notify_listener listener)
{
    if (listener_count == NOTIFY_LISTENERS_MAX)
        panic("notify: more than %u listeners", NOTIFY_LISTENERS_MAX);
    listeners[listener_count++] = listener;
}

// Every listener hears of every event, in the order in which they registered.
static void tell(enum notify_event event, struct vcpu *vcpu)
{
    for (unsigned int i = 0; i < listener_count; i++)
        listeners[i](event, vcpu);
}

// On the boot CPU the listeners run at once. From any other CPU the event is left in `posted`: the release makes what
// the poster wrote before it visible to the listeners, and the SGI makes the boot CPU look. An event that is posted
// twice before that is told once.
COLD void notify_post(enum notify_event event, struct vcpu *vcpu)
{
    if (cpu_id() == CPU_BOOT) {
        tell(event, vcpu);
        return;
    }
    __atomic_store_n(&posted[vcpu->cpu].vcpu, vcpu, __ATOMIC_RELAXED);
    __atomic_fetch_or(&posted[vcpu->cpu].events, 1u << event, __ATOMIC_RELEASE);
    __atomic_fetch_or(&posted_cpus, 1u << vcpu->cpu, __ATOMIC_RELEASE);
    gicv3_send_sgi(GICV3_SGI_KICK, CPU_BOOT);
}

// The bits of a vCPU are taken all at once: what is posted while listeners run waits for the next SGI.
static COLD void tell_posted(void)
{
    uint32_t cpus = __atomic_exchange_n(&posted_cpus, 0, __ATOMIC_ACQUIRE);

    for (; cpus != 0; cpus &= cpus - 1) {
        unsigned int cpu = (unsigned int)__builtin_ctz(cpus);
        uint32_t events = __atomic_exchange_n(&posted[cpu].events, 0, __ATOMIC_ACQUIRE);
        for (; events != 0; events &= events - 1)
            tell((enum notify_event)__builtin_ctz(events), posted[cpu].vcpu);
    }
}

// Every kick of the boot CPU comes here, and most have nothing to do with events.
void notify_serve(void)
{
    if (cpu_id() == CPU_BOOT && __atomic_load_n(&posted_cpus, __ATOMIC_RELAXED) != 0)
        tell_posted();
}
