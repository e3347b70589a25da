// SPDX-License-Identifier: Apache-2.0
// console/channel.c for tests of a guest's UART: what was opened. What the UART does with its channel (channel_put,
// channel_room) is the test's.
#pragma once

#include <hv/channel.h>

__attribute__((weak)) channel_receive fake_channel_receive; // of the channel that was opened last
__attribute__((weak)) void *fake_channel_argument;
__attribute__((weak)) unsigned int fake_channel_count;

__attribute__((weak)) struct channel *channel_open(channel_receive receive, void *argument)
{
    fake_channel_receive = receive;
    fake_channel_argument = argument;
    fake_channel_count++;
    return (struct channel *)&fake_channel_receive; // any address: nobody looks there
}
