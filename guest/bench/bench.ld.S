// SPDX-License-Identifier: Apache-2.0
// The bench guest: a position-independent arm64 Image, its boot stack behind it.
#define BOOT_STACK_SIZE 0x4000

ENTRY(bench_image_start)

SECTIONS
{
    . = 0;
    bench_image_start = .;
    .text : {
        KEEP(*(.text.start))
        *(.text .text.*)
    }
    .rodata : ALIGN(16) { *(.rodata .rodata.*) }
    .bss (NOLOAD) : ALIGN(4096) {
        bench_bss_start = .;
        *(.bss .bss.*)
        . = ALIGN(16);
        bench_bss_end = .;
        . += BOOT_STACK_SIZE;
        bench_stack_top = .;
    }
    bench_image_size = .;
    /DISCARD/ : { *(.comment) *(.note .note.*) *(.eh_frame) }
}
