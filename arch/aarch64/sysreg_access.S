// SPDX-License-Identifier: Apache-2.0
// Accesses to system registers by number: an MRS or MSR names its register in its own encoding, so there is one
// instruction for each register and direction, of the rows of sysreg_table.h (hv/arch/sysreg_access.h) and of those of
// vcpu_register_table.h (hv/arch/vcpu_registers.h). Which of them may be made, and when, is decided in C. An exception at
// one of them comes back to sysreg_access_fault (extable.c), so that a register which this CPU does not have is an
// answer.

#include <hv/arch/sysreg_table.h>
#include <hv/arch/vcpu_register_table.h>

// MSR, MRS and SYS have one format (DDI 0487 C4.1.93): op0 stands at bit 19, op1 at 16, CRn at 12, CRm at 8, op2 at 5, and
// Rt at 0, which is X0 here. Bit 21 makes an MRS of an MSR. For example MSR S3_0_C1_C0_0, X0 is 0xd5181000.
#define MSR_X0(op0, op1, CRn, CRm, op2) \
    (0xd5000000 | (op0) << 19 | (op1) << 16 | (CRn) << 12 | (CRm) << 8 | (op2) << 5)
#define MRS_X0(...) (MSR_X0(__VA_ARGS__) | 1 << 21)

// The directions that a row of sysreg_table.h has: bit 0 for reads, bit 1 for writes.
#define ACCESS_RO 1
#define ACCESS_WO 2
#define ACCESS_RW 3

#define SYSREG_READ(name, op0, op1, CRn, CRm, op2, class, access, ...) \
    stub read, ACCESS_##access & 1, MRS_X0(op0, op1, CRn, CRm, op2);
#define SYSREG_WRITE(name, op0, op1, CRn, CRm, op2, class, access, ...) \
    stub write, ACCESS_##access & 2, MSR_X0(op0, op1, CRn, CRm, op2);
#define VCPU_REGISTER_READ(name, op0, op1, CRn, CRm, op2, ...) stub read, 1, MRS_X0(op0, op1, CRn, CRm, op2);
#define VCPU_REGISTER_WRITE(name, op0, op1, CRn, CRm, op2, ...) stub write, 1, MSR_X0(op0, op1, CRn, CRm, op2);

// A row's access in one direction, and the branch back: two instructions, so that a row's number gives its place. A
// direction that the row does not have is answered as a register that is not there.
.macro stub direction, exists, instruction
    .if \exists
    .inst \instruction
    b .L\direction\()_done
    .else
    b sysreg_access_fault
    nop
    .endif
.endm

.macro function name
    .balign 4
    .global \name
    .type \name, %function
\name:
.endm

    .section .text.sysreg_access, "ax"

// bool vcpu_register_read(unsigned int number, uint64_t *value)
function vcpu_register_read
    adr x2, .Lvcpu_register_reads
    b .Lread
// bool sysreg_access_read(unsigned int index, uint64_t *value)
function sysreg_access_read
    adr x2, .Lsysreg_reads
.Lread:
    add x2, x2, w0, uxtw #3
    br x2
.Lread_done:
    str x0, [x1]
    mov w0, #1
    ret

// bool vcpu_register_write(unsigned int number, uint64_t value)
function vcpu_register_write
    adr x2, .Lvcpu_register_writes
    b .Lwrite
// bool sysreg_access_write(unsigned int index, uint64_t value)
function sysreg_access_write
    adr x2, .Lsysreg_writes
.Lwrite:
    add x2, x2, w0, uxtw #3
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
// Behind the rows stands the place of KEY_SYSREG_UNKNOWN. No code comes here with that key. But a CPU that speculates
// past the check of a key may, and must find a stub that does nothing (docs/SECURITY.md).
.Lsysreg_reads:
    SYSREG_TABLE(SYSREG_READ)
    stub read, 0, 0
.Lsysreg_writes:
    SYSREG_TABLE(SYSREG_WRITE)
    stub write, 0, 0
.Lvcpu_register_reads:
    VCPU_REGISTER_TABLE(VCPU_REGISTER_READ)
.Lvcpu_register_writes:
    VCPU_REGISTER_TABLE(VCPU_REGISTER_WRITE)
sysreg_access_end:
