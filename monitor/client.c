// SPDX-License-Identifier: Apache-2.0
// The client whose command runs. It is set around each command of a program, and is the person at the serial line at
// all other times, so code that knows one client only stays right.
#include <hv/monitor_client.h>

static struct monitor_client person;
static struct monitor_client *now = &person;

struct monitor_client *monitor_client_now(void)
{
    return now;
}

void monitor_client_set(struct monitor_client *client)
{
    now = client != NULL ? client : &person;
}
