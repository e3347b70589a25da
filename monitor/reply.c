// SPDX-License-Identifier: Apache-2.0
// The end of a reply. A handler returns NULL or an error, and usually the reply ends there. Two things come later. A
// step is over only when the guest has made it, long after its handler has returned: the handler leaves a function that
// finishes the reply, and the session calls it when the VM has paused again. And a reset must not happen before "ok" is
// out, or a script would wait for a reply for ever: the handler leaves the reset here, and it follows the last line.
#include <hv/monitor_reply.h>

#include <stdarg.h>

#include <hv/arch/registers.h>
#include <hv/log.h>
#include <hv/monitor_client.h>
#include <hv/monitor_line.h>
#include <hv/monitor_out.h>
#include <hv/printf.h>
#include <hv/string.h>

// An error names what was typed: room for every word of the longest line, and for what is said of it.
static char error_text[2 * LINE_LENGTH_MAX + 256];
static void (*after_reply)(void);
static void (*finish_later)(void);     // NULL: no reply is due
static struct monitor_client *waiting; // for it
static bool waiting_json;              // in which form
static bool close_asked;

// Makes the text of an error. There is one buffer: a text is valid until the next call.
const char *monitor_error(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)format_text_v(error_text, sizeof(error_text), format, arguments);
    va_end(arguments);
    return error_text;
}

// A number in min .. max from a typed word, in *value; otherwise the error that says what is wrong with the word.
const char *monitor_number(const char *what, const char *word, uint64_t min, uint64_t max, uint64_t *value)
{
    uint64_t number;

    if (!parse_u64(word, &number))
        return monitor_error("%s '%s' is not a number (decimal, or hexadecimal with 0x)", what, word);
    if (number >= min && number <= max) {
        *value = number;
        return NULL;
    }
    // In the base in which it was typed.
    if (monitor_is_hexadecimal(word))
        return monitor_error("%s %s is outside 0x%lx..0x%lx", what, word, (unsigned long)min, (unsigned long)max);
    return monitor_error("%s %s is outside %lu..%lu", what, word, (unsigned long)min, (unsigned long)max);
}

bool monitor_is_hexadecimal(const char *word)
{
    return word[0] == '0' && (word[1] == 'x' || word[1] == 'X');
}

// The plain formula ticks * units / frequency overflows after some hours of uptime, so the whole seconds are converted
// first and the rest of a second behind them. For example, at 1,000 ticks a second, 2,500 ticks are 2 s and 500 ticks:
// 2,000,000 + 500,000 microseconds.
static uint64_t units_of(uint64_t ticks, uint64_t units_a_second)
{
    uint64_t frequency = READ_SYSREG(CNTFRQ_EL0);

    if (frequency == 0)
        return 0;
    return ticks / frequency * units_a_second + ticks % frequency * units_a_second / frequency;
}

uint64_t monitor_microseconds(uint64_t ticks)
{
    return units_of(ticks, 1000000);
}

uint64_t monitor_uptime_us(uint64_t count)
{
    return monitor_microseconds(count - log_start());
}

uint64_t monitor_nanoseconds(uint64_t ticks)
{
    return units_of(ticks, 1000000000);
}

// The function is called once the last line of this reply is out, unless the reply is an error.
void monitor_after_reply(void (*function)(void))
{
    after_reply = function;
}

// The handler's reply is not over when the handler returns. finish writes the rest of it, later.
void monitor_defer_reply(void (*finish)(void))
{
    finish_later = finish;
    waiting = monitor_client_now();
    waiting_json = out_is_json();
}

bool monitor_reply_deferred(void)
{
    return finish_later != NULL && waiting == monitor_client_now();
}

// Steps are one client's at a time: the other one's would end with them.
bool monitor_reply_awaited(void)
{
    return finish_later != NULL;
}

// Nobody is there any more to whom it could go.
void monitor_forget_reply(void)
{
    if (monitor_reply_deferred())
        finish_later = NULL;
}

// Writes the last line. The function that was left for afterwards is taken out first, because a reset does not return.
void monitor_end_reply(const char *error)
{
    void (*function)(void) = after_reply;

    out_end(error);
    after_reply = NULL;
    monitor_forget_reply();
    if (error == NULL && function != NULL)
        function();
}

// What a deferred reply waited for has come, or is not waited for any more. Another client's command may have run
// meanwhile, so the rest of the reply begins anew in the form that was asked for.
void monitor_finish_reply(const char *error)
{
    if (monitor_reply_deferred()) {
        out_begin(waiting_json);
        if (error == NULL)
            finish_later();
    }
    monitor_end_reply(error);
}

void monitor_ask_close(void)
{
    close_asked = true;
}

// Whether a command has asked since the last call that the monitor closes.
bool monitor_close_asked(void)
{
    bool asked = close_asked;

    close_asked = false;
    return asked;
}
