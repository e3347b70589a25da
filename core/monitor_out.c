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

static struct {
    char line[256];
    size_t length;
    bool json;
    bool in_row; // a field of this row was written already
} out;

static void flush(void)
{
    console_write(out.line, out.length);
    out.length = 0;
}

static void put(char byte)
{
    if (out.length == sizeof(out.line))
        flush();
    out.line[out.length++] = byte;
    if (byte == '\n')
        flush();
}

static void put_string(const char *text)
{
    while (*text != '\0')
        put(*text++);
}

__attribute__((format(printf, 1, 0))) static void put_format(const char *format, va_list arguments)
{
    char text[200];

    (void)format_text_v(text, sizeof(text), format, arguments);
    put_string(text);
}

__attribute__((format(printf, 1, 2))) static void print(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    put_format(format, arguments);
    va_end(arguments);
}

static void put_json_bytes(const char *bytes, size_t length)
{
    put('"');
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = (uint8_t)bytes[i];

        if (byte == '"' || byte == '\\')
            put('\\');
        if (byte >= 0x20 && byte < 0x7f)
            put(bytes[i]);
        else
            print("\\u%04x", byte);
    }
    put('"');
}

static void put_json_string(const char *text)
{
    put_json_bytes(text, strlen(text));
}

// What stands before the value: the name, a separator.
static void begin_field(const char *name, int width)
{
    if (out.json) {
        put_string(out.in_row ? "," : "{");
        put_json_string(name);
        put(':');
    } else {
        if (out.in_row)
            put(' ');
        if (width == 0)
            print("%s=", name);
    }
    out.in_row = true;
}

void out_begin(bool json)
{
    out.length = 0;
    out.in_row = false;
    out.json = json;
}

bool out_is_json(void)
{
    return out.json;
}

// Pads to the left when width is negative, to the right when it is positive.
static void put_padded(const char *text, int width)
{
    int length = (int)strlen(text);

    for (int i = length; i < -width; i++)
        put(' ');
    put_string(text);
    for (int i = length; i < width; i++)
        put(' ');
}

void out_text(const char *name, int width, const char *value)
{
    begin_field(name, width);
    if (out.json)
        put_json_string(value);
    else
        put_padded(value, width);
}

void out_number(const char *name, int width, uint64_t value)
{
    char text[24];

    begin_field(name, width);
    (void)format_text(text, sizeof(text), "%lu", (unsigned long)value);
    put_padded(text, out.json ? 0 : -width);
}

void out_hex(const char *name, int width, uint64_t value)
{
    char text[24];
    int digits;

    begin_field(name, width);
    digits = format_text(text, sizeof(text), "%lx", (unsigned long)value);
    put_string(out.json ? "\"0x" : "0x");
    for (int i = digits; i < width && !out.json; i++)
        put('0');
    put_string(text);
    if (out.json)
        put('"');
}

void out_bool(const char *name, bool value)
{
    begin_field(name, 0);
    put_string(out.json ? value ? "true" : "false" : value ? "yes" : "no");
}

void out_end(void)
{
    if (out.in_row)
        put_string(out.json ? "}\n" : "\n");
    out.in_row = false;
}

void out_note(const char *format, ...)
{
    va_list arguments;

    if (out.json)
        return;
    va_start(arguments, format);
    put_format(format, arguments);
    va_end(arguments);
}

void out_line(const char *format, ...)
{
    va_list arguments;

    out_end();
    va_start(arguments, format);
    put_format(format, arguments);
    va_end(arguments);
    put('\n');
}

void out_numbers(const char *name, const uint64_t *values, unsigned int count)
{
    begin_field(name, 0);
    if (out.json)
        put('[');
    for (unsigned int i = 0; i < count; i++)
        print("%s%lu", i == 0 ? "" : out.json ? "," : " ", (unsigned long)values[i]);
    if (out.json)
        put(']');
}

void out_fields(const struct field_table *table, uint64_t value)
{
    for (unsigned int i = 0; table != NULL && i < table->count; i++) {
        const struct named_field *field = &table->fields[i];
        uint64_t bits = named_field_get(field, value);

        if (out.json)
            out_number(field->name, 0, bits);
        else if (field->high != field->low)
            print(" %s=%lu", field->name, (unsigned long)bits);
        else if (bits != 0)
            print(" %s", field->name);
    }
}

void out_bytes(const char *name, const char *bytes, size_t length)
{
    begin_field(name, 1);
    if (out.json) {
        put_json_bytes(bytes, length);
        return;
    }
    for (size_t i = 0; i < length; i++)
        put(bytes[i]);
}
