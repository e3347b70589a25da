// SPDX-License-Identifier: Apache-2.0
// Finds the guest in memory, or loads the bundled one.
#pragma once

#include <hv/vm.h>

struct loader_error {
    const char *reason; // what was wrong and what to do
    const char *field;  // the field's name: [a-z0-9_]+
    uint64_t value;
    uint64_t bound;
};

// Looks at LINUX_IMAGE_PA: an arm64 Image header means Linux, zeroes or an earlier boot's diagnostic guest mean the
// bundled diagnostic guest, anything else is refused. Fills vm->entry_ipa, boot_argument and guest_name. False: *error
// says what was wrong, and nothing was loaded.
bool loader_load(struct vm *vm, struct loader_error *error);
