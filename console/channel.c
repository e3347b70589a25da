// SPDX-License-Identifier: Apache-2.0
// Channels: what guests print on its way to the line, and what is typed on its way to whom it is for.
//
// Output. While the control client holds the line, or another channel is in front, a guest's bytes wait in the
// channel's ring, as the guest sent them. They pass the terminal filter when they leave, so that the filter knows what
// stands on the screen. Nobody waits for a held channel: bytes that do not fit are dropped and counted.
//
// Input. No typed byte may be lost, and a guest may be slower than a person who pastes. A byte that the guest's UART
// has no room for waits in the channel's queue and is offered again when the guest has read. While the queue is full
// the UART is not read any more, so that its flow control, or the person's terminal program, waits too. But a guest
// that never reads must not keep Ctrl-] from the person: after STALL_SECONDS_MAX the bytes that the queue has no place
// for are dropped and counted, and the UART is read again.
//
// Locks. queue_lock guards the queues and is held while a byte is offered to the guest's UART, which takes its own lock
// then. console_lock guards the held bytes. Neither is taken under the other.
#include <hv/channel.h>

#include "line_parts.h"

#include <hv/arch/cpu.h>
#include <hv/console.h>
#include <hv/gicv3.h>
#include <hv/guest_words.h>
#include <hv/irq.h>
#include <hv/panic.h>
#include <hv/pl011.h>
#include <hv/platform.h>
#include <hv/string.h>
#include <hv/tick.h>

// The sizes are chosen for what a person does with the line; what a guest does can fill any of them, and is then
// dropped and counted.
#define HELD_SIZE         0x20000u // guest output that waits for the monitor to close: all of a kernel's dmesg
#define QUEUE_SIZE        0x10000u // typed bytes that wait for the guest: more than a person pastes
#define RECEIVE_MAX       1024u    // bytes taken from the UART in one go
#define STALL_SECONDS_MAX 10u
#define GUEST_PREFIX      "guest: "

static struct spinlock queue_lock = SPINLOCK(LOCK_CONSOLE_INPUT);

// What was typed for a guest and not read yet: a ring of bytes, with one BREAK somewhere among them.
struct queue {
    uint32_t first;
    uint32_t count;
    uint32_t stalled;  // seconds since the queue was full and the UART no longer read, plus 1; 0: it is read
    uint32_t break_at; // a BREAK waits behind break_at - 1 of the bytes; 0: none does
    bool dropping;     // it was stalled for too long: what the queue has no place for is dropped
};

// One guest's conversation with the person. The counters may be read at any time, the rest under the lock that guards
// it.
struct channel {
    channel_receive receive;
    void *argument;
    // Output. The members stand in this order so that the structure has no holes.
    uint64_t dropped_before GUARDED_BY(console_lock); // output_dropped when the hold began
    uint32_t held_count GUARDED_BY(console_lock);
    uint32_t waiting;        // what is in the queue, bytes and a BREAK: read without the locks, as the next two
    uint64_t output_dropped; // bytes of the guest
    uint64_t input_dropped;  // typed bytes
    struct guest_words words GUARDED_BY(console_lock);
    bool held GUARDED_BY(console_lock);      // bytes go into held_bytes
    bool held_open GUARDED_BY(console_lock); // what they end with is no end of line
    // Input
    struct queue queue GUARDED_BY(queue_lock);
    uint8_t held_bytes[HELD_SIZE] GUARDED_BY(console_lock);
    uint8_t queue_bytes[QUEUE_SIZE] GUARDED_BY(queue_lock);
};

static UNSET struct channel channels[CHANNEL_MAX]; // channel_open sets all but the bytes
static unsigned int channel_count;
static const struct channel_control *control; // NULL: nobody asks for the line
static bool line_held;                        // the control client has the line; atomic
static bool transparent;                      // CHANNEL_ATTENTION is the guest's; atomic

// The locks are not taken, because nobody else knows the channel until it is returned.
struct channel *channel_open(channel_receive receive, void *argument) NO_THREAD_ANALYSIS
{
    if (channel_count == CHANNEL_MAX)
        panic("channel: more than %u are opened", CHANNEL_MAX);
    struct channel *channel = &channels[channel_count];

    memset(channel, 0, offsetof(struct channel, held_bytes));
    channel->receive = receive;
    channel->argument = argument;
    channel->held = channel_count > 0; // only the channel in front reaches the line
    channel_count++;
    return channel;
}

// The channel that the person talks to; NULL when no guest has opened one.
static struct channel *in_front(void)
{
    return channel_count > 0 ? &channels[0] : NULL;
}

// ---- Output

// A byte that may not go out now: kept for later, or dropped when the ring is full.
static COLD void hold_byte(struct channel *channel, uint8_t byte) REQUIRES(console_lock)
{
    if (channel->held_count == HELD_SIZE) {
        __atomic_fetch_add(&channel->output_dropped, 1, __ATOMIC_RELAXED);
        return;
    }
    channel->held_bytes[channel->held_count++] = byte;
    if (byte != '\r')
        channel->held_open = byte != '\n';
}

// Where a byte of the guest goes: to the line, or behind what waits already.
static void put_byte(struct channel *channel, uint8_t byte) REQUIRES(console_lock)
{
    if (channel->held)
        hold_byte(channel, byte);
    else
        line_put_guest(byte);
}

// A text of EL2's own within a channel's output.
static void put_literal(struct channel *channel, const char *text) REQUIRES(console_lock)
{
    while (*text != '\0')
        put_byte(channel, (uint8_t)*text++);
}

// Any byte of a guest: one that is held, acts on the terminal, ends a line, or has to wait for the UART. The caller
// holds the console's lock, which is given back here.
static __attribute__((noinline)) void put_other(struct channel *channel, uint8_t byte) RELEASES(console_lock)
{
    put_byte(channel, byte);
    bool tell = guest_words_byte(&channel->words, byte);
    spinlock_release(&console_lock);
    if (tell)
        guest_words_tell(&channel->words);
}

// A guest that prints causes one exit for each character, and nearly all of them are text that goes straight to the
// UART. That case comes first here and calls nothing: `flatten` puts the functions that it needs into its body.
__attribute__((flatten)) void channel_put(struct channel *channel, uint8_t byte)
{
    spinlock_acquire(&console_lock);
    if (__builtin_expect(channel->held || !guest_words_has_room(&channel->words) || !line_put_text(byte), 0)) {
        put_other(channel, byte);
        return;
    }
    guest_words_text(&channel->words, byte);
    spinlock_release(&console_lock);
}

// A byte of a text that came by hypercall, as it stands between quotes in C. EL2 vouches for these lines with a prefix
// of its own, so nothing in them may act on the terminal or end the line.
static void put_escaped(struct channel *channel, uint8_t byte) REQUIRES(console_lock)
{
    static const char digits[] = "0123456789abcdef";

    if (byte == '\\') {
        put_literal(channel, "\\\\");
    } else if (byte >= 0x20 && byte < 0x7f) {
        put_byte(channel, byte);
    } else if (byte == '\t') {
        put_literal(channel, "\\t");
    } else if (byte == '\r') {
        put_literal(channel, "\\r");
    } else {
        put_literal(channel, "\\x");
        put_byte(channel, (uint8_t)digits[byte >> 4]);
        put_byte(channel, (uint8_t)digits[byte & 15]);
    }
}

// The lines of such a text in the trace. A CR that stands before a line's end belongs to it.
static void trace_lines(struct guest_words *words, const uint8_t *text, size_t length)
{
    for (size_t start = 0, end = 0; end < length; start = ++end) {
        while (end < length && text[end] != '\n')
            end++;
        bool has_return = end < length && end > start && text[end - 1] == '\r';
        guest_words_other(words, GUEST_PREFIX, (const char *)&text[start], end - start - has_return);
    }
}

// A text that a guest gives by hypercall. Each of its lines begins with GUEST_PREFIX and ends with CR LF, also the
// last. A line that was begun before is ended first, so that the prefix stands at the start of a line: nothing that the
// guest prints before can look like EL2's own words.
void channel_put_text(struct channel *channel, const uint8_t *text, size_t length)
{
    bool in_line = false;

    spinlock_acquire(&console_lock);
    trace_lines(&channel->words, text, length);
    if (channel->held ? channel->held_open : line_is_open())
        put_literal(channel, "\r\n");
    for (size_t i = 0; i < length; i++) {
        if (!in_line)
            put_literal(channel, GUEST_PREFIX);
        in_line = text[i] != '\n';
        if (text[i] == '\r' && i + 1 < length && text[i + 1] == '\n')
            continue;
        if (in_line)
            put_escaped(channel, text[i]);
        else
            put_literal(channel, "\r\n");
    }
    if (in_line)
        put_literal(channel, "\r\n");
    spinlock_release(&console_lock);
}

void channel_end(void)
{
    spinlock_acquire(&console_lock);
    for (unsigned int n = 0; n < channel_count; n++)
        guest_words_end(&channels[n].words);
    spinlock_release(&console_lock);
}

// From now on the channel keeps what the guest prints. How much it drops meanwhile is told at the end of the hold.
static void begin_hold(struct channel *channel) REQUIRES(console_lock)
{
    if (channel->held)
        return;
    channel->held = true;
    channel->held_open = false;
    channel->dropped_before = __atomic_load_n(&channel->output_dropped, __ATOMIC_RELAXED);
}

// What has waited goes out, and the number of bytes that were dropped meanwhile is returned. The machine may be powered
// off while a prompt stands on the line, so the line that is being typed is given up first.
static uint64_t end_hold(struct channel *channel) REQUIRES(console_lock)
{
    if (!channel->held)
        return 0;
    line_drop_input();
    for (uint32_t i = 0; i < channel->held_count; i++)
        line_put_guest(channel->held_bytes[i]);
    channel->held_count = 0;
    channel->held = false;
    return __atomic_load_n(&channel->output_dropped, __ATOMIC_RELAXED) - channel->dropped_before;
}

// ---- Input

// There is place in the queue again, or nobody waits for it any longer: the UART's interrupt may come.
static void listen_again(struct queue *queue) REQUIRES(queue_lock)
{
    if (queue->stalled > 0)
        pl011_listen(true);
    queue->stalled = 0;
}

// `waiting` is read without the lock by channel_room, at each byte that a guest reads.
static void note_waiting(struct channel *channel) REQUIRES(queue_lock)
{
    __atomic_store_n(&channel->waiting, channel->queue.count + (channel->queue.break_at > 0), __ATOMIC_RELAXED);
}

// Offers one byte or CHANNEL_BREAK to the guest's UART. False when that has no room; then nothing has happened.
static bool offer(struct channel *channel, uint16_t data) REQUIRES(queue_lock)
{
    return channel->receive(channel->argument, data);
}

// Gives the guest what it takes, in the order in which it was typed. break_at counts down with each byte: at 1 the
// BREAK is next. The UART is read again when half of the queue is free, so that it does not start and stop at each
// byte.
static void offer_queue(struct channel *channel) REQUIRES(queue_lock)
{
    struct queue *queue = &channel->queue;

    while (queue->count > 0 || queue->break_at > 0) {
        bool is_break = queue->break_at == 1;
        if (!offer(channel, is_break ? CHANNEL_BREAK : channel->queue_bytes[queue->first]))
            break;
        queue->dropping = false;
        queue->break_at -= queue->break_at > 0;
        if (is_break)
            continue;
        queue->first = (queue->first + 1) % QUEUE_SIZE;
        queue->count--;
    }
    note_waiting(channel);
    if (queue->count <= QUEUE_SIZE / 2)
        listen_again(queue);
}

// The guest has read from its UART, so there may be room for what waits. `waiting` is looked at without the lock first,
// because most reads of a guest find nothing waiting.
void channel_room(struct channel *channel)
{
    if (__atomic_load_n(&channel->waiting, __ATOMIC_RELAXED) == 0)
        return;
    spinlock_acquire(&queue_lock);
    offer_queue(channel);
    spinlock_release(&queue_lock);
}

// A byte may go straight to the guest only when none waits before it.
void channel_type(uint8_t byte)
{
    struct channel *channel = in_front();

    if (channel == NULL)
        return;
    struct queue *queue = &channel->queue;
    spinlock_acquire(&queue_lock);
    offer_queue(channel);
    if (queue->count > 0 || queue->break_at > 0 || !offer(channel, byte)) {
        if (queue->count == QUEUE_SIZE)
            __atomic_fetch_add(&channel->input_dropped, 1, __ATOMIC_RELAXED);
        else
            channel->queue_bytes[(queue->first + queue->count++) % QUEUE_SIZE] = byte;
        note_waiting(channel);
    }
    spinlock_release(&queue_lock);
}

// A BREAK keeps its place among the bytes that were typed before it. One that is typed while another waits is dropped:
// the guest gets one.
void channel_type_break(void)
{
    struct channel *channel = in_front();

    if (channel == NULL)
        return;
    struct queue *queue = &channel->queue;
    spinlock_acquire(&queue_lock);
    offer_queue(channel);
    if (queue->break_at == 0 && (queue->count > 0 || !offer(channel, CHANNEL_BREAK)))
        queue->break_at = queue->count + 1;
    note_waiting(channel);
    spinlock_release(&queue_lock);
}

// Whether the UART is not to be read now, because the queue of the channel in front is full.
static bool must_stall(void)
{
    struct channel *channel = in_front();

    if (channel == NULL || __atomic_load_n(&channel->waiting, __ATOMIC_RELAXED) < QUEUE_SIZE || channel_is_held())
        return false;
    struct queue *queue = &channel->queue;
    spinlock_acquire(&queue_lock);
    if (queue->count == QUEUE_SIZE && !queue->dropping && queue->stalled == 0) {
        pl011_listen(false);
        queue->stalled = 1;
    }
    bool stall = queue->stalled > 0;
    spinlock_release(&queue_lock);
    return stall;
}

// Once a second. `stalled` is 1 in the second in which the stall began, so STALL_SECONDS_MAX whole seconds have passed
// when it is larger than STALL_SECONDS_MAX + 1.
static void count_stalled_second(struct channel *channel)
{
    struct queue *queue = &channel->queue;

    spinlock_acquire(&queue_lock);
    if (queue->stalled > 0) {
        queue->stalled++;
        if (queue->stalled > STALL_SECONDS_MAX + 1) {
            queue->dropping = true;
            listen_again(queue);
        }
    }
    spinlock_release(&queue_lock);
}

// ---- The control client

// The control client is the monitor. It is registered, because console/ lies below monitor/ and may not call it by
// name.
void channel_set_control(const struct channel_control *client)
{
    control = client;
}

// The control client takes the line (true) or gives it back (false). Giving it back prints what has waited, and returns
// the number of bytes that found no place meanwhile.
uint64_t channel_hold(bool hold)
{
    uint64_t dropped = 0;

    if (hold && channel_count > 0) { // the control client wants to hear
        spinlock_acquire(&queue_lock);
        listen_again(&in_front()->queue);
        spinlock_release(&queue_lock);
    }
    spinlock_acquire(&console_lock);
    __atomic_store_n(&line_held, hold, __ATOMIC_SEQ_CST); // the order that held.c needs
    if (channel_count > 0) {
        if (hold)
            begin_hold(in_front());
        else
            dropped = end_hold(in_front());
    }
    spinlock_release(&console_lock);
    return dropped;
}

// Asked on any CPU. The order of this load among the other steps is explained in held.c.
bool channel_is_held(void)
{
    return __atomic_load_n(&line_held, __ATOMIC_SEQ_CST);
}

// In transparent mode Ctrl-] is a byte like any other, as a binary transfer to the guest needs. A BREAK still opens the
// monitor.
void channel_set_transparent(bool on)
{
    __atomic_store_n(&transparent, on, __ATOMIC_RELAXED);
}

bool channel_is_transparent(void)
{
    return __atomic_load_n(&transparent, __ATOMIC_RELAXED);
}

uint64_t channel_output_dropped(void)
{
    return channel_count > 0 ? __atomic_load_n(&in_front()->output_dropped, __ATOMIC_RELAXED) : 0;
}

uint64_t channel_input_dropped(void)
{
    return channel_count > 0 ? __atomic_load_n(&in_front()->input_dropped, __ATOMIC_RELAXED) : 0;
}

// Whoever reads the words while they change sees parts of two lines.
const char *channel_words(void) NO_THREAD_ANALYSIS
{
    return channel_count > 0 ? in_front()->words.last : "";
}

// ---- The line

// Whom a typed byte is for. A BREAK always goes to the control client: it is the way to the monitor when the guest has
// Ctrl-] for itself.
static void take_typed(int byte)
{
    if (control != NULL && byte == PL011_BREAK)
        control->receive_break();
    else if (control != NULL && (channel_is_held() || (byte == CHANNEL_ATTENTION && !channel_is_transparent())))
        control->receive(byte);
    else if (byte != PL011_BREAK)
        channel_type((uint8_t)byte);
}

// Takes what the UART has received. RECEIVE_MAX bounds one call, because it runs in an interrupt and the guest of this
// CPU waits meanwhile.
void channel_poll(void)
{
    if (channel_count > 0)
        channel_room(in_front());
    for (unsigned int i = 0; i < RECEIVE_MAX && !must_stall(); i++) {
        int byte = pl011_get();

        if (byte == PL011_EMPTY)
            return;
        take_typed(byte);
    }
}

static enum irq_end uart_interrupt(void *argument)
{
    (void)argument;
    channel_poll();
    return IRQ_DONE;
}

// The UART's interrupt comes to the boot CPU, and so does the care for the line.
static void second_passed(void)
{
    if (cpu_id() != CPU_BOOT)
        return;
    if (channel_count > 0)
        count_stalled_second(in_front());
    console_check_uart();
}

// Called once at boot, on the boot CPU: from now on typed bytes are taken by interrupt.
void channel_listen(void)
{
    irq_register(platform.uarts[0].intid, uart_interrupt, NULL);
    tick_register(second_passed);
    gicv3_enable(platform.uarts[0].intid, CPU_BOOT);
}
