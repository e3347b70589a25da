// SPDX-License-Identifier: Apache-2.0
// Channels on the serial line. One line carries several conversations: each guest's console, the log, and the monitor.
// A guest's UART opens a channel, over which the guest's bytes go out and typed bytes come in. The log's records and
// the monitor's words go out by console.h.
//
// Who is at the line's other end is one person. They talk to the channel in front (the first that was opened), or to
// the control client (the monitor), which takes the line with Ctrl-] or BREAK and then holds it: what the guests print
// waits in a bounded buffer of each channel, and what is typed is the control client's.
#pragma once

#include <hv/types.h>

#define CHANNEL_MAX       4     // guests' channels
#define CHANNEL_ATTENTION 0x1d  // Ctrl-]: asks for the control client
#define CHANNEL_BREAK     0x100 // as data: a BREAK, no byte

struct channel;

// A byte for the guest, or CHANNEL_BREAK. False: there is no room for it, and the channel keeps it and offers it again
// after channel_room. Any CPU; the lock of typed bytes is held, so it calls nothing of this header.
typedef bool (*channel_receive)(void *argument, uint16_t data);

// A new channel for a guest; what is typed for it goes to receive(argument). Never NULL. At boot, before the guest
// runs; panics when CHANNEL_MAX are open.
struct channel *channel_open(channel_receive receive, void *argument);

// ---- For a guest's UART, and for its hypercall. Any CPU, none of the device's locks held.

// The guest has sent byte. It goes out at once, or into the bounded buffer while the channel is held (drops are
// counted). What would act on the person's terminal is shown instead (terminal_filter.h).
void channel_put(struct channel *channel, uint8_t byte);
// Text of the guest's by hypercall: printed a line at a time behind "guest: ", with control bytes escaped, so that it
// cannot pass for EL2's words.
void channel_put_text(struct channel *channel, const uint8_t *text, size_t length);
// The machine is about to end: a line that no guest has ended yet goes to the trace. Any CPU.
void channel_end(void);
// The guest has made room for typed bytes: offers it those that wait.
void channel_room(struct channel *channel);

// ---- For the control client. Its functions run on the boot CPU, from the UART's interrupt, no locks held.

struct channel_control {
    void (*receive)(int byte);   // typed while it holds the line, or CHANNEL_ATTENTION, which asks for it
    void (*receive_break)(void); // a BREAK on the line, held or not
};

// Once, at boot; client stays valid.
void channel_set_control(const struct channel_control *client);

// hold true: the control client takes the line, and all channels are held from now on. false: it gives the line back,
// and what has waited in the channel in front goes out; returns how many of its bytes did not fit and were dropped
// since it was held. Any CPU.
uint64_t channel_hold(bool hold);
// Whether the control client has the line.
bool channel_is_held(void);

// A byte, or a BREAK, for the guest in front, as if it had been typed for it: behind what waits already. A second BREAK
// while the first waits is the same one.
void channel_type(uint8_t byte);
void channel_type_break(void);

// on: every byte that is typed while the line is not held is the guest's, CHANNEL_ATTENTION too, for binary transfers;
// a BREAK asks for the control client as ever.
void channel_set_transparent(bool on);
bool channel_is_transparent(void);

// Of the channel in front: guest bytes that were dropped because the buffer was full while it was held; typed bytes
// that were dropped because the guest did not read and the queue was full; and the last line in which the guest's
// kernel spoke of trouble (guest_words.h), "" when there was none.
uint64_t channel_output_dropped(void);
uint64_t channel_input_dropped(void);
const char *channel_words(void);

// ---- The line itself

// From now on the UART's interrupt, taken by the CPU that calls this, brings what is typed. Once, on the boot CPU,
// after gicv3_init_cpu.
void channel_listen(void);
// Takes what was typed from the UART and hands it on: from the UART's interrupt, or polled where there is none. On the
// boot CPU. Never blocks.
void channel_poll(void);
