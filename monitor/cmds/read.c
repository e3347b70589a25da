// SPDX-License-Identifier: Apache-2.0
// Reading guest memory: mem read, x as gdb spells it, and xp as QEMU does. All three become a struct reading and are
// shown by read_memory. By IPA, a range that is not whole in guest RAM is refused and nothing is shown. By virtual
// address, pages may be missing in the middle: what can be translated is shown, and the error names the address that
// cannot.
#include <hv/monitor_cmds.h>

#include <hv/guest_mem.h>
#include <hv/memory_map.h>
#include <hv/monitor_expression.h>
#include <hv/monitor_out.h>
#include <hv/monitor_reply.h>
#include <hv/monitor_space.h>
#include <hv/monitor_subject.h>
#include <hv/printf.h>
#include <hv/string.h>
#include <hv/vm.h>

// The most bytes that one command shows, and how many where no number is typed.
#define READ_MAX     KIB(4)
#define LINE_BYTES   16u
#define STRING_MAX   256u // bytes of one string
#define SIZE_DEFAULT 64u

// What to read, and how to show it.
struct reading {
    enum monitor_space_kind kind;
    struct vcpu *vcpu;
    const char *address_word; // NULL: not one plain number
    const char *size_word;    // NULL: not typed
    uint64_t address;
    uint64_t size;
    unsigned int width;
    char letter; // gdb's; 'x' where there is none
};

// The first column: an address is shown by the name of the space that it is in, which only JSON has as a word.
static void show_address(const struct reading *reading, uint64_t address)
{
    if (reading->kind == SPACE_IPA)
        out("ipa:0x%08lx", address);
    else
        out("va:0x%08lx", address);
}

// Numbers in hexadecimal, width bytes each, with their bytes as text. Memory is little-endian, and a number is shown
// with its highest byte first: the bytes 78 56 34 12 are the word 12345678. The last line of a dump may be short; its
// missing columns are filled with blanks, so that the text stands below that of the other lines.
static void show_dump(const struct reading *reading, uint64_t address, const uint8_t *bytes, unsigned int count,
                      unsigned int line_bytes)
{
    unsigned int width = reading->width;
    char text[LINE_BYTES * 3 + 1];
    char ascii[LINE_BYTES + 1];
    int used = 0;

    for (unsigned int i = 0; i < count; i += width) {
        for (unsigned int n = width; n-- > 0;)
            used += format_text(&text[used], sizeof(text) - (size_t)used, "%02x", bytes[i + n]);
        if (i + width < count)
            text[used++] = ' ';
    }
    text[used] = '\0';
    for (unsigned int i = 0; i < count; i++)
        ascii[i] = bytes[i] >= 0x20 && bytes[i] < 0x7f ? (char)bytes[i] : '.';
    ascii[count] = '\0';
    show_address(reading, address);
    out(" data:%s", text);
    for (int column = used; column < (int)(line_bytes / width * (2 * width + 1)); column++)
        out(" ");
    out(" ascii:%s\n", ascii);
}

// The same numbers as another of gdb's letters shows them, one a line.
static void show_values(const struct reading *reading, uint64_t address, const uint8_t *bytes, unsigned int count)
{
    char text[MONITOR_VALUE_MAX];

    for (unsigned int i = 0; i < count; i += reading->width) {
        (void)monitor_format_value(reading->letter, monitor_load(&bytes[i], reading->width), reading->width, text);
        show_address(reading, address + i);
        out(" value:%s\n", text);
    }
}

// Bytes of a line of a dump: 16, or 8 where the address is long and each byte stands alone, so that it fits 80 columns.
static unsigned int bytes_of_line(const struct reading *reading)
{
    return reading->width == 1 && reading->address + reading->size > UINT32_MAX ? LINE_BYTES / 2 : LINE_BYTES;
}

// Reads and shows a line at a time. What was shown before an address that cannot be read stays.
static const char *show_memory(const struct reading *reading, const struct monitor_space *space)
{
    unsigned int line_bytes = bytes_of_line(reading);
    const char *error = NULL;

    for (uint64_t done = 0; error == NULL && done < reading->size; done += line_bytes) {
        uint8_t bytes[LINE_BYTES];
        unsigned int count = reading->size - done < line_bytes ? (unsigned int)(reading->size - done) : line_bytes;

        error = monitor_space_read(space, reading->address + done, bytes, count);
        if (error != NULL)
            break;
        if (reading->letter == 'x')
            show_dump(reading, reading->address + done, bytes, count, line_bytes);
        else
            show_values(reading, reading->address + done, bytes, count);
    }
    return error;
}

// Shows a string of the guest that begins at *address; *address is the byte behind its end then. The bytes are the
// guest's and may be anything: those that are not printable ASCII are shown as \xHH, so that none acts on the terminal.
static const char *show_string(const struct reading *reading, const struct monitor_space *space, uint64_t *address)
{
    char text[STRING_MAX * 4 + 1];
    uint64_t start = *address;
    size_t used = 0;
    uint8_t byte = 0;
    unsigned int n;

    for (n = 0; n < STRING_MAX; n++) {
        const char *error = monitor_space_read(space, start + n, &byte, 1);

        if (error != NULL)
            return error;
        if (byte == '\0')
            break;
        if (byte >= 0x20 && byte < 0x7f)
            text[used++] = (char)byte;
        else
            used += (size_t)format_text(&text[used], sizeof(text) - used, "\\x%02x", byte);
    }
    text[used] = '\0';
    *address = start + n + (n < STRING_MAX);
    show_address(reading, start);
    out_note(" \"");
    out("string:%s", text);
    out_note(n == STRING_MAX ? "\"..." : "\""); // gdb's mark of a string that goes on
    out("\n");
    return NULL;
}

// x/3s: three strings, one behind the other.
static const char *read_strings(const struct reading *reading, const struct monitor_space *space)
{
    uint64_t address = reading->address;
    const char *error = NULL;

    for (uint64_t n = 0; error == NULL && n < reading->size; n++)
        error = show_string(reading, space, &address);
    return error;
}

// Carries out a reading: checks it, opens its address space, and shows what is there.
static const char *read_memory(const struct reading *reading)
{
    struct monitor_space space;
    const char *error = monitor_space_open(&space, reading->kind, reading->vcpu);

    if (error != NULL)
        return error;
    if (reading->letter == 's')
        return read_strings(reading, &space);
    if (reading->size % reading->width != 0)
        return monitor_error("%lu bytes is not a multiple of width %u", (unsigned long)reading->size, reading->width);
    if (reading->size == 0 || reading->size > READ_MAX)
        return monitor_error("%lu bytes is outside 1..%lu at once", (unsigned long)reading->size,
                             (unsigned long)READ_MAX);
    if (reading->kind == SPACE_IPA)
        error = monitor_ipa_error(reading->address_word, reading->address, reading->size_word, reading->size);
    return error != NULL ? error : show_memory(reading, &space);
}

// A format of gdb's: /8xw is eight numbers (8), hexadecimal (x), of four bytes each (w). b is one byte, h two, g eight.
// The count is held to READ_MAX while it is read, so that it cannot overflow; read_memory refuses what is too much.
static const char *parse_format(const char *format, struct reading *reading)
{
    static const char units[] = "bhwg";
    const char *c = format + 1;
    uint64_t count = *c >= '0' && *c <= '9' ? 0 : 1;

    for (; *c >= '0' && *c <= '9' && count <= READ_MAX; c++)
        count = count * 10 + (uint64_t)(*c - '0');
    for (; *c != '\0'; c++) {
        const char *unit = strchr(units, *c);
        char text[MONITOR_VALUE_MAX];

        if (unit != NULL)
            reading->width = 1u << (unit - units);
        else if (*c == 's' || monitor_format_value(*c, 0, 8, text))
            reading->letter = *c == 'a' ? 'x' : *c;
        else
            return monitor_error("format '%s' is not /<count><x|a|d|u|o|t|c|s><b|h|w|g>", format);
    }
    reading->size = reading->letter == 's' ? count : count * reading->width;
    return NULL;
}

// The words from at on: an address, which may be several words (monitor_expression). Where no format has said it, two
// more may follow: how many bytes, and of what width.
static const char *parse_rest(const struct monitor_words *words, unsigned int at, bool formatted,
                              struct reading *reading)
{
    unsigned int first = at;
    const char *error = reading->vcpu == NULL ? monitor_vcpu(NULL, &reading->vcpu) : NULL;

    if (error == NULL)
        error =
            monitor_expression(reading->kind == SPACE_IPA ? "ipa" : "va", words, &at, reading->vcpu, &reading->address);
    if (error == NULL && at == first + 1)
        reading->address_word = words->word[first];
    if (error == NULL && at < words->count && !formatted) {
        reading->size_word = words->word[at];
        error = monitor_number("bytes", words->word[at++], 1, READ_MAX, &reading->size);
    }
    if (error == NULL && at < words->count && !formatted)
        error = monitor_width(words->word[at++], &reading->width);
    if (error == NULL && at < words->count)
        error = monitor_error("'%s' is one word too many", words->word[at]);
    return error != NULL ? error : read_memory(reading);
}

// x and xp: [/format] [-k] <address> [bytes [width]]
static const char *examine(const struct monitor_words *words, enum monitor_space_kind kind)
{
    struct reading reading = {.kind = kind, .size = SIZE_DEFAULT, .width = 4, .letter = 'x'};
    bool formatted = words->word[1][0] == '/';
    unsigned int at = formatted ? 2 : 1;
    const char *error = formatted ? parse_format(words->word[1], &reading) : NULL;

    if (error != NULL)
        return error;
    if (kind == SPACE_VIRTUAL && at < words->count && strcmp(words->word[at], "-k") == 0) {
        reading.kind = SPACE_KERNEL;
        at++;
    }
    return parse_rest(words, at, formatted, &reading);
}

// xp: by IPA, as QEMU's xp shows physical memory.
const char *cmd_xp(const struct monitor_words *words)
{
    return examine(words, SPACE_IPA);
}

// x: by virtual address, as gdb's x does.
const char *cmd_x(const struct monitor_words *words)
{
    return examine(words, SPACE_VIRTUAL);
}

// mem read [-v|-k] <address> [bytes [width [vcpu]]]: -v takes a virtual address through the tables that are live now,
// -k one of the kernel's, also while a program runs (monitor_space.h). A vCPU can be named for those alone, since every
// vCPU has the same IPAs.
const char *monitor_mem_read(const struct monitor_words *words)
{
    struct reading reading = {.kind = SPACE_IPA, .size = SIZE_DEFAULT, .width = 4, .letter = 'x'};
    struct monitor_words rest = *words;
    unsigned int at = 2;

    if (strcmp(words->word[at], "-v") == 0 || strcmp(words->word[at], "-k") == 0) {
        reading.kind = words->word[at][1] == 'v' ? SPACE_VIRTUAL : SPACE_KERNEL;
        at++;
        if (words->count == at + 4) {
            const char *error = monitor_vcpu(words->word[at + 3], &reading.vcpu);

            if (error != NULL)
                return error;
            rest.count--;
        }
    }
    return parse_rest(&rest, at, false, &reading);
}
