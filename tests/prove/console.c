// SPDX-License-Identifier: Apache-2.0
// Proof of the queues of console/line.c by abstract interpretation (Eva): from every state in which they may be, every
// call leaves them in such a state, and no index is out of bounds.
#include "../../console/line.c"

extern volatile uint64_t any;

static uint64_t at_most(uint64_t limit)
{
    uint64_t value = any;

    return value <= limit ? value : limit;
}

void prove_console(void)
{
    uint64_t what = any;

    console.hold = any % 2;
    console.held_count = (uint32_t)at_most(HELD_SIZE);
    queue.first = (uint32_t)at_most(QUEUE_SIZE - 1);
    queue.count = (uint32_t)at_most(QUEUE_SIZE);
    queue_waiting = queue.count;
    if (what % 5 == 0)
        console_guest_byte((uint8_t)any);
    else if (what % 5 == 1)
        console_hold_guest(any % 2);
    else if (what % 5 == 2)
        console_guest_input((uint8_t)any);
    else if (what % 5 == 3)
        console_guest_room();
    else
        console_receive();
    //@ assert held_fits: console.held_count <= HELD_SIZE;
    //@ assert queue_begins_inside: queue.first < QUEUE_SIZE;
    //@ assert queue_fits: queue.count <= QUEUE_SIZE;
}
