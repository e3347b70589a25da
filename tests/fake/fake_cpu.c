// SPDX-License-Identifier: Apache-2.0
// In the place of core/cpu.c: as many CPUs as fake_cpu_count says, each of which does at once what it is asked for.
#include <hv/cpu.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

unsigned int fake_cpu_count = 2;

unsigned int cpu_id(void)
{
    return 0;
}

unsigned int cpu_count(void)
{
    return fake_cpu_count;
}

bool cpu_call(unsigned int cpu, void (*function)(void *argument), void *argument)
{
    assert_true(cpu < cpu_count());
    function(argument);
    return true;
}

bool cpu_call_all(void (*function)(void *argument), void *argument)
{
    for (unsigned int cpu = 0; cpu < cpu_count(); cpu++)
        function(argument);
    return true;
}
