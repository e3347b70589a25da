// SPDX-License-Identifier: Apache-2.0
// What a Linux guest's console says about its own end: panics, oopses, stalls. The words are the guest's, and any of
// its programs can print them: they are told, never believed.
#pragma once

#include <hv/types.h>

#define GUEST_WORDS_LINE 120  // bytes of a line that are looked at
#define GUEST_WORDS_PART 1024 // bytes of a line that are kept at once

// Of one guest. All zero at the start. Guarded by the lock of whoever has it (console/channel.c).
struct guest_words {
    unsigned int line_length;
    unsigned int bracket;    // where the first ']' of the line stands; 0: there is none
    unsigned int traced;     // bytes of `line` that the trace has already
    uint64_t number, offset; // in the trace: of the line, and how much of it is there
    bool is_rest;            // `line` is not the beginning: the guest has printed GUEST_WORDS_PART bytes without an end
    bool found;              // that beginning had such words
    char line[GUEST_WORDS_PART + 1]; // what the guest is printing
    char last[GUEST_WORDS_LINE + 1]; // the last line of that kind, printable ASCII; "" when there was none
    uint8_t last_kind;
    unsigned int oopses; // told so far; atomic
    bool panic_told;     // atomic
};

// Whether one more byte leaves room for another. If not, the byte is guest_words_byte's.
static inline bool guest_words_has_room(const struct guest_words *words)
{
    return words->line_length < GUEST_WORDS_PART - 1;
}

// A byte of the guest's output that does not end a line, in order, under the lock, while guest_words_has_room.
static inline void guest_words_text(struct guest_words *words, uint8_t byte)
{
    unsigned int length = words->line_length;

    if (byte == ']' && words->bracket == 0)
        words->bracket = length;
    words->line[length] = (char)byte;
    words->line_length = length + 1;
}

// Any byte of the guest's output, in order, under the lock. True when guest_words_tell is due, to be called when the
// caller holds no lock.
bool guest_words_byte(struct guest_words *words, uint8_t byte);

// A whole line of the guest's that came in another way, behind a prefix of EL2's: for the trace alone. The line that is
// being printed ends before it, as it does on the screen.
void guest_words_other(struct guest_words *words, const char *prefix, const char *text, size_t length);
// The machine ends: what is there of a line that has no end goes to the trace.
void guest_words_end(struct guest_words *words);

// Writes the record guest-panic or guest-oops, at most LOG_LIMIT_PER_SECOND a second. Posts NOTIFY_GUEST_OOPSES at the
// 16th oops, and NOTIFY_GUEST_PANIC when the guest's panic has printed all it had to say, once a boot each. On the CPU
// of the vCPU that printed.
void guest_words_tell(struct guest_words *words);
