// SPDX-License-Identifier: Apache-2.0
// Proof of mm/guest_walk.c by abstract interpretation (Eva): whatever the guest's registers, tables and the address
// are, the walk makes no run-time error (shifts, indices) and ends after at most four descriptors.
#include <hv/guest_mem.h>
#include <hv/guest_walk.h>

extern volatile uint64_t any;

enum hv_status guest_mem_read(struct space *vm, ipa_t ipa, void *buffer, size_t size)
{
    (void)vm;
    (void)ipa;
    //@ assert one_descriptor: size == 8;
    *(uint64_t *)buffer = any;
    return any % HV_STATUS_COUNT;
}

uint64_t __builtin_bswap64(uint64_t value)
{
    (void)value;
    return any;
}

void prove_guest_walk(void)
{
    struct guest_walk_registers registers = {any, any, any, any, any};
    struct guest_walk walk;

    (void)guest_walk(0, &registers, gva_make(any), &walk);
    //@ assert at_most_four_descriptors: walk.step_count <= GUEST_WALK_LEVELS;
}
