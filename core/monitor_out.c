// SPDX-License-Identifier: Apache-2.0
// The monitor's output, gathered to whole lines, so that a record of another CPU never splits one. One command at a
// time runs (on the CPU that owns the serial line), so one buffer is enough. A line longer than the buffer is sent in
// pieces.
#include <hv/monitor_out.h>

#include <stdarg.h>

#include <hv/arch/esr_fields.h>
#include <hv/console.h>
#include <hv/printf.h>
#include <hv/string.h>

// translate() makes the formats from rows that the compiler has checked.
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

#define FORMAT_MAX 384 // a row, translated
#define FIELD_MAX  64  // the most that one step of it adds

static struct {
    char line[256];
    size_t length;
    bool json;
    bool in_row; // a field of this row was written already
} state;

static void put(char byte)
{
    state.line[state.length++] = byte;
    if (byte == '\n' || state.length == sizeof(state.line)) {
        console_write(state.line, state.length);
        state.length = 0;
    }
}

__attribute__((format(printf, 1, 2))) static void print(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    format_each(put, format, arguments);
    va_end(arguments);
}

void out_begin(bool json)
{
    state.length = 0;
    state.in_row = false;
    state.json = json;
}

bool out_is_json(void)
{
    return state.json;
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

static bool is_name(char byte)
{
    return (byte >= 'a' && byte <= 'z') || is_digit(byte) || byte == '_';
}

// The format for one field, whose name is length bytes; value is what follows '=' or ':'. Returns the end of the field
// in the row.
static const char *translate_field(const char *name, size_t length, const char *value, char **format)
{
    const char *letter = strchr(value, '%') + 1;
    bool hex = *value == '0';
    bool shown = value[-1] == '=';
    const char *end;

    while (*letter == '-' || is_digit(*letter))
        letter++;
    end = letter + (*letter == 'l' ? 2 : 1);
    if (state.json) {
        const char *kind = *letter == 's' ? "pJ" : *letter == 'd' ? "j" : letter;

        *format += format_text(*format, FIELD_MAX, "%s\"%.*s\":%s%%%.*s%s", state.in_row ? "," : "{", (int)length, name,
                               hex ? "\"0x" : "", kind == letter ? (int)(end - letter) : 2, kind, hex ? "\"" : "");
    } else {
        *format +=
            format_text(*format, FIELD_MAX, "%.*s%.*s", shown ? (int)length + 1 : 0, name, (int)(end - value), value);
        if (*letter == 'd')
            (*format)[-1] = 'y';
    }
    state.in_row = true;
    return end;
}

// Makes a row, as monitor_out.h has it, a format of printf.h in the form of this reply.
static void translate(const char *row, char *format)
{
    const char *last = &format[FORMAT_MAX - FIELD_MAX];

    while (*row != '\0' && format < last) {
        size_t length = 0;

        while (is_name(row[length]))
            length++;
        const char *value = &row[length + 1];
        if (length > 0 && (row[length] == '=' || row[length] == ':') &&
            (*value == '%' || strncmp(value, "0x%", 3) == 0)) {
            row = translate_field(row, length, value, &format);
            continue;
        }
        if (*row == '\n' && state.json && state.in_row)
            *format++ = '}';
        if (*row == '\n')
            state.in_row = false;
        for (length += length == 0; length > 0; length--, row++) {
            if (!state.json || *row == '\n')
                *format++ = *row;
        }
    }
    *format = '\0';
}

void out(const char *row, ...)
{
    char format[FORMAT_MAX];
    va_list arguments;

    translate(row, format);
    va_start(arguments, row);
    format_each(put, format, arguments);
    va_end(arguments);
}

void out_note(const char *format, ...)
{
    va_list arguments;

    if (state.json)
        return;
    va_start(arguments, format);
    format_each(put, format, arguments);
    va_end(arguments);
}

void out_line(const char *format, ...)
{
    va_list arguments;

    if (state.in_row)
        out("\n");
    va_start(arguments, format);
    format_each(put, format, arguments);
    va_end(arguments);
    put('\n');
}

void out_numbers(const char *name, const uint64_t *values, unsigned int count)
{
    print(state.json ? "%s\"%s\":[" : "%s%s=", !state.json ? "" : state.in_row ? "," : "{", name);
    for (unsigned int i = 0; i < count; i++)
        print("%s%lu", i == 0 ? "" : state.json ? "," : " ", (unsigned long)values[i]);
    if (state.json)
        put(']');
    state.in_row = true;
}

void out_fields(const struct field_table *table, uint64_t value)
{
    for (unsigned int i = 0; table != NULL && i < table->count; i++) {
        const struct named_field *field = &table->fields[i];
        unsigned long bits = named_field_get(field, value);

        if (state.json)
            print(",\"%s\":%lu", field->name, bits);
        else if (field->high != field->low)
            print(" %s=%lu", field->name, bits);
        else if (bits != 0)
            print(" %s", field->name);
    }
}
