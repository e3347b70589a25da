// SPDX-License-Identifier: Apache-2.0
// The monitor with any bytes typed (keys, escape sequences, Tab, lines) and any line run: every line has a reply that
// ends in "ok" or "err ...", its rows are JSON with -j, and what is on the screen stays printable and bounded. The
// world is that of its unit test.

#include "../unit/monitor_world.h"

#include <fuzz.h>

#include <hv/monitor_line.h>
#include <hv/monitor_out.h>

static void check_screen(void)
{
    for (const char *c = fake_console.input; *c; c++)
        fuzz_check(*c >= 0x20 && *c < 0x7f);
}

static void type_byte(int byte)
{
    fake_console.length = 0;
    if (setjmp(fake_machine_ended) == 0)
        monitor_input(byte);
    if (monitor_reply_deferred())
        monitor_end_reply(NULL);
    check_screen();
}

static void type_bytes(struct fuzz_input *input)
{
    for (unsigned int n = fuzz_below(input, 64); n > 0 && input->size > 0; n--) {
        type_byte((int)fuzz_take(input, 1));
        if (vm0.state != VM_RUNNING && fuzz_below(input, 16) == 0)
            vm0.state = VM_RUNNING;
    }
}

static void type_line(const char *line)
{
    for (; *line; line++)
        type_byte(*line);
    type_byte('\r');
}

// A line of words that the commands know, numbers at the edges, and bytes as they come.
static void make_line(struct fuzz_input *input, char *line, size_t size)
{
    static const char *const words[] = {"-j",
                                        "x0",
                                        "pc",
                                        "sp_el0",
                                        "x30",
                                        "0",
                                        "1",
                                        "0x40000000",
                                        "0x6fffffff",
                                        "0x70000000",
                                        "0xffffffffffffffff",
                                        "2",
                                        "class",
                                        "row",
                                        "registers",
                                        "level",
                                        "esr",
                                        "16",
                                        "/4xw",
                                        "@x1",
                                        "irq",
                                        "abort",
                                        "undef",
                                        "serror",
                                        "reset",
                                        "-n",
                                        "-c",
                                        "walk",
                                        "dump",
                                        "stat",
                                        "test",
                                        "off",
                                        "last",
                                        "log",
                                        "previous",
                                        "TCR_EL1",
                                        "S3_0_C1_C0_0",
                                        "\"a b\""};
    size_t used = 0;

    line[0] = '\0';
    for (unsigned int n = fuzz_below(input, 8); n > 0; n--) {
        unsigned int which = fuzz_below(input, 200);
        char raw[24] = "";
        const char *word =
            which < 80 ? monitor_commands[which % monitor_command_count].name : words[which % ARRAY_COUNT(words)];
        if (which >= 190) {
            for (unsigned int i = 0; i < 1 + fuzz_below(input, 20); i++)
                raw[i] = (char)(0x20 + fuzz_below(input, 0x5f));
            word = raw;
        }
        used += (size_t)snprintf(&line[used], size - used, "%s ", word);
    }
}

static void run_line(struct fuzz_input *input)
{
    char line[512];

    make_line(input, line, sizeof(line));
    fuzz_check(strlen(line) < sizeof(line));
    if (fuzz_below(input, 4) == 0) {
        type_line(line);
        return;
    }
    line[LINE_LENGTH_MAX] = '\0';
    const char *last = run(line);
    if (last[0] != '\0' && !is_end(last))
        fail_msg("'%s' ended with '%s'", line, last);
    if (last > fake_console.text && out_is_json()) {
        fake_console.text[last - fake_console.text] = '\0'; // the rows alone
        assert_json(line);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};

    // Whatever the last input left: in an escape sequence, behind the attention key, with a reply due.
    for (unsigned int i = 0; i < 4 && monitor_is_open(); i++) {
        type_byte(0x03); // ends what waits, and the attention key's question
        if (monitor_is_open())
            type_byte(CHANNEL_ATTENTION);
    }
    (void)set_up(NULL);
    memset(fake_guest_memory, 0, sizeof(fake_guest_memory));
    while (input.size > 0) {
        if (fuzz_below(&input, 4) == 0)
            type_bytes(&input);
        else
            run_line(&input);
    }
    return 0;
}
