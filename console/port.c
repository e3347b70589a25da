// SPDX-License-Identifier: Apache-2.0
// EL2's words that need not share the serial line with the guest's. Where they go is decided here and nowhere else: a
// record to the port ariel.log when there is one, else to the serial line. Two kinds of record are on the serial line
// in any case, because a person must see them whatever they have configured: errors of the boot, and a panic's report.
#include <hv/port.h>

#include <hv/arch/cpu.h>
#include <hv/console.h>
#include <hv/gicv3.h>
#include <hv/irq.h>
#include <hv/log.h>
#include <hv/printf.h>
#include <hv/string.h>
#include <hv/tick.h>
#include <hv/virtio_serial.h>

#define EVENT_MAX (2 * LOG_LINE_MAX + 64) // a record with each of its bytes escaped, and what stands around it

static enum hv_status found;
static bool following; // atomic: any CPU writes records

// The record as an event for the client at ariel.monitor. What it has no room for is counted as dropped there.
static void send_event(const char *record)
{
    static const char start[] = "ariel: ";
    char line[EVENT_MAX];

    if (strncmp(record, start, sizeof(start) - 1) == 0)
        record += sizeof(start) - 1;
    int length = format_text(line, sizeof(line), "event {\"event\":\"record\",\"record\":%pJ}\n", record);
    (void)virtio_serial_write(SERIAL_MONITOR, line, (size_t)length);
}

static void record_line(const char *text, size_t length)
{
    if (virtio_serial_has(SERIAL_LOG))
        (void)virtio_serial_write_two(SERIAL_LOG, text, length, "\n", 1);
    else
        console_line(text, length);
    if (__atomic_load_n(&following, __ATOMIC_RELAXED))
        send_event(text);
}

static void urgent_line(const char *text, size_t length)
{
    if (virtio_serial_has(SERIAL_LOG))
        console_line(text, length);
    record_line(text, length);
}

// The serial line first: it needs no device that reads memory.
static void panic_line(const char *text, size_t length)
{
    console_panic_line(text, length);
    if (!virtio_serial_has(SERIAL_LOG))
        return;
    virtio_serial_panic_write(SERIAL_LOG, text, length);
    virtio_serial_panic_write(SERIAL_LOG, "\n", 1);
}

void port_init(void)
{
    static const struct log_sink sink = {record_line, panic_line, urgent_line};

    found = virtio_serial_init();
    if (found == HV_OK)
        log_set_sink(&sink);
}

void port_record(void)
{
    char list[SERIAL_PORT_COUNT * 16] = "";
    size_t length = 0;

    if (found == HV_ERR_NOT_FOUND)
        return;
    for (unsigned int i = 0; i < SERIAL_PORT_COUNT; i++)
        if (virtio_serial_has((enum serial_port)i))
            length += (size_t)format_text(&list[length], sizeof(list) - length, "%s%s", length > 0 ? "," : "",
                                          virtio_serial_port_name((enum serial_port)i));
    if (found == HV_OK)
        log_routine(LOG_BOOT, "ports", "ports=%s", length > 0 ? list : "none");
    else
        log_record(LOG_WARN, LOG_BOOT, "ports-refused", "reason=%pQ", hv_status_name(found));
}

// What was dropped is told when the port takes something again: a record about ariel.log goes there itself.
static void tell_dropped(enum serial_port port)
{
    static uint64_t told[SERIAL_PORT_COUNT];
    uint64_t dropped = virtio_serial_dropped(port);

    if (dropped == told[port] || !virtio_serial_has_room(port, LOG_LINE_MAX))
        return;
    log_record(LOG_WARN, LOG_MONITOR, "port-dropped", "port=%s bytes=%lu", virtio_serial_port_name(port),
               dropped - told[port]);
    told[port] = dropped;
}

static enum irq_end port_interrupt(void *argument)
{
    (void)argument;
    virtio_serial_serve();
    return IRQ_DONE;
}

static void second_passed(void)
{
    if (cpu_id() != CPU_BOOT)
        return;
    virtio_serial_serve();
    for (unsigned int i = 0; i < SERIAL_PORT_COUNT; i++)
        tell_dropped((enum serial_port)i);
}

void port_listen(void)
{
    uint32_t intid = virtio_serial_intid();

    if (intid == 0)
        return;
    irq_register(intid, port_interrupt, NULL);
    tick_register(second_passed);
    gicv3_enable(intid, CPU_BOOT);
}

void port_poll(void)
{
    virtio_serial_serve();
}

bool port_has_log(void)
{
    return virtio_serial_has(SERIAL_LOG);
}

void port_follow_log(bool on)
{
    __atomic_store_n(&following, on, __ATOMIC_RELAXED);
}
