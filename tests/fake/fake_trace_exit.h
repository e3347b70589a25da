// SPDX-License-Identifier: Apache-2.0
// trap/trap_trace.c for tests of exits without a trace: how many records of exits that wait or never end were asked
// for.
#pragma once

#include <hv/trace_exit.h>

__attribute__((weak)) unsigned int fake_trace_finished, fake_trace_abandoned;

__attribute__((weak)) void trace_finish(struct vcpu *vcpu)
{
    (void)vcpu;
    fake_trace_finished++;
}

__attribute__((weak)) void trace_abandon(struct vcpu *vcpu)
{
    (void)vcpu;
    fake_trace_abandoned++;
}
