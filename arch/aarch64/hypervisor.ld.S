// SPDX-License-Identifier: Apache-2.0
// Where the hypervisor lies: text (R-X), rodata (R--) and data (RW-) each on pages of their own, so that stage 1 can hold W^X.
#include <hv/arch/stacks.h>
#include <hv/memory_map.h>
#include PLATFORM_HEADER

#define PAGE 0x1000

OUTPUT_FORMAT("elf64-littleaarch64")
OUTPUT_ARCH(aarch64)
ENTRY(_start)

PHDRS
{
    text PT_LOAD FLAGS(5);
    rodata PT_LOAD FLAGS(4);
    data PT_LOAD FLAGS(6);
}

SECTIONS
{
    . = HV_PA;
    text_start = .;
    .text : {
        *(.text.boot)
        // They fill what the alignment of the vectors to 2 KiB would waste.
        *(.text.simd_read .text.simd_write .text.decode_[ior]* .text.decode_pair)
        *(.text.vectors)
        *(.text .text.*)
    } :text
    . = ALIGN(PAGE);
    text_end = .;

    rodata_start = .;
    .rodata : {
        *(.rodata .rodata.*)
        . = ALIGN(8);
        extable_start = .;
        KEEP(*(.extable))
        extable_end = .;
    } :rodata
    . = ALIGN(PAGE);
    .guest : ALIGN(16) {
        KEEP(*(.guest))
        . = ALIGN(PAGE);
    } :rodata
    . = ALIGN(PAGE);
    rodata_end = .;

    data_start = .;
    .data : {
        *(.data .data.*)
        . = ALIGN(16);
    } :data
    .bss (NOLOAD) : ALIGN(PAGE) {
        // Not cleared at boot: each user writes it before reading it. Per CPU: one guard page (unmapped), then the
        // stack, which grows down to it.
        stacks_start = .;
        . += CPU_MAX * STACK_STRIDE;
        stacks_end = .;
        // Where an exception taken in EL2 itself runs. Aligned so that vectors.S finds it with one register.
        . = ALIGN(0x10000);
        panic_stacks = .;
        . += CPU_MAX * PANIC_STACK_SIZE;
        *(.bss.unset)
        . = ALIGN(128); // boot.S
        bss_start = .;
        // Written before the MMU is on, read-only from then on.
        . = ALIGN(PAGE);
        sealed_start = .;
        *(.bss.sealed)
        . = ALIGN(PAGE);
        sealed_end = .;
        *(.bss .bss.* COMMON)
        . = ALIGN(128); // boot.S
        bss_end = .;
    } :data
    . = ALIGN(PAGE);
    hv_end = .;
    image_size = hv_end - HV_PA; // for the header of the arm64 Image (boot.S)

    ASSERT(hv_end - HV_PA <= HV_MAX_SIZE, "the hypervisor is larger than HV_MAX_SIZE")
    ASSERT(hv_end <= LOG_RING_PA, "the hypervisor reaches into the log ring")
    ASSERT(hv_end <= TRACE_PA, "the hypervisor reaches into the rings of the trace")
    ASSERT(hv_end <= GUEST_MANIFEST_PA, "the hypervisor reaches into the guest manifest")
    ASSERT(hv_end <= BOOT_RECORD_PA, "the hypervisor reaches into the boot record")
    ASSERT(LOG_RING_PA + LOG_RING_SIZE <= GUEST_RAM_PA, "the log ring reaches into guest RAM")

    /DISCARD/ : { *(.comment) *(.note*) *(.eh_frame*) *(.ARM.attributes) }
}
