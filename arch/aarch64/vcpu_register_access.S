// SPDX-License-Identifier: Apache-2.0
// One MRS and one MSR for each row of vcpu_register_table.h (hv/arch/vcpu_registers.h). An exception at one of them comes
// back to sysreg_access_fault (extable.c), so that a register which this CPU does not have is an answer.

#include <hv/arch/vcpu_register_table.h>

// The encoding of MSR with Rt = X0; bit 21 makes it an MRS (DDI 0487 C4.1.93, and sysreg_access.S).
#define ENCODING(op0, op1, CRn, CRm, op2) \
    (0xd5000000 | (op0) << 19 | (op1) << 16 | (CRn) << 12 | (CRm) << 8 | (op2) << 5)

#define READ_STUB(name, op0, op1, CRn, CRm, op2, ...) stub read, ENCODING(op0, op1, CRn, CRm, op2) | 1 << 21;
#define WRITE_STUB(name, op0, op1, CRn, CRm, op2, ...) stub write, ENCODING(op0, op1, CRn, CRm, op2);

.macro stub direction, instruction
    .inst \instruction
    b .L\direction\()_done
.endm

.macro function name
    .balign 4
    .global \name
    .type \name, %function
\name:
.endm

    .section .text.vcpu_register_access, "ax"

// bool vcpu_register_read(unsigned int number, uint64_t *value)
function vcpu_register_read
    adr x2, .Lread_stubs
    add x2, x2, w0, uxtw #3
    br x2
.Lread_done:
    str x0, [x1]
    mov w0, #1
    ret

// bool vcpu_register_write(unsigned int number, uint64_t value)
function vcpu_register_write
    adr x2, .Lwrite_stubs
    add x2, x2, w0, uxtw #3
    mov x0, x1
    br x2
.Lwrite_done:
    mov w0, #1
    ret

    .global vcpu_register_access_start, vcpu_register_access_end
vcpu_register_access_start:
.Lread_stubs:
    VCPU_REGISTER_TABLE(READ_STUB)
.Lwrite_stubs:
    VCPU_REGISTER_TABLE(WRITE_STUB)
vcpu_register_access_end:
