// SPDX-License-Identifier: Apache-2.0
// A guest can make the terminal send bytes, by asking it where its cursor is or what kind of terminal it is. They
// arrive on the same line as a person's keys, and must not be taken for keys: they would be commands. So this file
// takes apart what the terminal sends.
//
// The sequences are ECMA-48's: "ESC [ parameters intermediates final" (CSI), "ESC O letter" (SS3), and strings that
// begin with ESC and one of ] P _ ^ X and end with "ESC \" or BEL. The bytes 0x80 to 0x9f are ESC and a letter in one
// byte. A key sends an SS3, as cursor up does with "ESC O A", or a CSI that begins with ESC, has no private mark and no
// intermediates, and ends with one of the bytes of is_key_final. All other CSIs and all strings are the terminal's own
// words. F3 with a modifier ("ESC [ 1 ; 2 R") cannot be told from a report of where the cursor is, and counts as one:
// the monitor has no use for that key.
#include <hv/terminal_input.h>

#define ESCAPE      0x1b
#define BELL        0x07
#define MOUSE_BYTES 3 // button, column and row, which follow CSI M

// What has been received so far: nothing; ESC; the beginning of a CSI; of a Linux console's function key; of an SS3; of
// a string; an ESC within a string; of a report of the mouse; of a UTF-8 character.
enum { GROUND, AFTER_ESCAPE, CSI, LINUX_KEY, SS3, STRING, STRING_ESCAPE, MOUSE, UTF8 };

// The bytes kept so far are a person's key. Returns how many there are.
static size_t give(struct terminal_input *input)
{
    size_t length = input->length;

    input->state = GROUND;
    input->length = 0;
    return length;
}

// The bytes kept so far are the terminal's own words, or mean nothing: they are forgotten, and no byte is given on.
static size_t drop(struct terminal_input *input)
{
    input->state = GROUND;
    input->length = 0;
    return 0;
}

// The bytes are no whole thing yet: the next one is taken in this state.
static size_t go(struct terminal_input *input, uint8_t state)
{
    input->state = state;
    return 0;
}

// Takes one byte in the present state. The result is the number of bytes in keys[] that are a person's, usually 0 or 1.
static size_t take(struct terminal_input *input, uint8_t byte);

// The byte has no place in the sequence or string that it follows. That one ends here without a meaning, and the byte
// is taken as the first of what comes next.
static size_t begin_anew(struct terminal_input *input, uint8_t byte)
{
    input->state = GROUND;
    input->length = 0;
    input->broken = true;
    return take(input, byte);
}

// DCS, OSC, PM, APC and SOS (ECMA-48 5.6), by the byte behind ESC.
static bool is_string_start(uint8_t byte)
{
    return byte == 'P' || byte == ']' || byte == '^' || byte == '_' || byte == 'X';
}

static size_t begin_string(struct terminal_input *input)
{
    input->string = 0;
    return go(input, STRING);
}

// Arrows, Home, End, keypad 5, F1, F2, F4, back tab, keys by number, and by code point ("CSI u").
static bool is_key_final(uint8_t byte)
{
    return (byte >= 'A' && byte <= 'F') || byte == 'H' || byte == 'P' || byte == 'Q' || byte == 'S' || byte == 'Z' ||
           byte == '~' || byte == 'u';
}

// No key's sequence has a private mark (< = > ?) or an intermediate byte (blank to /). "ESC [ 200 ~" and "ESC [ 201 ~"
// are the terminal's marks around a paste, and are dropped; the text between them is the person's.
static bool is_key(const struct terminal_input *input, uint8_t final)
{
    bool is_paste_mark = final == '~' && input->length == 6 && input->keys[2] == '2' && input->keys[3] == '0';

    for (size_t i = 2; i + 1 < input->length; i++)
        if (input->keys[i] < '0' || input->keys[i] > ';')
            return false;
    return input->keys[0] == ESCAPE && input->length < TERMINAL_KEY_MAX && is_key_final(final) && !is_paste_mark;
}

// A CSI goes on with bytes from 0x20 to 0x3f, and ends with one from 0x40 to 0x7e (ECMA-48 5.4).
static size_t csi_byte(struct terminal_input *input, uint8_t byte)
{
    if (byte < 0x20 || byte > 0x7e)
        return begin_anew(input, byte);
    if (byte < 0x40)
        return 0;
    if (byte == '[' && input->length <= 3)
        return go(input, LINUX_KEY); // the Linux console's F1 to F5, CSI [ letter, for which there is no use
    if (byte == 'M' && input->length <= 3) {
        input->left = MOUSE_BYTES;
        return go(input, MOUSE);
    }
    return is_key(input, byte) ? give(input) : drop(input);
}

// The byte behind ESC decides what begins.
static size_t escape_byte(struct terminal_input *input, uint8_t byte)
{
    if (byte == '[')
        return go(input, CSI);
    if (byte == 'O')
        return go(input, SS3);
    if (is_string_start(byte))
        return begin_string(input);
    if (byte < 0x20)
        return begin_anew(input, byte);
    return give(input); // Alt and a key, or Esc and then a key
}

// The bytes of a string are not kept. Only its end is looked for, and TERMINAL_STRING_MAX bounds how long: otherwise a
// broken string would swallow all keys that follow.
static size_t string_byte(struct terminal_input *input, uint8_t byte)
{
    input->length = 0;
    if (byte == BELL || byte == 0x9c || (input->state == STRING_ESCAPE && byte == '\\'))
        return drop(input);
    if (byte == ESCAPE)
        return go(input, STRING_ESCAPE);
    if (byte < 0x20 || ++input->string > TERMINAL_STRING_MAX)
        return begin_anew(input, byte);
    if (input->state == STRING)
        return 0;
    input->keys[0] = ESCAPE; // it was no end of the string: a sequence of its own
    input->state = AFTER_ESCAPE;
    input->length = 1;
    input->broken = true;
    return take(input, byte);
}

// A byte from 0x80 on, outside a sequence: a control of C1 (ECMA-48 5.3), the first byte of a UTF-8 character, or
// neither, and then it counts as typed.
static size_t high_byte(struct terminal_input *input, uint8_t byte)
{
    if (byte == 0x9b)
        return go(input, CSI);
    if (byte == 0x90 || byte == 0x98 || byte == 0x9d || byte == 0x9e || byte == 0x9f)
        return begin_string(input);
    if (byte >= 0xc2 && byte < 0xf5) {
        input->left = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
        return go(input, UTF8);
    }
    return give(input);
}

// A byte of a character of several. From 0x80 to 0x9f it is no control, as it would be by itself.
static size_t utf8_byte(struct terminal_input *input, uint8_t byte)
{
    if (byte >= 0x80 && byte < 0xc0)
        return --input->left == 0 ? give(input) : 0;
    return begin_anew(input, byte);
}

static size_t ground_byte(struct terminal_input *input, uint8_t byte)
{
    if (byte == ESCAPE)
        return go(input, AFTER_ESCAPE);
    return byte < 0x80 ? give(input) : high_byte(input, byte);
}

static size_t take(struct terminal_input *input, uint8_t byte)
{
    if (input->state == GROUND)
        input->length = 0;
    if (input->length < TERMINAL_KEY_MAX)
        input->keys[input->length++] = byte;
    switch (input->state) {
    case AFTER_ESCAPE:
        return escape_byte(input, byte);
    case CSI:
        return csi_byte(input, byte);
    case LINUX_KEY:
        return byte < 0x20 ? begin_anew(input, byte) : drop(input);
    case SS3:
        return byte < 0x20 ? begin_anew(input, byte) : give(input);
    case STRING:
    case STRING_ESCAPE:
        return string_byte(input, byte);
    case MOUSE:
        if (byte < 0x20)
            return begin_anew(input, byte);
        return --input->left == 0 ? drop(input) : 0;
    case UTF8:
        return utf8_byte(input, byte);
    default:
        return ground_byte(input, byte);
    }
}

// `broken` says whether this byte cut off a sequence: such bytes may have been typed.
size_t terminal_input_byte(struct terminal_input *input, uint8_t byte)
{
    input->broken = false;
    return take(input, byte);
}
