// SPDX-License-Identifier: Apache-2.0
// A terminal, as far as terminal_filter lets anybody drive one: rows and columns of ASCII, a scroll region, an
// alternate screen, a saved cursor, and the lines that have scrolled off the top. It knows the sequences that the
// filter's header promises and no other: one that it does not know ends the test. Written from ECMA-48 and xterm's
// control sequences, not from the filter. SCREEN_CHECK(condition) comes from the includer.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SCREEN_ROWS_MAX    100
#define SCREEN_COLUMNS_MAX 160

struct screen_page {
    char cell[SCREEN_ROWS_MAX][SCREEN_COLUMNS_MAX];
};

struct screen {
    int rows, columns;
    int row, column;
    int top, bottom; // of the scroll region
    int saved_row, saved_column;
    int main_row, main_column; // where the cursor was when the other screen was shown
    bool alternate, wrap, insert, coloured, hidden_cursor, reversed, g1, drawing;
    struct screen_page page, main_page;
    char (*kept)[SCREEN_COLUMNS_MAX]; // what has scrolled off
    size_t kept_count, kept_size;
    char sequence[80];
    size_t length;
    unsigned int utf8_left;
    uint8_t utf8_least; // of the byte that comes next: C2 80 to C2 9F are 8-bit controls
    size_t shown;       // bytes printed
};

static inline void screen_blank(struct screen *screen, int row, int from, int to)
{
    for (int i = from; i < to; i++)
        screen->page.cell[row][i] = ' ';
}

static inline void screen_init(struct screen *screen, int rows, int columns)
{
    free(screen->kept);
    memset(screen, 0, sizeof(*screen));
    screen->rows = rows;
    screen->columns = columns;
    screen->bottom = rows - 1;
    screen->wrap = true;
    for (int row = 0; row < rows; row++)
        screen_blank(screen, row, 0, columns);
}

static inline void screen_keep(struct screen *screen)
{
    if (screen->kept_count == screen->kept_size) {
        screen->kept_size = 2 * screen->kept_size + 64;
        screen->kept = realloc(screen->kept, screen->kept_size * sizeof(screen->kept[0]));
    }
    memcpy(screen->kept[screen->kept_count++], screen->page.cell[0], SCREEN_COLUMNS_MAX);
}

// Lines from..bottom of the region move up by one. Only what leaves the top of a whole main screen is kept.
static inline void screen_delete_line(struct screen *screen, int from, int bottom)
{
    for (int row = from; row < bottom; row++)
        memcpy(screen->page.cell[row], screen->page.cell[row + 1], SCREEN_COLUMNS_MAX);
    screen_blank(screen, bottom, 0, screen->columns);
}

static inline void screen_insert_line(struct screen *screen, int from, int bottom)
{
    for (int row = bottom; row > from; row--)
        memcpy(screen->page.cell[row], screen->page.cell[row - 1], SCREEN_COLUMNS_MAX);
    screen_blank(screen, from, 0, screen->columns);
}

static inline void screen_down(struct screen *screen)
{
    if (screen->row == screen->bottom) {
        if (screen->top == 0 && screen->bottom == screen->rows - 1 && !screen->alternate)
            screen_keep(screen);
        screen_delete_line(screen, screen->top, screen->bottom);
    } else if (screen->row < screen->rows - 1) {
        screen->row++;
    }
}

static inline void screen_up(struct screen *screen)
{
    if (screen->row == screen->top)
        screen_insert_line(screen, screen->top, screen->bottom);
    else if (screen->row > 0)
        screen->row--;
}

static inline void screen_print(struct screen *screen, char c)
{
    if (screen->column == screen->columns) {
        if (screen->wrap) {
            screen->column = 0;
            screen_down(screen);
        } else {
            screen->column--;
        }
    }
    if (screen->insert)
        for (int i = screen->columns - 1; i > screen->column; i--)
            screen->page.cell[screen->row][i] = screen->page.cell[screen->row][i - 1];
    screen->page.cell[screen->row][screen->column++] = c;
}

static inline int screen_clamp(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

static inline void screen_go(struct screen *screen, int row, int column)
{
    screen->row = screen_clamp(row, 0, screen->rows - 1);
    screen->column = screen_clamp(column, 0, screen->columns - 1);
}

static inline void screen_show_alternate(struct screen *screen, bool alternate)
{
    SCREEN_CHECK(screen->alternate != alternate);
    screen->alternate = alternate;
    if (alternate) {
        screen->main_page = screen->page;
        screen->main_row = screen->row;
        screen->main_column = screen->column;
        for (int row = 0; row < screen->rows; row++)
            screen_blank(screen, row, 0, screen->columns);
    } else {
        screen->page = screen->main_page;
        screen->row = screen->main_row;
        screen->column = screen->main_column;
    }
}

static inline void screen_private_mode(struct screen *screen, int mode, bool set)
{
    switch (mode) {
    case 5:
        screen->reversed = set;
        break;
    case 7:
        screen->wrap = set;
        break;
    case 25:
        screen->hidden_cursor = !set;
        break;
    case 1049:
        screen_show_alternate(screen, set);
        break;
    default:
        SCREEN_CHECK(mode == 1 || mode == 12 || mode == 2004);
    }
}

static inline void screen_erase(struct screen *screen, int what)
{
    SCREEN_CHECK(what >= 0 && what <= 2);
    for (int row = 0; row < screen->rows; row++)
        if ((what != 0 && row < screen->row) || (what != 1 && row > screen->row) || what == 2)
            screen_blank(screen, row, 0, screen->columns);
    if (what == 0)
        screen_blank(screen, screen->row, screen_clamp(screen->column, 0, screen->columns), screen->columns);
    if (what == 1)
        screen_blank(screen, screen->row, 0, screen_clamp(screen->column + 1, 0, screen->columns));
}

static inline void screen_region(struct screen *screen, int top, int bottom)
{
    screen->top = 0;
    screen->bottom = screen->rows - 1;
    if (bottom == 0 || bottom > screen->rows)
        bottom = screen->rows;
    if (top < 1)
        top = 1;
    if (top < bottom) {
        screen->top = top - 1;
        screen->bottom = bottom - 1;
    }
    screen_go(screen, 0, 0);
}

// The numbers of a control sequence: "38;2;1" is 38, 2, 1. One that is missing is 0; count is how many there are.
struct screen_numbers {
    long number[32];
    int count;
    int first, second; // bounded
    int n;             // how often: 1 where nothing, or 0, was said
};

static inline struct screen_numbers screen_parse(const char *at)
{
    struct screen_numbers numbers = {.count = 0};

    SCREEN_CHECK(strspn(at, "0123456789;:") == strlen(at) - 1);
    for (; numbers.count < 32; at++) {
        char *end;
        numbers.number[numbers.count++] = strtol(at, &end, 10);
        at = end;
        if (*at != ';' && *at != ':')
            break;
    }
    numbers.first = (int)(numbers.number[0] > 9999 ? 9999 : numbers.number[0]);
    numbers.second = (int)(numbers.number[1] > 9999 ? 9999 : numbers.number[1]);
    numbers.n = numbers.first == 0 ? 1 : numbers.first;
    return numbers;
}

// Sequences that move the cursor. False: another one.
static inline bool screen_csi_moves(struct screen *screen, char final, const struct screen_numbers *numbers)
{
    int n = numbers->n, second = numbers->second;

    switch (final) {
    case 'A':
    case 'F':
        // Up stops at the top of the region when it begins inside it.
        screen_go(screen, screen->row - n < screen->top && screen->row >= screen->top ? screen->top : screen->row - n,
                  final == 'F' ? 0 : screen->column);
        break;
    case 'B':
    case 'E':
    case 'e':
        screen_go(screen,
                  screen->row + n > screen->bottom && screen->row <= screen->bottom ? screen->bottom : screen->row + n,
                  final == 'E' ? 0 : screen->column);
        break;
    case 'C':
    case 'a':
        screen_go(screen, screen->row, screen->column + n);
        break;
    case 'D':
        screen_go(screen, screen->row, screen->column - n);
        break;
    case 'G':
    case '`':
        screen_go(screen, screen->row, n - 1);
        break;
    case 'H':
    case 'f':
        screen_go(screen, n - 1, second - (second > 0));
        break;
    case 'd':
        screen_go(screen, n - 1, screen->column);
        break;
    default:
        return false;
    }
    return true;
}

// Sequences that change what is on the screen. False: another one.
static inline bool screen_csi_changes(struct screen *screen, char final, const struct screen_numbers *numbers)
{
    int n = numbers->n, first = numbers->first;

    switch (final) {
    case 'J':
        screen_erase(screen, first);
        break;
    case 'K':
        SCREEN_CHECK(screen->row < screen->rows);
        screen_blank(screen, screen->row, first == 0 ? screen_clamp(screen->column, 0, screen->columns) : 0,
                     first == 1 ? screen_clamp(screen->column + 1, 0, screen->columns) : screen->columns);
        break;
    case 'L':
    case 'M':
        for (int i = 0; i < screen_clamp(n, 0, screen->rows); i++) {
            if (screen->row < screen->top || screen->row > screen->bottom)
                break;
            if (final == 'L')
                screen_insert_line(screen, screen->row, screen->bottom);
            else
                screen_delete_line(screen, screen->row, screen->bottom);
        }
        break;
    case 'S':
    case 'T':
        for (int i = 0; i < screen_clamp(n, 0, screen->rows); i++) {
            if (final == 'T')
                screen_insert_line(screen, screen->top, screen->bottom);
            else
                screen_delete_line(screen, screen->top, screen->bottom); // and some terminals do not keep it
        }
        break;
    case 'b':
        for (int i = 0; i < n; i++)
            screen_print(screen, 'b');
        break;
    default:
        return false;
    }
    return true;
}

// Sequences that change how the terminal takes what comes. False: another one.
static inline bool screen_csi_sets(struct screen *screen, char final, const struct screen_numbers *numbers)
{
    switch (final) {
    case 'r':
        screen_region(screen, (int)numbers->number[0], (int)numbers->number[1]);
        break;
    case 's':
        SCREEN_CHECK(screen->length == 3);
        screen->saved_row = screen->row;
        screen->saved_column = screen->column;
        break;
    case 'u':
        SCREEN_CHECK(screen->length == 3);
        screen_go(screen, screen->saved_row, screen->saved_column);
        break;
    case 'm':
        screen->coloured = !(numbers->count == 1 && numbers->first == 0);
        break;
    case 'h':
    case 'l':
        SCREEN_CHECK(numbers->first == 4 && numbers->count == 1);
        screen->insert = final == 'h';
        break;
    default:
        return false;
    }
    return true;
}

static inline void screen_csi(struct screen *screen, char final)
{
    const char *at = &screen->sequence[2];

    if (final == 'q') {
        SCREEN_CHECK(screen->sequence[screen->length - 2] == ' ');
        return;
    }
    bool private = *at == '?';
    struct screen_numbers numbers = screen_parse(at + private);

    if (private) {
        SCREEN_CHECK(final == 'h' || final == 'l');
        for (int i = 0; i < numbers.count; i++)
            screen_private_mode(screen, (int)numbers.number[i], final == 'h');
        return;
    }
    if (screen_csi_moves(screen, final, &numbers) || screen_csi_changes(screen, final, &numbers) ||
        screen_csi_sets(screen, final, &numbers))
        return;
    SCREEN_CHECK(strchr("@PXIZg", final) != NULL); // within the line, or nothing that is seen
}

static inline void screen_escape(struct screen *screen, char final)
{
    char first = screen->sequence[1];

    switch (first) {
    case '(':
    case ')':
        SCREEN_CHECK(screen->length == 3 && strchr("AB0", final) != NULL);
        if (first == '(')
            screen->drawing = final == '0';
        return;
    case '%':
        SCREEN_CHECK(screen->length == 3 && final == 'G');
        return;
    case '7':
        screen->saved_row = screen->row;
        screen->saved_column = screen->column;
        return;
    case '8':
        screen_go(screen, screen->saved_row, screen->saved_column);
        return;
    case 'E':
        screen->column = 0;
        screen_down(screen);
        return;
    case 'D':
        screen_down(screen);
        return;
    case 'M':
        screen_up(screen);
        return;
    default:
        SCREEN_CHECK(strchr("=>H\\", first) != NULL);
    }
}

static inline void screen_control(struct screen *screen, uint8_t byte)
{
    switch (byte) {
    case '\r':
        screen->column = 0;
        break;
    case '\n':
        screen_down(screen);
        break;
    case '\b':
        screen->column -= screen->column > 0;
        break;
    case '\t':
        screen->column = screen_clamp((screen->column / 8 + 1) * 8, 0, screen->columns - 1);
        break;
    case 0x0e:
    case 0x0f:
        screen->g1 = byte == 0x0e;
        break;
    default:
        SCREEN_CHECK(byte == '\0' || byte == '\a');
    }
}

static inline void screen_sequence_byte(struct screen *screen, uint8_t byte)
{
    SCREEN_CHECK(byte >= 0x20 && byte < 0x7f && screen->length + 1 < sizeof(screen->sequence));
    screen->sequence[screen->length++] = (char)byte;
    screen->sequence[screen->length] = '\0';
    bool csi = screen->sequence[1] == '[';
    if (csi ? screen->length < 3 || byte < 0x40 : byte < 0x30)
        return;
    if (csi)
        screen_csi(screen, (char)byte);
    else
        screen_escape(screen, (char)byte);
    screen->length = 0;
}

static inline void screen_byte(struct screen *screen, uint8_t byte)
{
    screen->shown++;
    if (screen->utf8_left > 0) {
        SCREEN_CHECK(byte >= screen->utf8_least && byte < 0xc0);
        screen->utf8_least = 0x80;
        screen->utf8_left--;
    } else if (screen->length > 0) {
        screen_sequence_byte(screen, byte);
    } else if (byte == 0x1b) {
        screen->sequence[screen->length++] = (char)byte;
    } else if (byte >= 0xc2) {
        SCREEN_CHECK(byte < 0xf5);
        screen->utf8_left = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
        screen->utf8_least = byte == 0xc2 || byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
        screen_print(screen, '?');
    } else if (byte >= 0x20) {
        SCREEN_CHECK(byte < 0x7f);
        screen_print(screen, (char)byte);
    } else {
        screen_control(screen, byte);
    }
}

// Whether nothing stands between what is printed now and its reader.
static inline bool screen_is_readable(const struct screen *screen)
{
    return screen->length == 0 && screen->utf8_left == 0 && !screen->alternate && screen->wrap && !screen->insert &&
           !screen->coloured && !screen->reversed && !screen->g1 && !screen->drawing && screen->top == 0 &&
           screen->bottom == screen->rows - 1 && screen->column == 0;
}

static inline const char *screen_line(const struct screen *screen, size_t line)
{
    const struct screen_page *page = screen->alternate ? &screen->main_page : &screen->page;

    return line < screen->kept_count ? screen->kept[line] : page->cell[line - screen->kept_count];
}

// Whether text, which began at the start of a line, is on the main screen or above it.
static inline bool screen_has(const struct screen *screen, const char *text)
{
    size_t lines = screen->kept_count + (size_t)screen->rows, length = strlen(text);

    for (size_t line = 0; line < lines; line++) {
        size_t at = 0, here = line;
        while (here < lines && at < length) {
            size_t part = length - at < (size_t)screen->columns ? length - at : (size_t)screen->columns;
            if (memcmp(screen_line(screen, here), &text[at], part) != 0)
                break;
            at += part;
            here++;
        }
        if (at >= length)
            return true;
    }
    return false;
}
