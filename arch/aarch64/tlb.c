// SPDX-License-Identifier: Apache-2.0
// Every TLB invalidation, each recipe once.
//
// The problem: TLBI instructions about one guest take the VMID from VTTBR_EL2, and the guest whose tables changed need
// not be the one that this CPU runs: a monitor on CPU 0 may change any of them. The rule: for the time of the recipe
// VTTBR_EL2 holds the value of the guest that is meant, VMID and root together, so that not even a walk ahead of time
// could put an entry of one guest's tables under the VMID of another. begin() and end() keep it. An exit that returns
// to the same vCPU must not pay for this, since a write of VTTBR_EL2 empties the software TLB of QEMU and synchronizes
// on silicon: they write nothing when the VMID is there already.
#include <hv/arch/tlb.h>

#include <hv/arch/barrier.h>
#include <hv/arch/registers.h>
#include <hv/arch/tlbi.h>

// Two values of VTTBR_EL2 mean the same guest when they have the same VMID: TLB entries are tagged with it, and each VM
// has its own.
static bool is_same_guest(uint64_t a, uint64_t b)
{
    return FIELD_GET(VTTBR_EL2_VMID, a) == FIELD_GET(VTTBR_EL2_VMID, b);
}

// Makes TLBI instructions mean the guest of vttbr. Returns what end() must put back.
static uint64_t begin(uint64_t vttbr)
{
    uint64_t loaded = READ_SYSREG(VTTBR_EL2);

    if (!is_same_guest(loaded, vttbr)) {
        barrier_complete(); // walks that began before the guest's exit end with the VMID they began with
        WRITE_SYSREG(VTTBR_EL2, vttbr);
        barrier_context(); // the TLBI below sees the new VMID
    }
    return loaded;
}

// After the recipe has completed. This CPU executes in the new context.
static void end(uint64_t vttbr, uint64_t loaded)
{
    if (!is_same_guest(loaded, vttbr))
        WRITE_SYSREG(VTTBR_EL2, loaded);
    barrier_context();
}

void tlb_flush_stage2_ipa(uint64_t vttbr, ipa_t ipa)
{
    uint64_t loaded = begin(vttbr);

    // Entries of stage 2 alone go first and completely: until then, a walk could make a combined entry from them.
    // Combined entries of both stages are not found by IPA, so all of stage 1 must follow (DDI 0487 D8.14).
    tlbi_ipas2e1is(ipa);
    barrier_complete();
    tlbi_vmalle1is();
    barrier_complete();
    end(vttbr, loaded);
}

// Both stages of the guest, for all of its addresses: what was cached below a table has too many to name them.
void tlb_flush_stage2_all(uint64_t vttbr)
{
    uint64_t loaded = begin(vttbr);

    tlbi_vmalls12e1is();
    barrier_complete();
    end(vttbr, loaded);
}

void tlb_flush_all_guests(void)
{
    tlbi_alle1();
    barrier_complete();
    barrier_context();
}
