// SPDX-License-Identifier: Apache-2.0
// One instruction for each register and direction of sysreg_table.h (hv/arch/sysreg_access.h). An exception at one of
// them comes back to sysreg_access_fault (extable.c), so that a register which this CPU does not have is an answer.

#include <hv/arch/sysreg_table.h>

// MSR, MRS and SYS have one format (DDI 0487 C4.1.93): op0 stands at bit 19, op1 at 16, CRn at 12, CRm at 8, op2 at 5, and
// Rt at 0, which is X0 here. Bit 21 makes an MRS of an MSR. For example MSR S3_0_C1_C0_0, X0 is 0xd5181000.
#define ENCODING(op0, op1, CRn, CRm, op2) \
    (0xd5000000 | (op0) << 19 | (op1) << 16 | (CRn) << 12 | (CRm) << 8 | (op2) << 5)

// Which accesses of a row trap/sysreg.c makes on the hardware, by the row's emulation column: bit 0 for reads, bit 1 for
// writes. A row that is emulated without the hardware needs no instruction here. An emulation without a line here does
// not assemble.
#define ACCESS_RO 1
#define ACCESS_WO 2
#define ACCESS_RW 3
#define USED_HW 3
#define USED_MDSCR 3
#define USED_OSLOCK 3
#define USED_VA 2
#define USED_SET_WAY 2
#define USED_ID 1
#define USED_WI 1
#define USED_RAZ 0
#define USED_SGI 0
#define USED_TIMER 0
#define USED_DIR 0
#define USED_DIDR 0
#define USED_NONE 0
#define USED_UNDEF 0

// Each access that is made has a stub of two instructions, the access and a branch back. An index of a byte for each row
// says which stub is its own; rows without one have stub 0, which answers that the register is not there.
#define READ_STUB(name, op0, op1, CRn, CRm, op2, class, access, control, emulation) \
    stub read, ACCESS_##access & USED_##emulation & 1, ENCODING(op0, op1, CRn, CRm, op2) | 1 << 21;
#define WRITE_STUB(name, op0, op1, CRn, CRm, op2, class, access, control, emulation) \
    stub write, ACCESS_##access & USED_##emulation & 2, ENCODING(op0, op1, CRn, CRm, op2);

.macro stub direction, used, instruction
    .pushsection .rodata.sysreg_access, "a"
    .if \used
    .set .Lnumber, .Lnumber + 1
    .byte .Lnumber
    .else
    .byte 0
    .endif
    .popsection
    .if \used
    .inst \instruction
    b .L\direction\()_done
    .endif
    .if .Lnumber > 255
    .error "more stubs than a byte can number"
    .endif
.endm

.macro stubs direction
    .pushsection .rodata.sysreg_access, "a"
.L\direction\()_index:
    .popsection
.L\direction\()_stubs:
    b sysreg_access_fault
    nop
    .set .Lnumber, 0
.endm

// The entry of KEY_SYSREG_UNKNOWN, behind those of the rows. No code comes here with that key. But a CPU that speculates
// past the check of a key may load the entry, and it must find a stub that does nothing (docs/SECURITY.md).
.macro unknown_register
    .pushsection .rodata.sysreg_access, "a"
    .byte 0
    .popsection
.endm

.macro function name
    .balign 4
    .global \name
    .type \name, %function
\name:
.endm

    .section .text.sysreg_access, "ax"

// Both functions turn the index of a row into the number of its stub, and that into an address: a stub has two
// instructions, 8 bytes. A stub branches back to the label behind the jump.
// bool sysreg_access_read(unsigned int index, uint64_t *value)
function sysreg_access_read
    adr x2, .Lread_index
    ldrb w0, [x2, w0, uxtw]
    adr x2, .Lread_stubs
    add x2, x2, x0, lsl #3
    br x2
.Lread_done:
    str x0, [x1]
    mov w0, #1
    ret

// bool sysreg_access_write(unsigned int index, uint64_t value)
function sysreg_access_write
    adr x2, .Lwrite_index
    ldrb w0, [x2, w0, uxtw]
    adr x2, .Lwrite_stubs
    add x2, x2, x0, lsl #3
    mov x0, x1
    br x2
.Lwrite_done:
    mov w0, #1
    ret

function sysreg_access_fault
    mov w0, wzr
    ret

// AT reports a failed translation in PAR_EL1. But an external abort on the table walk, which the guest causes by placing a
// table where no memory is, is an exception taken from the AT itself; it goes on at the fixup.
.macro guarded_at operation
9001:
    at \operation, x0
    .pushsection .extable, "a"
    .balign 8
    .quad 9001b, .Ltranslate_fault
    .popsection
.endm

// uint64_t sysreg_access_translate(gva_t address, bool el0, bool write)
function sysreg_access_translate
    mrs x3, par_el1
    cbnz w1, 1f
    cbnz w2, 2f
    guarded_at s12e1r
    b 5f
2:  guarded_at s12e1w
    b 5f
1:  cbnz w2, 3f
    guarded_at s12e0r
    b 5f
3:  guarded_at s12e0w
5:  isb // the result is in PAR_EL1 for the read below (DDI 0487 D8.17)
    mrs x0, par_el1
    msr par_el1, x3
    ret
.Ltranslate_fault:
    msr par_el1, x3
    mov x0, #1 // PAR_EL1.F
    ret

    .global sysreg_access_start, sysreg_access_end
sysreg_access_start:
    stubs read
    SYSREG_TABLE(READ_STUB)
    unknown_register
    stubs write
    SYSREG_TABLE(WRITE_STUB)
    unknown_register
sysreg_access_end:
