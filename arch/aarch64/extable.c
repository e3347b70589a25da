// SPDX-License-Identifier: Apache-2.0
// Where EL2 goes on after an access of its own that it was allowed to fault on. The table has a handful of entries, so
// that looking at each is enough.

#include <hv/arch/extable.h>

struct extable_entry {
    uint64_t address;
    uint64_t fixup;
};

extern const struct extable_entry extable_start[], extable_end[];

// sysreg_access.S, vcpu_register_access.S: hundreds of instructions with one fixup; these are ranges, not entries.
extern const char sysreg_access_start[], sysreg_access_end[], sysreg_access_fault[];
extern const char vcpu_register_access_start[], vcpu_register_access_end[];

static bool is_within(uint64_t pc, const char *start, const char *end)
{
    return pc - (uint64_t)start < (uint64_t)(end - start);
}

bool extable_fixup(uint64_t *pc)
{
    if (is_within(*pc, sysreg_access_start, sysreg_access_end) ||
        is_within(*pc, vcpu_register_access_start, vcpu_register_access_end)) {
        *pc = (uint64_t)sysreg_access_fault;
        return true;
    }
    for (const struct extable_entry *entry = extable_start; entry < extable_end; entry++) {
        if (entry->address == *pc) {
            *pc = entry->fixup;
            return true;
        }
    }
    return false;
}
