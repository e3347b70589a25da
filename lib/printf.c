// SPDX-License-Identifier: Apache-2.0
// Owns: formatting for EL2. Promises: never writes past size, keeps no state, needs no libc, and reads no argument
// whose type it does not know: from the first conversion it does not have on, the format comes out as it stands and no
// argument is touched.
#include <hv/printf.h>

#include <stdbool.h>
#include <stdint.h>

#define DIGITS_MAX 20   // of 2^64 - 1 in decimal
#define WIDTH_MAX  4095 // also the largest precision

struct sink {
    char *buffer;
    size_t size;
    size_t length; // of the whole text, written or not
};

// A va_list that may be handed on by address: where the ABI makes it an array, the bare type could not.
struct arguments {
    va_list list;
};

struct conversion {
    unsigned int width;
    int precision; // -1: none
    char pad;      // ' ' or '0'
    uint8_t bits;  // of an integer argument: 8, 16, 32 or 64
    bool left;
    bool alternate;
    bool upper;
};

__attribute__((noinline)) static void put(struct sink *sink, char byte)
{
    if (sink->length + 1 < sink->size) {
        sink->buffer[sink->length] = byte;
    }
    sink->length++;
}

__attribute__((noinline)) static void put_many(struct sink *sink, char byte, unsigned int count)
{
    while (count-- != 0) {
        put(sink, byte);
    }
}

__attribute__((noinline)) static void put_text(struct sink *sink, const struct conversion *conversion, const char *text)
{
    unsigned int length = 0;
    unsigned int limit = conversion->precision < 0 ? UINT32_MAX : (unsigned int)conversion->precision;

    if (text == NULL) {
        text = "(null)";
    }
    while (length < limit && text[length] != '\0') {
        length++;
    }
    unsigned int pad = conversion->width > length ? conversion->width - length : 0;
    put_many(sink, ' ', conversion->left ? 0 : pad);
    for (unsigned int i = 0; i < length; i++) {
        put(sink, text[i]);
    }
    put_many(sink, ' ', conversion->left ? pad : 0);
}

// prefix: "", "-" or "0x"; its letter follows the case of the digits.
__attribute__((noinline)) static void put_number(struct sink *sink, const struct conversion *conversion, uint64_t value,
                                                 unsigned int base, const char *prefix)
{
    char letter = conversion->upper ? 'A' - 10 : 'a' - 10;
    char digits[DIGITS_MAX];
    unsigned int count = 0;
    unsigned int zeros = 0;
    unsigned int prefix_length = prefix[0] == '\0' ? 0 : prefix[1] == '\0' ? 1 : 2;
    unsigned int least = conversion->precision < 0 ? 1 : (unsigned int)conversion->precision;

    for (; value != 0; value /= base) {
        unsigned int digit = (unsigned int)(value % base);
        digits[count++] = (char)((digit < 10 ? '0' : letter) + (int)digit);
    }
    if (least > count) {
        zeros = least - count;
    }
    unsigned int used = prefix_length + zeros + count;
    unsigned int pad = conversion->width > used ? conversion->width - used : 0;
    if (conversion->pad == '0' && !conversion->left && conversion->precision < 0) {
        zeros += pad;
        pad = 0;
    }
    put_many(sink, ' ', conversion->left ? 0 : pad);
    for (unsigned int i = 0; i < prefix_length; i++) {
        put(sink, prefix[i] == 'x' && conversion->upper ? 'X' : prefix[i]);
    }
    put_many(sink, '0', zeros);
    while (count != 0) {
        put(sink, digits[--count]);
    }
    put_many(sink, ' ', conversion->left ? pad : 0);
}

static bool is_plain(char byte)
{
    return byte > ' ' && byte < 0x7f && byte != '"' && byte != '=';
}

// A logfmt value: as it stands, or in quotes with \" \\ \n and \xHH.
static void put_value(struct sink *sink, const char *text)
{
    static const struct conversion hex = {.width = 2, .precision = -1, .pad = '0'};
    const char *end = text == NULL ? (text = "(null)") : text;

    while (is_plain(*end)) {
        end++;
    }
    bool quoted = *end != '\0' || end == text;
    if (quoted) {
        put(sink, '"');
    }
    for (; *text != '\0'; text++) {
        if (quoted && (*text == '"' || *text == '\\')) {
            put(sink, '\\');
        }
        if (*text == '\n') {
            put(sink, '\\');
            put(sink, 'n');
        } else if (*text >= ' ' && *text < 0x7f) {
            put(sink, *text);
        } else {
            put(sink, '\\');
            put(sink, 'x');
            put_number(sink, &hex, (unsigned char)*text, 16, "");
        }
    }
    if (quoted) {
        put(sink, '"');
    }
}

// The next integer argument in 64 bits; l, ll and z are all 64 bits wide (LP64). Upper bits beyond the conversion's
// are sign or zero extension.
static uint64_t take_integer(const struct conversion *conversion, struct arguments *arguments, bool is_signed)
{
    unsigned int unused = 64 - conversion->bits;
    uint64_t value = conversion->bits == 64 ? va_arg(arguments->list, uint64_t) : va_arg(arguments->list, unsigned int);

    value <<= unused;
    return is_signed ? (uint64_t)((int64_t)value >> unused) : value >> unused;
}

static unsigned int parse_number(const char **format)
{
    unsigned int value = 0;

    while (**format >= '0' && **format <= '9') {
        value = value * 10 + (unsigned int)(*(*format)++ - '0');
        if (value > WIDTH_MAX) {
            value = WIDTH_MAX;
        }
    }
    return value;
}

// Flags, width, precision and length modifier; *format ends at the conversion letter. Only a precision may be '*'.
static void parse_modifiers(const char **format, struct conversion *conversion, struct arguments *arguments)
{
    *conversion = (struct conversion){.precision = -1, .pad = ' ', .bits = 32};
    for (;; (*format)++) {
        if (**format == '-') {
            conversion->left = true;
        } else if (**format == '0') {
            conversion->pad = '0';
        } else if (**format == '#') {
            conversion->alternate = true;
        } else {
            break;
        }
    }
    conversion->width = parse_number(format);
    if (**format == '.') {
        (*format)++;
        if (**format == '*') {
            (*format)++;
            conversion->precision = va_arg(arguments->list, int);
        } else {
            conversion->precision = (int)parse_number(format);
        }
    }
    for (unsigned int seen = 0; seen < 2 && (**format == 'l' || **format == 'h' || **format == 'z'); seen++) {
        conversion->bits = *(*format)++ == 'h' ? conversion->bits / 2 : 64;
    }
}

// The conversion whose letter *format points at; moves *format after it. False when it is unknown.
static bool put_conversion(struct sink *sink, struct conversion *conversion, const char **format,
                           struct arguments *arguments)
{
    char letter = *(*format)++;
    uint64_t value;
    bool negative;

    switch (letter) {
    case '%':
        put(sink, '%');
        return true;
    case 'c':
        put_text(sink, conversion, (char[]){(char)va_arg(arguments->list, int), '\0'});
        return true;
    case 's':
        put_text(sink, conversion, va_arg(arguments->list, const char *));
        return true;
    case 'd':
    case 'i':
        value = take_integer(conversion, arguments, true);
        negative = (int64_t)value < 0;
        put_number(sink, conversion, negative ? -value : value, 10, negative ? "-" : "");
        return true;
    case 'u':
        put_number(sink, conversion, take_integer(conversion, arguments, false), 10, "");
        return true;
    case 'x':
    case 'X':
        conversion->upper = letter == 'X';
        value = take_integer(conversion, arguments, false);
        put_number(sink, conversion, value, 16, conversion->alternate && value != 0 ? "0x" : "");
        return true;
    case 'p':
        if (**format == 'Q') {
            (*format)++;
            put_value(sink, va_arg(arguments->list, const char *));
        } else {
            put_number(sink, conversion, (uintptr_t)va_arg(arguments->list, const void *), 16, "0x");
        }
        return true;
    default:
        return false;
    }
}

int format_text_v(char *buffer, size_t size, const char *format, va_list arguments)
{
    struct sink sink = {.buffer = buffer, .size = size};
    struct arguments copy;

    va_copy(copy.list, arguments);
    while (*format != '\0') {
        const char *start = format;
        struct conversion conversion;

        if (*format++ != '%') {
            put(&sink, *start);
            continue;
        }
        parse_modifiers(&format, &conversion, &copy);
        if (!put_conversion(&sink, &conversion, &format, &copy)) {
            for (; *start != '\0'; start++) {
                put(&sink, *start);
            }
            break;
        }
    }
    va_end(copy.list);
    if (size != 0) {
        buffer[sink.length < size ? sink.length : size - 1] = '\0';
    }
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
