// SPDX-License-Identifier: Apache-2.0
// Proof (WP) of where mm/guest_mem.c finds memory for a device: a range that is accepted lies in one piece of RAM
// whole, by IPA and by PA, whatever the numbers are. The contracts stand in mm/guest_mem.c and hv/space.h; here is what
// Frama-C does not know of the compiler's builtins and of assembly.
#include <hv/arch/barrier.h>

#define __atomic_load_n(from, order) (*(from))
#define bounded_index                prove_bounded_index

/*@ requires index < count;
    assigns \nothing;
    ensures \result == index;
*/
static uint64_t prove_bounded_index(uint64_t index, uint64_t count)
{
    (void)count;
    return index;
}

#include "../../mm/guest_mem.c"
