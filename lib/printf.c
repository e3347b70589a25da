// SPDX-License-Identifier: Apache-2.0
// Formatting for EL2: a small printf. It is called in the report of a panic as well, on a stack that may be nearly used
// up and with locks held by CPUs that have died. So it keeps no state, takes no lock, needs no memory but its caller's,
// and never writes past size. It reads no argument whose type it does not know: from the first conversion that it does
// not have on, the format comes out as it stands and no argument is touched.
//
// %d %u %x %s %% are those of C, with a width, - or 0, l and ll, and .* for strings. Of its own are %y (yes or no), %j
// (true or false), %pQ (a value of a log record) and %pJ (a JSON string). A compiler that checks formats takes the last
// two for a pointer with a letter behind it, and so accepts them.
#include <hv/printf.h>

#include <stdbool.h>
#include <stdint.h>

#define DIGITS_MAX 20   // of 2^64 - 1 in decimal
#define WIDTH_MAX  4095 // also the largest precision

struct sink {
    char *buffer;
    size_t room;             // bytes that fit in buffer
    size_t length;           // of the whole text, written or not
    void (*take)(char byte); // gets what does not fit, unless NULL
};

// A va_list that may be handed on by address: where the ABI makes it an array, the bare type could not.
struct arguments {
    va_list list;
};

struct conversion {
    unsigned int width;
    unsigned int precision; // of a string: bytes at most
    char pad;               // ' ' or '0'
    bool left;
    bool wide; // an integer of 64 bits
};

// The only function that writes to the buffer, so the only one that has to keep to its size. length counts every byte
// of the text, also those that do not fit.
__attribute__((noinline)) static void put(struct sink *sink, char byte)
{
    size_t at = sink->length++;

    if (at < sink->room)
        sink->buffer[at] = byte;
    else if (sink->take != NULL)
        sink->take(byte);
}

// At most precision bytes of text in a field of width.
__attribute__((noinline)) static void put_text(struct sink *sink, const struct conversion *conversion, const char *text)
{
    unsigned int length = 0;

    if (text == NULL)
        text = "(null)";
    while (length < conversion->precision && text[length] != '\0')
        length++;
    for (unsigned int i = length; i < conversion->width && !conversion->left; i++)
        put(sink, conversion->pad);
    for (unsigned int i = 0; i < length; i++)
        put(sink, text[i]);
    for (unsigned int i = length; i < conversion->width && conversion->left; i++)
        put(sink, ' ');
}

// Digits come from the lowest to the highest, so they are written from the end of the buffer towards its beginning.
static void put_number(struct sink *sink, const struct conversion *conversion, uint64_t value, unsigned int base,
                       bool negative)
{
    char digits[DIGITS_MAX + 2];
    char *first = &digits[DIGITS_MAX + 1];

    *first = '\0';
    do {
        *--first = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    if (negative)
        *--first = '-';
    put_text(sink, conversion, first);
}

static void put_format(struct sink *sink, const char *format, ...);

// A byte that a logfmt value may have outside quotes: printable ASCII without the blank, the quote and the equals sign.
static bool is_plain(char byte)
{
    return byte > ' ' && byte < 0x7f && byte != '"' && byte != '=';
}

// Writes text as a JSON string, or as a logfmt value: as it stands when all its bytes are plain, else in quotes, with a
// backslash before a quote or a backslash, and the escapes \n and \xHH. An empty text gets quotes as well. So nothing
// in the text can end the value or forge another field.
static void put_quoted(struct sink *sink, const char *text, bool json)
{
    const char *end = text == NULL ? (text = "(null)") : text;

    while (is_plain(*end))
        end++;
    bool quoted = json || *end != '\0' || end == text;
    if (quoted)
        put(sink, '"');
    for (; *text != '\0'; text++) {
        if (quoted && (*text == '"' || *text == '\\'))
            put(sink, '\\');
        if (*text >= ' ' && *text < 0x7f)
            put(sink, *text);
        else if (*text == '\n')
            put_format(sink, "\\n");
        else
            put_format(sink, json ? "\\u%04x" : "\\x%02x", (unsigned char)*text);
    }
    if (quoted)
        put(sink, '"');
}

// A width. It is held to WIDTH_MAX while it is read, so that it cannot overflow.
static unsigned int parse_number(const char **format)
{
    unsigned int value = 0;

    while (**format >= '0' && **format <= '9') {
        value = value * 10 + (unsigned int)(*(*format)++ - '0');
        if (value > WIDTH_MAX)
            value = WIDTH_MAX;
    }
    return value;
}

// Flags, width, precision and length modifier; *format ends at the conversion letter.
static void parse_modifiers(const char **format, struct conversion *conversion, struct arguments *arguments)
{
    *conversion = (struct conversion){.precision = UINT32_MAX, .pad = ' '};
    if (**format == '-') {
        (*format)++;
        conversion->left = true;
    } else if (**format == '0') {
        conversion->pad = '0';
    }
    conversion->width = parse_number(format);
    if (**format == '.' && (*format)[1] == '*') {
        *format += 2;
        conversion->precision = va_arg(arguments->list, unsigned int); // a negative one: no limit
    }
    while (**format == 'l') { // long and long long are both 64 bits wide (LP64)
        (*format)++;
        conversion->wide = true;
    }
}

// The conversion whose letter *format points at; moves *format after it. False when it is unknown.
static bool put_conversion(struct sink *sink, const struct conversion *conversion, const char **format,
                           struct arguments *arguments)
{
    char letter = *(*format)++;
    uint64_t value;

    switch (letter) {
    case '%':
        put(sink, '%');
        return true;
    case 's':
        put_text(sink, conversion, va_arg(arguments->list, const char *));
        return true;
    case 'y':
        put_text(sink, conversion, va_arg(arguments->list, int) != 0 ? "yes" : "no");
        return true;
    case 'j':
        put_text(sink, conversion, va_arg(arguments->list, int) != 0 ? "true" : "false");
        return true;
    case 'd':
        value = conversion->wide ? va_arg(arguments->list, uint64_t) : (uint64_t)va_arg(arguments->list, int);
        put_number(sink, conversion, (int64_t)value < 0 ? -value : value, 10, (int64_t)value < 0);
        return true;
    case 'u':
    case 'x':
        value = conversion->wide ? va_arg(arguments->list, uint64_t) : va_arg(arguments->list, unsigned int);
        put_number(sink, conversion, value, letter == 'u' ? 10 : 16, false);
        return true;
    case 'p': // %pQ is a logfmt value and %pJ a JSON string; a pointer itself has no conversion
        letter = *(*format)++;
        if (letter != 'Q' && letter != 'J')
            return false;
        put_quoted(sink, va_arg(arguments->list, const char *), letter == 'J');
        return true;
    default:
        return false;
    }
}

// After an unknown conversion the types of the remaining arguments are not known, so none of them can be read: the rest
// of the format comes out as it stands.
static void put_arguments(struct sink *sink, const char *format, struct arguments *arguments)
{
    while (*format != '\0') {
        const char *start = format;
        struct conversion conversion;

        if (*format++ != '%') {
            put(sink, *start);
            continue;
        }
        parse_modifiers(&format, &conversion, arguments);
        if (!put_conversion(sink, &conversion, &format, arguments)) {
            for (; *start != '\0'; start++)
                put(sink, *start);
            return;
        }
    }
}

static void put_format(struct sink *sink, const char *format, ...)
{
    struct arguments arguments;

    va_start(arguments.list, format);
    put_arguments(sink, format, &arguments);
    va_end(arguments.list);
}

// The text byte by byte, with no buffer in between: for a line that may be longer than any buffer.
void format_each(void (*take)(char byte), const char *format, va_list arguments)
{
    struct sink sink = {.take = take};
    struct arguments copy;

    va_copy(copy.list, arguments);
    put_arguments(&sink, format, &copy);
    va_end(copy.list);
}

// The text is always terminated, unless size is 0. The caller's list of arguments is copied, so that the caller may use
// it again.
int format_text_v(char *buffer, size_t size, const char *format, va_list arguments)
{
    struct sink sink = {.buffer = buffer, .room = size > 0 ? size - 1 : 0};
    struct arguments copy;

    va_copy(copy.list, arguments);
    put_arguments(&sink, format, &copy);
    va_end(copy.list);
    if (size != 0)
        buffer[sink.length < size ? sink.length : size - 1] = '\0';
    // The result is the length of the whole text, as snprintf's is, so that a caller can see that it was cut.
    return sink.length > INT32_MAX ? INT32_MAX : (int)sink.length;
}

int format_text(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int length = format_text_v(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}
