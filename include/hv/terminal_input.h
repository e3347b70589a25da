// SPDX-License-Identifier: Apache-2.0
// What a terminal sends, taken apart into a person's keys and what the terminal says by itself: answers to requests
// (where the cursor is, what kind of terminal, colours, titles), reports of focus and mouse, the marks around a paste.
// A guest can cause the second sort with nobody there, so none of it may count as a key.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TERMINAL_KEY_MAX 16 // bytes of the longest sequence that a key sends; a longer one is no key

struct terminal_input {
    uint8_t keys[TERMINAL_KEY_MAX]; // bytes of the sequence so far; a person's, when terminal_input_byte says so
    uint8_t length;
    uint8_t state;
    uint8_t left;    // bytes that still belong to a mouse report, or to a UTF-8 character
    uint16_t string; // bytes of an OSC, DCS, APC, PM or SOS so far
    bool broken;     // the last byte cut off a sequence or string that was neither a key nor an answer
};

// Takes one byte. Returns how many bytes of input->keys are a person's key, now that it is whole; 0 when the byte
// belongs to something that is not whole yet or that the terminal sent by itself. All zero is the state at the start.
//
// A string that never ends does not lock the person out: Enter, Ctrl-C, Ctrl-] and every other control byte end it (and
// are themselves returned, with broken set), and so do TERMINAL_STRING_MAX bytes.
size_t terminal_input_byte(struct terminal_input *input, uint8_t byte);
#define TERMINAL_STRING_MAX 4096
