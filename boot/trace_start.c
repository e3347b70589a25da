// SPDX-License-Identifier: Apache-2.0
// The beginning of the trace. A trace of everything has the log from its first record on, though nothing was there to
// take it then: the log's ring has kept what was recorded meanwhile.
#include "trace_start.h"

#include <hv/cpu.h>
#include <hv/log.h>
#include <hv/machine.h>
#include <hv/printf.h>
#include <hv/trace_control.h>
#include <hv/trace_port.h>
#include <hv/trace_text.h>
#include <hv/virtio_serial.h>

static void start_cpu(void *argument)
{
    (void)argument;
    trace_port_init_cpu();
}

// line: as log_for_each has it, without its "ariel: ". It begins with the record's number.
static void add_record(const char *line, size_t length, void *argument)
{
    char record[LOG_LINE_MAX];
    uint64_t number = 0;

    (void)argument;
    for (size_t i = sizeof("seq=") - 1; i < length && line[i] >= '0' && line[i] <= '9'; i++)
        number = 10 * number + (uint64_t)(line[i] - '0');
    int size = format_text(record, sizeof(record), "ariel: %s", line);
    trace_text_log(number, record, (size_t)size, false);
}

void trace_start(struct vm *vm, bool everything)
{
    if (virtio_serial_has(SERIAL_TRACE))
        trace_port_start(trace_names());
    everything = everything || trace_port_exists();
    trace_begin(vm, everything);
    if (everything)
        (void)log_for_each(UINT32_MAX, LOG_CLASS_COUNT, add_record, NULL);
    if (trace_port_exists())
        (void)cpu_call_all(start_cpu, NULL);
}
