// SPDX-License-Identifier: Apache-2.0
// sym: the function at an address, the addresses of a function, and how many functions are known. The names come from
// the host, which read them from the kernel or program that it loaded (symbols.h).
#include <hv/monitor_cmds.h>

#include <hv/machine.h>
#include <hv/monitor_expression.h>
#include <hv/monitor_out.h>
#include <hv/monitor_place.h>
#include <hv/monitor_reply.h>
#include <hv/monitor_subject.h>
#include <hv/symbols.h>

#define SAME_NAME_MAX 16u // functions of one name that are shown: a kernel has dozens of some static ones

static const char *no_symbols(const struct symbols *symbols)
{
    if (symbols->refused != NULL)
        return monitor_error("no symbols: the table is no good, since %s", symbols->refused);
    return "no symbols: the guest came without a table of them";
}

static const char *not_solved(void)
{
    return "it is not known where the kernel runs: no vCPU's VBAR_EL1 is the address of its vectors (yet)";
}

// sym alone: how many there are and where the program runs.
static void show_table(const struct symbols *symbols)
{
    const struct symbols_header *table = symbols->table;

    out("symbols=%u left_out=%lu linked=0x%lx loaded=0x%lx", table->count, table->left_out, table->link,
        table->load_ipa);
    if (symbols->solved)
        out(" slide=0x%lx", symbols->slide);
    else
        out_note(" slide=unknown: %s", not_solved());
    out("\n");
}

static const char *show_name(const struct symbols *symbols, const char *name)
{
    uint64_t address;
    uint32_t at = 0;
    unsigned int found = 0;

    if (!symbols->solved)
        return not_solved();
    while (found < SAME_NAME_MAX && symbols_address(symbols, name, &at, &address)) {
        out("address=0x%lx name=%s\n", address, name);
        found++;
    }
    if (found == 0)
        return monitor_error("no function '%s'", name);
    if (symbols_address(symbols, name, &at, &address))
        out_note("there are more of that name\n");
    return NULL;
}

// No function's name begins like a number or a $register.
static bool is_address(const char *word)
{
    return *word == '$' || (*word >= '0' && *word <= '9');
}

// sym [<address|name>]: an address is a number, a $register, or a sum of both.
const char *cmd_sym(const struct monitor_words *words)
{
    const struct symbols *symbols = &monitor_vm()->symbols;
    unsigned int at = 1;
    struct vcpu *vcpu;
    uint64_t address;
    const char *error = monitor_vcpu(NULL, &vcpu);

    if (error != NULL)
        return error;
    if (symbols->table == NULL)
        return no_symbols(symbols);
    symbols_solve(monitor_vm());
    if (words->count == 1) {
        show_table(symbols);
        return NULL;
    }
    if (!is_address(words->word[1]))
        return show_name(symbols, words->word[1]);
    error = monitor_expression("address", words, &at, vcpu, &address);
    if (error != NULL)
        return error;
    if (!monitor_place_known(address))
        return symbols->solved ? monitor_error("0x%lx is in no function of the guest's program", (unsigned long)address)
                               : not_solved();
    out("address=0x%lx", address);
    monitor_show_place(address);
    out("\n");
    return NULL;
}
