// SPDX-License-Identifier: Apache-2.0
// Exceptions that EL2 takes in itself. vectors.S saves the registers on this CPU's panic stack and calls
// trap_from_el2. One kind of such exception is expected: an access of guarded.h that failed, which goes on at its
// fixup. Every other one is a bug of EL2's: this file says on the first line of the report what it was, and panic.c
// writes the rest of the report and stops the machine.

#include <hv/arch/trap.h>

#include <hv/arch/extable.h>
#include <hv/arch/registers.h>
#include <hv/arch/stacks.h>
#include <hv/log.h>
#include <hv/memory_map.h>
#include <hv/panic.h>

#define EC_DATA_ABORT_EL2 0x25 // ESR_EL2.EC of a data abort taken without a change of exception level
#define EC_BRK            0x3c // ESR_EL2.EC of BRK in AArch64 (both: DDI 0487 D19.2.37)
#ifndef HV_SAN
#define HV_SAN 0 // 1: built with SAN=1
#endif
#define ISS_UBSAN 0x5500 // clang's -fsanitize-trap: BRK #(0x5500 + the number of the check)

extern char stacks_start[];

// x28 is written apart from the groups of four: x29 is the frame pointer and x30 the link register.
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

// The check of a build with SAN=1 that failed. The index is clang's SanitizerHandler number, which the compiler puts
// into the immediate of BRK: 0x5514 is check 20, a shift by too many bits.
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

// What happened, in the words of the report's first line. A stack that overflows runs into the guard page below it.
static const char *reason_of(const struct trap_frame *frame)
{
    uint64_t offset = frame->far_el2 - (uint64_t)stacks_start, class = FIELD_GET(ESR_ELX_EC, frame->esr_el2);

    if (class == EC_DATA_ABORT_EL2 && offset < CPU_MAX * STACK_STRIDE && offset % STACK_STRIDE < STACK_GUARD_SIZE)
        return "stack overflow: guard page touched";
    if (HV_SAN && class == EC_BRK)
        return ubsan_check(frame->esr_el2);
    return "exception taken in EL2";
}

// vector is the number of the vector in its table, 0 to 15: bits 3:2 say where the exception came from, bits 1:0 what
// kind it was (DDI 0487, "Exception vectors"). For example, 4 is a synchronous exception from EL2 itself with SP_EL2,
// which is what a bad pointer in EL2 gives.
void trap_from_el2(struct own_exception *exception)
{
    static const char *const kinds[4] = {"sync", "irq", "fiq", "serror"};
    static const char *const sources[4] = {"current EL, SP_EL0", "current EL, SP_ELx", "lower EL, AArch64",
                                           "lower EL, AArch32"};
    struct trap_frame *frame = &exception->frame;

    if (extable_fixup(&frame->elr_el2))
        return;
    panic_begin();
    log_panic("panic", "reason=%pQ vector=%pQ kind=%s ec=0x%lx", reason_of(frame), sources[exception->vector >> 2 & 3],
              kinds[exception->vector & 3], FIELD_GET(ESR_ELX_EC, frame->esr_el2));
    log_registers(exception);
    panic_backtrace(frame->elr_el2, frame->x[29]);
    panic_end();
}
