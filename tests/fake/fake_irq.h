// SPDX-License-Identifier: Apache-2.0
// core/irq.c and core/tick.c for tests of those who register there: what was registered, to be called by the test.
#pragma once

#include <stddef.h>

#include <hv/irq.h>
#include <hv/tick.h>

__attribute__((weak)) unsigned int fake_irq_intid;  // of the last registration
__attribute__((weak)) irq_handler fake_irq_handler; // NULL: none yet
__attribute__((weak)) void *fake_irq_argument;
__attribute__((weak)) tick_function fake_tick_function; // the last that was registered

__attribute__((weak)) void irq_register(unsigned int intid, irq_handler handler, void *argument)
{
    fake_irq_intid = intid;
    fake_irq_handler = handler;
    fake_irq_argument = argument;
}

__attribute__((weak)) void tick_register(tick_function function)
{
    fake_tick_function = function;
}
