// SPDX-License-Identifier: Apache-2.0
// Links: drivers/virtio_serial.c drivers/serial_ring.c drivers/serial_receive.c drivers/serial_loans.c
// Links: drivers/virtio_mmio.c drivers/virtqueue.c
// Links: platform/platform.c tests/fake/fake_log.c trace/log_names.c
// EL2's serial device against a model of one, which reads and writes the queues as VIRTIO 1.2 has them: ports are found
// by name, what is written arrives whole and in order, nobody waits, and a new connection is told as one.

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <fake_log.h>
#include <hv/arch/guarded.h>
#include <hv/arch/io.h>
#include <hv/arch/registers.h>
#include <hv/platform.h>
#include <hv/virtio.h>
#include <hv/virtio_serial.h>

#define QUEUES 16

struct model_queue {
    uint32_t size, ready;
    uint64_t part[3]; // descriptors, available, used
    uint16_t avail_next, used_next;
};

static struct {
    uint32_t version, id, status, sel, half, interrupts;
    uint64_t features;
    bool never_resets;
    struct model_queue queues[QUEUES];
    struct {
        const char *name; // NULL: there is none; "": it has none
        bool open;
    } ports[8];
    bool driver_open[8];
    bool refused[8]; // by PORT_READY 0
    bool stuck;      // takes nothing from ports
    bool discards;   // does not write what ports get
    char got[8][400000];
    size_t got_count[8];
    unsigned int requests; // to ports
} model;

static unsigned int opened, closed;
static char received[4096];
static size_t received_count;

static uint64_t word(uint64_t address, unsigned int size)
{
    uint64_t value = 0;

    memcpy(&value, (const void *)(uintptr_t)address, size);
    return value;
}

static void set_word(uint64_t address, uint64_t value, unsigned int size)
{
    memcpy((void *)(uintptr_t)address, &value, size);
}

// The next request of a queue: its head, or -1.
static int next_request(struct model_queue *queue)
{
    if (!queue->ready || (uint16_t)word(queue->part[1] + 2, 2) == queue->avail_next)
        return -1;
    return (int)word(queue->part[1] + 4 + 2 * (queue->avail_next++ % queue->size), 2);
}

static void use(struct model_queue *queue, int head, uint32_t length)
{
    uint64_t entry = queue->part[2] + 4 + 8 * (queue->used_next % queue->size);

    set_word(entry, (uint64_t)head, 4);
    set_word(entry + 4, length, 4);
    set_word(queue->part[2] + 2, ++queue->used_next, 2);
    if (!(word(queue->part[1], 2) & 1))
        model.interrupts |= 1;
}

// Sends bytes to the driver. False: it has given no buffer.
static bool send_bytes(unsigned int number, const void *bytes, size_t length)
{
    struct model_queue *queue = &model.queues[number];
    int head = next_request(queue);

    if (head < 0)
        return false;
    uint64_t desc = queue->part[0] + 16 * (uint64_t)head;
    assert_true(word(desc + 12, 2) & 2);
    assert_true(word(desc + 8, 4) >= length);
    memcpy((void *)(uintptr_t)word(desc, 8), bytes, length);
    use(queue, head, (uint32_t)length);
    return true;
}

static void send_message(uint32_t id, uint16_t event, uint16_t value, const char *name)
{
    uint8_t text[64] = {0};

    memcpy(text, &id, 4);
    memcpy(&text[4], &event, 2);
    memcpy(&text[6], &value, 2);
    strcpy((char *)&text[8], name);
    assert_true(send_bytes(2, text, 8 + (*name ? strlen(name) + 1 : 0)));
}

static void take_message(uint32_t id, uint16_t event, uint16_t value)
{
    if (event == 0) {
        for (uint32_t i = 0; i < 8; i++)
            if (model.ports[i].name != NULL)
                send_message(i, 1, 1, "");
    } else if (event == 3) {
        model.refused[id] = value == 0;
        if (value && *model.ports[id].name)
            send_message(id, 7, 1, model.ports[id].name);
        if (value && model.ports[id].open)
            send_message(id, 6, 1, "");
    } else if (event == 6) {
        model.driver_open[id] = value;
    }
}

static void run_queue(unsigned int number)
{
    struct model_queue *queue = &model.queues[number];
    unsigned int port = number / 2 - 1;
    int head;

    if (number % 2 == 0 || (number > 3 && model.stuck))
        return;
    while ((head = next_request(queue)) >= 0) {
        uint64_t desc = queue->part[0] + 16 * (uint64_t)head;

        if (number == 3) {
            uint64_t at = word(desc, 8);
            take_message((uint32_t)word(at, 4), (uint16_t)word(at + 4, 2), (uint16_t)word(at + 6, 2));
        }
        model.requests += number > 3;
        for (bool more = number > 3 && !model.discards; more; desc = queue->part[0] + 16 * word(desc + 14, 2)) {
            size_t length = word(desc + 8, 4);

            assert_true(model.got_count[port] + length < sizeof(model.got[0]));
            memcpy(&model.got[port][model.got_count[port]], (const void *)(uintptr_t)word(desc, 8), length);
            model.got_count[port] += length;
            more = word(desc + 12, 2) & 1;
        }
        use(queue, head, 0);
    }
}

static uint64_t io_read(uint64_t address, unsigned int size)
{
    uint64_t offset = address - (platform.virtio.base + 31 * 0x200);

    (void)size;
    switch (offset) {
    case VIRTIO_MMIO_MAGIC_VALUE:
        return VIRTIO_MMIO_MAGIC;
    case VIRTIO_MMIO_VERSION:
        return model.version;
    case VIRTIO_MMIO_DEVICE_ID:
        return model.id;
    case VIRTIO_MMIO_DEVICE_FEATURES:
        return (uint32_t)(model.features >> 32 * model.half);
    case VIRTIO_MMIO_QUEUE_NUM_MAX:
        return model.sel < QUEUES + 2 ? 64 : 0;
    case VIRTIO_MMIO_INTERRUPT_STATUS:
        return model.interrupts;
    case VIRTIO_MMIO_STATUS:
        return model.status;
    case VIRTIO_MMIO_CONFIG + 4:
        return 8;
    default:
        return 0;
    }
}

static void io_write(uint64_t address, unsigned int size, uint64_t value)
{
    uint64_t offset = address - (platform.virtio.base + 31 * 0x200);
    struct model_queue *queue = &model.queues[model.sel % QUEUES];

    (void)size;
    if (offset == VIRTIO_MMIO_DEVICE_FEATURES_SEL)
        model.half = (uint32_t)value;
    else if (offset == VIRTIO_MMIO_QUEUE_SEL)
        model.sel = (uint32_t)value;
    else if (offset == VIRTIO_MMIO_QUEUE_NUM)
        queue->size = (uint32_t)value;
    else if (offset == VIRTIO_MMIO_QUEUE_READY)
        queue->ready = (uint32_t)value;
    else if (offset == VIRTIO_MMIO_INTERRUPT_ACK)
        model.interrupts &= ~(uint32_t)value;
    else if (offset == VIRTIO_MMIO_STATUS && !(value == 0 && model.never_resets))
        model.status = (uint32_t)value;
    else if (offset >= VIRTIO_MMIO_QUEUE_DESC_LOW && offset <= VIRTIO_MMIO_QUEUE_DEVICE_HIGH)
        queue->part[(offset - 0x80) / 16] |= value << (offset & 4 ? 32 : 0);
    else if (offset == VIRTIO_MMIO_QUEUE_NOTIFY)
        run_queue((unsigned int)value);
    if (offset == VIRTIO_MMIO_STATUS && value == 0)
        memset(model.queues, 0, sizeof(model.queues));
}

static bool guarded(pa_t pa, unsigned int size, bool write, uint64_t *value)
{
    (void)write;
    *value = io_read(pa.v, size);
    return true;
}

static void on_opened(bool open)
{
    *(open ? &opened : &closed) += 1;
}

static void on_receive(const uint8_t *bytes, size_t length)
{
    memcpy(&received[received_count], bytes, length);
    received_count += length;
}

static const struct serial_client client = {on_opened, on_receive};

static void time_passes(void)
{
    fake_sysreg_set("CNTPCT_EL0", fake_sysreg_get("CNTPCT_EL0") + 100);
}

static int setup(void **state)
{
    (void)state;
    fake_yield = time_passes;
    fake_sysreg_reset();
    fake_sysreg_set("CNTFRQ_EL0", 1000000);
    fake_io_read = io_read;
    fake_io_write = io_write;
    fake_guarded_device = guarded;
    memset(&model, 0, sizeof(model));
    model.version = 2;
    model.id = VIRTIO_ID_CONSOLE;
    model.features = VIRTIO_F_VERSION_1 | 2 | 1;
    opened = closed = 0;
    received_count = 0;
    return 0;
}

// Each is a boot of its own.
static void start(void)
{
    assert_int_equal(virtio_serial_init(), HV_OK);
}

static void interrupt(void)
{
    if (model.interrupts)
        virtio_serial_serve();
}

static void what_is_not_there_is_told_apart(void **state)
{
    (void)state;
    model.id = 0;
    assert_int_equal(virtio_serial_init(), HV_ERR_NOT_FOUND);
    model.id = VIRTIO_ID_BLOCK;
    assert_int_equal(virtio_serial_init(), HV_ERR_NOT_FOUND);
    model.version = 1;
    assert_int_equal(virtio_serial_init(), HV_ERR_NOT_FOUND);
    model.id = VIRTIO_ID_CONSOLE;
    assert_int_equal(virtio_serial_init(), HV_ERR_UNSUPPORTED);
    model.version = 2;
    model.features = VIRTIO_F_VERSION_1;
    assert_int_equal(virtio_serial_init(), HV_ERR_UNSUPPORTED);
    assert_int_equal(model.status, VIRTIO_STATUS_FAILED);
    model.never_resets = true;
    assert_int_equal(virtio_serial_init(), HV_ERR_STATE);
    assert_false(virtio_serial_has(SERIAL_LOG));
    assert_int_equal(virtio_serial_intid(), 0);
    assert_false(virtio_serial_write(SERIAL_LOG, "x", 1));
}

static void ports_are_found_by_name(void **state)
{
    (void)state;
    model.ports[0].name = "console"; // no queues of EL2's
    model.ports[2].name = "ariel.log";
    model.ports[2].open = true;
    model.ports[3].name = "";
    model.ports[5].name = "someone.else";
    model.ports[7].name = "ariel.monitor";
    start();
    assert_int_equal(virtio_serial_intid(), 48 + 31);
    assert_true(model.refused[0]);
    assert_true(virtio_serial_has(SERIAL_LOG) && virtio_serial_is_open(SERIAL_LOG));
    assert_true(virtio_serial_has(SERIAL_MONITOR) && !virtio_serial_is_open(SERIAL_MONITOR));
    assert_false(virtio_serial_has(SERIAL_TRACE));
    assert_true(model.driver_open[2] && model.driver_open[7] && !model.driver_open[5]);
    assert_true(virtio_serial_write_two(SERIAL_LOG, "one", 3, "\n", 1));
    assert_memory_equal(model.got[2], "one\n", 4);
    assert_false(virtio_serial_write(SERIAL_MONITOR, "nobody", 6));
    assert_int_equal(virtio_serial_dropped(SERIAL_MONITOR), 6);
}

// A megabyte of lines through a device that is stuck now and then: what was taken arrives, whole and in order.
static void bytes_arrive_whole_and_in_order(void **state)
{
    static char wanted[400000];
    size_t length = 0, dropped = 0;
    char line[512];
    (void)state;

    model.ports[1].name = "ariel.log";
    model.ports[1].open = true;
    start();
    for (unsigned int i = 0; i < 3000; i++) {
        size_t size = 1 + i * 7919 % 500;

        model.stuck = i / 200 % 2 == 1;
        memset(line, (int)('a' + i % 26), size);
        if (virtio_serial_write(SERIAL_LOG, line, size) && length + size < sizeof(wanted)) {
            memcpy(&wanted[length], line, size);
            length += size;
        } else {
            dropped += size;
        }
        if (length > 390000)
            break;
    }
    model.stuck = false;
    run_queue(5);
    run_queue(5);
    interrupt();
    assert_int_equal(model.got_count[1], length);
    assert_memory_equal(model.got[1], wanted, length);
    assert_int_equal(virtio_serial_dropped(SERIAL_LOG), dropped);
    assert_true(virtio_serial_has_room(SERIAL_LOG, SERIAL_WRITE_MAX));
}

static void a_host_that_does_not_read_costs_what_does_not_fit(void **state)
{
    static char large[SERIAL_WRITE_MAX];
    unsigned int taken = 0;
    (void)state;

    model.ports[4].name = "ariel.gdb";
    model.ports[4].open = true;
    start();
    model.stuck = true;
    while (virtio_serial_write(SERIAL_GDB, "0123456789abcdef", 16))
        taken++;
    assert_int_equal(taken, SERIAL_WRITE_MAX / 16); // more than the queue has places
    assert_int_equal(virtio_serial_dropped(SERIAL_GDB), 16);
    assert_false(virtio_serial_has_room(SERIAL_GDB, 1));
    virtio_serial_serve();
    assert_int_equal(model.interrupts, 0);
    model.stuck = false;
    run_queue(11);
    assert_int_equal(model.interrupts, 1); // asked for, since something waited
    interrupt();
    assert_int_equal(model.got_count[4], SERIAL_WRITE_MAX);
    assert_true(model.requests < 70); // what waited was one request
    assert_true(virtio_serial_write(SERIAL_GDB, large, sizeof(large)));
    assert_false(virtio_serial_write(SERIAL_GDB, large, 0x10001));
}

// Pieces of memory for the trace's port, and those that came back.
static uint8_t piece[200][1000];
static void *back[400];
static unsigned int back_count, unread_count;

static void on_return(void *token, bool read)
{
    unread_count += !read;
    back[back_count++] = token;
}

// Lends piece n, filled with a byte of its own.
static bool lend(unsigned int n)
{
    memset(piece[n], (int)n + 1, sizeof(piece[n]));
    return virtio_serial_lend(SERIAL_TRACE, (struct serial_piece){piece[n], sizeof(piece[n])}, piece[n]);
}

static void start_trace(void)
{
    model.ports[4].name = "ariel.trace";
    model.ports[4].open = true;
    virtio_serial_set_lender(on_return);
    back_count = unread_count = 0;
    start();
    interrupt();
    model.interrupts = 0;
}

static void what_is_lent_is_read_in_place(void **state)
{
    (void)state;

    assert_false(lend(0));
    start_trace();
    assert_false(lend(0)); // before what a connection begins with
    assert_true(virtio_serial_lend_first(SERIAL_TRACE, (struct serial_piece){"first", 5}, back));
    for (unsigned int n = 0; n < 200; n++)
        assert_true(lend(n));
    assert_memory_equal(model.got[4], "first", 5);
    assert_memory_equal(&model.got[4][5], piece, sizeof(piece));
    assert_int_equal(back_count, 201); // each at once: the host has taken it within the notification
    for (unsigned int n = 0; n < 200; n++)
        assert_ptr_equal(back[n + 1], piece[n]);
    assert_int_equal(virtio_serial_lent(SERIAL_TRACE), 0);
    assert_int_equal(model.interrupts, 0); // nobody has waited
    assert_false(virtio_serial_write(SERIAL_TRACE, "copied", 6));
    assert_false(virtio_serial_has_room(SERIAL_TRACE, 1));
    assert_false(virtio_serial_lend(SERIAL_LOG, (struct serial_piece){"x", 1}, piece));
    // A report of a panic has two pieces.
    const struct serial_piece pieces[2] = {{"head", 4}, {"rest", 4}};
    virtio_serial_panic_lend(SERIAL_TRACE, pieces);
    assert_memory_equal(&model.got[4][5 + sizeof(piece)], "headrest", 8);
    assert_int_equal(back_count, 201);
}

static void a_host_that_does_not_read_keeps_what_it_was_lent(void **state)
{
    (void)state;

    start_trace();
    assert_true(virtio_serial_lend_first(SERIAL_TRACE, (struct serial_piece){"first", 5}, back));
    model.stuck = true;
    for (unsigned int n = 0; n < 64; n++)
        assert_true(lend(n));
    assert_false(lend(64)); // the device's queue has 64 entries
    assert_int_equal(virtio_serial_lent(SERIAL_TRACE), 64);
    assert_int_equal(back_count, 1);
    model.stuck = false;
    run_queue(11);
    assert_int_equal(model.interrupts, 1); // asked for, since somebody waits
    interrupt();
    assert_int_equal(back_count, 65);
    assert_int_equal(model.got_count[4], 5 + 64 * sizeof(piece[0]));
    assert_true(lend(64));
    assert_int_equal(back_count, 66);
    assert_int_equal(model.interrupts, 0);
}

// What QEMU does when the host leaves: what it is sending (sends) it never gives back, and what waits behind it, or is
// shown later, it gives back with nothing written.
static void close_trace(bool sends)
{
    if (sends)
        assert_true(next_request(&model.queues[11]) >= 0);
    model.stuck = false;
    model.discards = true;
    run_queue(11);
    send_message(4, 6, 0, "");
}

static void open_trace(void)
{
    model.discards = false;
    send_message(4, 6, 1, "");
}

static void what_a_host_that_leaves_has_not_read_comes_back(void **state)
{
    (void)state;

    start_trace();
    assert_true(virtio_serial_lend_first(SERIAL_TRACE, (struct serial_piece){"first", 5}, back));
    assert_true(lend(0));
    assert_int_equal(unread_count, 0);
    // More often than the device has descriptors, and than indices have values.
    for (unsigned int n = 0; n < 70000; n++) {
        back_count = unread_count = 0;
        model.got_count[4] = 0;
        model.stuck = true;
        for (unsigned int i = 0; i < n % 4; i++)
            assert_true(lend(i));
        close_trace(n % 4 > 0);
        assert_false(n % 8 < 4 && lend(5)); // the message has not been looked at yet
        interrupt();
        assert_int_equal(back_count, n % 4);
        assert_int_equal(unread_count, n % 4);
        assert_int_equal(virtio_serial_lent(SERIAL_TRACE), 0);
        open_trace();
        interrupt();
        assert_true(virtio_serial_lend_first(SERIAL_TRACE, (struct serial_piece){"first", 5}, back));
        assert_true(lend(0));
        assert_int_equal(unread_count, n % 4);
        assert_int_equal(model.got_count[4], 1005);
    }
}

// Somebody else has connected before EL2 has heard that the first one has left.
static void a_host_that_is_back_at_once_gets_the_beginning_again(void **state)
{
    (void)state;

    start_trace();
    assert_true(virtio_serial_lend_first(SERIAL_TRACE, (struct serial_piece){"first", 5}, back));
    model.stuck = true;
    assert_true(lend(0) && lend(1));
    close_trace(true);
    open_trace();
    interrupt();
    assert_int_equal(unread_count, 2);
    assert_false(lend(2));
    assert_true(virtio_serial_lend_first(SERIAL_TRACE, (struct serial_piece){"first", 5}, back));
    assert_true(lend(2));
    assert_int_equal(unread_count, 2);
    assert_memory_equal(model.got[4], "firstfirstfirst", 15);
}

static void nothing_is_sent_before_what_begins_a_connection(void **state)
{
    (void)state;

    start_trace();
    assert_true(virtio_serial_lend_first(SERIAL_TRACE, (struct serial_piece){"one", 3}, back));
    assert_true(lend(0));
    close_trace(false);
    interrupt();
    assert_false(lend(1));
    open_trace();
    interrupt();
    assert_false(lend(1));
    assert_true(virtio_serial_lend_first(SERIAL_TRACE, (struct serial_piece){"two", 3}, back));
    assert_true(lend(1));
    assert_memory_equal(&model.got[4][3 + sizeof(piece[0])], "two", 3);
}

static void a_device_that_was_reset_has_given_everything_back(void **state)
{
    (void)state;

    start_trace();
    assert_true(virtio_serial_lend_first(SERIAL_TRACE, (struct serial_piece){"first", 5}, back));
    model.stuck = true;
    assert_true(lend(0) && lend(1));
    use(&model.queues[11], 60, 0); // what it does not have
    assert_int_equal(virtio_serial_lent(SERIAL_TRACE), 0);
    assert_int_equal(back_count, 3);
    assert_false(lend(2));
    assert_false(virtio_serial_has(SERIAL_TRACE));

    model.stuck = false;
    start_trace(); // one that goes on reading
    assert_true(virtio_serial_lend_first(SERIAL_TRACE, (struct serial_piece){"first", 5}, back));
    model.stuck = model.never_resets = true;
    assert_true(lend(0));
    use(&model.queues[11], 60, 0);
    assert_int_equal(virtio_serial_lent(SERIAL_TRACE), 0);
    assert_int_equal(back_count, 1);
}

static void connections_are_told(void **state)
{
    (void)state;
    model.ports[3].name = "ariel.monitor";
    start();
    virtio_serial_set_client(SERIAL_MONITOR, &client);
    virtio_serial_serve();
    assert_int_equal(opened, 0);
    send_message(3, 6, 1, "");
    interrupt();
    assert_int_equal(opened, 1);
    assert_true(send_bytes(8, "status\n", 7));
    interrupt();
    assert_memory_equal(received, "status\n", 7);
    // It goes and comes between two looks.
    send_message(3, 6, 0, "");
    send_message(3, 6, 1, "");
    interrupt();
    assert_int_equal(closed, 1);
    assert_int_equal(opened, 2);
    // What waits for a host that goes is not for the next one.
    model.stuck = true;
    for (unsigned int i = 0; i < 100; i++)
        assert_true(virtio_serial_write(SERIAL_MONITOR, "old\n", 4));
    send_message(3, 6, 0, "");
    interrupt();
    assert_int_equal(closed, 2);
    assert_false(virtio_serial_is_open(SERIAL_MONITOR));
    assert_true(virtio_serial_dropped(SERIAL_MONITOR) > 0);
    assert_true(send_bytes(8, "x", 1)); // before the message that says that somebody is there
    interrupt();
    assert_int_equal(received_count, 7);
    send_message(3, 6, 1, "");
    interrupt();
    assert_int_equal(received_count, 8);
    for (unsigned int i = 0; i < 99; i++) { // every buffer comes back
        assert_true(send_bytes(8, "x", 1));
        interrupt();
    }
    assert_int_equal(received_count, 107);
}

static void a_broken_device_is_left_alone(void **state)
{
    unsigned int records = fake_log.records;
    (void)state;

    model.ports[1].name = "ariel.log";
    model.ports[1].open = true;
    start();
    use(&model.queues[2], 63, 8); // a buffer that it does not have
    use(&model.queues[2], 63, 8);
    for (unsigned int i = 0; i < 64; i++)
        use(&model.queues[2], 63, 8);
    interrupt();
    assert_int_equal(fake_log.records, records + 1);
    assert_false(virtio_serial_has(SERIAL_LOG));
    assert_int_equal(model.status, 0); // reset
    assert_false(virtio_serial_write(SERIAL_LOG, "x", 1));
    virtio_serial_serve();
    assert_int_equal(fake_log.records, records + 1);

    start(); // one that says itself that it is broken
    model.status |= VIRTIO_STATUS_DEVICE_NEEDS_RESET;
    model.interrupts = 2;
    interrupt();
    assert_false(virtio_serial_has(SERIAL_LOG));
}

static void odd_messages_do_nothing(void **state)
{
    (void)state;
    model.ports[1].name = "ariel.log";
    model.ports[1].open = true;
    model.ports[2].name = "ariel.log"; // the name of another
    start();
    send_message(0xffffffff, 6, 1, "");
    send_message(0, 7, 0, "ariel.gdb");
    send_message(8, 7, 0, "ariel.gdb");
    send_message(1, 7, 0, "ariel.gdb"); // a second name
    send_message(1, 77, 0, "");
    send_message(2, 6, 0, "");
    assert_true(send_bytes(2, "short", 5));
    interrupt();
    assert_false(virtio_serial_has(SERIAL_GDB));
    assert_true(virtio_serial_is_open(SERIAL_LOG));
    send_message(1, 2, 0, ""); // unplugged
    interrupt();
    assert_false(virtio_serial_is_open(SERIAL_LOG));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_not_there_is_told_apart, setup),
        cmocka_unit_test_setup(ports_are_found_by_name, setup),
        cmocka_unit_test_setup(bytes_arrive_whole_and_in_order, setup),
        cmocka_unit_test_setup(a_host_that_does_not_read_costs_what_does_not_fit, setup),
        cmocka_unit_test_setup(what_is_lent_is_read_in_place, setup),
        cmocka_unit_test_setup(a_host_that_does_not_read_keeps_what_it_was_lent, setup),
        cmocka_unit_test_setup(what_a_host_that_leaves_has_not_read_comes_back, setup),
        cmocka_unit_test_setup(a_host_that_is_back_at_once_gets_the_beginning_again, setup),
        cmocka_unit_test_setup(nothing_is_sent_before_what_begins_a_connection, setup),
        cmocka_unit_test_setup(a_device_that_was_reset_has_given_everything_back, setup),
        cmocka_unit_test_setup(connections_are_told, setup),
        cmocka_unit_test_setup(a_broken_device_is_left_alone, setup),
        cmocka_unit_test_setup(odd_messages_do_nothing, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
