// SPDX-License-Identifier: Apache-2.0
// Loops written in assembly, so that what is counted beside the operation is the same with every compiler.
#include "lib/cost.h"

#include <hv/memory_map.h>
#include <stdint.h>

#include "lib/gic.h"
#include "lib/print.h"

#define COST_ROUNDS   10000
#define SGI_INTID     3
#define COST_TEXT_(v) #v
#define COST_TEXT(v)  COST_TEXT_(v)
#define GICD_TYPER    (GICD_PA + 0x4)
#define GICD_ISENABLE (GICD_PA + 0x44)
#define GICR_TYPER    (GICR_PA + 0x8)
#define PL011_FR      (PL011_PA + 0x18)

// One loop: body, then count down. x9 is the counter; x4 the address or value the body uses; x0-x3 are lost.
#define COST_LOOP(name, body)                                                                                          \
    static void name(uint64_t operand)                                                                                 \
    {                                                                                                                  \
        __asm__ volatile("mov x9, %0\n mov x4, %1\n"                                                                   \
                         "1: " body "\n subs x9, x9, #1\n b.ne 1b"                                                     \
                         :                                                                                             \
                         : "r"((uint64_t)COST_ROUNDS), "r"(operand)                                                    \
                         : "x0", "x1", "x2", "x3", "x9", "x4", "cc", "memory");                                        \
    }

COST_LOOP(loop_call, "mov x0, x4\n hvc #0")
COST_LOOP(loop_id_register, "mrs x0, id_aa64mmfr0_el1")
COST_LOOP(loop_load, "ldr w0, [x4]")
COST_LOOP(loop_load_64, "ldr x0, [x4]")
COST_LOOP(loop_store_zero, "str wzr, [x4]")
// Sent, taken by its INTID (interrupts stay masked) and ended.
COST_LOOP(loop_sgi, "msr icc_sgi1r_el1, x4\n isb\n 2: mrs x0, icc_iar1_el1\n cmp w0, #" COST_TEXT(
                        SGI_INTID) "\n b.ne 2b\n msr icc_eoir1_el1, x0")

static const struct {
    const char *name;
    void (*loop)(uint64_t operand);
    uint64_t operand;
} operations[] = {
    {"hvc-psci-version", loop_call, 0x84000000},
    {"hvc-get-hv-id", loop_call, 0},
    {"id-register-read", loop_id_register, 0},
    {"gicd-typer-read", loop_load, GICD_TYPER},
    {"gicd-isenabler-write", loop_store_zero, GICD_ISENABLE},
    {"gicr-typer-read", loop_load_64, GICR_TYPER},
    {"uart-status-read", loop_load, PL011_FR},
    {"sgi-to-self", loop_sgi, (uint64_t)SGI_INTID << 24 | 1},
};

static uint64_t now(void)
{
    uint64_t ticks;
    __asm__ volatile("isb\n mrs %0, cntvct_el0" : "=r"(ticks)::"memory");
    return ticks;
}

void cost_run(void)
{
    uint64_t frequency;

    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(frequency));
    gic_enable(SGI_INTID, 0x80);
    for (unsigned int i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
        uint64_t start = now();
        operations[i].loop(operations[i].operand);
        uint64_t ns = (now() - start) * 1000000000 / frequency;
        print("# cost %s %lu\n", operations[i].name, (ns + COST_ROUNDS / 2) / COST_ROUNDS);
    }
    print("# cost end\n");
}
