// SPDX-License-Identifier: Apache-2.0
// The monitor's explain on the host, for a test that lays its words beside those of tools/ariel/explain.py. A line of
// the input is "esr VALUE", or "event" and the 64 bytes of a struct event in hexadecimal. Links with what explain needs
// of the real monitor and its tables; what no explanation calls stays unresolved.
#include <hv/arch/registers.h>
#include <hv/monitor_client.h>
#include <hv/monitor_cmds.h>
#include <hv/monitor_out.h>
#include <hv/monitor_reply.h>
#include <hv/monitor_screen.h>
#include <hv/monitor_subject.h>
#include <hv/policy.h>
#include <hv/symbols.h>
#include <hv/telemetry.h>
#include <hv/vm.h>

#include <stdio.h>
#include <string.h>

#define START        1000 // of the time that is shown
#define FUNCTION     0x80 // where the guest's one function begins and ends
#define FUNCTION_END 0x80000000

struct screen_settings screen;
static struct event event;
static struct telemetry telemetry;
static struct monitor_client client;
static struct vm vm0;

struct vm *monitor_vm(void)
{
    return &vm0;
}

struct monitor_client *monitor_client_now(void)
{
    return &client;
}

const struct event *telemetry_find(const struct telemetry *from, uint64_t sequence)
{
    (void)from;
    return sequence == event.sequence ? &event : NULL;
}

uint64_t log_start(void)
{
    return START;
}

// A guest of one function, FUNCTION to FUNCTION_END.
void symbols_solve(struct vm *vm)
{
    (void)vm;
}

bool symbols_name(const struct symbols *symbols, uint64_t address, char text[SYMBOLS_NAME_SIZE])
{
    (void)symbols;
    if (address < FUNCTION || address >= FUNCTION_END)
        return false;
    snprintf(text, SYMBOLS_NAME_SIZE, "function+0x%llx", (unsigned long long)(address - FUNCTION));
    return true;
}

void screen_write(const char *text, size_t length)
{
    fwrite(text, 1, length, stdout);
}

static void explain(const char *first, const char *second)
{
    struct monitor_words words = {.count = 2, .word = {"explain", first, second}};
    const char *error;

    if (second[0] != '\0')
        words.count = 3;
    out_begin(false);
    error = cmd_explain(&words);
    out_end(error);
}

int main(void)
{
    static char line[256], word[200];
    static unsigned char bytes[sizeof(event)];

    fake_sysreg_set("CNTFRQ_EL0", 62500000);
    vm0.policy = &policy_built;
    vm0.vcpu_count = 1;
    vm0.vcpus[0].telemetry = &telemetry;
    while (fgets(line, sizeof(line), stdin) != NULL) {
        if (sscanf(line, "esr %190s", word) == 1) {
            explain("esr", word);
        } else if (sscanf(line, "event %190s", word) == 1) {
            for (size_t n = 0; n < sizeof(bytes); n++)
                sscanf(&word[2 * n], "%2hhx", &bytes[n]);
            memcpy(&event, bytes, sizeof(event));
            telemetry.sequence = event.sequence + 1; // it is the newest one
            snprintf(word, sizeof(word), "%llu", (unsigned long long)event.sequence);
            explain(word, "");
        }
    }
    return 0;
}
