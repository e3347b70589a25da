// SPDX-License-Identifier: Apache-2.0
// EL2's own virtio-serial device (VIRTIO 1.2, 5.3). Everything starts on a pair of control queues: the device says
// which ports there are (DEVICE_ADD), and for each that the driver calls ready, its name and whether the host's side is
// connected (PORT_NAME, PORT_OPEN). Then each port has a pair of queues for its bytes. Port n has the queues 2n + 2
// and 2n + 3, but port 0, which EL2 does not use, has 0 and 1, and the control queues are 2 and 3.
//
// What is sent waits in a ring of bytes, for each port one (serial_ring.c). What does not fit is dropped and counted.
// What goes to the trace's port is not copied: the device reads it in its owner's memory (serial_loans.c).
// What is received lies in a few small buffers that the device fills (serial_receive.c). A buffer is copied out under
// the lock, given back to the device, and only then handed to the port's client: a client may write, and runs commands.
#include <hv/virtio_serial.h>

#include "serial_loans.h"
#include "serial_receive.h"
#include "serial_ring.h"

#include <hv/arch/registers.h>
#include <hv/log.h>
#include <hv/platform.h>
#include <hv/spinlock.h>
#include <hv/string.h>
#include <hv/virtio.h>
#include <hv/virtio_mmio.h>
#include <hv/virtqueue.h>

// Feature bit, and configuration: max_nr_ports (5.3.3, 5.3.4)
#define CONSOLE_F_MULTIPORT BIT64(1)
#define CONFIG_MAX_PORTS    4

#define QUEUE_CONTROL_RX 2
#define QUEUE_CONTROL_TX 3
#define QUEUE_RX(number) (2 * (number) + 2) // of port number, 1 or more
#define QUEUE_TX(number) (2 * (number) + 3)
#define QUEUE_SIZE       SERIAL_RING_CHAINS // at most; the device may have smaller ones
#define SEND_QUEUE_SIZE  SERIAL_LOANS_MAX   // likewise; a ring uses QUEUE_SIZE of its entries
#define CONTROL_SIZE     64                 // bytes of a message, its name included
#define CONTROL_BUFFERS  32
#define READ_BUFFERS     4
#define PANIC_TRIES      100000 // of the lock, until its holder is taken for dead
#define SETTLE_PARTS     200    // the ports have 1 / SETTLE_PARTS s to name themselves

// Events of a control message (5.3.6.2)
enum {
    DEVICE_READY = 0,
    DEVICE_ADD = 1,
    DEVICE_REMOVE = 2,
    PORT_READY = 3,
    PORT_OPEN = 6,
    PORT_NAME = 7,
};

struct control_message {
    uint32_t id; // the port's number
    uint16_t event;
    uint16_t value;
};

// Both queues of a port number.
struct number_queues {
    struct serial_receive receive;
    struct serial_ring send;
    uint8_t read[READ_BUFFERS][SERIAL_READ_MAX];
};

struct port {
    uint32_t number; // 0: the device has no port of this name
    bool open;       // the host's side is connected
    uint32_t opened; // how often it was
    uint32_t told;   // of which of these the client knows; 0: that it is not connected
    uint32_t begun;  // of which of these the lender has sent the beginning
    uint64_t dropped;
};

static struct spinlock lock = SPINLOCK(LOCK_SERIAL);
static struct {
    struct virtio_mmio device;
    bool works;           // DRIVER_OK, and nothing wrong since
    unsigned int numbers; // ports 1 .. numbers have queues
    unsigned int added;   // ports that the device has named itself or will
    unsigned int named;   // ... and has
    uint64_t replies;     // messages of control_sent[] that the device has: a bit for each
    uint8_t reply_of[QUEUE_SIZE];
    struct port ports[SERIAL_PORT_COUNT];
} serial GUARDED_BY(lock);

static const struct serial_client *clients[SERIAL_PORT_COUNT] GUARDED_BY(lock); // they may come before the device

// The device reads and writes these. What EL2 has not written before, nobody reads.
static UNSET struct serial_receive control_receive GUARDED_BY(lock);
static UNSET struct virtqueue control_send GUARDED_BY(lock);
static UNSET uint8_t control_read[CONTROL_BUFFERS][CONTROL_SIZE] GUARDED_BY(lock);
static UNSET struct control_message control_sent[QUEUE_SIZE] GUARDED_BY(lock);
static UNSET struct number_queues queues[SERIAL_NUMBER_MAX] GUARDED_BY(lock); // of port n at n - 1
static UNSET struct serial_loans loans GUARDED_BY(lock);                      // of the port that sends without a copy
static serial_loan_returned on_return GUARDED_BY(lock);                       // NULL: nobody lends anything

#define SERIAL_PORT_NAME(id, name) [SERIAL_##id] = (name),
static const char *const names[] = {SERIAL_PORT_TABLE(SERIAL_PORT_NAME)};

const char *virtio_serial_port_name(enum serial_port port)
{
    return names[port];
}

static struct number_queues *queues_of(const struct port *port) REQUIRES(lock)
{
    return &queues[port->number - 1];
}

static struct serial_ring *ring_of(const struct port *port) REQUIRES(lock)
{
    return &queues_of(port)->send;
}

static bool lends(const struct port *port) REQUIRES(lock)
{
    return port == &serial.ports[SERIAL_TRACE];
}

// The device has done what no device may do. It is reset, so that it writes nowhere any more, and not used again. One
// that does not answer the reset may still read what it was lent: that stays lent for ever.
static COLD void give_up(void) REQUIRES(lock)
{
    serial.works = false;
    if (virtio_mmio_reset(&serial.device) != HV_OK)
        virtio_mmio_set_status(&serial.device, VIRTIO_STATUS_FAILED);
    else if (serial.ports[SERIAL_TRACE].number != 0)
        serial_loans_return_all(&loans, on_return);
    for (unsigned int i = 0; i < SERIAL_PORT_COUNT; i++)
        serial.ports[i].open = false;
}

// The next bytes that the device has received, copied to `to`, and how many; 0: none.
static uint32_t take_buffer(struct serial_receive *queue, uint8_t *to) REQUIRES(lock)
{
    uint32_t length;

    if (!serial_receive_take(queue, to, &length))
        give_up();
    return length;
}

// ---- Sending

static bool usable(const struct port *port) REQUIRES(lock)
{
    return serial.works && port->number != 0 && port->open;
}

static void pump(struct port *port) REQUIRES(lock)
{
    if (!(lends(port) ? serial_loans_reclaim(&loans, on_return) : serial_ring_pump(ring_of(port))))
        give_up();
}

// What the device has read meanwhile makes room.
static bool has_room(struct port *port, size_t length) REQUIRES(lock)
{
    if (!usable(port) || lends(port))
        return false;
    pump(port);
    return serial.works && length <= serial_ring_room(ring_of(port));
}

// A write of two pieces, the second of which may be empty.
static bool write_locked(enum serial_port which, const void *first, size_t first_length, const void *second,
                         size_t second_length) REQUIRES(lock)
{
    struct port *port = &serial.ports[which];

    if (!has_room(port, first_length + second_length)) {
        port->dropped += first_length + second_length;
        return false;
    }
    serial_ring_put(ring_of(port), first, first_length);
    if (second_length > 0)
        serial_ring_put(ring_of(port), second, second_length);
    pump(port);
    return true;
}

bool virtio_serial_write_two(enum serial_port port, const void *first, size_t first_length, const void *second,
                             size_t second_length)
{
    spinlock_acquire(&lock);
    bool done = write_locked(port, first, first_length, second, second_length);
    spinlock_release(&lock);
    return done;
}

bool virtio_serial_write(enum serial_port port, const void *bytes, size_t length)
{
    return virtio_serial_write_two(port, bytes, length, NULL, 0);
}

bool virtio_serial_has_room(enum serial_port port, size_t length)
{
    spinlock_acquire(&lock);
    bool room = has_room(&serial.ports[port], length);
    spinlock_release(&lock);
    return room;
}

static void serve_control(void) REQUIRES(lock);

// Two pieces, of which either may be empty. When the queue is full, what the device has read meanwhile makes room.
static bool lend_locked(struct port *port, const struct serial_piece pieces[2], void *token) REQUIRES(lock)
{
    struct virtqueue_buffer buffers[2];
    unsigned int count = 0;

    if (!usable(port) || !lends(port) || port->begun != port->opened)
        return false;
    for (unsigned int i = 0; i < 2; i++)
        if (pieces[i].length > 0)
            buffers[count++] = (struct virtqueue_buffer){pa_make((uintptr_t)pieces[i].bytes), pieces[i].length, 0, 0};
    bool lent = serial_loans_lend(&loans, buffers, count, token);
    pump(port);
    if (!lent && serial.works) {
        lent = serial_loans_lend(&loans, buffers, count, token);
        pump(port);
    }
    return lent;
}

static bool lend(struct port *port, struct serial_piece piece, void *token, bool begins)
{
    const struct serial_piece pieces[2] = {piece, {NULL, 0}};

    spinlock_acquire(&lock);
    serve_control(); // who has gone gets nothing more
    if (begins) {
        port->begun = port->opened;
        loans.first = (struct virtqueue_buffer){pa_make((uintptr_t)piece.bytes), piece.length, 0, 0};
    }
    bool lent = lend_locked(port, pieces, token);
    spinlock_release(&lock);
    return lent;
}

bool virtio_serial_lend(enum serial_port port, struct serial_piece piece, void *token)
{
    return lend(&serial.ports[port], piece, token, false);
}

bool virtio_serial_lend_first(enum serial_port port, struct serial_piece piece, void *token)
{
    return lend(&serial.ports[port], piece, token, true);
}

uint32_t virtio_serial_lent(enum serial_port port)
{
    uint32_t count = 0;

    spinlock_acquire(&lock);
    if (serial.works && serial.ports[port].number != 0 && lends(&serial.ports[port])) {
        pump(&serial.ports[port]);
        count = serial.works ? loans.count : 0;
    }
    spinlock_release(&lock);
    return count;
}

// The lock's holder may have died, on this CPU or another: after PANIC_TRIES it is taken for dead, and the lock is left
// alone. What it was changing is at worst off by a line: every index stays within its ring.
static bool panic_lock_lost;

static void panic_acquire(void) NO_THREAD_ANALYSIS
{
    unsigned int tries = 0;

    while (!panic_lock_lost && !spinlock_try(&lock))
        panic_lock_lost = ++tries == PANIC_TRIES;
}

static void panic_release(void) NO_THREAD_ANALYSIS
{
    if (!panic_lock_lost)
        spinlock_release(&lock);
}

void virtio_serial_panic_write(enum serial_port port, const void *bytes, size_t length) NO_THREAD_ANALYSIS
{
    panic_acquire();
    (void)write_locked(port, bytes, length, NULL, 0);
    panic_release();
}

void virtio_serial_panic_lend(enum serial_port port, const struct serial_piece pieces[2]) NO_THREAD_ANALYSIS
{
    panic_acquire();
    (void)lend_locked(&serial.ports[port], pieces, NULL);
    panic_release();
}

// ---- Control messages

// Tells the device something about a port. It takes a message at once, so that there are never many under way; one that
// finds no place is left out, and the device then does without that port.
static void send_control(uint32_t id, uint16_t event, uint16_t value) REQUIRES(lock)
{
    uint16_t head;
    uint32_t length;
    enum hv_status status;

    while ((status = virtqueue_take(&control_send, &head, &length)) == HV_OK)
        serial.replies &= ~BIT64(serial.reply_of[head]);
    if (status == HV_ERR_INVALID)
        give_up();
    if (!serial.works || serial.replies == UINT64_MAX)
        return;
    unsigned int slot = (unsigned int)__builtin_ctzll(~serial.replies);
    struct virtqueue_buffer piece = {.pa = pa_make((uintptr_t)&control_sent[slot]),
                                     .length = sizeof(struct control_message)};
    control_sent[slot] = (struct control_message){id, event, value};
    if (virtqueue_add(&control_send, &piece, 1, &head) != HV_OK)
        return;
    serial.replies |= BIT64(slot);
    serial.reply_of[head] = (uint8_t)slot;
    if (virtqueue_publish(&control_send))
        virtio_mmio_notify(&serial.device, QUEUE_CONTROL_TX);
}

static struct port *port_of_number(uint32_t number) REQUIRES(lock)
{
    for (unsigned int i = 0; i < SERIAL_PORT_COUNT && number != 0; i++)
        if (serial.ports[i].number == number)
            return &serial.ports[i];
    return NULL;
}

// A port has told its name. One that is EL2's gets buffers to receive into, and the host learns that EL2 is there. A
// name that comes twice is the first port's.
static void name_port(uint32_t number, const char *name) REQUIRES(lock)
{
    serial.named++;
    for (unsigned int i = 0; i < SERIAL_PORT_COUNT; i++) {
        struct port *port = &serial.ports[i];

        if (strcmp(names[i], name) != 0 || port->number != 0 || port_of_number(number) != NULL)
            continue;
        port->number = number;
        if (lends(port))
            serial_loans_init(&loans, &serial.device, QUEUE_TX(number), &queues_of(port)->send.queue);
        serial_receive_start(&queues_of(port)->receive, &serial.device, QUEUE_RX(number),
                             (struct serial_buffers){queues_of(port)->read[0], READ_BUFFERS, SERIAL_READ_MAX});
        send_control(number, PORT_OPEN, 1);
    }
}

// The host's side is connected or has gone. What waited for a host that has gone is dropped.
static void open_port(struct port *port, bool open) REQUIRES(lock)
{
    port->opened += open && !port->open;
    port->open = open;
    if (!open && !lends(port))
        port->dropped += serial_ring_drop(ring_of(port));
    else if (!open && !serial_loans_close(&loans, on_return))
        give_up();
}

// text holds length bytes and, behind them, a 0.
static void control_message(const uint8_t *text, uint32_t length) REQUIRES(lock)
{
    struct control_message message;

    if (length < sizeof(message))
        return;
    memcpy(&message, text, sizeof(message));
    bool known = message.id >= 1 && message.id <= serial.numbers;
    struct port *port = known ? port_of_number(message.id) : NULL;
    if (message.event == DEVICE_ADD) {
        serial.added += known;
        send_control(message.id, PORT_READY, known);
    } else if (message.event == PORT_NAME && known) {
        name_port(message.id, (const char *)&text[sizeof(message)]);
    } else if (message.event == PORT_OPEN && port != NULL) {
        open_port(port, message.value != 0);
    } else if (message.event == DEVICE_REMOVE && port != NULL) {
        open_port(port, false);
    }
}

static void serve_control(void) REQUIRES(lock)
{
    uint8_t text[CONTROL_SIZE + 1];
    uint32_t length;

    for (unsigned int i = 0; i < 2 * CONTROL_BUFFERS && serial.works; i++) {
        length = take_buffer(&control_receive, text);
        if (length == 0)
            return;
        text[length] = '\0';
        control_message(text, length);
    }
}

// ---- Serving

// The client learns of what has become of the connection. Where one has ended and another one begun between two looks,
// it is told of both, so that a new connection is always told as one.
void virtio_serial_tell(enum serial_port which)
{
    struct port *port = &serial.ports[which];

    spinlock_acquire(&lock);
    const struct serial_client *client = clients[which];
    uint32_t now = usable(port) ? port->opened : 0;
    uint32_t before = port->told;
    if (client != NULL)
        port->told = now;
    spinlock_release(&lock);
    if (client == NULL || client->opened == NULL || now == before)
        return;
    if (before != 0)
        client->opened(false);
    if (now != 0)
        client->opened(true);
}

// At most as many buffers as the device has at once: those that it fills meanwhile bring an interrupt of their own.
// Bytes may come before the message that their connection has begun, since the two have queues of their own: they wait
// for it, as what is answered to a port that is not open would be dropped.
static void serve_port(enum serial_port which)
{
    struct port *port = &serial.ports[which];
    uint8_t bytes[SERIAL_READ_MAX];

    for (unsigned int i = 0; i < READ_BUFFERS; i++) {
        uint32_t length = 0;

        spinlock_acquire(&lock);
        const struct serial_client *client = clients[which];
        if (serial.works && port->number != 0) {
            pump(port);
            if (usable(port) && client != NULL && client->receive != NULL)
                length = take_buffer(&queues_of(port)->receive, bytes);
        }
        spinlock_release(&lock);
        if (length == 0)
            return;
        client->receive(bytes, length);
    }
}

// The interrupt is acknowledged before the queues are looked at. Control messages come first: a connection's begin
// before its bytes.
void virtio_serial_serve(void)
{
    spinlock_acquire(&lock);
    bool works = serial.works;
    if (works) {
        uint32_t status = virtio_mmio_take_interrupt(&serial.device);

        if (status & VIRTIO_MMIO_INT_CONFIG && virtio_mmio_status(&serial.device) & VIRTIO_STATUS_DEVICE_NEEDS_RESET)
            give_up();
        serve_control();
    }
    bool failed = works && !serial.works;
    uint32_t intid = serial.device.intid;
    spinlock_release(&lock);
    for (unsigned int i = 0; works && i < SERIAL_PORT_COUNT; i++) {
        virtio_serial_tell((enum serial_port)i);
        serve_port((enum serial_port)i);
    }
    if (failed)
        log_record(LOG_ERROR, LOG_MONITOR, "serial-failed", "intid=%u", intid);
}

void virtio_serial_set_client(enum serial_port port, const struct serial_client *client)
{
    spinlock_acquire(&lock);
    clients[port] = client;
    spinlock_release(&lock);
}

void virtio_serial_set_lender(void (*returned)(void *token, bool read))
{
    spinlock_acquire(&lock);
    on_return = returned;
    spinlock_release(&lock);
}

// These read one word, whose writer is the boot CPU.
bool virtio_serial_has(enum serial_port port) NO_THREAD_ANALYSIS
{
    return serial.works && serial.ports[port].number != 0;
}

bool virtio_serial_is_open(enum serial_port port) NO_THREAD_ANALYSIS
{
    return usable(&serial.ports[port]);
}

uint64_t virtio_serial_dropped(enum serial_port port) NO_THREAD_ANALYSIS
{
    return serial.ports[port].dropped;
}

uint32_t virtio_serial_intid(void) NO_THREAD_ANALYSIS
{
    return serial.works ? serial.device.intid : 0;
}

// ---- Start

// Makes queue number number of the device, of size entries or as many as it can have. A device that has no such queue
// is asked for nothing through it.
static bool start_queue(struct virtqueue *ring, unsigned int number, uint16_t size) REQUIRES(lock)
{
    uint32_t max = virtio_mmio_queue_max(&serial.device, number);

    while (size > max)
        size /= 2;
    if (size < 2)
        return false;
    virtqueue_init(ring, size, false);
    virtio_mmio_set_queue(&serial.device, number, ring);
    return true;
}

// The queues of as many port numbers as both sides have.
static bool start_queues(void) REQUIRES(lock)
{
    uint64_t ports = virtio_mmio_read_config(&serial.device, CONFIG_MAX_PORTS, 4);

    if (!start_queue(&control_receive.ring, QUEUE_CONTROL_RX, QUEUE_SIZE) ||
        !start_queue(&control_send, QUEUE_CONTROL_TX, QUEUE_SIZE))
        return false;
    for (uint32_t n = 1; n < ports && n <= SERIAL_NUMBER_MAX; n++) {
        if (!start_queue(&queues[n - 1].receive.ring, QUEUE_RX(n), QUEUE_SIZE) ||
            !start_queue(&queues[n - 1].send.queue, QUEUE_TX(n), SEND_QUEUE_SIZE))
            return false;
        serial_ring_init(&queues[n - 1].send, &serial.device, QUEUE_TX(n));
        serial.numbers = n;
    }
    (void)virtqueue_set_interrupt(&control_send, false);
    return true;
}

// The steps of 3.1.1, in their order.
static enum hv_status start_device(void) REQUIRES(lock)
{
    const uint64_t features = VIRTIO_F_VERSION_1 | CONSOLE_F_MULTIPORT;
    uint32_t status = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER;

    if (virtio_mmio_reset(&serial.device) != HV_OK)
        return HV_ERR_STATE;
    virtio_mmio_set_status(&serial.device, status);
    if ((virtio_mmio_features(&serial.device) & features) != features)
        return HV_ERR_UNSUPPORTED;
    virtio_mmio_set_features(&serial.device, features);
    virtio_mmio_set_status(&serial.device, status |= VIRTIO_STATUS_FEATURES_OK);
    if (!(virtio_mmio_status(&serial.device) & VIRTIO_STATUS_FEATURES_OK))
        return HV_ERR_UNSUPPORTED;
    if (!start_queues())
        return HV_ERR_STATE;
    virtio_mmio_set_status(&serial.device, status | VIRTIO_STATUS_DRIVER_OK);
    serial.works = true;
    serial_receive_start(&control_receive, &serial.device, QUEUE_CONTROL_RX,
                         (struct serial_buffers){control_read[0], CONTROL_BUFFERS, CONTROL_SIZE});
    send_control(0, DEVICE_READY, 1);
    return HV_OK;
}

// Takes what the device says, and returns whether every port that it has added has said its name. The interrupt stays
// pending, and clients are told once it can be taken: nothing is there yet for which they could ask.
static bool is_settled(void)
{
    spinlock_acquire(&lock);
    serve_control();
    bool settled = !serial.works || (serial.added > 0 && serial.named >= serial.added);
    spinlock_release(&lock);
    return settled;
}

enum hv_status virtio_serial_init(void)
{
    uint64_t start = READ_SYSREG(CNTPCT_EL0);
    uint64_t wait = READ_SYSREG(CNTFRQ_EL0) / SETTLE_PARTS;

    if (platform.virtio.count == 0)
        return HV_ERR_NOT_FOUND;
    spinlock_acquire(&lock);
    memset(&serial, 0, sizeof(serial));
    enum hv_status status = virtio_mmio_probe(platform.virtio.count - 1, &serial.device);
    if (status == HV_OK || status == HV_ERR_UNSUPPORTED)
        status = serial.device.device_id != VIRTIO_ID_CONSOLE ? HV_ERR_NOT_FOUND : status;
    if (status == HV_OK) {
        status = start_device();
        if (status != HV_OK)
            virtio_mmio_set_status(&serial.device, VIRTIO_STATUS_FAILED);
    }
    spinlock_release(&lock);
    while (status == HV_OK && !is_settled() && READ_SYSREG(CNTPCT_EL0) - start <= wait)
        cpu_yield();
    return status;
}
