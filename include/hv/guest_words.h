// SPDX-License-Identifier: Apache-2.0
// What a Linux guest's console says about its own end: panics, oopses, stalls. The words are the guest's, and any of
// its programs can print them: they are told, never believed.
#pragma once

#include <hv/types.h>

// A byte of the guest's output, in order; the caller holds the console's lock. True when guest_words_tell is due, to be
// called when the caller holds no lock.
bool guest_words_byte(uint8_t byte);

// Writes the record guest-panic or guest-oops, at most LOG_LIMIT_PER_SECOND a second. Opens the monitor when the
// guest's panic has printed all it had to say, once a boot.
void guest_words_tell(void);

// The last such line, printable ASCII; "" when there was none.
const char *guest_words(void);
