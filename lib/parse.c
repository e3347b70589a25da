// SPDX-License-Identifier: Apache-2.0
// Numbers and words as people type them, at the monitor and in options. What is not a number must never be taken for
// one: a person who types 0x4000O0 must hear of the letter, and not read another address. So the whole word has to be
// the number, and each step checks for overflow. Apart from string.c, so that host tests can link it beside the C
// library.
#include <hv/string.h>

// Value of a digit in bases up to 16; 16 when it is none.
static unsigned int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned int)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned int)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned int)(c - 'A') + 10;
    return 16;
}

// Shift of a unit letter, 0 when it is none. Units are binary: k is 1,024, which is a shift by 10.
static unsigned int unit_shift(char c)
{
    switch (c) {
    case 'k':
    case 'K':
        return 10;
    case 'm':
    case 'M':
        return 20;
    case 'g':
    case 'G':
        return 30;
    default:
        return 0;
    }
}

// Decimal, or hexadecimal after 0x, with a unit if one follows: "64", "0x40", "64k" (65536), "1G". Anything else after
// the number, no digit at all, or a value above 2^64 - 1 is refused, and *value stays as it was.
bool parse_u64(const char *text, uint64_t *value)
{
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    unsigned int base = hex ? 16 : 10;
    const char *start = hex ? text + 2 : text;
    const char *p = start;
    uint64_t sum = 0;

    for (; digit_value(*p) < base; p++)
        if (__builtin_mul_overflow(sum, base, &sum) || __builtin_add_overflow(sum, digit_value(*p), &sum))
            return false;
    if (p == start)
        return false;

    unsigned int shift = unit_shift(*p);
    if (shift != 0) {
        p++;
        if (sum > UINT64_MAX >> shift)
            return false;
    }
    if (*p != '\0')
        return false;
    *value = sum << shift;
    return true;
}

// Finds word in a list of words with one blank between them. It has to be a whole word: "raw" is not in "draw rawest".
const char *parse_find_word(const char *list, const char *word)
{
    size_t length = strlen(word);

    while (list != NULL && *list != '\0') {
        if (strncmp(list, word, length) == 0 && (list[length] == ' ' || list[length] == '\0'))
            return list;
        list = strchr(list, ' ');
        if (list != NULL)
            list++;
    }
    return NULL;
}
