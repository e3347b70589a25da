// SPDX-License-Identifier: Apache-2.0
// SipHash-2-4 (Aumasson, Bernstein 2012) of one 64-bit word: a keyed one-way function, small enough for EL2.
#pragma once

#include <stdint.h>

// The hash of the eight little-endian bytes of word. Nobody finds key from it, or another key that gives the same.
uint64_t siphash_word(const uint64_t key[2], uint64_t word);
