// SPDX-License-Identifier: Apache-2.0
// Accesses of EL2 that may fault (hv/arch/guarded.h). Each such instruction leaves a pair {its address, where to go on}
// in .extable; an exception there comes back to the second, with every register as it was but x17 (hv/arch/extable.h).

// guarded fixup, instruction: emits the instruction, and the pair {its address, address of fixup} into .extable. The
// label 9001 may stand many times in a file: 9001b means the nearest one before it.
.macro guarded fixup, instruction:vararg
9001:
    \instruction
    .pushsection .extable, "a"
    .balign 8
    .quad 9001b, \fixup
    .popsection
.endm

// Each function has a section of its own, so that the linker can place it or leave it out.
.macro function name
    .section .text.\name, "ax"
    .balign 4
    .global \name
    .type \name, %function
\name:
.endm

// uint64_t guarded_copy(void *to, const void *from, uint64_t size)
// Returns how many bytes were not copied. x2 has the bytes that are left. It counts down only after a unit has been
// both loaded and stored, so that wherever an instruction faults, x2 is the answer.
//
// When both pointers lie at the same distance from a multiple of 8, their exclusive or ends in three zeros. Then bytes
// are copied until both are multiples of 8, and from there pairs of 8 bytes. Otherwise every unit is a byte. So each
// access is aligned to its size, which no type of memory refuses (DDI 0487 B2.7.2).
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
// The size is 1, 2, 4 or 8 bytes. It chooses one load, since a device may answer differently to each width. The labels
// 1, 2 and 4 are the sizes; 8 needs no jump; 5 is the common end. *value is written only after the load succeeded.
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
// The same for a store, of the low size bytes of value.
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

// The fixup of the device accesses: they return false.
function guarded_fault
.Lfault:
    mov w0, wzr
    ret
