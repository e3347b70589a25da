// SPDX-License-Identifier: Apache-2.0
// A hostile guest may print anything, and a terminal obeys what it is sent: it can be made to answer as if keys had
// been typed, to erase a record, or to draw one that was never written. This file is a parser of ECMA-48, and of the
// DEC private sequences that xterm documents, that stands between the guest and the terminal. It keeps a sequence until
// it is whole. Then it prints the sequence, or a tamer one in its place, or its bytes in such a way that they are read
// and not obeyed: "ESC ] 0 ; x" comes out as the text "\x1b]0;x". Strings (OSC, DCS, APC, PM, SOS) need no state of
// their own. Their introducer is shown, and so what follows is text like any other.
//
// How a record stays readable. The guest must not move the cursor to a record and overwrite it. The filter does not
// know how tall the screen is, but it knows how many lines lie between the last record and the cursor at least: that is
// `below`. A line feed adds one to it, because it moves the cursor down, or everything else up. (A line that wraps
// moves the cursor down too and is not counted: the true distance is only larger.) Moving up takes lines away, and
// `deepest` is the largest value that `below` has had since the record. An example: after a record the guest prints
// five lines, so it may move the cursor up by five lines, and "ESC [ 9 A" is cut to "ESC [ 5 A".
//
// A guest that wants more, that is, names a place on the screen or erases all of it, gets it, but only after the record
// has been scrolled off the top of a screen of TERMINAL_ROWS_MAX lines (give_screen). It is then in the lines that the
// terminal keeps above the screen, which no sequence that passes can reach. After that nothing is withheld until the
// next record. A full-screen program loses its screen in this way when a record comes, and draws it again when told to
// (Ctrl-L). A record is worth that.
#include <hv/terminal_filter.h>

#define ESCAPE 0x1b
#define ENDS   0x40 // a CSI ends with a byte from here to 0x7e (ECMA-48 5.4)

// Where in a sequence the guest is: in none; behind ESC; behind ESC and intermediate bytes, as in "ESC ( 0"; behind ESC
// and "["; in a character of several bytes.
enum { GROUND, AFTER_ESCAPE, INTERMEDIATE, CSI, UTF8 };

// Bytes that are to be printed, TERMINAL_OUT_MAX at most.
struct out {
    uint8_t *bytes;
    size_t length;
};

static void begin(struct out *out, uint8_t *bytes)
{
    out->bytes = bytes;
    out->length = 0;
}

static void put(struct out *out, uint8_t byte)
{
    if (out->length < TERMINAL_OUT_MAX)
        out->bytes[out->length++] = byte;
}

static void put_text(struct out *out, const char *text)
{
    while (*text != '\0')
        put(out, (uint8_t)*text++);
}

static void put_number(struct out *out, unsigned int value)
{
    if (value >= 10)
        put_number(out, value / 10);
    put(out, (uint8_t)('0' + value % 10));
}

// Prints a byte so that it can be read: "\x1b" for one that is no printable ASCII.
static void show(struct out *out, uint8_t byte)
{
    static const char digits[] = "0123456789abcdef";

    if (byte >= 0x20 && byte < 0x7f) {
        put(out, byte);
        return;
    }
    put_text(out, "\\x");
    put(out, (uint8_t)digits[byte >> 4]);
    put(out, (uint8_t)digits[byte & 15]);
}

// Prints the kept bytes so that they are read and not obeyed.
static void show_sequence(struct terminal_filter *filter, struct out *out)
{
    for (unsigned int i = 0; i < filter->length; i++)
        show(out, filter->sequence[i]);
    filter->changes |= TERMINAL_CHANGED;
}

// Prints the kept bytes as the guest sent them, so that the terminal obeys them.
static void pass_sequence(const struct terminal_filter *filter, struct out *out)
{
    for (unsigned int i = 0; i < filter->length; i++)
        put(out, filter->sequence[i]);
}

// ---- Records that stand above

// The cursor is one line further below the record. When it has been TERMINAL_ROWS_MAX lines below, the record has left
// the screen.
static void line_feed(struct terminal_filter *filter)
{
    if (!filter->exposed || filter->below++ < filter->deepest)
        return;
    filter->deepest = filter->below;
    filter->exposed = filter->deepest < TERMINAL_ROWS_MAX;
}

// Scrolls the record off the top of the screen, before the guest goes anywhere on it or erases it. "ESC [ 999 ; 1 H"
// puts the cursor at the start of the last line, whichever that is, where each line feed scrolls by one line. At least
// `deepest` lines already lie below the record.
static void give_screen(struct terminal_filter *filter, struct out *out)
{
    if (!filter->exposed)
        return;
    put_text(out, "\033[999;1H");
    for (unsigned int i = filter->deepest; i < TERMINAL_ROWS_MAX; i++)
        put(out, '\n');
    filter->exposed = false;
}

// How many of count lines the guest may go up. They are taken from `below`.
static unsigned int take_lines_up(struct terminal_filter *filter, unsigned int count)
{
    if (!filter->exposed)
        return count;
    if (count > filter->below)
        count = filter->below;
    filter->below -= (uint8_t)count;
    return count;
}

// ---- Sequences of ESC and one byte, or ESC, intermediates and one byte

// "ESC" and one byte. A sequence that this table does not name is shown. Reverse index moves the cursor up by one line,
// or, at the top of the screen, everything down.
static void escape_sequence(struct terminal_filter *filter, struct out *out, uint8_t final)
{
    switch (final) {
    case '=': // keypad modes
    case '>':
    case 'H': // a tab stop here
        break;
    case '7': // save the cursor
        break;
    case 'D': // index, next line
    case 'E':
        line_feed(filter);
        break;
    case 'M': // reverse index
        if (take_lines_up(filter, 1) == 0)
            return;
        break;
    case '8': // restore the cursor
        give_screen(filter, out);
        filter->changes |= TERMINAL_CHANGED;
        break;
    default:
        show_sequence(filter, out);
        return;
    }
    pass_sequence(filter, out);
}

// Character sets: US, UK and line drawing as G0 or G1. UTF-8 as what it is anyway.
static void intermediate_sequence(struct terminal_filter *filter, struct out *out, uint8_t final)
{
    uint8_t first = filter->sequence[1];
    bool is_set = (first == '(' || first == ')') && (final == 'B' || final == 'A' || final == '0');

    if (filter->length != 3 || (!is_set && !(first == '%' && final == 'G'))) {
        show_sequence(filter, out);
        return;
    }
    filter->changes |= TERMINAL_CHANGED;
    pass_sequence(filter, out);
}

// ---- CSI

// The parameter that begins at *at, at most 9999, and moves *at behind it and its semicolon. 0: none, or 0.
static unsigned int take_number(const struct terminal_filter *filter, unsigned int *at)
{
    unsigned int value = 0;

    for (; *at + 1 < filter->length && filter->sequence[*at] != ';'; ++*at) {
        value = value * 10 + (unsigned int)(filter->sequence[*at] - '0');
        value = value > 9999 ? 9999 : value;
    }
    ++*at;
    return value;
}

// The parameters begin behind "ESC [", which are two bytes.
static unsigned int first_number(const struct terminal_filter *filter)
{
    unsigned int at = 2;

    return take_number(filter, &at);
}

// Whether every byte from number `from` on, but for the final one, is a digit, a semicolon, or a colon, which stands
// between the parts of a colour.
static bool has_numbers_only(const struct terminal_filter *filter, unsigned int from)
{
    for (unsigned int i = from; i + 1 < filter->length; i++)
        if (filter->sequence[i] < '0' || filter->sequence[i] > ';')
            return false;
    return true;
}

// "ESC [ n A" and "ESC [ n F". No number, or 0, means 1 (ECMA-48 8.3.22, CUU). What the guest may not have is cut off.
static void lines_up(struct terminal_filter *filter, struct out *out, uint8_t final)
{
    unsigned int wanted = first_number(filter);

    wanted += wanted == 0;
    unsigned int count = take_lines_up(filter, wanted);
    if (count == wanted) {
        pass_sequence(filter, out);
    } else if (count > 0) {
        put_text(out, "\033[");
        put_number(out, count);
        put(out, final);
    }
}

// ED, "ESC [ n J". 0 erases from the cursor to the end of the screen, below every record. 1 and 2 erase lines above the
// cursor. 3 erases what the terminal keeps above the screen, where records are: nothing is printed for it.
static void erase_screen(struct terminal_filter *filter, struct out *out)
{
    uint8_t what = filter->length == 3 ? '0' : filter->sequence[2];

    if (filter->length > 4 || what > '3') {
        show_sequence(filter, out);
        return;
    }
    if (what == '3')
        return;
    if (what != '0')
        give_screen(filter, out);
    pass_sequence(filter, out);
}

// SGR, "ESC [ ... m": colours and the like. `changes` remembers whether any is on, so that EL2 can turn it off before
// it prints.
static void attributes(struct terminal_filter *filter, struct out *out)
{
    bool none = filter->length == 3 || (filter->length == 4 && filter->sequence[2] == '0');

    filter->changes = (uint8_t)(none ? filter->changes & ~TERMINAL_COLOURED : filter->changes | TERMINAL_COLOURED);
    pass_sequence(filter, out);
}

// DECSTBM, "ESC [ top ; bottom r": the lines that scroll. Without parameters these are all lines.
static void scroll_region(struct terminal_filter *filter, struct out *out)
{
    give_screen(filter, out); // it moves the cursor home
    if (filter->length == 3)
        filter->changes &= (uint8_t)~TERMINAL_REGION;
    else
        filter->changes |= TERMINAL_REGION;
    pass_sequence(filter, out);
}

static void show_alternate(struct terminal_filter *filter, struct out *out, bool alternate)
{
    bool is = filter->changes & TERMINAL_ALTERNATE;

    if (alternate == is)
        return;
    give_screen(filter, out); // for terminals that have no other screen
    filter->changes ^= TERMINAL_ALTERNATE;
    put_text(out, alternate ? "\033[?1049h" : "\033[?1049l");
}

// The DEC private modes that pass: cursor keys, reverse screen, wrapping, blinking and visible cursor, bracketed paste.
static bool is_known_mode(unsigned int mode)
{
    static const uint16_t modes[] = {1, 5, 7, 12, 25, 2004};
    bool known = false;

    for (unsigned int i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        known |= modes[i] == mode;
    return known;
}

static void private_mode(struct terminal_filter *filter, struct out *out, unsigned int mode, uint8_t final)
{
    bool known = is_known_mode(mode);

    if (mode == 47 || mode == 1047 || mode == 1049) {
        show_alternate(filter, out, final == 'h');
        return;
    }
    if (!known || mode == 5 || mode == 7 || mode == 25)
        filter->changes |= TERMINAL_CHANGED;
    put_text(out, known ? "\033[?" : "\\x1b[?");
    put_number(out, mode);
    put(out, final);
}

// "ESC [ ? n ; ... h" sets and "l" resets modes, several at once. Each mode is judged for itself by private_mode.
static void private_sequence(struct terminal_filter *filter, struct out *out, uint8_t final)
{
    if (!has_numbers_only(filter, 3) || (final != 'h' && final != 'l' && final != 'c')) {
        show_sequence(filter, out);
        return;
    }
    if (final == 'c') // the shape of the Linux console's cursor: no other terminal has it, some answer
        return;
    for (unsigned int at = 3; at < filter->length;)
        private_mode(filter, out, take_number(filter, &at), final);
}

// Whether a CSI of digits has the usual meaning of its final byte. Some final bytes have another meaning with more
// parameters: "ESC [ s" saves the cursor, "ESC [ 1 ; 80 s" sets margins. Only the usual one passes.
static bool is_usual(const struct terminal_filter *filter, uint8_t final)
{
    switch (final) {
    case 's': // a cursor saved, not margins
    case 'u': // and restored, not a protocol of keyboards
        return filter->length == 3;
    case 'T': // scrolling down, not tracking of the mouse
    case 'b': // a character again, not for hours
        return filter->length <= 6;
    case 'h': // inserting is the one mode
    case 'l':
        return filter->length == 4 && filter->sequence[2] == '4';
    default:
        return true;
    }
}

// A CSI of digits and semicolons.
static void plain_csi(struct terminal_filter *filter, struct out *out, uint8_t final)
{
    switch (is_usual(filter, final) ? final : 0) {
    case 'A': // cursor up, to the line before
    case 'F':
        lines_up(filter, out, final);
        return;
    case 'J':
        erase_screen(filter, out);
        return;
    case 'm':
        attributes(filter, out);
        return;
    case 'r':
        scroll_region(filter, out);
        return;
    case 'H': // where on the screen; scrolling; a saved place
    case 'f':
    case 'd':
    case 'S':
    case 'T':
    case 'u':
        give_screen(filter, out);
        pass_sequence(filter, out);
        return;
    case 'h':
    case 'l':
        filter->changes |= TERMINAL_CHANGED;
        pass_sequence(filter, out);
        return;
    case '@': // within the line, or down; tab stops; a saved place
    case 'B':
    case 'C':
    case 'D':
    case 'E':
    case 'G':
    case 'I':
    case 'K':
    case 'L':
    case 'M':
    case 'P':
    case 'X':
    case 'Z':
    case '`':
    case 'a':
    case 'b':
    case 'e':
    case 'g':
    case 's':
        pass_sequence(filter, out);
        return;
    default:
        show_sequence(filter, out);
    }
}

// The cursor's shape: one digit or none, a blank and q. With a private prefix it may be a request.
static bool is_cursor_shape(const struct terminal_filter *filter, uint8_t final)
{
    const uint8_t *sequence = filter->sequence;
    bool digit = filter->length == 5 && sequence[2] >= '0' && sequence[2] <= '9';

    return final == 'q' && (filter->length == 4 || digit) && sequence[filter->length - 2] == ' ';
}

// Sends a whole CSI to the function for its form: private, of numbers only, or the shape of the cursor. All other forms
// are shown.
static void csi_sequence(struct terminal_filter *filter, struct out *out, uint8_t final)
{
    if (filter->sequence[2] == '?')
        private_sequence(filter, out, final);
    else if (has_numbers_only(filter, 2))
        plain_csi(filter, out, final);
    else if (is_cursor_shape(filter, final))
        pass_sequence(filter, out);
    else
        show_sequence(filter, out);
}

// ---- The parser

// The next byte begins anew.
static void ground(struct terminal_filter *filter)
{
    filter->state = GROUND;
    filter->length = 0;
}

// A byte outside every sequence. ESC and the first byte of a UTF-8 character (0xc2 to 0xf4) begin something of several
// bytes; the other bytes are judged by themselves. 0x80 to 0xc1 and 0xf5 to 0xff begin no character, and are shown.
static void ground_byte(struct terminal_filter *filter, struct out *out, uint8_t byte)
{
    filter->length = 1;
    filter->sequence[0] = byte;
    if (byte == ESCAPE) {
        filter->state = AFTER_ESCAPE;
        return;
    }
    if (byte >= 0xc2 && byte < 0xf5) {
        filter->left = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
        filter->state = UTF8;
        return;
    }
    if (byte == '\n') {
        line_feed(filter);
        put(out, byte);
    } else if (byte == '\0' || (byte >= '\a' && byte <= '\r' && byte != '\v' && byte != '\f')) {
        put(out, byte);
    } else if (byte == 0x0e || byte == 0x0f) { // G1, G0
        filter->changes |= TERMINAL_CHANGED;
        put(out, byte);
    } else if (byte >= 0x20 && byte < 0x7f) {
        put(out, byte);
    } else {
        show_sequence(filter, out);
    }
    ground(filter);
}

// byte cannot go on with the sequence that was kept, which will never be whole: its bytes are shown, and byte counts by
// itself.
static void begin_anew(struct terminal_filter *filter, struct out *out, uint8_t byte)
{
    show_sequence(filter, out);
    ground(filter);
    ground_byte(filter, out, byte);
}

// Whether the bytes, which have the form of a UTF-8 character, are one (Unicode 3.9, table 3-7): encoded in the
// shortest way, no surrogate (U+D800 to U+DFFF), not above U+10FFFF; and none of the 8-bit controls U+0080 to U+009F,
// which a terminal may obey. The second byte decides about all of that.
static bool is_character(const uint8_t *bytes)
{
    switch (bytes[0]) {
    case 0xc2:
        return bytes[1] >= 0xa0; // U+0080 to U+009F are controls
    case 0xe0:
        return bytes[1] >= 0xa0;
    case 0xed:
        return bytes[1] < 0xa0;
    case 0xf0:
        return bytes[1] >= 0x90;
    case 0xf4:
        return bytes[1] < 0x90;
    default:
        return true;
    }
}

// A byte of a UTF-8 character behind the first one is 0x80 to 0xbf.
static void utf8_byte(struct terminal_filter *filter, struct out *out, uint8_t byte)
{
    if (byte < 0x80 || byte > 0xbf) {
        begin_anew(filter, out, byte);
        return;
    }
    filter->sequence[filter->length++] = byte;
    if (--filter->left > 0)
        return;
    if (is_character(filter->sequence))
        pass_sequence(filter, out);
    else
        show_sequence(filter, out);
    ground(filter);
}

// A byte behind ESC. Bytes 0x20 to 0x2f are intermediate ones, and from 0x30 on a byte ends a sequence that is no CSI
// (ECMA-48 5.3 and ECMA-35 13.2).
static void sequence_byte(struct terminal_filter *filter, struct out *out, uint8_t byte)
{
    if (byte < 0x20 || byte > 0x7e || filter->length == TERMINAL_SEQUENCE_MAX) {
        begin_anew(filter, out, byte);
        return;
    }
    filter->sequence[filter->length++] = byte;
    if (filter->state == AFTER_ESCAPE && byte == '[') {
        filter->state = CSI;
    } else if (filter->state == CSI) {
        if (byte < ENDS)
            return;
        csi_sequence(filter, out, byte);
        ground(filter);
    } else if (byte < 0x30) {
        filter->state = INTERMEDIATE;
    } else {
        if (filter->state == AFTER_ESCAPE)
            escape_sequence(filter, out, byte);
        else
            intermediate_sequence(filter, out, byte);
        ground(filter);
    }
}

// In raw mode nothing is withheld. Then the filter only notes whether a byte can have changed the terminal's state.
size_t terminal_filter_byte(struct terminal_filter *filter, uint8_t byte, uint8_t *out)
{
    struct out printed;

    begin(&printed, out);
    if (filter->raw) {
        bool control = (byte < 0x20 && (byte < '\a' || byte > '\r')) || (byte >= 0x80 && byte < 0xa0);
        filter->changes |= control ? TERMINAL_CHANGED : 0;
        put(&printed, byte);
    } else if (filter->state == GROUND) {
        ground_byte(filter, &printed, byte);
    } else if (filter->state == UTF8) {
        utf8_byte(filter, &printed, byte);
    } else {
        sequence_byte(filter, &printed, byte);
    }
    return printed.length;
}

// ---- What EL2 prints

// The bytes that make the terminal fit for EL2's words, depending on what the guest has changed. Nothing has been
// changed: no bytes.
size_t terminal_filter_own(struct terminal_filter *filter, uint8_t *out)
{
    struct out printed;
    uint8_t changes = filter->changes;

    begin(&printed, out);
    if (changes == 0)
        return 0;
    if (changes & TERMINAL_ALTERNATE)
        put_text(&printed, "\033[?1049l");
    if (changes & TERMINAL_REGION)
        put_text(&printed, "\0337\033[r\0338"); // all of the screen, and the cursor where it was
    put_text(&printed, TERMINAL_RESET);
    if (!filter->raw)
        put_text(&printed, "\033[4l\033[?5l\033[?7h\033[?25h"); // no inserting; lines that wrap; a cursor that is seen
    put_text(&printed, "\r\n");
    filter->changes = 0;
    return printed.length;
}

// A record was just printed, and the cursor stands right below it.
void terminal_filter_protect(struct terminal_filter *filter)
{
    filter->exposed = !filter->raw;
    filter->below = 0;
    filter->deepest = 0;
}
