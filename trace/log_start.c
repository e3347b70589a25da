// SPDX-License-Identifier: Apache-2.0
// How the log of a boot begins, and what the boot leaves for the next one.
//
// How a reader tells a genuine boot from one that a guest made up: "log-start" carries next=, a one-way hash of a
// 128-bit secret that stays in the ring, out of every guest's reach. After a warm reset the next "log-start" shows that
// secret as proof=. docs/LOG.md has the whole argument.
#include "log_parts.h"

#include <hv/arch/registers.h>
#include <hv/log_budget.h>
#include <hv/memory_map.h>
#include <hv/printf.h>
#include <hv/siphash.h>
#include <hv/string.h>

// DRAW_ROUNDS: so many samples of the counter are mixed in. Each read may differ from a guess by a few ticks only, and
// the sum of many is what is hard to guess.
#define DRAW_ROUNDS 64
#define NEXT_WORD   UINT64_C(0x7478656e) // "next"
#define BOOT_WORD   UINT64_C(0x746f6f62) // "boot"
#define RESETS_MANY 3                    // by the guest in a row: told once

// 128 bits from what differs between boots: FEAT_RNG where the CPU has it (its strength is then that of RNDR), the
// jitter of CNTPCT_EL0 over many reads, and what an earlier boot left. Without FEAT_RNG this is hard to guess from
// within a guest but no cryptographic secret; under icount it is the same at every boot.
static void draw(uint64_t key[2])
{
    bool rng = FIELD_GET(ID_AA64ISAR0_EL1_RNDR, READ_SYSREG(ID_AA64ISAR0_EL1)) != 0;

    for (unsigned int i = 0; i < DRAW_ROUNDS; i++) {
        uint64_t sample = READ_SYSREG(CNTPCT_EL0);
        if (rng) {
            sample ^= READ_SYSREG(S3_3_C2_C4_0); // RNDR; 0 when it has nothing to give
        }
        key[i % 2] ^= siphash_word(key, sample);
    }
}

// What the boot before has left makes the new secret harder to guess, so it goes into the key too. Its proof is the old
// secret itself, which nobody needs any more once the new one is drawn.
void log_init_at(void *memory)
{
    struct log_ring *ring = memory;
    bool valid = log_ring_is_valid(ring);
    uint64_t key[2] = {READ_SYSREG(CNTPCT_EL0), 0};
    uint64_t proof[2] = {0, 0};
    char proof_text[40] = "none";

    log_state.start = READ_SYSREG(CNTPCT_EL0);
    log_state.frequency = READ_SYSREG(CNTFRQ_EL0);
    log_state.frequency += log_state.frequency == 0;
    log_state.hidden = 0;
    log_state.quiet = LOG_DEBUG;
    log_state.ending = 0;
    log_state.panicked = false;
    log_state.next_ticket = 0;
    log_state.turn = 0;
    uint32_t hidden_before = valid ? ring->hidden : 0;
    if (valid) {
        memcpy(proof, ring->secret, sizeof(proof));
        format_text(proof_text, sizeof(proof_text), "%016lx%016lx", proof[0], proof[1]);
        key[0] ^= proof[0];
        key[1] ^= proof[1];
    }
    draw(key);
    log_ring_start(ring, valid);
    log_budget_init(ring->budget);
    log_state.routine_limited = ring->resets != 0;
    log_ring_half(ring, false)->tag = (uint32_t)siphash_word(key, 0);
    ring->secret[0] = siphash_word(key, 1);
    ring->secret[1] = siphash_word(key, 2);
    log_state.ring = ring;
    log_record(LOG_INFO, LOG_BOOT, "log-start",
               "boots=%u hz=%lu rng=%s next=%016lx resets=%u proof=%s hidden_before=%u", ring->boots,
               log_state.frequency,
               FIELD_GET(ID_AA64ISAR0_EL1_RNDR, READ_SYSREG(ID_AA64ISAR0_EL1)) != 0 ? "rndr" : "counter",
               siphash_word(ring->secret, NEXT_WORD), ring->resets, proof_text, hidden_before);
    if (ring->resets == RESETS_MANY) {
        log_record(LOG_WARN, LOG_VM, "reset-loop", "resets=%u seconds=%u", ring->resets, LOG_RESET_LOOP_SECONDS);
    }
}

uint64_t log_start(void)
{
    return log_state.start;
}

// A one-way hash as well: whoever reads the number learns nothing of the secret.
uint64_t log_boot_number(void)
{
    return siphash_word(log_state.ring->secret, BOOT_WORD);
}

// The boot is over. Until here, when a guest's reset was the reason for this boot, each record by log_routine counted
// against the guest's budget.
void log_boot_done(void)
{
    log_state.routine_limited = false;
}

// The ring remembers how this boot ended. A boot that was itself started by a guest's reset and lasted for less than a
// minute is one turn of a loop.
void log_guest_resets(void)
{
    uint64_t life = (READ_SYSREG(CNTPCT_EL0) - log_state.start) / log_state.frequency;

    spinlock_acquire(&log_state.lock);
    log_state.ring->end =
        log_state.ring->resets != 0 && life < LOG_RESET_LOOP_SECONDS ? LOG_END_GUEST_RESET_SOON : LOG_END_GUEST_RESET;
    log_state.routine_limited = true;
    spinlock_release(&log_state.lock);
}
