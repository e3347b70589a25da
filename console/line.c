// SPDX-License-Identifier: Apache-2.0
// The one owner of the serial line. Output of the guest, of the log and of the monitor goes through here and is kept
// apart by lines: `line_open` says whether the cursor stands behind text that somebody may still go on with, so a log
// line can end it first. While the monitor is open the guest's output waits in a ring, and the line being typed is
// drawn again after whatever came between. What the guest prints passes terminal_filter.h on its way to the line, when
// it leaves and not when it is held, so that the filter knows what stands on the screen. Input goes to the monitor, or
// to the guest's UART through a queue.
#include <hv/console.h>

#include <hv/arch/cpu.h>
#include <hv/gicv3.h>
#include <hv/guest_words.h>
#include <hv/irq.h>
#include <hv/log.h>
#include <hv/monitor.h>
#include <hv/pl011.h>
#include <hv/platform.h>
#include <hv/spinlock.h>
#include <hv/string.h>
#include <hv/terminal_filter.h>
#include <hv/tick.h>
#include <hv/vm.h>

#define HELD_SIZE    0x20000u // guest output that waits for the monitor to close: all of a kernel's dmesg
#define QUEUE_SIZE   0x10000u // typed bytes that wait for the guest's UART: more than a person pastes
#define RECEIVE_MAX  1024u    // bytes taken from the UART in one go
#define STALL_MAX    10u // seconds that typed bytes wait in the UART, and Ctrl-] with them, before they are dropped
#define GUEST_PREFIX "guest: "

static struct spinlock console_lock = SPINLOCK(LOCK_CONSOLE);
static struct {
    bool hold;      // guest output goes to held
    bool line_open; // text stands on the line and its end was not sent yet
    bool held_open; // the same for what was put into held[]
    char input[CONSOLE_INPUT_MAX];
    size_t input_length;
    size_t input_cursor;
    uint32_t held_count;
    uint64_t dropped_before; // guest_dropped when the hold began
    struct terminal_filter filter;
} console GUARDED_BY(console_lock);
static UNSET uint8_t held[HELD_SIZE] GUARDED_BY(console_lock);

static struct spinlock queue_lock = SPINLOCK(LOCK_CONSOLE_INPUT);
static struct {
    uint32_t first;
    uint32_t count;
    uint32_t stalled;  // seconds since the queue was full and the UART no longer read, plus 1; 0: it is read
    uint32_t break_at; // a BREAK waits behind break_at - 1 of the bytes; 0: none does
    bool dropping;     // that took too long: what the guest has no room for is dropped
} queue GUARDED_BY(queue_lock);
static UNSET uint8_t queue_bytes[QUEUE_SIZE] GUARDED_BY(queue_lock);

// Read from any CPU without the locks.
static uint64_t guest_dropped;
static uint64_t input_dropped;
static uint32_t queue_waiting; // what is in the queue: bytes, and a BREAK
static bool transparent;       // Ctrl-] is the guest's

static void put_raw(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        pl011_put((uint8_t)text[i]);
}

// A line of a panic's report. No lock is taken and the state of the line is not looked at: the CPU that panicked may
// have been in the middle of either. So the first one ends whatever stands on the line and makes the terminal readable.
static void panic_line(const char *text, size_t length)
{
    static bool begun;

    if (!begun)
        put_raw(TERMINAL_RESET "\r\n", sizeof(TERMINAL_RESET "\r\n") - 1);
    begun = true;
    put_raw(text, length);
    put_raw("\r\n", 2);
}

// The lock is not taken: the MMU is still off, and no other CPU runs.
void console_init(bool raw) NO_THREAD_ANALYSIS
{
    static const struct log_sink sink = {console_line, panic_line};

    put_raw("\r\n" TERMINAL_RESET "\r\n", sizeof("\r\n" TERMINAL_RESET "\r\n") - 1); // what a guest was printing ends
    console.filter.raw = raw;
    log_set_sink(&sink);
}

static void put(uint8_t byte) REQUIRES(console_lock)
{
    pl011_put(byte);
    if (byte != '\r')
        console.line_open = byte != '\n';
}

static void put_text(const char *text, size_t length) REQUIRES(console_lock)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n')
            put('\r');
        put((uint8_t)text[i]);
    }
}

static void put_string(const char *text) REQUIRES(console_lock)
{
    put_text(text, strlen(text));
}

static void draw_input(void) REQUIRES(console_lock)
{
    put_text(console.input, console.input_length);
    for (size_t i = console.input_cursor; i < console.input_length; i++)
        put('\b');
}

// EL2 is about to print: the terminal is put into a state in which that can be read.
static void begin_own(void) REQUIRES(console_lock)
{
    uint8_t bytes[TERMINAL_OUT_MAX];
    size_t length = terminal_filter_own(&console.filter, bytes);

    //@ loop unroll 1;
    for (size_t i = 0; i < length; i++)
        put(bytes[i]);
}

// Makes the cursor stand at the start of a line. A line being typed is wiped from the screen and the cursor moved up
// and down again: the screen keeps no trace, and in a captured stream an end of line stands right before what follows.
static void end_line(void) REQUIRES(console_lock)
{
    if (!console.line_open)
        return;
    if (console.input_length > 0)
        put_string("\r\033[K\033[A");
    else
        put('\r');
    put('\n');
}

static COLD void hold_byte(uint8_t byte) REQUIRES(console_lock)
{
    if (console.held_count == HELD_SIZE) {
        __atomic_fetch_add(&guest_dropped, 1, __ATOMIC_RELAXED);
        return;
    }
    held[console.held_count++] = byte;
    if (byte != '\r')
        console.held_open = byte != '\n';
}

static __attribute__((noinline)) void filter_byte(uint8_t byte) REQUIRES(console_lock)
{
    uint8_t bytes[TERMINAL_OUT_MAX];
    size_t length = terminal_filter_byte(&console.filter, byte, bytes);

    //@ loop unroll 1;
    for (size_t i = 0; i < length; i++)
        put(bytes[i]);
}

static inline void print_guest_byte(uint8_t byte) REQUIRES(console_lock)
{
    if (__builtin_expect(terminal_filter_is_plain(&console.filter, byte), 1))
        put(byte);
    else
        filter_byte(byte);
}

static inline void guest_byte(uint8_t byte) REQUIRES(console_lock)
{
    if (__builtin_expect(console.hold, 0))
        hold_byte(byte);
    else
        print_guest_byte(byte);
}

static void guest_string(const char *text) REQUIRES(console_lock)
{
    while (*text != '\0')
        guest_byte((uint8_t)*text++);
}

// A guest prints a character an exit: what this calls stands in it.
__attribute__((flatten)) void console_guest_byte(uint8_t byte)
{
    spinlock_acquire(&console_lock);
    guest_byte(byte);
    bool tell = guest_words_byte(byte);
    spinlock_release(&console_lock);
    if (__builtin_expect(tell, 0))
        guest_words_tell();
}

static void guest_escaped(uint8_t byte) REQUIRES(console_lock)
{
    static const char digits[] = "0123456789abcdef";

    if (byte == '\\') {
        guest_string("\\\\");
    } else if (byte >= 0x20 && byte < 0x7f) {
        guest_byte(byte);
    } else if (byte == '\t') {
        guest_string("\\t");
    } else if (byte == '\r') {
        guest_string("\\r");
    } else {
        guest_string("\\x");
        guest_byte((uint8_t)digits[byte >> 4]);
        guest_byte((uint8_t)digits[byte & 15]);
    }
}

void console_guest_text(const uint8_t *text, size_t length)
{
    bool in_line = false;

    spinlock_acquire(&console_lock);
    if (console.hold ? console.held_open : console.line_open)
        guest_string("\r\n");
    for (size_t i = 0; i < length; i++) {
        if (!in_line)
            guest_string(GUEST_PREFIX);
        in_line = text[i] != '\n';
        if (text[i] == '\r' && i + 1 < length && text[i + 1] == '\n')
            continue;
        if (in_line)
            guest_escaped(text[i]);
        else
            guest_string("\r\n");
    }
    if (in_line)
        guest_string("\r\n");
    spinlock_release(&console_lock);
}

void console_line(const char *line, size_t length)
{
    spinlock_acquire(&console_lock);
    begin_own();
    end_line();
    put_text(line, length);
    put('\r');
    put('\n');
    terminal_filter_protect(&console.filter);
    draw_input();
    spinlock_release(&console_lock);
}

void console_write(const char *text, size_t length)
{
    spinlock_acquire(&console_lock);
    put_text(text, length);
    spinlock_release(&console_lock);
}

// Whether the new line is the drawn one with one byte more at its end, where the cursor stands: then that byte is all
// that needs to be sent.
static bool is_typed_at_end(const char *text, size_t length, size_t cursor) REQUIRES(console_lock)
{
    size_t old = console.input_length;

    return old > 0 && length == old + 1 && cursor == length && console.input_cursor == old &&
           memcmp(console.input, text, old) == 0;
}

void console_show_input(const char *text, size_t length, size_t cursor)
{
    bool typed_at_end;

    if (length > CONSOLE_INPUT_MAX)
        length = CONSOLE_INPUT_MAX;
    if (cursor > length)
        cursor = length;
    spinlock_acquire(&console_lock);
    if (length > 0 && console.input_length == 0)
        begin_own();
    typed_at_end = is_typed_at_end(text, length, cursor);
    if (typed_at_end)
        put((uint8_t)text[length - 1]);
    else if (length > 0)
        put_string(console.input_length > 0 ? "\r\033[K" : console.line_open ? "\n" : "");
    memcpy(console.input, text, length);
    console.input_length = length;
    console.input_cursor = cursor;
    if (!typed_at_end)
        draw_input();
    spinlock_release(&console_lock);
}

static void listen_again(void) REQUIRES(queue_lock)
{
    if (queue.stalled > 0)
        pl011_listen(true);
    queue.stalled = 0;
}

uint64_t console_hold_guest(bool hold)
{
    uint64_t dropped = 0;

    if (hold) { // the monitor wants to hear
        spinlock_acquire(&queue_lock);
        listen_again();
        spinlock_release(&queue_lock);
    }
    spinlock_acquire(&console_lock);
    if (hold && !console.hold) {
        console.dropped_before = console_dropped();
        console.held_open = false;
    }
    if (!hold && console.hold) {
        if (console.input_length > 0) { // the machine ends with the prompt there
            end_line();
            console.input_length = 0;
        }
        for (uint32_t i = 0; i < console.held_count; i++)
            print_guest_byte(held[i]);
        console.held_count = 0;
        dropped = console_dropped() - console.dropped_before;
    }
    console.hold = hold;
    spinlock_release(&console_lock);
    return dropped;
}

uint64_t console_dropped(void)
{
    return __atomic_load_n(&guest_dropped, __ATOMIC_RELAXED);
}

uint64_t console_input_dropped(void)
{
    return __atomic_load_n(&input_dropped, __ATOMIC_RELAXED);
}

static void note_waiting(void) REQUIRES(queue_lock)
{
    __atomic_store_n(&queue_waiting, queue.count + (queue.break_at > 0), __ATOMIC_RELAXED);
}

static void offer_queue(void) REQUIRES(queue_lock)
{
    while (queue.count > 0 || queue.break_at > 0) {
        bool is_break = queue.break_at == 1;
        if (!vpl011_receive(&vm0, is_break ? VPL011_BREAK : queue_bytes[queue.first]))
            break;
        queue.dropping = false;
        queue.break_at -= queue.break_at > 0;
        if (is_break)
            continue;
        queue.first = (queue.first + 1) % QUEUE_SIZE;
        queue.count--;
    }
    note_waiting();
    if (queue.count <= QUEUE_SIZE / 2)
        listen_again();
}

void console_guest_input(uint8_t byte)
{
    spinlock_acquire(&queue_lock);
    offer_queue();
    if (queue.count > 0 || queue.break_at > 0 || !vpl011_receive(&vm0, byte)) {
        if (queue.count == QUEUE_SIZE)
            __atomic_fetch_add(&input_dropped, 1, __ATOMIC_RELAXED);
        else
            queue_bytes[(queue.first + queue.count++) % QUEUE_SIZE] = byte;
        note_waiting();
    }
    spinlock_release(&queue_lock);
}

void console_guest_break(void)
{
    spinlock_acquire(&queue_lock);
    offer_queue();
    if (queue.break_at == 0 && (queue.count > 0 || !vpl011_receive(&vm0, VPL011_BREAK)))
        queue.break_at = queue.count + 1;
    note_waiting();
    spinlock_release(&queue_lock);
}

void console_set_transparent(bool on)
{
    __atomic_store_n(&transparent, on, __ATOMIC_RELAXED);
}

bool console_is_transparent(void)
{
    return __atomic_load_n(&transparent, __ATOMIC_RELAXED);
}

// While the queue is full the UART is not read: whoever types is held off by its FIFO.
static bool must_stall(void)
{
    if (__atomic_load_n(&queue_waiting, __ATOMIC_RELAXED) < QUEUE_SIZE || monitor_is_open())
        return false;
    spinlock_acquire(&queue_lock);
    if (queue.count == QUEUE_SIZE && !queue.dropping && queue.stalled == 0) {
        pl011_listen(false);
        queue.stalled = 1;
    }
    bool stall = queue.stalled > 0;
    spinlock_release(&queue_lock);
    return stall;
}

void console_tick(void)
{
    spinlock_acquire(&queue_lock);
    if (queue.stalled > 0) {
        queue.stalled++;
        if (queue.stalled > STALL_MAX + 1) {
            queue.dropping = true;
            listen_again();
        }
    }
    spinlock_release(&queue_lock);
}

void console_guest_room(void)
{
    if (__atomic_load_n(&queue_waiting, __ATOMIC_RELAXED) == 0)
        return;
    spinlock_acquire(&queue_lock);
    offer_queue();
    spinlock_release(&queue_lock);
}

void console_receive(void)
{
    console_guest_room();
    for (unsigned int i = 0; i < RECEIVE_MAX && !must_stall(); i++) {
        int byte = pl011_get();

        if (byte == PL011_EMPTY)
            return;
        if (byte == PL011_BREAK)
            monitor_break();
        else if (monitor_is_open() || (byte == MONITOR_ATTENTION && !console_is_transparent()))
            monitor_input(byte);
        else
            console_guest_input((uint8_t)byte);
    }
}

static enum irq_end uart_interrupt(void *argument)
{
    (void)argument;
    console_receive();
    return IRQ_DONE;
}

// The UART takes nothing any more: told once, in the ring at least; when it has gone a second without loss, again.
static void check_uart(void)
{
    static uint64_t known;
    static bool silent;
    uint64_t lost = pl011_dropped() - known;

    if (lost != 0 && !silent)
        log_record(LOG_ERROR, LOG_MONITOR, "uart-silent", "bytes=%lu", lost);
    silent = lost != 0;
    known = pl011_dropped();
}

// The UART's interrupt comes to the boot CPU, and so does the care for its queue.
static void second_passed(void)
{
    if (cpu_id() == 0) {
        console_tick();
        check_uart();
    }
}

void console_listen(void)
{
    irq_register(platform.uarts[0].intid, uart_interrupt, NULL);
    tick_register(second_passed);
    gicv3_enable(platform.uarts[0].intid, 0);
}
