// SPDX-License-Identifier: Apache-2.0
// The diagnostic guest: one flat image at its entry IPA, stack of the boot CPU at the fixed top.
#include <hv/memory_map.h>

#define BOOT_STACK_SIZE 0x10000

ENTRY(guest_start)

SECTIONS
{
    . = GUEST_ENTRY_IPA;
    guest_image_start = .;
    .text : {
        KEEP(*(.text.start))
        *(.text .text.*)
    }
    .rodata : ALIGN(16) {
        *(.rodata .rodata.*)
        . = ALIGN(8);
        guest_tests_start = .;
        KEEP(*(SORT_BY_NAME(.guest_tests.*)))
        guest_tests_end = .;
    }
    .data : ALIGN(16) {
        *(.data .data.*)
        . = ALIGN(16);
    }
    .bss (NOLOAD) : ALIGN(4096) {
        guest_bss_start = .;
        *(.bss .bss.*)
        . = ALIGN(16);
        guest_bss_end = .;
    }
    guest_image_end = .;
    ASSERT(guest_image_end <= GUEST_STACK_TOP_IPA - BOOT_STACK_SIZE, "the guest reaches into its boot stack")
    /DISCARD/ : { *(.comment) *(.note .note.*) *(.eh_frame) }
}
