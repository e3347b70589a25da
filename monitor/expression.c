// SPDX-License-Identifier: Apache-2.0
// Expressions as gdb has them, as far as they need no symbols: numbers and registers, added and subtracted, modulo
// 2^64. And the command that prints one.
#include <hv/monitor_cmds.h>

#include <hv/monitor_line.h>
#include <hv/monitor_out.h>
#include <hv/printf.h>
#include <hv/string.h>
#include <hv/vm.h>

#define TERM_MAX 32u // of the longest number or register name, and its end

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
        return monitor_register(vcpu, term, value);
    if (parse_u64(term, value))
        return NULL;
    return monitor_error("%s '%s' is not a number (decimal, or hexadecimal with 0x) or a $register", what, term);
}

// What text comes to: one word, an operator with a term behind it each time but the first.
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

const char *monitor_expression(const char *what, const struct monitor_words *words, unsigned int *at, struct vcpu *vcpu,
                               uint64_t *value)
{
    char text[LINE_LENGTH_MAX + 1];
    size_t length = 0;
    bool open = true; // a term is due: the first, or one behind an operator

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

static bool has_operator(const char *word)
{
    while (*word != '\0' && !is_operator(*word))
        word++;
    return *word != '\0';
}

// A register by itself is what sr shows or writes; what else there is to say is gdb's.
static bool is_sr(const struct monitor_words *words)
{
    uint64_t number;

    return words->word[1][0] != '/' && !has_operator(words->word[1]) && !parse_u64(words->word[1], &number) &&
           (words->count == 2 || (words->count <= 4 && !is_operator(words->word[2][0])));
}

const char *cmd_print(const struct monitor_words *words)
{
    const char *format = words->word[1][0] == '/' ? words->word[1] : "/x";
    unsigned int at = format == words->word[1] ? 2 : 1;
    char value_text[MONITOR_VALUE_MAX];
    struct vcpu *vcpu;
    uint64_t value = 0;
    const char *error;

    if (is_sr(words))
        return cmd_sr(words);
    error = monitor_vcpu(NULL, &vcpu);
    if (error == NULL)
        error = monitor_expression("value", words, &at, vcpu, &value);
    if (error != NULL)
        return error;
    if (at != words->count)
        return monitor_error("'%s' does not belong to the expression", words->word[at]);
    if (format[1] == '\0' || format[2] != '\0' || !monitor_format_value(format[1], value, 8, value_text))
        return monitor_error("format '%s' is none of /x, /a, /d, /u, /o, /t, /c", format);
    out("value:%s\n", value_text);
    return NULL;
}
