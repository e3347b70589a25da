// SPDX-License-Identifier: Apache-2.0
// print: an expression as gdb shows it. A register alone is what sr shows.
#include <hv/monitor_cmds.h>

#include <hv/monitor_candidates.h>
#include <hv/monitor_expression.h>
#include <hv/monitor_out.h>
#include <hv/monitor_reply.h>
#include <hv/monitor_subject.h>
#include <hv/string.h>

// A register by itself is what sr shows or writes; what else there is to say is gdb's.
static bool is_sr(const struct monitor_words *words)
{
    uint64_t number;

    return words->word[1][0] != '/' && !monitor_has_operator(words->word[1]) && !parse_u64(words->word[1], &number) &&
           (words->count == 2 || (words->count <= 4 && !monitor_has_operator((char[]){words->word[2][0], 0})));
}

// print [/letter] <expression>: the value, hexadecimal unless the letter says otherwise.
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
