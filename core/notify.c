// SPDX-License-Identifier: Apache-2.0
// Events on their way to their listeners. The listeners talk to a person over the serial line, whose interrupt the boot
// CPU takes: so they run on that CPU and no other, and need no lock among themselves. An event that another CPU posts
// waits as a bit of `posted` until the boot CPU takes the SGI that announces it.
#include <hv/notify.h>

#include <hv/arch/cpu.h>
#include <hv/gicv3.h>
#include <hv/panic.h>
#include <hv/types.h>

_Static_assert(NOTIFY_COUNT <= 32, "an event is a bit of posted");

static notify_listener listeners[NOTIFY_LISTENERS_MAX];
static unsigned int listener_count;
static uint32_t posted; // bit n: event n was posted by another CPU and is not told yet

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
static void tell(enum notify_event event)
{
    for (unsigned int i = 0; i < listener_count; i++)
        listeners[i](event);
}

// On the boot CPU the listeners run at once. From any other CPU the event is left in `posted`: the release makes what
// the poster wrote before it visible to the listeners, and the SGI makes the boot CPU look. An event that is posted
// twice before that is told once.
COLD void notify_post(enum notify_event event)
{
    if (cpu_id() == CPU_BOOT) {
        tell(event);
        return;
    }
    __atomic_fetch_or(&posted, 1u << event, __ATOMIC_RELEASE);
    gicv3_send_sgi(GICV3_SGI_KICK, CPU_BOOT);
}

// The bits are taken all at once: an event that is posted while listeners run waits for the next SGI.
void notify_serve(void)
{
    if (cpu_id() != CPU_BOOT || __atomic_load_n(&posted, __ATOMIC_RELAXED) == 0)
        return;
    uint32_t events = __atomic_exchange_n(&posted, 0, __ATOMIC_ACQUIRE);
    for (; events != 0; events &= events - 1)
        tell((enum notify_event)__builtin_ctz(events));
}
