// SPDX-License-Identifier: Apache-2.0
// Lines of text as records of the trace. A reader puts a line together from the records of one kind and number, by the
// offset that each of them has; a console line whose beginning was written by one CPU and its end by another comes in
// pieces of both rings.
#include <hv/trace_text.h>

#include <hv/arch/registers.h>
#include <hv/string.h>

bool trace_extras_wanted;

void trace_set_extras(bool on)
{
    __atomic_store_n(&trace_extras_wanted, on, __ATOMIC_RELAXED);
}

// All pieces of a part have the time of its first.
void trace_text_add(const struct trace_text *text, const char *bytes, size_t length)
{
    struct vcpu *vcpu = vcpu_current();
    uint64_t now = READ_SYSREG(CNTPCT_EL0);
    size_t done = 0;

    do {
        size_t size = length - done < TRACE_TEXT_SIZE ? length - done : TRACE_TEXT_SIZE;
        struct trace_record record = {
            .event = {.entry = now,
                      .address = text->offset + done,
                      .value = text->number,
                      .syndrome = (uint32_t)size,
                      .key = (uint16_t)text->kind,
                      .row = vcpu->vm->number, // the field vm lies in the text
                      .result = text->ends && done + size == length,
                      .vcpu = (uint8_t)vcpu->id,
                      .type = TRACE_TYPE_TEXT},
        };
        memcpy(record.text, &bytes[done], size);
        trace_write(vcpu, &record);
        done += size;
    } while (done < length);
}

// A fault of EL2's within trace_text_add brings a second report, whose records would fault again.
void trace_text_log(uint64_t number, const char *line, size_t length, bool panic)
{
    static bool panicking;

    if (!trace_extras_on() || (panic && panicking))
        return;
    if (panic)
        panicking = true;
    trace_text_add(&(struct trace_text){.kind = TRACE_TEXT_LOG, .number = number, .ends = true}, line, length);
    if (panic)
        panicking = false;
}
