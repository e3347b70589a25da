// SPDX-License-Identifier: Apache-2.0
// trace/log*.c for tests of those who write records: how many there were, and the last one's event. A record that a
// guest can cause asks the budget first where the test links the real one (trace/log_budget.c); else there is room.
#pragma once

#include <stddef.h>

#include <fake_effect.h>

#include <hv/log.h>
#include <hv/log_budget.h>

struct fake_records {
    unsigned int count;    // records of every kind but verdicts
    unsigned int verdicts; // log_verdict
    const char *event;     // of the last record but a verdict
    const struct event *verdict;
    unsigned int dumps;        // of the log on the console
    unsigned int guest_resets; // told by log_guest_resets
};
__attribute__((weak)) struct fake_records fake_records;

__attribute__((weak)) enum log_answer log_budget_ask(unsigned int number, unsigned int source, unsigned int per_second,
                                                     uint64_t *held)
{
    (void)number, (void)source, (void)per_second;
    *held = 0;
    return LOG_WRITE;
}

__attribute__((weak)) void log_budget_set_row(unsigned int number, unsigned int source, const struct policy *policy,
                                              unsigned int row)
{
    (void)number, (void)source, (void)policy, (void)row;
}

__attribute__((weak)) void log_budget_hold(unsigned int number, unsigned int source, uint64_t count)
{
    (void)number, (void)source, (void)count;
}

__attribute__((weak)) void log_record(enum log_level level, enum log_class class, const char *event, const char *format,
                                      ...)
{
    (void)level, (void)class, (void)format;
    fake_records.count++;
    fake_records.event = event;
}

__attribute__((weak)) void log_limited(struct log_limit limit, enum log_class class, const char *event,
                                       const char *format, ...)
{
    uint64_t held;

    (void)class, (void)format;
    if (log_budget_ask(0, limit.source, LOG_LIMIT_PER_SECOND, &held) == LOG_HOLD)
        return;
    fake_records.count++;
    fake_records.event = event;
}

__attribute__((weak)) void log_verdict(const struct vcpu *vcpu, const struct event *event)
{
    (void)vcpu;
    fake_effect(FAKE_VERDICT, event->key);
    fake_records.verdicts++;
    fake_records.verdict = event;
}

__attribute__((weak)) void log_guest_resets(void)
{
    fake_records.guest_resets++;
}

__attribute__((weak)) void console_dump_log(void)
{
    fake_effect(FAKE_DUMP, 0);
    fake_records.dumps++;
}
