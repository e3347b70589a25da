// SPDX-License-Identifier: Apache-2.0
// Where EL2 goes on after an access of its own that it was allowed to fault on.
//
// The problem: EL2 must sometimes touch what may not be there, such as memory that a guest names, and the exception
// must not end EL2. The rule: each instruction that may fault leaves its address and a fixup in .extable, and an
// exception at that very address goes on at the fixup. At any other address it is a bug of EL2's. The table has a
// handful of entries, so that looking at each is enough.

#include <hv/arch/extable.h>

struct extable_entry {
    uint64_t address;
    uint64_t fixup;
};

extern const struct extable_entry extable_start[], extable_end[];

// sysreg_access.S: hundreds of instructions with one fixup; this is a range, not entries.
extern const char sysreg_access_start[], sysreg_access_end[], sysreg_access_fault[];

// One comparison is enough: a pc below start gives a difference that wraps to a huge number.
static bool is_within(uint64_t pc, const char *start, const char *end)
{
    return pc - (uint64_t)start < (uint64_t)(end - start);
}

// Moves *pc to the fixup of the instruction there. False when it has none.
bool extable_fixup(uint64_t *pc)
{
    if (is_within(*pc, sysreg_access_start, sysreg_access_end)) {
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
