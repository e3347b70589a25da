// SPDX-License-Identifier: Apache-2.0
// debug/step.c for tests of the exits of a vCPU that nobody steps.
#pragma once

#include <hv/arch/step.h>

__attribute__((weak)) bool step_take(struct vcpu *vcpu)
{
    (void)vcpu;
    return false;
}

__attribute__((weak)) void step_arm(struct vcpu *vcpu, bool done)
{
    (void)vcpu, (void)done;
}

__attribute__((weak)) void step_cancel_if_stopped(struct vcpu *vcpu)
{
    (void)vcpu;
}
