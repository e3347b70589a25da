// SPDX-License-Identifier: Apache-2.0
// Owns: the log's lock, its tag, the numbering of records and their line format. Promises: records reach ring and
// console in the order of their numbers; a record is one line of printable characters; the tag is in every one and
// never in anything a guest can read; nothing here calls back into the log, waits without bound or allocates.
//
// How a reader tells a genuine boot from one that a guest made up: "log-start" carries next=, a one-way hash of a
// 128-bit secret that stays in the ring, out of every guest's reach. After a warm reset the next "log-start" shows that
// secret as proof=. docs/LOG.md has the whole argument.
#include <hv/log.h>

#include <hv/console.h>
#include <hv/log_budget.h>
#include <hv/pl011.h>
#include <hv/printf.h>
#include <hv/siphash.h>
#include <hv/spinlock.h>
#include <hv/string.h>
#include <hv/terminal_filter.h>

#include <hv/arch/cpu.h>
#include <hv/arch/registers.h>

#include <hv/log_ring.h>

#define PREFIX_LENGTH (sizeof("ariel: ") - 1)
#define DRAW_ROUNDS   64
#define NEXT_WORD     UINT64_C(0x7478656e) // "next"
#define PANIC_TRIES   100000
#define RESETS_MANY   3 // by the guest in a row: told once
#define DUMP_MAX      128

static struct {
    struct spinlock lock; // guards all below and the ring
    struct log_ring *ring;
    uint64_t start;      // CNTPCT_EL0 at log_init
    uint64_t frequency;  // CNTFRQ_EL0, never 0
    uint64_t hidden;     // records since the last one on the console
    uint64_t quiet_from; // while quiet: where in the ring the records begin that were written since
    enum log_level level;
    enum log_level quiet; // records below it go to the ring only, because a person types; LOG_DEBUG: nobody does
    unsigned int ending;  // not 0: every record is shown, because the machine is about to be reset or powered off
    bool routine_limited; // the guest's reset is why this boot, or its end, is recorded
    bool lock_lost;       // set by log_panic: lock's holder died
    bool panicked;        // the console is log_panic's, and stands at the start of a line
} state = {.lock = SPINLOCK(LOCK_LOG), .level = LOG_INFO};

static uint64_t microseconds(void)
{
    uint64_t ticks = READ_SYSREG(CNTPCT_EL0) - state.start;

    // In two parts: ticks * 10^6 would wrap after days.
    return ticks / state.frequency * 1000000 + ticks % state.frequency * 1000000 / state.frequency;
}

// Makes line (length bytes) end at the last blank that is not within quotes, so that no field is cut in two.
static size_t cut_fields(const char *line, size_t length)
{
    size_t end = 0;
    bool quoted = false;

    for (size_t i = 0; i < length; i++) {
        if (line[i] == '\\' && quoted) {
            i++;
        } else if (line[i] == '"') {
            quoted = !quoted;
        } else if (line[i] == ' ' && !quoted) {
            end = i;
        }
    }
    return end;
}

// What a record is, besides its fields.
struct head {
    enum log_level level;
    enum log_class class;
    const char *event;
    unsigned int source; // enum log_source
    bool console;        // to the serial line too, if its level is shown there
    bool limited;        // has held=, the number of records of its source held back before it
    uint64_t held;
};

// Whether the record goes to the serial line now.
static bool is_shown(const struct head *head)
{
    bool level = (head->level >= state.level && head->level >= state.quiet) || state.ending > 0;

    return head->console && level;
}

static __attribute__((noinline, format(printf, 3, 0))) size_t format_record(char *line, const struct head *head,
                                                                            const char *format, va_list arguments)
{
    struct log_half *half = log_ring_half(state.ring, false);
    size_t limit = LOG_LINE_MAX - LOG_TAIL_MAX;
    size_t length = (size_t)format_text(line, limit, "ariel: seq=%lu t=%lu cpu=%u level=%s class=%s event=%s",
                                        half->sequence++, microseconds(), cpu_id(), log_level_name(head->level),
                                        log_class_name(head->class), head->event);

    if (format[0] != '\0' && length + 1 < limit) {
        line[length++] = ' ';
        length += (size_t)format_text_v(line + length, limit - length, format, arguments);
    }
    bool cut = length >= limit;
    length = cut ? cut_fields(line, limit - 1) : length;
    for (size_t i = 0; i < length; i++) {
        line[i] = line[i] >= ' ' && line[i] < 0x7f ? line[i] : '?';
    }
    if (cut) {
        length += (size_t)format_text(line + length, LOG_LINE_MAX - length, " cut=1");
    }
    if (head->limited) {
        length += (size_t)format_text(line + length, LOG_LINE_MAX - length, " held=%lu", head->held);
    }
    if (state.hidden != 0 && is_shown(head)) {
        length += (size_t)format_text(line + length, LOG_LINE_MAX - length, " hidden=%lu", state.hidden);
    }
    return length + (size_t)format_text(line + length, LOG_LINE_MAX - length, " tag=%08x", half->tag);
}

static __attribute__((format(printf, 2, 0))) void write_record(const struct head *head, const char *format,
                                                               va_list arguments)
{
    char line[LOG_LINE_MAX];

    spinlock_acquire(&state.lock);
    uint64_t sequence = log_ring_half(state.ring, false)->sequence;
    size_t length = format_record(line, head, format, arguments);
    log_ring_append(state.ring, head->source, sequence, line, length);
    if (is_shown(head)) {
        state.hidden = 0;
        console_line(line, length);
    } else {
        state.hidden++;
        state.ring->hidden += state.ring->hidden < UINT32_MAX;
    }
    spinlock_release(&state.lock);
}

void log_record(enum log_level level, enum log_class class, const char *event, const char *format, ...)
{
    struct head head = {level, class, event, class, true, false, 0};
    va_list arguments;

    va_start(arguments, format);
    write_record(&head, format, arguments);
    va_end(arguments);
}

void log_allowed(struct log_limit limit, enum log_class class, const char *event, const char *format, ...)
{
    struct head head = {limit.level, class, event, limit.source, limit.console, false, 0};
    va_list arguments;

    va_start(arguments, format);
    write_record(&head, format, arguments);
    va_end(arguments);
}

void log_limited(struct log_limit limit, enum log_class class, const char *event, const char *format, ...)
{
    struct head head = {limit.level, class, event, limit.source, true, true, 0};
    enum log_answer answer = log_budget_ask(limit.source, LOG_LIMIT_PER_SECOND, &head.held);
    va_list arguments;

    if (answer == LOG_HOLD) {
        return;
    }
    head.console = answer == LOG_WRITE;
    va_start(arguments, format);
    write_record(&head, format, arguments);
    va_end(arguments);
}

bool log_routine_fits(void)
{
    return !state.routine_limited || log_budget_spend();
}

void log_routine(enum log_class class, const char *event, const char *format, ...)
{
    struct head head = {LOG_INFO, class, event, class, true, false, 0};
    va_list arguments;

    head.console = log_routine_fits();
    va_start(arguments, format);
    write_record(&head, format, arguments);
    va_end(arguments);
}

// ---- What is held back while a person is at the prompt

void log_quieten(enum log_level least)
{
    spinlock_acquire(&state.lock);
    if (least != state.quiet) {
        state.quiet = least;
        state.quiet_from = log_ring_half(state.ring, false)->sequence;
    }
    spinlock_release(&state.lock);
}

// Records that went to the ring only while a person was at the prompt: where they are, and by what they are known.
struct held {
    uint64_t from, end;
    enum log_level level, quiet;
};

// Whether a line of the ring, written while quiet was least and level the console's, went there only.
static bool was_held(const char *line, enum log_level level, enum log_level least)
{
    static const char mark[] = " level=";
    const char *at = strchr(line, ' ');

    while (at != NULL && strncmp(at, mark, sizeof(mark) - 1) != 0) {
        at = strchr(at + 1, ' ');
    }
    for (unsigned int i = 0; at != NULL && i < LOG_LEVEL_COUNT; i++) {
        const char *name = log_level_name(i);
        if (strncmp(at + sizeof(mark) - 1, name, strlen(name)) == 0) {
            return i < level || i < least;
        }
    }
    return false;
}

// The next record in the ring from *position and before end that was held back. Where locked, the lock is held for one
// line at a time; after a panic nobody may wait for it.
static bool next_held(const struct held *held, uint64_t *position, char *line, bool locked) NO_THREAD_ANALYSIS
{
    const struct log_half *half = log_ring_half(state.ring, false);
    bool found;

    do {
        if (locked) {
            spinlock_acquire(&state.lock);
        }
        found = log_ring_read(state.ring, half, position, line, LOG_LINE_MAX) && *position <= held->end;
        if (locked) {
            spinlock_release(&state.lock);
        }
    } while (found && !was_held(line, held->level, held->quiet));
    return found;
}

static unsigned int count_held(const struct held *held, bool locked)
{
    char line[LOG_LINE_MAX];
    uint64_t position = held->from;
    unsigned int count = 0;

    while (next_held(held, &position, line, locked)) {
        count++;
    }
    return count;
}

// Ends the quiet. What was held back meanwhile stays described in *held; false when that is nothing.
static bool take_held(struct held *held)
{
    held->quiet = state.quiet;
    held->level = state.level;
    held->from = state.quiet_from;
    held->end = log_ring_half(state.ring, false)->sequence;
    state.quiet = LOG_DEBUG;
    return held->quiet != LOG_DEBUG;
}

void log_write_held(void)
{
    struct held held;
    char line[LOG_LINE_MAX];

    spinlock_acquire(&state.lock);
    bool quiet = take_held(&held);
    state.ending++; // the record below is shown whatever the level: its hidden= announces the gap that the others fill
    spinlock_release(&state.lock);
    unsigned int count = quiet ? count_held(&held, true) : 0;
    if (count > 0) {
        log_record(LOG_INFO, LOG_MONITOR, "held-back", "count=%u", count);
    }
    for (uint64_t position = held.from; count > 0 && next_held(&held, &position, line, true);) {
        console_line(line, strlen(line));
    }
    spinlock_acquire(&state.lock);
    state.ending--;
    state.ring->hidden -= count < state.ring->hidden ? count : state.ring->hidden;
    spinlock_release(&state.lock);
}

void log_begin_end(void)
{
    log_write_held();
    spinlock_acquire(&state.lock);
    state.ending++;
    spinlock_release(&state.lock);
}

uint32_t log_hidden(void)
{
    return __atomic_load_n(&state.ring->hidden, __ATOMIC_RELAXED);
}

// ---- The end

void log_end(void) NO_THREAD_ANALYSIS
{
    spinlock_acquire(&state.lock);
}

static void panic_line(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        pl011_put((uint8_t)line[i]);
    }
    pl011_put('\r');
    pl011_put('\n');
}

// What comes first: an end of whatever stood on the line, and what was held back.
static void begin_panic(void) NO_THREAD_ANALYSIS
{
    struct held held;
    char line[LOG_LINE_MAX];
    unsigned int count;

    state.panicked = true;
    panic_line(TERMINAL_RESET, sizeof(TERMINAL_RESET) - 1);
    count = take_held(&held) ? count_held(&held, false) : 0;
    if (count == 0) {
        return;
    }
    log_panic("held-back", "count=%u", count);
    for (uint64_t position = held.from; next_held(&held, &position, line, false);) {
        panic_line(line, strlen(line));
    }
}

// The lock's holder may be the code that panicked: after PANIC_TRIES it is taken as dead and the lock is left alone.
void log_panic(const char *event, const char *format, ...) NO_THREAD_ANALYSIS
{
    struct head head = {LOG_ERROR, LOG_PANIC, event, LOG_PANIC, true, false, 0};
    char line[LOG_LINE_MAX];
    unsigned int tries = 0;
    va_list arguments;

    if (state.ring == NULL) {
        return;
    }
    if (!state.panicked) {
        begin_panic();
    }
    while (!state.lock_lost && !spinlock_try(&state.lock)) {
        state.lock_lost = ++tries == PANIC_TRIES;
    }
    uint64_t sequence = log_ring_half(state.ring, false)->sequence;
    va_start(arguments, format);
    size_t length = format_record(line, &head, format, arguments);
    va_end(arguments);
    log_ring_append(state.ring, head.source, sequence, line, length);
    state.hidden = 0;
    panic_line(line, length);
    if (!state.lock_lost) {
        spinlock_release(&state.lock);
    }
}

// 128 bits from what differs between boots: FEAT_RNG where the CPU has it (its strength is then that of RNDR), the
// jitter of CNTPCT_EL0 over many reads, and what an earlier boot left. Without FEAT_RNG this is hard to guess from
// within a guest but no cryptographic secret; under icount it is the same at every boot.
static void draw(uint64_t key[2])
{
    bool rng = FIELD_GET(ID_AA64ISAR0_EL1_RNDR, READ_SYSREG(ID_AA64ISAR0_EL1)) != 0;

    for (unsigned int i = 0; i < DRAW_ROUNDS; i++) {
        uint64_t sample = READ_SYSREG(CNTPCT_EL0);
        if (rng) {
            sample ^= READ_SYSREG(S3_3_C2_C4_0); // RNDR; 0 when it has nothing to give
        }
        key[i % 2] ^= siphash_word(key, sample);
    }
}

void log_init_at(void *memory)
{
    struct log_ring *ring = memory;
    bool valid = log_ring_is_valid(ring);
    uint64_t key[2] = {READ_SYSREG(CNTPCT_EL0), 0};
    uint64_t proof[2] = {0, 0};
    char proof_text[40] = "none";

    state.start = READ_SYSREG(CNTPCT_EL0);
    state.frequency = READ_SYSREG(CNTFRQ_EL0);
    state.frequency += state.frequency == 0;
    state.hidden = 0;
    state.quiet = LOG_DEBUG;
    state.ending = 0;
    state.panicked = false;
    uint32_t hidden_before = valid ? ring->hidden : 0;
    if (valid) {
        memcpy(proof, ring->secret, sizeof(proof));
        format_text(proof_text, sizeof(proof_text), "%016lx%016lx", proof[0], proof[1]);
        key[0] ^= proof[0];
        key[1] ^= proof[1];
    }
    draw(key);
    log_ring_start(ring, valid);
    log_budget_init(&ring->budget);
    state.routine_limited = ring->resets != 0;
    log_ring_half(ring, false)->tag = (uint32_t)siphash_word(key, 0);
    ring->secret[0] = siphash_word(key, 1);
    ring->secret[1] = siphash_word(key, 2);
    state.ring = ring;
    log_record(LOG_INFO, LOG_BOOT, "log-start",
               "boots=%u hz=%lu rng=%s next=%016lx resets=%u proof=%s hidden_before=%u", ring->boots, state.frequency,
               FIELD_GET(ID_AA64ISAR0_EL1_RNDR, READ_SYSREG(ID_AA64ISAR0_EL1)) != 0 ? "rndr" : "counter",
               siphash_word(ring->secret, NEXT_WORD), ring->resets, proof_text, hidden_before);
    if (ring->resets == RESETS_MANY) {
        log_record(LOG_WARN, LOG_VM, "reset-loop", "resets=%u seconds=%u", ring->resets, LOG_RESET_LOOP_SECONDS);
    }
}

void log_boot_done(void)
{
    state.routine_limited = false;
}

void log_guest_resets(void)
{
    uint64_t life = (READ_SYSREG(CNTPCT_EL0) - state.start) / state.frequency;

    spinlock_acquire(&state.lock);
    state.ring->end =
        state.ring->resets != 0 && life < LOG_RESET_LOOP_SECONDS ? LOG_END_GUEST_RESET_SOON : LOG_END_GUEST_RESET;
    state.routine_limited = true;
    spinlock_release(&state.lock);
}

enum log_level log_set_level(enum log_level level)
{
    spinlock_acquire(&state.lock);
    enum log_level old = state.level;
    state.level = level;
    spinlock_release(&state.lock);
    return old;
}

enum log_level log_get_level(void)
{
    return state.level;
}

static bool line_is_of(const char *line, enum log_class class)
{
    static const char mark[] = " class=";
    size_t length = strlen(log_class_name(class));

    if (class >= LOG_CLASS_COUNT) {
        return true;
    }
    for (; *line != '\0'; line++) {
        if (strncmp(line, mark, sizeof(mark) - 1) == 0) {
            line += sizeof(mark) - 1;
            return strncmp(line, log_class_name(class), length) == 0 && line[length] == ' ';
        }
    }
    return false;
}

// Where the half ends now: a reader goes no further, or one that is slower than its guest's records would never end.
static uint64_t end_of(bool previous)
{
    spinlock_acquire(&state.lock);
    const struct log_half *half = log_ring_half(state.ring, previous);
    uint64_t end = half != NULL ? half->sequence : 0;
    spinlock_release(&state.lock);
    return end;
}

// The next line of class at or after *position and before end; the lock is held for the copying of one line at a time.
__attribute__((noinline)) static bool read_line(bool previous, enum log_class class, uint64_t *position, uint64_t end,
                                                char *line)
{
    bool found;

    do {
        spinlock_acquire(&state.lock);
        const struct log_half *half = log_ring_half(state.ring, previous);
        found = half != NULL && log_ring_read(state.ring, half, position, line, LOG_LINE_MAX) && *position <= end;
        spinlock_release(&state.lock);
    } while (found && !line_is_of(line, class));
    return found;
}

static unsigned int for_each(bool previous, unsigned int count, enum log_class class, log_callback callback,
                             void *argument)
{
    char line[LOG_LINE_MAX];
    uint64_t position = 0;
    unsigned int total = 0;
    unsigned int done = 0;
    uint64_t end = end_of(previous);

    while (read_line(previous, class, &position, end, line)) {
        total++;
    }
    position = 0;
    for (unsigned int i = 0; i < total && read_line(previous, class, &position, end, line); i++) {
        if (total - i <= count) {
            size_t skip = strncmp(line, "ariel: ", PREFIX_LENGTH) == 0 ? PREFIX_LENGTH : 0;
            callback(line + skip, strlen(line + skip), argument);
            done++;
        }
    }
    return done;
}

unsigned int log_for_each(unsigned int count, enum log_class class, log_callback callback, void *argument)
{
    return for_each(false, count, class, callback, argument);
}

unsigned int log_previous_for_each(unsigned int count, enum log_class class, log_callback callback, void *argument)
{
    return for_each(true, count, class, callback, argument);
}

static void dump_line(const char *line, size_t length, void *argument)
{
    (void)argument;
    console_line(line, length);
}

void log_dump(void)
{
    log_for_each(DUMP_MAX, LOG_CLASS_COUNT, dump_line, NULL);
}

void log_clear(void)
{
    spinlock_acquire(&state.lock);
    struct log_half *half = log_ring_half(state.ring, false);
    half->floor = half->sequence;
    spinlock_release(&state.lock);
}

uint32_t log_tag(void)
{
    return log_ring_half(state.ring, false)->tag;
}

uint32_t log_boots(void)
{
    return state.ring->boots;
}

uint64_t log_sequence(void)
{
    return log_ring_half(state.ring, false)->sequence;
}
