// SPDX-License-Identifier: Apache-2.0
// core/notify.c for tests of those who post: the last event, what vCPU it was about, and how many there were. The names
// are the real ones.
#pragma once

#include <hv/notify.h>

#include <stddef.h>

__attribute__((weak)) enum notify_event fake_notified = NOTIFY_COUNT; // NOTIFY_COUNT: none since the last reset
__attribute__((weak)) struct vcpu *fake_notified_about;               // the vCPU that it was posted about
__attribute__((weak)) unsigned int fake_notify_count;

static inline void fake_notify_reset(void)
{
    fake_notified = NOTIFY_COUNT;
    fake_notified_about = NULL;
    fake_notify_count = 0;
}

__attribute__((weak)) void notify_post(enum notify_event event, struct vcpu *vcpu)
{
    fake_notified = event;
    fake_notified_about = vcpu;
    fake_notify_count++;
}

__attribute__((weak)) const char *notify_name(unsigned int event)
{
#define FAKE_NOTIFY_WORDS(id, words) words,
    static const char *const names[NOTIFY_COUNT] = {NOTIFY_TABLE(FAKE_NOTIFY_WORDS)};

    return event < NOTIFY_COUNT ? names[event] : "?";
}

__attribute__((weak)) notify_listener fake_notify_listener; // the last that was registered

__attribute__((weak)) void notify_register(notify_listener listener)
{
    fake_notify_listener = listener;
}
