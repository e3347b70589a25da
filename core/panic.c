// SPDX-License-Identifier: Apache-2.0
// The end of EL2: what happened, where, and by which way, on the console and in the log ring, then a parked CPU. Takes
// no lock that another CPU may hold for ever, and touches nothing it need not.

#include <hv/panic.h>

#include <hv/arch/extable.h>
#include <hv/arch/registers.h>
#include <hv/arch/stacks.h>
#include <hv/arch/trap.h>
#include <hv/cpu.h>
#include <hv/log.h>
#include <hv/printf.h>
#include <hv/stage1.h>
#include <hv/vm.h>

#define BACKTRACE_DEPTH   16
#define EC_DATA_ABORT_EL2 0x25
#define EC_BRK            0x3c
#ifndef HV_SAN
#define HV_SAN 0 // 1: built with SAN=1
#endif
#define ISS_UBSAN 0x5500 // clang's -fsanitize-trap: BRK #(0x5500 + the number of the check)

SEALED uint64_t __stack_chk_guard; // set by boot.S
_Noreturn void __stack_chk_fail(void);

extern char text_start[], text_end[], stacks_start[], stacks_end[], panic_stacks[];

static bool on_stack(uint64_t fp)
{
    bool stack = fp >= (uint64_t)stacks_start && fp < (uint64_t)stacks_end - 16;
    bool panic_stack = fp >= (uint64_t)panic_stacks && fp < (uint64_t)panic_stacks + CPU_MAX * PANIC_STACK_SIZE - 16;
    return fp % 16 == 0 && (stack || panic_stack);
}

// Return addresses along the frame records (AAPCS64 6.4.6). Resolve with: addr2line -fe build/hypervisor.elf ADDRESS...
static void log_backtrace(uint64_t pc, uint64_t fp)
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

static _Noreturn void park(void)
{
    for (;;)
        cpu_wait_for_interrupt();
}

static void park_call(void *argument)
{
    (void)argument;
    park();
}

// The others are asked to stop, and not waited for.
static _Noreturn void stop_machine(void)
{
    cpu_post_all(park_call, NULL);
    park();
}

// A fault of the report itself is reported as well, but not its report's.
static void park_if_again(void)
{
    static uint8_t reports[CPU_MAX];

    if (reports[cpu_id()] == 2)
        park();
    reports[cpu_id()]++;
}

_Noreturn void panic(const char *format, ...)
{
    char text[128];
    va_list arguments;

    park_if_again();
    va_start(arguments, format);
    format_text_v(text, sizeof(text), format, arguments);
    va_end(arguments);
    log_panic("panic", "reason=%pQ", text);
    log_backtrace((uint64_t)__builtin_return_address(0), (uint64_t)__builtin_frame_address(0));
    stop_machine();
}

_Noreturn void __stack_chk_fail(void)
{
    panic("stack protector: a canary is overwritten");
}

static void log_registers(const struct own_exception *exception)
{
    const struct trap_frame *frame = &exception->frame;

    log_panic("el2-registers", "elr=0x%lx spsr=0x%lx esr=0x%lx far=0x%lx hpfar=0x%lx sp=0x%lx", frame->elr_el2,
              frame->spsr_el2, frame->esr_el2, frame->far_el2, frame->hpfar_el2, exception->sp);
    for (unsigned int i = 0; i < 28; i += 4)
        log_panic("el2-registers", "x%u=0x%lx x%u=0x%lx x%u=0x%lx x%u=0x%lx", i, frame->x[i], i + 1, frame->x[i + 1],
                  i + 2, frame->x[i + 2], i + 3, frame->x[i + 3]);
    log_panic("el2-registers", "x28=0x%lx x29=0x%lx x30=0x%lx", frame->x[28], frame->x[29], frame->x[30]);
}

// Of a build with SAN=1: clang's SanitizerHandler numbers.
static const char *ubsan_check(uint64_t syndrome)
{
    static const char *const checks[] = {
        [0] = "undefined behaviour: addition overflows",
        [1] = "undefined behaviour: unreachable code",
        [3] = "undefined behaviour: division",
        [10] = "undefined behaviour: no value of its type",
        [11] = "undefined behaviour: no return value",
        [12] = "undefined behaviour: multiplication overflows",
        [13] = "undefined behaviour: negation overflows",
        [16] = "undefined behaviour: null argument",
        [17] = "undefined behaviour: null returned",
        [18] = "undefined behaviour: index out of bounds",
        [19] = "undefined behaviour: pointer overflows",
        [20] = "undefined behaviour: shift",
        [21] = "undefined behaviour: subtraction overflows",
        [22] = "undefined behaviour: null or misaligned pointer",
        [23] = "undefined behaviour: misaligned pointer",
        [24] = "undefined behaviour: array size",
    };
    uint64_t check = FIELD_GET(ESR_ELX_ISS_IMM16, syndrome) - ISS_UBSAN;

    return check < ARRAY_COUNT(checks) && checks[check] != NULL ? checks[check] : "BRK in EL2";
}

// What it says on the first line of the report.
static const char *reason_of(const struct trap_frame *frame)
{
    uint64_t offset = frame->far_el2 - (uint64_t)stacks_start, class = FIELD_GET(ESR_ELX_EC, frame->esr_el2);

    if (class == EC_DATA_ABORT_EL2 && offset < CPU_MAX * STACK_STRIDE && offset % STACK_STRIDE < STACK_GUARD_SIZE)
        return "stack overflow: guard page touched";
    if (HV_SAN && class == EC_BRK)
        return ubsan_check(frame->esr_el2);
    return "exception taken in EL2";
}

void trap_from_el2(struct own_exception *exception)
{
    static const char *const kinds[4] = {"sync", "irq", "fiq", "serror"};
    static const char *const sources[4] = {"current EL, SP_EL0", "current EL, SP_ELx", "lower EL, AArch64",
                                           "lower EL, AArch32"};
    struct trap_frame *frame = &exception->frame;

    WRITE_SYSREG(TPIDR_EL2, (uint64_t)&vm0.vcpus[cpu_id()]);
    if (extable_fixup(&frame->elr_el2))
        return;
    park_if_again();
    log_panic("panic", "reason=%pQ vector=%pQ kind=%s ec=0x%lx", reason_of(frame), sources[exception->vector >> 2 & 3],
              kinds[exception->vector & 3], FIELD_GET(ESR_ELX_EC, frame->esr_el2));
    log_registers(exception);
    log_backtrace(frame->elr_el2, frame->x[29]);
    stop_machine();
}
