// SPDX-License-Identifier: Apache-2.0
// What waits while a person has the serial line: the guest's output, and the log when the guest has asked for it. A
// guest must not learn from the time that a call takes whether somebody is there, so its wish for the log is only kept,
// and fulfilled when the line is the guest's again. Whoever asks sets the wish and then looks whether the line is held;
// whoever gives the line back clears that and then looks for a wish. Each does its two steps in that order (all four
// are sequentially consistent), so at least one of the two sees what the other has done, and the exchange lets only one
// of them print.
#include <hv/console.h>

#include <hv/channel.h>
#include <hv/log.h>

static bool dump_asked;

// The exchange takes the wish away in the same step that looks at it, so the log is printed once for it.
static void dump_if_asked(void)
{
    if (__atomic_exchange_n(&dump_asked, false, __ATOMIC_SEQ_CST))
        log_dump();
}

// True while a person has the line.
bool console_is_held(void)
{
    return channel_is_held();
}

void console_hold(void)
{
    (void)channel_hold(true);
}

// Gives the line back to the guest. The loss of output is recorded, because nothing else would show it.
void console_release(void)
{
    uint64_t dropped = channel_hold(false);

    if (dropped > 0)
        log_record(LOG_WARN, LOG_MONITOR, "guest-output-dropped", "bytes=%lu", (unsigned long)dropped);
    dump_if_asked();
}

// A guest's wish for the log. It is fulfilled at once only when nobody has the line.
void console_dump_log(void)
{
    __atomic_store_n(&dump_asked, true, __ATOMIC_SEQ_CST);
    if (!console_is_held())
        dump_if_asked();
}
