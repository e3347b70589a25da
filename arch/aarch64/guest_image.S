// SPDX-License-Identifier: Apache-2.0
// The bundled diagnostic guest, a flat binary linked at GUEST_ENTRY_IPA. The loader copies it into the guest's RAM at
// each start; this copy stays pristine.

    .section .guest, "a", %progbits
    .balign 4096
    .globl guest_image_start, guest_image_end
    .type guest_image_start, %object
guest_image_start:
    .incbin GUEST_IMAGE
    .size guest_image_start, . - guest_image_start
guest_image_end:

    .section .note.GNU-stack, "", %progbits
