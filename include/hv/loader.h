// SPDX-License-Identifier: Apache-2.0
// Finds the guest in memory, or loads the bundled one.
#pragma once

#include <hv/loader_error.h>
#include <hv/machine.h>

// Finds this boot's guest in vm's RAM and checks that it can start. A list of pieces (guest_manifest.h) names it, piece
// by piece. Without one, the first boot since power came on looks at LINUX_IMAGE_IPA: zeroes mean the bundled
// diagnostic guest, an arm64 Image header means Linux, anything else is refused, and so is a VM whose RAM does not hold
// the places in memory_map.h; each later boot runs what the first one found, whatever a guest has left there. Works on
// vm->space, which vm_build has made. Fills vm->entry_ipa, boot_argument and guest_name. False: *error says what was
// wrong, and no guest may start. Once, on the boot CPU, with the MMU on, before any guest runs.
bool loader_load(struct vm *vm, struct loader_error *error);
