// SPDX-License-Identifier: Apache-2.0
// Accesses of EL2 that may fault (hv/arch/guarded.h). Each such instruction leaves a pair {its address, where to go on}
// in .extable; an exception there comes back to the second, with every register as it was but x17 (hv/arch/extable.h).

// guarded fixup, instruction...
.macro guarded fixup, instruction:vararg
9001:
    \instruction
    .pushsection .extable, "a"
    .balign 8
    .quad 9001b, \fixup
    .popsection
.endm

.macro function name
    .section .text.\name, "ax"
    .balign 4
    .global \name
    .type \name, %function
\name:
.endm

// uint64_t guarded_copy(void *to, const void *from, uint64_t size)
// x2 counts down only when a unit has been loaded and stored: what is left in it was not copied.
function guarded_copy
    eor x3, x0, x1
    tst x3, #7
    b.ne .Lbytes
.Lhead:
    tst x0, #7
    b.eq .Lpairs
    cbz x2, .Lcopy_end
    guarded .Lcopy_end, ldrb w4, [x1]
    guarded .Lcopy_end, strb w4, [x0]
    add x1, x1, #1
    add x0, x0, #1
    sub x2, x2, #1
    b .Lhead
.Lpairs:
    cmp x2, #16
    b.lo .Lbytes
    guarded .Lcopy_end, ldp x4, x5, [x1]
    guarded .Lcopy_end, stp x4, x5, [x0]
    add x1, x1, #16
    add x0, x0, #16
    sub x2, x2, #16
    b .Lpairs
.Lbytes:
    cbz x2, .Lcopy_end
    guarded .Lcopy_end, ldrb w4, [x1]
    guarded .Lcopy_end, strb w4, [x0]
    add x1, x1, #1
    add x0, x0, #1
    sub x2, x2, #1
    b .Lbytes
.Lcopy_end:
    mov x0, x2
    ret

// bool guarded_device_read(pa_t pa, unsigned int size, uint64_t *value)
function guarded_device_read
    cmp w1, #2
    b.lo 1f
    b.eq 2f
    cmp w1, #4
    b.eq 4f
    guarded .Lfault, ldr x3, [x0]
    b 5f
1:  guarded .Lfault, ldrb w3, [x0]
    b 5f
2:  guarded .Lfault, ldrh w3, [x0]
    b 5f
4:  guarded .Lfault, ldr w3, [x0]
5:  str x3, [x2]
    mov w0, #1
    ret

// bool guarded_device_write(pa_t pa, unsigned int size, uint64_t value)
function guarded_device_write
    cmp w1, #2
    b.lo 1f
    b.eq 2f
    cmp w1, #4
    b.eq 4f
    guarded .Lfault, str x2, [x0]
    b 5f
1:  guarded .Lfault, strb w2, [x0]
    b 5f
2:  guarded .Lfault, strh w2, [x0]
    b 5f
4:  guarded .Lfault, str w2, [x0]
5:  mov w0, #1
    ret

function guarded_fault
.Lfault:
    mov w0, wzr
    ret
