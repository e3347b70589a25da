// SPDX-License-Identifier: Apache-2.0
// The monitor for programs. The serial line belongs to the guest, and what a person reads there is drawn, folded and
// coloured; a program wants neither to share the line nor to undo the drawing. So whoever connects to the port
// ariel.monitor has a session of their own: a line in, a reply out, no echo, JSON.
//
//     client  status
//     ariel   {"vm":"running","guest":"diagnostic guest"}
//     ariel   ...
//     ariel   ok
//
// A reply is rows that begin with '{', and a last line that is "ok" or begins with "err ". A line that begins with
// "event " belongs to no reply and may come at any time, also between two rows: which of the three a line is can be
// told by its first bytes alone.
//
// Each connection is a session that begins with nothing: a line that the last one has left half-way is forgotten, and
// so are its choices. Nobody waits for a client that does not read, but for a short while and once: then rows are
// dropped, and the reply ends with an error that says so. The last line always has room: rows leave LAST_LINE_ROOM
// free.
#include <hv/monitor_socket.h>

#include <hv/arch/registers.h>
#include <hv/machine.h>
#include <hv/monitor_client.h>
#include <hv/monitor_line.h>
#include <hv/monitor_out.h>
#include <hv/monitor_reply.h>
#include <hv/monitor_run.h>
#include <hv/port.h>
#include <hv/printf.h>
#include <hv/virtio_serial.h>

#include <version.h>

#define KEY_DROP_LINE  0x15 // Ctrl-U: what was sent of the line is forgotten
#define LAST_LINE_ROOM 4096u
#define EVENT_MAX      512u
#define WAITS_A_SECOND 5u // a client that reads has 1 / WAITS_A_SECOND s to make room

static struct {
    struct monitor_client client;
    struct vm *first_vm;
    char line[LINE_LENGTH_MAX + 1];
    size_t length;
    const char *refused; // why the line cannot be run
    uint64_t lost;       // bytes of the present reply that found no room
    bool slow;           // the client has not read in time, and is not waited for again until it has
} session;

// Waits until length bytes fit, LAST_LINE_ROOM besides. False when the client does not make room in time.
static bool wait_for_room(size_t length)
{
    uint64_t start = READ_SYSREG(CNTPCT_EL0);
    uint64_t wait = session.slow ? 0 : READ_SYSREG(CNTFRQ_EL0) / WAITS_A_SECOND;

    while (!virtio_serial_has_room(SERIAL_MONITOR, length + LAST_LINE_ROOM)) {
        if (READ_SYSREG(CNTPCT_EL0) - start > wait || !virtio_serial_is_open(SERIAL_MONITOR)) {
            session.slow = true;
            return false;
        }
        cpu_yield();
    }
    session.slow = false;
    return true;
}

// A line of a reply. Once one is lost, so are those behind it: a reply has no gaps.
static void write_reply(const char *text, size_t length)
{
    if (session.lost > 0 || !wait_for_room(length) || !virtio_serial_write(SERIAL_MONITOR, text, length))
        session.lost += length;
}

// The reply is over, or will be when the guest has made its steps. Its last line is among what was lost, if anything
// was, and is made up for here.
static void end_reply(void)
{
    char text[128];

    if (session.lost > 0) {
        int length = format_text(text, sizeof(text), "err the client does not read: %lu bytes of the reply are lost\n",
                                 (unsigned long)session.lost);
        (void)virtio_serial_write(SERIAL_MONITOR, text, (size_t)length);
    }
    session.lost = 0;
}

static void run_line(void)
{
    monitor_client_set(&session.client);
    if (monitor_reply_deferred())
        monitor_finish_reply("the guest still steps: pause stops it");
    if (session.refused != NULL) {
        out_begin(session.client.json);
        monitor_end_reply(session.refused);
    } else {
        monitor_run(session.line);
    }
    (void)monitor_close_asked(); // there is no prompt to leave
    end_reply();
    monitor_client_set(NULL);
}

static void begin_line(void)
{
    session.length = 0;
    session.refused = NULL;
}

static void take_byte(uint8_t byte)
{
    if (byte == '\n') {
        session.line[session.length] = '\0';
        run_line();
        begin_line();
    } else if (byte == KEY_DROP_LINE) {
        begin_line();
    } else if (byte == '\r') {
        return;
    } else if (byte < ' ' || byte > '~') {
        session.refused = "the line has a byte that is not printable ASCII";
    } else if (session.length == LINE_LENGTH_MAX) {
        session.refused = monitor_error("the line is longer than %u bytes", LINE_LENGTH_MAX);
    } else {
        session.line[session.length++] = (char)byte;
    }
}

static void received(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        take_byte(bytes[i]);
}

__attribute__((format(printf, 1, 2))) static void send_event(const char *format, ...)
{
    char text[EVENT_MAX];
    va_list arguments;

    va_start(arguments, format);
    int length = format_text_v(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (length > 0 && (size_t)length < sizeof(text))
        (void)virtio_serial_write(SERIAL_MONITOR, text, (size_t)length);
}

// A program has connected, or the last one has gone. Its first line says what it is connected to.
static void opened(bool open)
{
    monitor_client_set(&session.client);
    monitor_forget_reply();
    monitor_client_set(NULL);
    session.client = (struct monitor_client){.write = write_reply, .json = true, .vm = session.first_vm};
    begin_line();
    session.lost = 0;
    session.slow = false;
    port_follow_log(false);
    if (open)
        send_event("event {\"event\":\"hello\",\"ariel\":%pJ}\n", ARIEL_VERSION);
}

void monitor_socket_init(struct vm *vm)
{
    static const struct serial_client client = {opened, received};

    session.first_vm = vm;
    opened(false);
    virtio_serial_set_client(SERIAL_MONITOR, &client);
}

// Whatever pauses the guest ends the steps that the client waits for.
static bool end_steps(enum notify_event event, const struct vcpu *vcpu)
{
    monitor_client_set(&session.client);
    bool due = monitor_reply_deferred() && vcpu->vm == session.client.vm &&
               (event == NOTIFY_STEP || vcpu->vm->state != VM_RUNNING);
    if (due) {
        monitor_finish_reply(NULL);
        end_reply();
    }
    monitor_client_set(NULL);
    return due;
}

bool monitor_socket_notified(enum notify_event event, const struct vcpu *vcpu)
{
    bool ended = end_steps(event, vcpu);

    if (ended && event == NOTIFY_STEP)
        return true;
    if (!virtio_serial_is_open(SERIAL_MONITOR) || event == NOTIFY_STEP)
        return false;
    send_event("event {\"event\":\"notify\",\"what\":%pJ,\"guest\":%pJ,\"vcpu\":%u}\n", notify_name(event),
               vcpu->vm->guest_name == NULL ? "none" : vcpu->vm->guest_name, vcpu->id);
    return true;
}
