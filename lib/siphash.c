// SPDX-License-Identifier: Apache-2.0
// Owns: SipHash-2-4 of one word. Promises: constant time, no tables, no state. The log uses it to draw its tag and to
// prove, from one boot to the next, that a boot record is genuine.
#include <hv/siphash.h>

struct sip {
    uint64_t v[4];
};

static uint64_t rotate(uint64_t value, unsigned int count)
{
    return value << count | value >> (64 - count);
}

// SipRound of the paper (Aumasson and Bernstein, "SipHash: a fast short-input PRF"), count times.
static void sip_rounds(struct sip *sip, unsigned int count)
{
    uint64_t *v = sip->v;

    while (count-- != 0) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] = rotate(v[0], 32) + v[3];
        v[2] += v[1];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[2] = rotate(v[2], 32);
    }
}

// Takes one word of the message in. The 2 of SipHash-2-4 is the number of rounds for each word, the 4 that at the end.
static void sip_block(struct sip *sip, uint64_t block)
{
    sip->v[3] ^= block;
    sip_rounds(sip, 2);
    sip->v[0] ^= block;
}

// The four constants are the paper's, "somepseudorandomlygeneratedbytes" in ASCII. The message is the 8 bytes of word,
// and the last block has the message's length in its top byte, as SipHash has it for every message.
uint64_t siphash_word(const uint64_t key[2], uint64_t word)
{
    struct sip sip = {{key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261,
                       key[1] ^ 0x7465646279746573}};

    sip_block(&sip, word);
    sip_block(&sip, UINT64_C(8) << 56); // the length is 8, and no bytes are left over
    sip.v[2] ^= 0xff;
    sip_rounds(&sip, 4);
    return sip.v[0] ^ sip.v[1] ^ sip.v[2] ^ sip.v[3];
}
