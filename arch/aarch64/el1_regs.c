// SPDX-License-Identifier: Apache-2.0
// Reads and writes of the guest's own registers on the CPU this runs on, from the list in el1_regs.h.
#include <hv/arch/el1_regs.h>

#include <hv/arch/barrier.h>
#include <hv/arch/registers.h>
#include <hv/string.h>

const char *el1_register_name(unsigned int index)
{
#define EL1_REGISTER_NAME(name) [EL1_##name] = #name,
    static const char *const names[] = {EL1_REGISTER_TABLE(EL1_REGISTER_NAME)};

    return names[index];
}

unsigned int el1_register_find(const char *name)
{
    unsigned int index = 0;

    while (index < EL1_REGISTER_COUNT && strcasecmp(el1_register_name(index), name) != 0)
        index++;
    return index;
}

// An MRS names its register in its encoding, so a number cannot choose one. The table makes one case with its own MRS
// for each row. 0 for a number that no row has.
uint64_t el1_register_read(unsigned int index)
{
#define EL1_REGISTER_READ(name)                                                                                        \
    case EL1_##name:                                                                                                   \
        return READ_SYSREG(name);
    switch (index) {
        EL1_REGISTER_TABLE(EL1_REGISTER_READ)
    default:
        return 0;
    }
}

void el1_register_write(unsigned int index, uint64_t value)
{
#define EL1_REGISTER_WRITE(name)                                                                                       \
    case EL1_##name:                                                                                                   \
        WRITE_SYSREG(name, value);                                                                                     \
        break;
    switch (index) {
        EL1_REGISTER_TABLE(EL1_REGISTER_WRITE)
    default:
        return;
    }
    barrier_context(); // before the guest runs on with it (the eret would do; a read in this reply would not)
}
