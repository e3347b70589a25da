// SPDX-License-Identifier: Apache-2.0
// Line editing for the monitor, with the keys that people know from readline's emacs mode: arrows, Home, End, Delete,
// and Ctrl-A B D E F H K L N P U W.
//
// Bytes come one by one from a serial line, so a key that a terminal sends as several bytes is put together here. An
// arrow key is ESC [ A; Delete is ESC [ 3 ~; some terminals send ESC O A. Such an escape sequence is consumed as a
// whole, also when its key has no meaning here, and one that is broken costs no more than its own bytes: the state of
// the parser is line->escape, and each byte either continues the sequence or ends it. Only printable ASCII (0x20 to
// 0x7e) ever enters the line, whatever comes in.
#include <hv/monitor_line.h>

#include <hv/string.h>
#include <hv/types.h>

// A terminal sends Ctrl and a letter as the lower five bits of the letter: Ctrl-A is 0x41 & 0x1f = 1.
#define CTRL(letter) ((letter) & 0x1f)
#define KEY_ESCAPE   0x1b
#define KEY_DELETE   0x7f

// The state of the parser: outside a sequence, behind ESC, behind "ESC [", behind "ESC O".
enum { ESCAPE_NONE, ESCAPE_START, ESCAPE_CSI, ESCAPE_SS3 };

// Empties the line. The history stays, and browsing in it begins anew.
void monitor_line_clear(struct monitor_line *line)
{
    line->length = 0;
    line->cursor = 0;
    line->text[0] = '\0';
    line->browse = 0;
}

// The history is a ring. A line that is entered twice in a row is kept once, so that Up shows another line each time.
void monitor_line_remember(struct monitor_line *line)
{
    const char *last = line->history[(line->history_count - 1) % LINE_HISTORY_COUNT];

    if (line->length == 0 || (line->history_count > 0 && strcmp(line->text, last) == 0))
        return;
    memcpy(line->history[line->history_count % LINE_HISTORY_COUNT], line->text, line->length + 1);
    line->history_count++;
}

// Inserts text at the cursor, which then stands behind it. False, and no change, when the line has no room for all of
// it.
bool monitor_line_insert(struct monitor_line *line, const char *text, size_t length)
{
    if (length > LINE_LENGTH_MAX - line->length)
        return false;
    memmove(&line->text[line->cursor + length], &line->text[line->cursor], line->length - line->cursor + 1);
    memcpy(&line->text[line->cursor], text, length);
    line->length += length;
    line->cursor += length;
    return true;
}

// Removes the bytes from `from` to `to` - 1. The cursor is at `from` then.
static enum monitor_line_result erase(struct monitor_line *line, size_t from, size_t to)
{
    if (from >= to)
        return LINE_REFUSED;
    memmove(&line->text[from], &line->text[to], line->length - to + 1);
    line->length -= to - from;
    line->cursor = from;
    return LINE_CHANGED;
}

// Moves the cursor. cursor is unsigned: one step left of the start wraps to a number larger than any length, and is
// refused like a step beyond the end.
static enum monitor_line_result move(struct monitor_line *line, size_t cursor)
{
    if (cursor > line->length)
        return LINE_REFUSED;
    line->cursor = cursor;
    return LINE_CHANGED;
}

// Where Ctrl-W erases from: the start of the word before the cursor, or of the one before the blanks there.
static size_t word_start(const struct monitor_line *line)
{
    size_t at = line->cursor;

    while (at > 0 && line->text[at - 1] == ' ')
        at--;
    while (at > 0 && line->text[at - 1] != ' ')
        at--;
    return at;
}

// Makes the line of the history that is `back` steps back the line being edited; 0 is what was typed before the first
// of these steps, which line->draft keeps. LINE_REFUSED when the history is not as long.
static enum monitor_line_result browse(struct monitor_line *line, uint32_t back)
{
    uint32_t kept = line->history_count < LINE_HISTORY_COUNT ? line->history_count : LINE_HISTORY_COUNT;

    if (back > kept)
        return LINE_REFUSED;
    if (line->browse == 0)
        memcpy(line->draft, line->text, line->length + 1);
    memcpy(line->text, back == 0 ? line->draft : line->history[(line->history_count - back) % LINE_HISTORY_COUNT],
           sizeof(line->text));
    line->length = strnlen(line->text, LINE_LENGTH_MAX);
    line->cursor = line->length;
    line->browse = back;
    return LINE_CHANGED;
}

// Up and Ctrl-P: one line further back in the history.
static enum monitor_line_result older(struct monitor_line *line)
{
    return browse(line, line->browse + 1);
}

// Down and Ctrl-N: one line towards the present. At the present there is none.
static enum monitor_line_result newer(struct monitor_line *line)
{
    return line->browse == 0 ? LINE_REFUSED : browse(line, line->browse - 1);
}

// Delete and Ctrl-D: the byte under the cursor.
static enum monitor_line_result delete_here(struct monitor_line *line)
{
    return line->cursor < line->length ? erase(line, line->cursor, line->cursor + 1) : LINE_REFUSED;
}

// The last byte of an escape sequence: which key it was.
static enum monitor_line_result escape_final(struct monitor_line *line, uint8_t byte)
{
    // ESC [ number ~: the number names the key. Otherwise the letter does.
    switch (byte != '~' ? byte : line->parameter < 0x20 ? line->parameter : 0) {
    case 'A':
        return older(line);
    case 'B':
        return newer(line);
    case 'C':
        return move(line, line->cursor + 1);
    case 'D':
        return move(line, line->cursor - 1); // wraps past length at 0, which move refuses
    case 'H':
    case 1:
    case 7:
        return move(line, 0);
    case 'F':
    case 4:
    case 8:
        return move(line, line->length);
    case 3:
        return delete_here(line);
    default:
        return LINE_NONE;
    }
}

// A byte within an escape sequence. It goes on with it, ends it, or, where it has no place there, ends it without
// effect.
static enum monitor_line_result escape_byte(struct monitor_line *line, uint8_t byte)
{
    uint8_t state = line->escape;

    line->escape = ESCAPE_NONE;
    if (byte == KEY_ESCAPE) {
        line->escape = ESCAPE_START;
        return LINE_NONE;
    }
    if (state == ESCAPE_START) {
        line->escape = byte == '[' ? ESCAPE_CSI : byte == 'O' ? ESCAPE_SS3 : ESCAPE_NONE;
        line->parameter = 0;
        return LINE_NONE;
    }
    if (byte >= 0x40 && byte < KEY_DELETE)
        return escape_final(line, byte);
    if (byte < 0x20 || byte >= KEY_DELETE)
        return LINE_NONE;
    if (byte >= '0' && byte <= '9' && line->parameter < 20)
        line->parameter = (uint8_t)(line->parameter * 10 + (byte - '0'));
    line->escape = state;
    return LINE_NONE;
}

// A control byte outside an escape sequence: keys with Ctrl, Backspace (0x7f or Ctrl-H, as terminals differ), Tab.
static enum monitor_line_result control_byte(struct monitor_line *line, uint8_t byte)
{
    switch (byte) {
    case CTRL('A'):
        return move(line, 0);
    case CTRL('B'):
        return move(line, line->cursor - 1);
    case CTRL('C'):
        monitor_line_clear(line);
        return LINE_CANCEL;
    case CTRL('D'):
        return line->length == 0 ? LINE_END : delete_here(line);
    case CTRL('E'):
        return move(line, line->length);
    case CTRL('F'):
        return move(line, line->cursor + 1);
    case CTRL('H'):
    case KEY_DELETE:
        return line->cursor > 0 ? erase(line, line->cursor - 1, line->cursor) : LINE_REFUSED;
    case CTRL('I'):
        return LINE_TAB;
    case CTRL('K'):
        return erase(line, line->cursor, line->length);
    case CTRL('L'):
        return LINE_REDRAW;
    case CTRL('N'):
        return newer(line);
    case CTRL('P'):
        return older(line);
    case CTRL('U'):
        return erase(line, 0, line->cursor);
    case CTRL('W'):
        return erase(line, word_start(line), line->cursor);
    case KEY_ESCAPE:
        line->escape = ESCAPE_START;
        return LINE_NONE;
    default:
        return LINE_REFUSED;
    }
}

// Takes one byte and says what the session must do. Enter comes as CR, as LF or as CR LF, depending on the terminal:
// the LF of a pair is dropped, so that one key enters one line.
enum monitor_line_result monitor_line_byte(struct monitor_line *line, uint8_t byte)
{
    bool second_of_pair = line->after_return && byte == '\n';
    char typed = (char)byte;

    line->after_return = byte == '\r';
    if (second_of_pair || byte == '\0')
        return LINE_NONE;
    if (byte == '\r' || byte == '\n') {
        line->escape = ESCAPE_NONE;
        return LINE_DONE;
    }
    if (line->escape != ESCAPE_NONE)
        return escape_byte(line, byte);
    if (byte < 0x20 || byte == KEY_DELETE)
        return control_byte(line, byte);
    if (byte > KEY_DELETE)
        return LINE_REFUSED;
    return monitor_line_insert(line, &typed, 1) ? LINE_CHANGED : LINE_REFUSED;
}
