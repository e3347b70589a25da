// SPDX-License-Identifier: Apache-2.0
// Proof of the queues of console/channel.c by abstract interpretation (Eva): from every state in which they may be,
// every call leaves them in such a state, and no index is out of bounds.
#include "../../console/line.c"
#include "../../console/channel.c"

extern volatile uint64_t any;

static uint64_t at_most(uint64_t limit)
{
    uint64_t value = any;

    return value <= limit ? value : limit;
}

static bool receive(void *argument, uint16_t data)
{
    (void)argument, (void)data;
    return any % 2;
}

void prove_console(void)
{
    struct channel *channel = channel_open(receive, NULL);
    uint64_t what = any;

    channel->held = any % 2;
    channel->held_count = (uint32_t)at_most(HELD_SIZE);
    channel->queue.first = (uint32_t)at_most(QUEUE_SIZE - 1);
    channel->queue.count = (uint32_t)at_most(QUEUE_SIZE);
    channel->waiting = channel->queue.count;
    if (what % 5 == 0)
        channel_put(channel, (uint8_t)any);
    else if (what % 5 == 1)
        channel_hold(any % 2);
    else if (what % 5 == 2)
        channel_type((uint8_t)any);
    else if (what % 5 == 3)
        channel_room(channel);
    else
        channel_poll();
    //@ assert held_fits: channel->held_count <= HELD_SIZE;
    //@ assert queue_begins_inside: channel->queue.first < QUEUE_SIZE;
    //@ assert queue_fits: channel->queue.count <= QUEUE_SIZE;
}
