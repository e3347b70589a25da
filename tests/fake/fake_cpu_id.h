// SPDX-License-Identifier: Apache-2.0
// core/cpu.c for those who only ask which CPU they run on (fake_cpu.c is for those who ask other CPUs for something).
#pragma once

#include <hv/arch/cpu.h>

__attribute__((weak)) unsigned int fake_cpu_id; // the test says

__attribute__((weak)) unsigned int cpu_id(void)
{
    return fake_cpu_id;
}
