// SPDX-License-Identifier: Apache-2.0
#include <fake_trace_text.h>

#include <stdio.h>
#include <string.h>

#include <hv/trace_port.h>

struct fake_trace_text fake_trace_text;
bool trace_extras_wanted;

void fake_trace_text_reset(bool on)
{
    memset(&fake_trace_text, 0, sizeof(fake_trace_text));
    trace_extras_wanted = on;
}

void trace_text_add(const struct trace_text *text, const char *bytes, size_t length)
{
    int size = snprintf(&fake_trace_text.text[fake_trace_text.length],
                        sizeof(fake_trace_text.text) - fake_trace_text.length, "%u.%lu+%lu %.*s%s\n", text->kind,
                        text->number, text->offset, (int)length, bytes, text->ends ? "$" : "");

    fake_trace_text.length += (size_t)size;
}

void trace_text_log(uint64_t number, const char *line, size_t length, bool panic)
{
    if (trace_extras_wanted)
        trace_text_add(&(struct trace_text){TRACE_TEXT_LOG, number, 0, true}, line, length);
    (void)panic;
}

void trace_virtio(const struct trace_virtio_request *request)
{
    fake_trace_text.requests++;
    fake_trace_text.request = *request;
}

void trace_port_flush(void)
{
    fake_trace_text.flushes++;
}

void trace_port_end_others(void)
{
    fake_trace_text.ends_of_others++;
}

void trace_port_end(void)
{
    fake_trace_text.ends++;
    if (fake_trace_text.on_end != NULL)
        fake_trace_text.on_end();
}
