// SPDX-License-Identifier: Apache-2.0
// The monitor's states and keys. One serial line has two users, the guest and the monitor, and the bytes that a person
// types do not say whom they are for. The state says it:
//
//     CLOSED      the line is the guest's. Only Ctrl-] comes here (console/channel.c), and leads to ATTENTION.
//     ATTENTION   one key decides. A one-key command runs, and the line is the guest's again. A second Ctrl-] is the
//                 guest's. Ctrl-C or Backspace is nothing. Anything else opens the prompt, a printable byte as the
//                 first of the line.
//     OPEN        a prompt: lines are commands. quit, Ctrl-D and Ctrl-] lead back to CLOSED.
//     UNATTENDED  the monitor has opened by itself. A guest can cause that at any time, in the middle of a line that a
//                 person types for it, so that line must not be run. Everything is ignored until Enter alone, Ctrl-] or
//                 a BREAK says that somebody is there.
//
// In all states but CLOSED the monitor holds the line: what the guest prints waits in its channel. What a terminal
// sends by itself, an answer or a report of the mouse (terminal_input.h), is no key in any state. Everything here runs
// on the CPU that takes the UART's interrupt, and in that interrupt, so nothing may wait; only monitor_is_open may be
// called on another CPU, and state alone is atomic for that.
#include <hv/monitor.h>

#include <hv/arch/registers.h>
#include <hv/channel.h>
#include <hv/console.h>
#include <hv/log.h>
#include <hv/machine.h>
#include <hv/monitor_commands.h>
#include <hv/monitor_complete.h>
#include <hv/monitor_line.h>
#include <hv/monitor_quiet.h>
#include <hv/monitor_reply.h>
#include <hv/monitor_run.h>
#include <hv/monitor_screen.h>
#include <hv/monitor_socket.h>
#include <hv/monitor_subject.h>
#include <hv/pl011.h>
#include <hv/printf.h>
#include <hv/string.h>
#include <hv/terminal_input.h>

#define PROMPT          "ariel> "
#define HINT            "(a key: h lists them; Enter: prompt) "
#define UNATTENDED_HINT "(Enter alone: prompt) "
#define WINDOW          72u    // columns of the line that are shown
#define BURST_POLLS     20000u // looks at the UART for a byte that follows at once; about 20 ms
#define BURSTS_A_SECOND 200u   // bytes that come faster than so many a second were not typed one by one
#define KEY_INTERRUPT   0x03   // Ctrl-C
#define KEY_UP          0x10   // Ctrl-P: the line before
#define KEY_DELETE      0x7f

enum monitor_state { CLOSED, ATTENTION, UNATTENDED, OPEN };

static struct {
    uint32_t state;     // enum monitor_state; atomic
    bool running;       // a command runs; the prompt comes after its reply
    bool stepped;       // the last line was a step: Enter alone repeats it, as in gdb
    bool line_begun;    // UNATTENDED: something was typed since the last Enter, so the next one is not alone
    bool after_break;   // a BREAK has opened the monitor, and nothing was typed since
    bool paging;        // the pager holds the rest of a reply, and keys are the pager's
    bool burst;         // bytes of this line came right behind one another: a script has sent it, or it was pasted
    uint64_t last_byte; // CNTPCT_EL0 when the last one came
    struct terminal_input keys;
    struct monitor_line line;
} monitor;

// Another CPU may ask monitor_is_open, so the state is read and written by atomic accesses.
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

// Shows the pager's prompt while it waits, else the prompt and the line. Of a line that is longer than WINDOW the part
// that ends at the cursor is shown.
static void show_line(void)
{
    char text[sizeof(PROMPT) + WINDOW];
    const char *prompt = screen_prompt();

    if (monitor.paging) {
        console_show_input(prompt, strlen(prompt), strlen(prompt));
        return;
    }
    size_t start = monitor.line.cursor > WINDOW - 1 ? monitor.line.cursor - (WINDOW - 1) : 0;
    size_t length = monitor.line.length - start < WINDOW ? monitor.line.length - start : WINDOW;

    memcpy(text, PROMPT, sizeof(PROMPT) - 1);
    memcpy(&text[sizeof(PROMPT) - 1], &monitor.line.text[start], length);
    console_show_input(text, sizeof(PROMPT) - 1 + length, sizeof(PROMPT) - 1 + monitor.line.cursor - start);
}

// The line was entered: it stays on the screen, and what is written next begins below it.
static void end_input_line(void)
{
    console_show_input("", 0, 0);
    console_write("\n", 1);
}

// A line of the monitor's that is no part of a reply.
static void say(const char *text)
{
    console_line(text, strlen(text));
}

// "-- <lead><reason>; guest <state>", whole, however long the reason is.
static void say_state(const char *lead, const char *reason)
{
    char text[LOG_LINE_MAX];

    (void)format_text(text, sizeof(text), "-- %s%s; guest %s", lead, reason, monitor_vm_state());
    say(text);
}

// The line is the guest's again. The state is changed before what waited goes out, so that whoever types meanwhile
// types for the guest.
static void close_monitor(void)
{
    monitor_leave_prompt();
    monitor_line_clear(&monitor.line);
    screen_drop();
    monitor.paging = false;
    set_state(CLOSED);
    console_release();
}

// A step's reply is due, and the person does not want to wait for it. The guest goes on with its steps.
static void stop_waiting_for_steps(void)
{
    if (monitor_reply_deferred())
        monitor_finish_reply("the guest still steps: pause stops it");
}

// Back to the guest's console from the prompt, saying so.
static void leave(void)
{
    char text[80];

    console_show_input("", 0, 0);
    stop_waiting_for_steps();
    (void)format_text(text, sizeof(text), "-- guest console; guest %s (Ctrl-] Enter: monitor)", monitor_vm_state());
    say(text);
    close_monitor();
}

// The guest has made its steps and has paused: the step command's reply is completed.
static void finish_step(void)
{
    console_show_input("", 0, 0);
    monitor_finish_reply(NULL);
    show_line();
}

// In both states a prompt stands on the screen.
static bool has_prompt(void)
{
    return state() == OPEN || state() == UNATTENDED;
}

// Opens the prompt in new_state, OPEN or UNATTENDED, saying why. Where it is open already, the reason alone is said.
// The end of a step is the one reason that is not said: it is what the person waits for.
static void open(const char *reason, enum monitor_state new_state)
{
    bool fresh = !has_prompt();
    bool stepping = !fresh && monitor_reply_deferred();

    console_hold();
    if (fresh)
        console_show_input("", 0, 0);
    say_state("monitor: ", reason);
    if (fresh)
        say("-- help: commands; quit: back to the guest's console");
    if (stepping) {
        finish_step();
        return;
    }
    set_state(new_state);
    if (monitor.running)
        return; // the prompt comes after the reply
    if (new_state == UNATTENDED && fresh)
        console_show_input(PROMPT UNATTENDED_HINT, sizeof(PROMPT UNATTENDED_HINT) - 1,
                           sizeof(PROMPT UNATTENDED_HINT) - 1);
    else if (new_state == OPEN)
        show_line();
}

// The monitor opens by itself, because of an event that a guest may have caused. The state of the parser of keys is
// forgotten when it was closed: a sequence that began before is not continued.
void monitor_open(const char *reason)
{
    if (state() == CLOSED) {
        monitor.line_begun = false;
        monitor.keys = (struct terminal_input){0};
    }
    // In ATTENTION and OPEN a person has pressed Ctrl-] and is there.
    open(reason, state() == CLOSED || state() == UNATTENDED ? UNATTENDED : OPEN);
}

// A person works at the prompt on one VM, and something has happened to another one: it is said in a line, and neither
// their choice of a VM nor the reply that they wait for changes.
static void say_of_other_vm(const char *reason)
{
    char text[LOG_LINE_MAX];

    (void)format_text(text, sizeof(text), "-- another VM: %s", reason);
    say(text);
}

// A program is connected to the monitor and was told of the event: the line stays the guest's. A step is the program's
// own and is not spoken of.
static void say_of_program(enum notify_event event)
{
    char text[LOG_LINE_MAX];

    if (event == NOTIFY_STEP)
        return;
    (void)format_text(text, sizeof(text), "-- %s: a program has the monitor (Ctrl-] opens it here)",
                      notify_name(event));
    say(text);
}

// The listener of all events (core/notify.c). When the steps of a person's step command are done, the reply ends and
// says where the vCPUs stand. Any other event opens the prompt, and commands are about the event's VM from then on.
static void notified(enum notify_event event, struct vcpu *vcpu)
{
    bool chosen = vcpu->vm == monitor_vm();

    if (monitor_socket_notified(event, vcpu) && !has_prompt()) {
        say_of_program(event);
        return;
    }
    if (!chosen && has_prompt()) {
        say_of_other_vm(notify_name(event));
        return;
    }
    if (!chosen)
        monitor_choose_vm(vcpu->vm);
    if (event == NOTIFY_STEP && has_prompt() && monitor_reply_deferred())
        finish_step();
    else
        monitor_open(notify_name(event));
}

// Called once at boot, on the boot CPU: from now on Ctrl-], a BREAK and events come here.
void monitor_init(struct vm *vm)
{
    static const struct channel_control control = {monitor_input, monitor_break};

    monitor_choose_vm(vm);
    monitor_socket_init(vm);
    channel_set_control(&control);
    notify_register(notified);
}

// A person has asked, so no Enter is waited for.
void monitor_open_for_person(const char *reason)
{
    open(reason, OPEN);
}

// A BREAK on the line opens the monitor. A second one, right behind it, is passed to the guest, as a second Ctrl-] is.
void monitor_break(void)
{
    if (state() == OPEN && monitor.after_break) {
        monitor.after_break = false;
        channel_type_break();
        leave();
        return;
    }
    monitor_open_for_person("break");
    monitor.after_break = true;
}

// key is a one-key command, but its letter also begins the names of commands, and a script may send "\x1dhelp\r" in one
// go. If another byte follows within about 20 ms, that was a line and not a key; that byte is returned. PL011_EMPTY
// where none follows.
static int next_of_burst(int key)
{
    int next = PL011_EMPTY;

    if (key < 'a' || key > 'z')
        return next;
    for (unsigned int i = 0; i < BURST_POLLS && next == PL011_EMPTY; i++)
        next = pl011_get();
    return next;
}

// Runs a one-key command from the guest's console, and goes back there.
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

// Runs the line that was entered. The line is copied first, because a command may make the monitor close, which clears
// it.
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
    screen_begin(!monitor.burst);
    monitor_run(text);
    monitor.paging = screen_end();
    monitor.burst = false;
    monitor.running = false;
    monitor.stepped = monitor_reply_deferred();
    if (monitor_close_asked())
        leave();
    else if (!monitor_reply_deferred())
        show_line();
}

// Whether byte came right behind the one before, faster than a person types. A key that sends several bytes (an arrow),
// and the LF behind a CR, are one key and no burst.
static bool is_burst(uint8_t byte)
{
    uint64_t now = READ_SYSREG(CNTPCT_EL0);
    bool fast = now - monitor.last_byte < READ_SYSREG(CNTFRQ_EL0) / BURSTS_A_SECOND;

    monitor.last_byte = now;
    return fast && monitor.line.length > 0 && monitor.line.escape == 0 && !(monitor.line.after_return && byte == '\n');
}

// A key while the pager waits. Its prompt is wiped from the screen, so that pages join without a trace of it.
static void pager_key(uint8_t byte)
{
    console_show_input("", 0, 0);
    console_write("\r\033[K\033[A\n", 8);
    monitor.paging = screen_key(byte);
    show_line();
}

// A key at the prompt.
static void line_key(uint8_t byte)
{
    if (is_burst(byte))
        monitor.burst = true;
    if (monitor.paging) {
        pager_key(byte);
        return;
    }
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

// The key behind Ctrl-].
static void attention_key(int byte)
{
    const struct monitor_command *command = monitor_find_key(byte);
    int next;

    if (byte == CHANNEL_ATTENTION || byte == KEY_INTERRUPT || byte == '\b' || byte == KEY_DELETE) {
        end_input_line();
        if (byte == CHANNEL_ATTENTION)
            channel_type(CHANNEL_ATTENTION);
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
        line_key((uint8_t)byte);
    monitor.line.after_return = byte == '\r';
    if (next == PL011_BREAK)
        monitor_break();
    else if (next != PL011_EMPTY)
        monitor_input(next);
}

// Ctrl-] was pressed: takes the line, and says which keys there are.
static void begin_attention(void)
{
    console_hold();
    set_state(ATTENTION);
    monitor.keys = (struct terminal_input){0};
    console_show_input(PROMPT HINT, sizeof(PROMPT HINT) - 1, sizeof(PROMPT HINT) - 1);
}

// A key after the monitor has opened by itself. What is typed is a line for the guest that has not heard of the
// monitor, but for an Enter that nothing was typed before: that one is meant for the monitor.
static void unattended_key(uint8_t byte)
{
    bool second_of_pair = monitor.line.after_return && byte == '\n';

    monitor.line.after_return = byte == '\r';
    if (second_of_pair)
        return;
    if (byte == CHANNEL_ATTENTION) {
        begin_attention();
    } else if (byte != '\r' && byte != '\n') {
        monitor.line_begun = true;
    } else if (monitor.line_begun) {
        monitor.line_begun = false;
    } else {
        set_state(OPEN);
        show_line();
    }
}

// A byte of a key, in any state. The first key of a person at the prompt makes the log quiet there.
static void key_byte(uint8_t byte)
{
    switch (state()) {
    case CLOSED: // by a byte before this one, of the same key
        return;
    case ATTENTION:
        attention_key(byte);
        break;
    case UNATTENDED:
        unattended_key(byte);
        break;
    case OPEN:
        if (byte == CHANNEL_ATTENTION)
            leave();
        else
            line_key(byte);
        break;
    }
    if (state() == OPEN)
        monitor_quieten();
}

// A byte from the line. It passes terminal_input.c, which gives back whole keys and keeps the terminal's own words
// away.
void monitor_input(int byte)
{
    uint8_t key[TERMINAL_KEY_MAX];
    size_t length;

    if (byte < 0)
        return;
    monitor.after_break = false;
    if (state() == CLOSED) {
        if (byte == CHANNEL_ATTENTION)
            begin_attention();
        return;
    }
    length = terminal_input_byte(&monitor.keys, (uint8_t)byte);
    if (state() == UNATTENDED && monitor.keys.broken)
        monitor.line_begun = true;
    memcpy(key, monitor.keys.keys, length);
    for (size_t i = 0; i < length; i++)
        key_byte(key[i]);
}
