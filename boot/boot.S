// SPDX-License-Identifier: Apache-2.0
// From reset to C: the boot CPU at _start, the others at secondary_start (PSCI CPU_ON). The two paths set up by hand
// what C needs: a stack that begins below the CPU's trap frame, vectors that report an exception, SP_EL2 in use, and
// interrupts masked. The boot CPU also zeroes .bss and draws the stack protector's canary, once for all. What cannot
// run (the wrong address, the wrong exception level) says so on the UART and stops.
#include <asm-offsets.h>
#include <hv/arch/stacks.h>
#include <hv/memory_map.h>
#include PLATFORM_HEADER

// CurrentEL.EL is bits 3:2, so EL2 reads as 2 << 2.
#define CURRENT_EL_EL2 0x8
// The flags of an Image: bit 0 clear is little-endian, bits 2:1 = 1 is
// pages of 4 KiB, and bit 3 clear asks for the Image to be placed as near to the beginning of RAM as text_offset says.
#define IMAGE_FLAGS    0x2
#define UARTDR         0x00
#define UARTFR         0x18
#define UARTFR_TXFF    5 // bit: the transmit FIFO is full (DDI 0183 3.3.3)
#define SCTLR_EL2_RES1 0x30c50830

.macro load_address register, symbol
    adrp \register, \symbol
    add \register, \register, :lo12:\symbol
.endm

// Points sp at the trap frame on top of the stack of CPU \id, which is at
// stacks_start + (id + 1) * STACK_STRIDE - FRAME_SIZE. this_cpu_adopt (this_cpu.c) computes the same address in C.
// Clobbers x9, x10.
.macro set_stack id
    mov x9, #STACK_STRIDE
    madd x9, \id, x9, x9
    load_address x10, stacks_start
    add x9, x10, x9
    sub sp, x9, #FRAME_SIZE
.endm

.section .text.boot, "ax"
.global _start
_start:
    // ariel begins as an arm64 Image does (Linux Documentation/arch/arm64/booting.rst), so that whatever starts a
    // kernel at EL2 can start it: a bootloader, or QEMU's -kernel. The ELF file's entry is here too.
    b enter
    .long 0
    .quad HV_PA - RAM_PA // text_offset, from the beginning of RAM (a multiple of 2 MiB)
    .quad image_size     // with .bss and the stacks (hypervisor.ld.S)
    .quad IMAGE_FLAGS
    .quad 0, 0, 0
    .ascii "ARM\x64"
    .long 0

enter:
    // D, A, I and F are masked: there are no vectors yet that could take an exception.
    msr daifset, #0xf
    // Where this code is (adr, relative to the PC) against where the linker put it (a literal).
    adr x0, _start
    ldr x1, =_start
    cmp x0, x1
    b.ne wrong_place
    mrs x1, CurrentEL
    cmp x1, #CURRENT_EL_EL2
    b.ne wrong_exception_level
    msr spsel, #1
    msr tpidr_el2, xzr // no vCPU yet (cpu_id, vectors.S)
    // SCTLR_EL2 with M, C and I clear: no MMU and no data cache, whatever the loader used. All memory is Device memory
    // then, so every access has to be aligned until stage1_enable.
    ldr w1, =SCTLR_EL2_RES1
    msr sctlr_el2, x1
    load_address x1, vectors
    msr vbar_el2, x1
    isb
    // Zeroes .bss, 128 bytes at each turn: the linker script aligns both ends for that.
    load_address x1, bss_start
    load_address x2, bss_end
1:  .rept 8
    stp xzr, xzr, [x1], #16
    .endr
    cmp x1, x2
    b.lo 1b
    // The stack protector's canary is drawn before the first function that checks it. The counter differs from one boot
    // to the next; there is no better source of chance this early.
    mrs x1, cntpct_el0
    mrs x2, midr_el1
    eor x1, x2, x1, ror #23
    load_address x2, __stack_chk_guard
    str x1, [x2]
    mov x11, xzr
    set_stack x11
    load_address x0, secondary_start
    mov x29, xzr // the end of the chain of frames, where a backtrace stops
    bl main_boot_cpu
    b .

// A CPU that cpu_start_others turned on by PSCI CPU_ON. x0 is the context id of that call, in which EL2 passes the
// number of the CPU.
.global secondary_start // for gdb and tools/exits.py; EL2 has its address as the argument of main_boot_cpu
secondary_start:
    msr daifset, #0xf
    msr spsel, #1
    msr tpidr_el2, xzr // no vCPU yet (cpu_id, vectors.S)
    ldr w1, =SCTLR_EL2_RES1
    msr sctlr_el2, x1
    load_address x1, vectors
    msr vbar_el2, x1
    isb
    mov x19, x0
    set_stack x19
    // With its MMU off, this CPU does not look into caches, where the boot CPU's writes may still be. So it uses
    // registers alone until stage1_enable has turned the MMU on.
    bl stage1_enable
    mov x0, x19
    mov x29, xzr
    bl main_secondary_cpu
    b .

// The image was loaded at x0, and it is linked to run at x1. Nothing that the linker placed is where the code expects
// it. So the code from here on uses neither memory nor a stack, only registers, addresses relative to the PC, and the
// UART, which the loader has used before and so has set up.
wrong_place:
    mov x19, x0
    mov x20, x1
    adr x0, loaded_at_text
    bl put_text
    mov x0, x19
    bl put_hex
    adr x0, linked_at_text
    bl put_text
    mov x0, x20
    bl put_hex
    adr x0, load_there_text
    bl put_text
2:  wfi
    b 2b

// Writes the text at x0, up to its zero byte. There is no stack, so x3 keeps the return address. Clobbers x0 to x3, x5.
put_text:
    mov x3, x30
1:  ldrb w1, [x0], #1
    cbz w1, 2f
    bl put_byte
    b 1b
2:  ret x3

// Writes x0 in 16 hexadecimal digits. Clobbers x0 to x5.
put_hex:
    mov x3, x30
    mov w4, #16
1:  ror x0, x0, #60 // the highest digit comes to the lowest place
    and w1, w0, #0xf
    cmp w1, #10
    add w2, w1, #('a' - 10)
    add w1, w1, #'0'
    csel w1, w1, w2, lo
    bl put_byte
    subs w4, w4, #1
    b.ne 1b
    ret x3

// Writes the byte w1, once the transmit FIFO has room for it. Clobbers x2 and w5.
put_byte:
    ldr x2, =PL011_PA
1:  ldr w5, [x2, #UARTFR]
    tbnz w5, #UARTFR_TXFF, 1b
    str w1, [x2, #UARTDR]
    ret

loaded_at_text:
    .asciz "ariel: loaded at 0x"
linked_at_text:
    .asciz ", but it runs at 0x"
load_there_text:
    .ascii " only (board "
    .ascii PLATFORM_NAME
    .asciz "): load it there, or build it for this board\r\n"
    .balign 4

// Entered at EL1 or EL3, with CurrentEL in x1. The C function gets the number of the level; it needs a stack, and the
// end of all stacks will do, since nothing else runs.
wrong_exception_level:
    load_address x2, stacks_end
    mov sp, x2
    lsr x0, x1, #2
    mov x29, xzr
    bl main_wrong_exception_level
2:  wfi
    b 2b
