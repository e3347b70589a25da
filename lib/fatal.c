// SPDX-License-Identifier: Apache-2.0
// The end of EL2 as the ground knows it. What finds a bug may lie anywhere: the compiler puts a check of the stack's
// canary into nearly every file, lib's own among them. But the report of the bug needs rooms that are above lib. So the
// ground keeps one pointer to the report, which boot sets first of all, and lib calls nothing above itself.
//
// The pointer and the canary lie in sealed memory: once stage 1 is on, nothing can write to them.
#include <hv/fatal.h>

#include <stddef.h>
#include <stdint.h>

#include <hv/types.h>

static SEALED fatal_report_fn fatal_report;

// -fstack-protector-strong: each function with an array on its stack stores this word behind it, compares it when it
// returns, and calls __stack_chk_fail when it has changed. boot.S draws the word before any C runs.
SEALED uint64_t __stack_chk_guard;
_Noreturn void __stack_chk_fail(void);

void fatal_set_report(fatal_report_fn report)
{
    fatal_report = report;
}

_Noreturn void fatal(const char *reason)
{
    if (fatal_report != NULL)
        fatal_report(reason);
    __builtin_trap();
}

_Noreturn void __stack_chk_fail(void)
{
    fatal("stack protector: a canary is overwritten");
}
