// SPDX-License-Identifier: Apache-2.0
// Expressions as gdb has them, as far as they need no symbols: numbers and registers, added and subtracted, modulo
// 2^64. A person may write "$sp+16" or "$sp + 16"; the second form comes here as three words. So monitor_expression
// first puts the words together that belong to one expression: a word belongs to it while a term is still due, or when
// it begins with an operator. What follows (the number of bytes in "mem read $sp + 16 64") is another argument.
#include <hv/monitor_expression.h>

#include <hv/bits.h>
#include <hv/monitor_line.h>
#include <hv/monitor_register.h>
#include <hv/monitor_reply.h>
#include <hv/printf.h>
#include <hv/string.h>

#define TERM_MAX 32u // of the longest number or register name, and its end

// The two operators. Expressions have no brackets, so one goes through the terms from left to right.
static bool is_operator(char byte)
{
    return byte == '+' || byte == '-';
}

// A number or a $register at *text, which is then behind it. what: what it is to be, for the error.
static const char *take_term(const char *what, const char **text, struct vcpu *vcpu, uint64_t *value)
{
    char term[TERM_MAX];
    size_t length = 0;

    while ((*text)[length] != '\0' && !is_operator((*text)[length]))
        length++;
    if (length == 0)
        return "an operator needs a number or a $register on each side";
    if (length >= TERM_MAX)
        return monitor_error("%s '%.*s' is not a number or a $register", what, (int)length, *text);
    memcpy(term, *text, length);
    term[length] = '\0';
    *text += length;
    if (term[0] == '$')
        return monitor_register(vcpu, term, NULL, value);
    if (parse_u64(term, value))
        return NULL;
    return monitor_error("%s '%s' is not a number (decimal, or hexadecimal with 0x) or a $register", what, term);
}

// The value of text, which is a term, or several with an operator before each but the first, without blanks. An
// operator before the first is its sign.
static const char *evaluate(const char *what, const char *text, struct vcpu *vcpu, uint64_t *value)
{
    const char *error = NULL;
    uint64_t sum = 0;

    do {
        bool minus = *text == '-';
        uint64_t term = 0;

        text += is_operator(*text);
        error = take_term(what, &text, vcpu, &term);
        sum = minus ? sum - term : sum + term;
    } while (error == NULL && *text != '\0');
    *value = sum;
    return error;
}

// Takes an expression from the words, beginning at word *at, and moves *at behind it. what: what the value is, for
// errors. An example: of the words "$sp", "+", "16", "64" it takes three, because "+" begins with an operator, "16" is
// due behind one, and "64" is neither.
const char *monitor_expression(const char *what, const struct monitor_words *words, unsigned int *at, struct vcpu *vcpu,
                               uint64_t *value)
{
    char text[LINE_LENGTH_MAX + 1];
    size_t length = 0;
    bool open = true; // a term is still due: the first one, or the one behind an operator

    while (*at < words->count && (open || is_operator(words->word[*at][0]))) {
        size_t more = strlen(words->word[*at]);

        if (more == 0 || length + more > LINE_LENGTH_MAX)
            break;
        memcpy(&text[length], words->word[*at], more);
        length += more;
        open = is_operator(text[length - 1]);
        ++*at;
    }
    text[length] = '\0';
    if (length == 0)
        return monitor_error("%s is missing: a number or a $register, and more of them with + or - between", what);
    return evaluate(what, text, vcpu, value);
}

// The digits of value in base 2 or 8.
static void digits_text(uint64_t value, unsigned int shift, char *text)
{
    unsigned int count = 1;

    while (count * shift < 64 && value >> count * shift != 0)
        count++;
    for (unsigned int n = 0; n < count; n++)
        text[n] = (char)('0' + (value >> (count - 1 - n) * shift & (BIT64(shift) - 1)));
    text[count] = '\0';
}

// The value as gdb's format letter shows it: x and a hexadecimal, d signed, u unsigned, o octal, t binary, c a
// character. width is the number of bytes that the value has, and tells where its sign is: 0xff of one byte is -1,
// since it is shifted up by 56 bits and, as a signed number, down again. False for a letter that is none of these.
bool monitor_format_value(char letter, uint64_t value, unsigned int width, char text[MONITOR_VALUE_MAX])
{
    unsigned int unused = 64 - 8 * width;

    switch (letter) {
    case 'x':
    case 'a':
        (void)format_text(text, MONITOR_VALUE_MAX, "0x%lx", (unsigned long)value);
        return true;
    case 'd':
        (void)format_text(text, MONITOR_VALUE_MAX, "%ld", (long)((int64_t)(value << unused) >> unused));
        return true;
    case 'u':
        (void)format_text(text, MONITOR_VALUE_MAX, "%lu", (unsigned long)value);
        return true;
    case 'o':
        text[0] = '0';
        digits_text(value, 3, value == 0 ? text : text + 1);
        return true;
    case 't':
        digits_text(value, 1, text);
        return true;
    case 'c':
        value &= 0xff;
        (void)format_text(text, MONITOR_VALUE_MAX, "%lu '%s%x'", (unsigned long)value, "\\x", (unsigned int)value);
        if (value >= 0x20 && value < 0x7f)
            (void)format_text(text, MONITOR_VALUE_MAX, "%lu '%s'", (unsigned long)value, (char[]){(char)value, '\0'});
        return true;
    default:
        return false;
    }
}

// Whether a word is more than one term.
bool monitor_has_operator(const char *word)
{
    while (*word != '\0' && !is_operator(*word))
        word++;
    return *word != '\0';
}
