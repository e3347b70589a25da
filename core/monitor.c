// SPDX-License-Identifier: Apache-2.0
// The monitor's states and keys. CLOSED: the serial line is the guest's. ATTENTION: after Ctrl-], one key decides: a
// one-key command (which then goes back to the guest's console), Ctrl-] again (the guest gets one), Ctrl-C or backspace
// (nothing), anything else opens the monitor, a printable byte being the first of the line. OPEN: a prompt. In both,
// the guest's output is held by the console. Only the CPU that owns the UART's interrupt runs monitor_input; any CPU
// may open.
#include <hv/monitor.h>

#include <hv/console.h>
#include <hv/log.h>
#include <hv/monitor_cmds.h>
#include <hv/monitor_line.h>
#include <hv/monitor_out.h>
#include <hv/pl011.h>
#include <hv/printf.h>
#include <hv/string.h>
#include <hv/vm.h>

#define PROMPT        "ariel> "
#define HINT          "(a key: h lists them; Enter: prompt) "
#define WINDOW        72u    // columns of the line that are shown
#define BURST_POLLS   20000u // looks at the UART for a byte that follows at once; about 20 ms
#define KEY_INTERRUPT 0x03   // Ctrl-C
#define KEY_UP        0x10   // Ctrl-P: the line before
#define KEY_DELETE    0x7f

enum monitor_state { CLOSED, ATTENTION, OPEN };

static struct {
    uint32_t state;               // enum monitor_state; atomic
    bool running;                 // a command runs: the prompt comes after its reply
    bool stepped;                 // the last line was a step: Enter alone repeats it, as in gdb
    bool quiet;                   // the log's level is that of the prompt
    enum log_level console_level; // while quiet: the level when the monitor is closed
    enum log_level prompt_level;  // the least that comes through while somebody types
    struct monitor_line line;
} monitor = {.prompt_level = LOG_ERROR};

static enum monitor_state state(void)
{
    return (enum monitor_state)__atomic_load_n(&monitor.state, __ATOMIC_ACQUIRE);
}

static void set_state(enum monitor_state new_state)
{
    __atomic_store_n(&monitor.state, (uint32_t)new_state, __ATOMIC_RELEASE);
}

bool monitor_is_open(void)
{
    return state() != CLOSED;
}

// Shows prompt and line; of a long line the part around the cursor.
static void show_line(void)
{
    char text[sizeof(PROMPT) + WINDOW];
    size_t start = monitor.line.cursor > WINDOW - 1 ? monitor.line.cursor - (WINDOW - 1) : 0;
    size_t length = monitor.line.length - start < WINDOW ? monitor.line.length - start : WINDOW;

    memcpy(text, PROMPT, sizeof(PROMPT) - 1);
    memcpy(&text[sizeof(PROMPT) - 1], &monitor.line.text[start], length);
    console_show_input(text, sizeof(PROMPT) - 1 + length, sizeof(PROMPT) - 1 + monitor.line.cursor - start);
}

static void end_input_line(void)
{
    console_show_input("", 0, 0);
    console_write("\n", 1);
}

static void say(const char *text)
{
    console_line(text, strlen(text));
}

// While somebody types only errors come between, unless 'log level' said otherwise: a guest's records would flood what
// they read. The ring has all of them. Whatever else opens the prompt leaves the level: a guest can do that, and nobody
// may be there.
static void quieten(void)
{
    if (monitor.quiet)
        return;
    monitor.console_level = log_get_level();
    monitor.quiet = true;
    if (monitor.console_level < monitor.prompt_level)
        (void)log_set_level(monitor.prompt_level);
}

void monitor_leave_prompt(void)
{
    if (monitor.quiet)
        (void)log_set_level(monitor.console_level);
    monitor.quiet = false;
}

void monitor_set_level(enum log_level level)
{
    monitor.prompt_level = monitor.console_level = level;
    (void)log_set_level(level);
}

enum log_level monitor_console_level(void)
{
    return monitor.quiet ? monitor.console_level : log_get_level();
}

static void close_monitor(void)
{
    uint64_t dropped;

    monitor_leave_prompt();
    monitor_line_clear(&monitor.line);
    set_state(CLOSED);
    dropped = console_hold_guest(false);
    if (dropped > 0)
        log_record(LOG_WARN, LOG_MONITOR, "guest-output-dropped", "bytes=%lu", (unsigned long)dropped);
}

static void stop_waiting_for_steps(void)
{
    if (monitor_reply_deferred())
        monitor_end_reply("the guest still steps: pause stops it");
}

// Back to the guest's console from the prompt, saying so.
static void leave(void)
{
    char text[100];

    console_show_input("", 0, 0);
    stop_waiting_for_steps();
    (void)format_text(text, sizeof(text), "-- guest console; guest %s (Ctrl-] Enter: monitor)", monitor_vm_state());
    say(text);
    close_monitor();
}

// What the step command promised: where the vCPUs stand now, and its last line.
static void finish_step(void)
{
    console_show_input("", 0, 0);
    monitor_show_places();
    monitor_end_reply(NULL);
    show_line();
}

void monitor_open(const char *reason)
{
    char text[120];
    bool fresh = state() != OPEN;
    bool stepping = !fresh && monitor_reply_deferred();

    console_hold_guest(true);
    (void)format_text(text, sizeof(text), "-- monitor: %s; guest %s (help: commands, quit: back to the guest)", reason,
                      monitor_vm_state());
    if (fresh)
        console_show_input("", 0, 0);
    if (!stepping || strcmp(reason, "step") != 0)
        say(text);
    if (stepping) {
        finish_step();
        return;
    }
    set_state(OPEN);
    if (fresh && !monitor.running)
        console_show_input(PROMPT, sizeof(PROMPT) - 1, sizeof(PROMPT) - 1);
}

// A letter that begins a command too: when more comes at once it was a script's or a paste's line, not a key.
static int next_of_burst(int key)
{
    int next = PL011_EMPTY;

    if (key < 'a' || key > 'z')
        return next;
    for (unsigned int i = 0; i < BURST_POLLS && next == PL011_EMPTY; i++)
        next = pl011_get();
    return next;
}

static void run_key(const struct monitor_command *command)
{
    end_input_line();
    monitor.running = true;
    monitor_run_key(command);
    monitor.running = false;
    if (state() == ATTENTION)
        close_monitor();
    else
        show_line(); // something opened the monitor meanwhile
}

static void attention_key(int byte)
{
    const struct monitor_command *command = monitor_find_key(byte);
    int next;

    if (byte == MONITOR_ATTENTION || byte == KEY_INTERRUPT || byte == '\b' || byte == KEY_DELETE) {
        end_input_line();
        if (byte == MONITOR_ATTENTION)
            console_guest_input(MONITOR_ATTENTION);
        close_monitor();
        return;
    }
    next = command == NULL ? PL011_EMPTY : next_of_burst(byte);
    if (command != NULL && next == PL011_EMPTY) {
        run_key(command);
        return;
    }
    set_state(OPEN);
    show_line();
    if (byte != '\r' && byte != '\n' && byte != ' ' && byte != ':')
        monitor_input(byte);
    monitor.line.after_return = byte == '\r';
    if (next == PL011_BREAK)
        monitor_open("break");
    else if (next != PL011_EMPTY)
        monitor_input(next);
}

static void run_line(void)
{
    char text[LINE_LENGTH_MAX + 1];

    end_input_line();
    if (monitor.line.length == 0 && monitor.stepped)
        (void)monitor_line_byte(&monitor.line, KEY_UP);
    memcpy(text, monitor.line.text, sizeof(text));
    monitor_line_remember(&monitor.line);
    monitor_line_clear(&monitor.line);
    monitor.running = true;
    monitor_run(text);
    monitor.running = false;
    monitor.stepped = monitor_reply_deferred();
    if (monitor_close_asked())
        leave();
    else if (!monitor_reply_deferred())
        show_line();
}

static void line_key(uint8_t byte)
{
    if (monitor_reply_deferred()) {
        // The guest runs its steps. Ctrl-C stops waiting for them.
        if (byte != KEY_INTERRUPT)
            return;
        stop_waiting_for_steps();
    }
    switch (monitor_line_byte(&monitor.line, byte)) {
    case LINE_NONE:
        return;
    case LINE_REFUSED:
        console_write("\a", 1);
        return;
    case LINE_DONE:
        run_line();
        return;
    case LINE_TAB:
        monitor_complete(&monitor.line);
        break;
    case LINE_END:
        leave();
        return;
    case LINE_CANCEL:
        console_write("^C", 2);
        end_input_line();
        break;
    case LINE_REDRAW:
        console_write("\033[2J\033[H", 7);
        break;
    case LINE_CHANGED:
        break;
    }
    show_line();
}

void monitor_input(int byte)
{
    switch (state()) {
    case CLOSED:
        if (byte != MONITOR_ATTENTION)
            return;
        console_hold_guest(true);
        set_state(ATTENTION);
        console_show_input(PROMPT HINT, sizeof(PROMPT HINT) - 1, sizeof(PROMPT HINT) - 1);
        break;
    case ATTENTION:
        attention_key(byte);
        break;
    case OPEN:
        if (byte == MONITOR_ATTENTION) {
            leave();
        } else if (byte >= 0) {
            line_key((uint8_t)byte);
        }
        break;
    }
    if (state() == OPEN)
        quieten();
}
