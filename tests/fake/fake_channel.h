// SPDX-License-Identifier: Apache-2.0
// console/channel.c for tests of those who have a channel: what was sent, and what is typed. As the real one does, it
// gives typed bytes to the receive function of the channel that was opened last, until that has no room.
#pragma once

#include <stddef.h>

#include <fake_effect.h>

#include <hv/channel.h>

struct fake_channel {
    unsigned int opened;
    channel_receive receive; // of the last one that was opened
    void *argument;
    uint8_t sent[4096]; // the last bytes: byte n is at n % 4096
    unsigned int sent_count;
    uint8_t typed[512]; // what a person has typed
    unsigned int typed_count, typed_next;
    unsigned int room_calls;
};
__attribute__((weak)) struct fake_channel fake_channel;

// Nothing was sent or typed. The channel stays open.
static inline void fake_channel_reset(void)
{
    fake_channel.sent_count = fake_channel.typed_count = fake_channel.typed_next = fake_channel.room_calls = 0;
}

__attribute__((weak)) struct channel *channel_open(channel_receive receive, void *argument)
{
    fake_channel.receive = receive;
    fake_channel.argument = argument;
    fake_channel.opened++;
    return (struct channel *)&fake_channel; // any address: nobody looks there
}

__attribute__((weak)) void channel_put(struct channel *channel, uint8_t byte)
{
    (void)channel;
    fake_effect(FAKE_CHANNEL_PUT, byte);
    fake_channel.sent[fake_channel.sent_count++ % sizeof(fake_channel.sent)] = byte;
}

__attribute__((weak)) void channel_put_text(struct channel *channel, const uint8_t *text, size_t length)
{
    (void)channel;
    fake_effect(FAKE_CHANNEL_TEXT, length + (length > 0 ? text[0] : 0));
    for (size_t n = 0; n < length; n++)
        fake_channel.sent[fake_channel.sent_count++ % sizeof(fake_channel.sent)] = text[n];
}

__attribute__((weak)) void channel_room(struct channel *channel)
{
    (void)channel;
    fake_effect(FAKE_CHANNEL_ROOM, 0);
    fake_channel.room_calls++;
    while (fake_channel.typed_next < fake_channel.typed_count &&
           fake_channel.receive(fake_channel.argument, fake_channel.typed[fake_channel.typed_next]))
        fake_channel.typed_next++;
}
