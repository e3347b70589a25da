// SPDX-License-Identifier: Apache-2.0
// The end of EL2. A bug of EL2's own has been found on this CPU: the report says what happened and by which calls the
// CPU came there, on the serial line and in the log's ring, and then all CPUs park. Another CPU, or this one, may have
// been stopped in the middle of anything, so nothing here waits for a lock without bound, and a report that fails
// itself is reported once more and then given up.

#include <hv/panic.h>

#include <hv/arch/cpu.h>
#include <hv/arch/stacks.h>
#include <hv/fatal.h>
#include <hv/log.h>
#include <hv/memory_map.h>
#include <hv/printf.h>
#include <hv/trace.h>
#include <hv/types.h>

// The number of calls that a report shows at most. A damaged chain ends here at the latest.
#define BACKTRACE_DEPTH 16

extern char text_start[], text_end[], stacks_start[], stacks_end[], panic_stacks[];

// Whether a frame record of 16 bytes at fp lies on one of EL2's stacks.
static bool on_stack(uint64_t fp)
{
    bool stack = fp >= (uint64_t)stacks_start && fp < (uint64_t)stacks_end - 16;
    bool panic_stack = fp >= (uint64_t)panic_stacks && fp < (uint64_t)panic_stacks + CPU_MAX * PANIC_STACK_SIZE - 16;
    return fp % 16 == 0 && (stack || panic_stack);
}

// Follows the chain of frame records (AAPCS64 6.4.6): x29 points at a pair of the caller's x29 and the return address.
// The call itself is the instruction before the return address. addr2line -fe build/hypervisor.elf ADDRESS... names the
// functions. The chain may be damaged: each record must lie on a stack of EL2's, and higher than the one before.
void panic_backtrace(uint64_t pc, uint64_t fp)
{
    log_panic("backtrace", "depth=0 pc=0x%lx", pc);
    for (unsigned int depth = 1; depth < BACKTRACE_DEPTH && on_stack(fp); depth++) {
        const uint64_t *record = (const uint64_t *)fp;
        if (record[1] < (uint64_t)text_start || record[1] >= (uint64_t)text_end)
            break;
        log_panic("backtrace", "depth=%u pc=0x%lx", depth, record[1] - 4);
        if (record[0] <= fp)
            break;
        fp = record[0];
    }
}

// WFI may return for many reasons, and a parked CPU has nothing to do for any of them: it waits again.
static _Noreturn void park(void)
{
    for (;;)
        cpu_wait_for_interrupt();
}

// The form that a call to another CPU must have.
static void park_call(void *argument)
{
    (void)argument;
    park();
}

// panic.c may not call core/cpu.c by name, because cpu.c itself calls panic: cpu.c registers its way to stop the
// others.
static panic_stopper stop_others;

void panic_register(panic_stopper stopper)
{
    stop_others = stopper;
}

// The other CPUs are asked to park and are not waited for: one of them may be what is broken. The report is out, also
// if handing on the trace ends in a second panic.
_Noreturn void panic_end(void)
{
    if (stop_others != NULL)
        stop_others(park_call);
    trace_panic();
    park();
}

// A fault within the report of a CPU comes here a second time and is reported too; one within that report parks the
// CPU.
void panic_begin(void)
{
    static uint8_t reports[CPU_MAX];

    if (reports[cpu_id()] == 2)
        park();
    reports[cpu_id()]++;
}

// The text is formatted before anything is printed: its arguments may be what is broken, and then the fault within
// formatting is what is reported.
_Noreturn void panic(const char *format, ...)
{
    char text[128];
    va_list arguments;

    panic_begin();
    va_start(arguments, format);
    format_text_v(text, sizeof(text), format, arguments);
    va_end(arguments);
    log_panic("panic", "reason=%pQ", text);
    panic_backtrace((uint64_t)__builtin_return_address(0), (uint64_t)__builtin_frame_address(0));
    panic_end();
}

// The lowest layer (lib) knows no panic. It reports through this function, which panic_init hands to it.
static void report_fatal(const char *reason)
{
    panic("%s", reason);
}

void panic_init(void)
{
    fatal_set_report(report_fatal);
}
