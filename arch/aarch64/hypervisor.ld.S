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
        // What the most frequent exits execute, a guest's timer and requests to its disk and network, lies together: in 6
        // pages, not 22. A TLB that a guest has emptied reads fewer entries then, and QEMU goes from block to block of
        // translated code without a search only within a page. Names that are not there do no harm.
        *(.text.trap_quick .text.trap_quick.* .text.trap_quick_register .text.trap_quick_register.*
          .text.trap_quick_abort .text.trap_quick_abort.* .text.quick_translation .text.quick_translation.*
          .text.quick_permission .text.quick_permission.* .text.quick_wfi .text.quick_wfi.* .text.trap_quick_irq
          .text.trap_quick_irq.* .text.virtual_timer .text.virtual_timer.* .text.trap_from_irq .text.trap_from_irq.*
          .text.trap_asynchronous .text.trap_asynchronous.* .text.leave .text.leave.* .text.irq_serve
          .text.irq_serve.* .text.vtimer_interrupt .text.vtimer_interrupt.* .text.vtimer_may_wrap
          .text.vtimer_may_wrap.* .text.vgic_flush .text.vgic_flush.* .text.vgic_refill .text.vgic_refill.*
          .text.vgic_forward .text.vgic_forward.* .text.vgic_set_line .text.vgic_set_line.* .text.vgic_raise
          .text.vgic_raise.* .text.vgic_list .text.vgic_list.* .text.vgic_spi_target .text.vgic_spi_target.*
          .text.occupy .text.occupy.* .text.read_lr .text.read_lr.* .text.write_lr .text.write_lr.*
          .text.virtio_mmio_access .text.virtio_mmio_access.* .text.access_any .text.access_any.*
          .text.virtio_mediator_read .text.virtio_mediator_read.* .text.read_chain .text.read_chain.*
          .text.find_indirect .text.find_indirect.* .text.guest_mem_translate .text.guest_mem_translate.*
          .text.block_look .text.block_look.* .text.net_look .text.net_look.* .text.net_may_pass .text.net_may_pass.*
          .text.virtqueue_publish .text.virtqueue_publish.* .text.virtio_queue_set_notify
          .text.virtio_queue_set_notify.* .text.interrupt .text.interrupt.* .text.take_back .text.take_back.*
          .text.block_done .text.block_done.* .text.net_done .text.net_done.* .text.virtio_queue_publish
          .text.virtio_queue_publish.* .text.ticket_lock_acquire .text.ticket_lock_acquire.* .text.ticket_lock_release
          .text.ticket_lock_release.*)
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
