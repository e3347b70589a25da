// SPDX-License-Identifier: Apache-2.0
// What a command says, on its way to the terminal. Two problems are solved here. A log record of another CPU may come
// at any time and must not split a line: so bytes are gathered in one buffer and leave as whole lines. (A line longer
// than the buffer is sent in pieces.) And a command must say the same to a person and, with -j, to a script: so it
// writes rows, "vcpu=%u power=%s\n", and translate() makes of each row a format of printf.h in the form that was asked
// for:
//
//     row                       "vcpu=%u power=%s\n"
//     the text for a person     "vcpu=%u power=%s\n"                     vcpu=0 power=on
//     JSON                      "{\"vcpu\":%u,\"power\":%pJ}\n"           {"vcpu":0,"power":"on"}
//
// The arguments are the same for both, in the same order. One command runs at a time, on the CPU that owns the serial
// line, so one buffer is enough and nothing here takes a lock.
#include <hv/monitor_out.h>

#include <stdarg.h>

#include <hv/arch/esr_fields.h>
#include <hv/log.h>
#include <hv/monitor_client.h>
#include <hv/monitor_screen.h>
#include <hv/printf.h>
#include <hv/string.h>

// translate() makes formats at run time. That is safe because the compiler has checked the rows that they come from.
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

#define FORMAT_MAX 1024                // bytes of a translated row
#define FIELD_MAX  64                  // bytes that one step of the translation adds at most
#define LINE_MAX   (LOG_LINE_MAX + 64) // bytes of a line: a log record and what stands around it
#define INDENT     4u                  // blanks before the rest of a line that was folded

_Static_assert(LINE_MAX > SCREEN_COLUMNS_MAX && INDENT < SCREEN_COLUMNS_MIN);

static struct {
    char line[LINE_MAX];
    size_t length;
    bool json;
    bool in_row;  // a field of this row was written already
    bool whole;   // this line is not folded
    bool folded;  // the line goes on a line that was folded
    uint8_t from; // the column at which style begins
    enum out_style style;
} state;

// Whether it is a person's terminal that shows the reply.
static bool is_terminal(void)
{
    return monitor_client_now()->write == NULL;
}

// JSON is for scripts and is never folded, nor is a line for which out_whole was called.
static bool folds(void)
{
    return !state.json && !state.whole && screen.columns != 0 && is_terminal();
}

// Sends the first length bytes of the buffer as a line of its own, with the style from its column on.
static void send_line(size_t length)
{
    static const char *const begin[] = {[OUT_HEAD] = "\033[1m", [OUT_BAD] = "\033[31m", [OUT_WARN] = "\033[33m"};
    char text[LINE_MAX + 16];
    size_t used = 0;
    size_t plain = !screen.color || !is_terminal() || state.style == OUT_PLAIN || state.json ? length : state.from;

    if (plain > length)
        plain = length;
    memcpy(text, state.line, plain);
    used = plain;
    if (plain < length) {
        used += (size_t)format_text(&text[used], sizeof(text) - used, "%s", begin[state.style]);
        memcpy(&text[used], &state.line[plain], length - plain);
        used += length - plain;
        used += (size_t)format_text(&text[used], sizeof(text) - used, "\033[0m");
    }
    text[used++] = '\n';
    screen_write(text, used);
}

// length without the blanks at its end, but not less than least.
static size_t trimmed(size_t length, size_t least)
{
    while (length > least && state.line[length - 1] == ' ')
        length--;
    return length;
}

// Sends the line and begins an empty one. Blanks at its end that lie beyond the terminal's width are left out: they
// would wrap there.
static void end_line(void)
{
    send_line(trimmed(state.length, folds() ? screen.columns : state.length));
    state.length = 0;
    state.whole = state.folded = false;
    state.style = OUT_PLAIN;
    state.from = 0;
}

// The line is as long as the terminal is wide, and goes on. What stands before its last blank is sent; the word behind
// that blank begins the next line, indented. A line that is one word without a blank is cut where the terminal ends.
static void fold(void)
{
    size_t start = state.folded ? INDENT : 0;
    size_t rest = state.length;

    while (rest > start && state.line[rest - 1] != ' ')
        rest--;
    if (trimmed(rest, start) == start) // one word has the whole line
        rest = state.length;
    send_line(trimmed(rest, start));
    memmove(&state.line[INDENT], &state.line[rest], state.length - rest);
    memset(state.line, ' ', INDENT);
    state.length = INDENT + state.length - rest;
    state.folded = true;
    state.from = 0;
}

// Adds a byte to the line. A blank at the very end of a full line does not fold it, since it would not be seen.
static void put(char byte)
{
    if (byte == '\n') {
        end_line();
        return;
    }
    if (folds() && byte != ' ' && state.length >= screen.columns)
        fold();
    if (state.length == sizeof(state.line)) {
        screen_write(state.line, state.length);
        state.length = 0;
    }
    state.line[state.length++] = byte;
}

// Adds formatted text to the line as it is, without a translation of rows.
__attribute__((format(printf, 1, 2))) static void print(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    format_each(put, format, arguments);
    va_end(arguments);
}

// Begins a reply. Whatever an earlier reply has left half-way is forgotten.
void out_begin(bool json)
{
    state.length = 0;
    state.in_row = state.whole = state.folded = false;
    state.style = OUT_PLAIN;
    state.from = 0;
    state.json = json;
    if (json)
        screen_no_pager();
}

void out_whole(void)
{
    state.whole = true;
}

// What follows on this line is shown in this style, if the terminal shows colour.
void out_style(enum out_style style)
{
    state.style = style;
    state.from = (uint8_t)state.length;
}

bool out_is_json(void)
{
    return state.json;
}

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

// The bytes of which a field's name in a row may consist.
static bool is_name(char byte)
{
    return (byte >= 'a' && byte <= 'z') || is_digit(byte) || byte == '_';
}

// text is a '%'. Returns the letters of its conversion ("u", "lx", "s"), which end at *end, behind flags and width; or
// NULL when it is a conversion that a row cannot have (monitor_out.h lists those that it can).
static const char *find_letters(const char *text, const char **end)
{
    const char *letters = text + 1;

    while (*letters == '-' || is_digit(*letters))
        letters++;
    *end = letters + (*letters == 'l' ? 2 : 1);
    return strchr(*letters == 'l' ? "ux" : "uxsd", (*end)[-1]) != NULL && (*end)[-1] != '\0' ? letters : NULL;
}

// Adds the format for one field to *format. The field's name is the length bytes at name; value is what follows '=' or
// ':' in the row. Returns the end of the field in the row, or NULL when no value of a field stands there.
static const char *translate_field(const char *name, size_t length, const char *value, char **format)
{
    bool hex = *value == '0';
    bool shown = value[-1] == '=';
    const char *end;
    const char *letter = find_letters(hex ? value + 2 : value, &end);

    if (letter == NULL || length + (size_t)(end - value) > FIELD_MAX / 2)
        return NULL;
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

// A conversion that is no field's value: a mistake in the row, which a gate looks for. Whatever it is, the arguments
// after it must stay with their conversions: JSON has it as the field "unnamed". The rest of a row with a conversion
// that a row cannot have is left out.
static const char *translate_stray(const char *row, char **format)
{
    static const char unnamed[] = "unnamed:";
    char value[sizeof(unnamed) + FIELD_MAX];
    const char *end;

    if (row[1] == '%') {
        *format += format_text(*format, FIELD_MAX, state.json ? "" : "%%%%");
        return row + 2;
    }
    if (find_letters(row, &end) == NULL || end - row >= FIELD_MAX / 4)
        return strchr(row, '\0');
    (void)format_text(value, sizeof(value), "%s%.*s", unnamed, (int)(end - row), row);
    (void)translate_field(value, sizeof(unnamed) - 2, &value[sizeof(unnamed) - 1], format);
    return end;
}

// Makes of a row, as monitor_out.h describes it, a format of printf.h in the form of this reply. Each round of the loop
// takes one thing off the row: a field, a conversion that is no field's, or the text up to the next of these, which a
// person sees and JSON does not have.
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
            const char *end = translate_field(row, length, value, &format);
            if (end != NULL) {
                row = end;
                continue;
            }
        }
        if (*row == '%') {
            row = translate_stray(row, &format);
            continue;
        }
        if (*row == '\n' && state.json && state.in_row)
            *format++ = '}';
        if (*row == '\n')
            state.in_row = false;
        for (length += length == 0; length > 0; length--, row++) {
            if ((!state.json || *row == '\n') && format < last)
                *format++ = *row;
        }
    }
    *format = '\0';
}

// Writes a row. Its format is translated first, and the arguments are used as they are.
void out(const char *row, ...)
{
    char format[FORMAT_MAX];
    va_list arguments;

    translate(row, format);
    va_start(arguments, row);
    format_each(put, format, arguments);
    va_end(arguments);
}

// Text for a person alone: JSON has no place for it.
void out_note(const char *format, ...)
{
    va_list arguments;

    if (state.json)
        return;
    va_start(arguments, format);
    format_each(put, format, arguments);
    va_end(arguments);
}

// Ends the reply. A row that was left open is ended first, as in a command that has met an error half-way.
void out_end(const char *error)
{
    if (state.in_row)
        out("\n");
    out_whole();
    print("%s", error == NULL ? "ok" : "err ");
    if (error != NULL) {
        out_style(OUT_BAD);
        print("%s", error);
    }
    put('\n');
}

// A line above a table, for a person alone.
void out_heading(const char *format, ...)
{
    va_list arguments;

    if (state.json)
        return;
    out_style(OUT_HEAD);
    va_start(arguments, format);
    format_each(put, format, arguments);
    va_end(arguments);
    put('\n');
}

// A list as one field: "name=1 2 3" for a person, "name":[1,2,3] in JSON.
void out_numbers(const char *name, const uint64_t *values, unsigned int count)
{
    print(state.json ? "%s\"%s\":[" : "%s%s=", !state.json ? "" : state.in_row ? "," : "{", name);
    for (unsigned int i = 0; i < count; i++)
        print("%s%lu", i == 0 ? "" : state.json ? "," : " ", (unsigned long)values[i]);
    if (state.json)
        put(']');
    state.in_row = true;
}

// A bit that is set is shown by its name alone, and one that is clear is not shown, so that a person sees what is on.
// JSON has all of them.
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
