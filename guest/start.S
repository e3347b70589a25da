// SPDX-License-Identifier: Apache-2.0
// Entry of the diagnostic guest at EL1, MMU off, on the boot CPU. The other CPUs begin in lib/vectors.S.
#include <hv/memory_map.h>

    .section .text.start, "ax"
    .global guest_start
guest_start:
    msr daifset, #0xf
    msr spsel, #1
    ldr x1, =GUEST_STACK_TOP_IPA
    mov sp, x1
    ldr x1, =guest_bss_start
    ldr x2, =guest_bss_end
1:  cmp x1, x2
    b.hs 2f
    stp xzr, xzr, [x1], #16
    b 1b
2:  bl guest_setup_cpu
    bl guest_main
3:  wfi
    b 3b
    .ltorg
