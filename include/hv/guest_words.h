// SPDX-License-Identifier: Apache-2.0
// What a Linux guest's console says about its own end: panics, oopses, stalls. The words are the guest's, and any of
// its programs can print them: they are told, never believed.
#pragma once

#include <hv/types.h>

#define GUEST_WORDS_LINE 120 // bytes of a line that are looked at

// Of one guest. All zero at the start. Guarded by the lock of whoever has it (console/channel.c).
struct guest_words {
    char line[GUEST_WORDS_LINE + 1]; // what the guest is printing
    unsigned int line_length;
    unsigned int bracket;            // where the first ']' of the line stands; 0: there is none
    char last[GUEST_WORDS_LINE + 1]; // the last line of that kind, printable ASCII; "" when there was none
    uint8_t last_kind;
    unsigned int oopses; // told so far; atomic
    bool panic_told;     // atomic
};

// A byte of the guest's output that does not end a line, in order, under the lock.
static inline void guest_words_text(struct guest_words *words, uint8_t byte)
{
    unsigned int length = words->line_length;

    if (byte == ']' && words->bracket == 0)
        words->bracket = length;
    // A byte that does not fit is stored behind the text's last place, where the terminating 0 will stand.
    words->line[length] = (char)byte;
    if (length < GUEST_WORDS_LINE)
        words->line_length = length + 1;
}

// Any byte of the guest's output, in order, under the lock. True when guest_words_tell is due, to be called when the
// caller holds no lock.
bool guest_words_byte(struct guest_words *words, uint8_t byte);

// Writes the record guest-panic or guest-oops, at most LOG_LIMIT_PER_SECOND a second. Posts NOTIFY_GUEST_OOPSES at the
// 16th oops, and NOTIFY_GUEST_PANIC when the guest's panic has printed all it had to say, once a boot each. On the CPU
// of the vCPU that printed.
void guest_words_tell(struct guest_words *words);
