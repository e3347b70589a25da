// SPDX-License-Identifier: Apache-2.0
// Names beside addresses. To know where the kernel runs, vCPUs have to be asked on their own CPUs (symbols_solve). A
// list has hundreds of addresses, so that is done once for each reply, and not at all for a reply without an address.
#include <hv/monitor_place.h>

#include <hv/machine.h>
#include <hv/monitor_out.h>
#include <hv/monitor_subject.h>
#include <hv/symbols.h>

static bool solved; // for this reply

void monitor_forget_place(void)
{
    solved = false;
}

static const struct symbols *symbols_now(void)
{
    if (!solved)
        symbols_solve(monitor_vm());
    solved = true;
    return &monitor_vm()->symbols;
}

bool monitor_place_known(uint64_t address)
{
    struct symbols_place place;

    return symbols_find(symbols_now(), address, &place);
}

void monitor_show_place(uint64_t address)
{
    char text[SYMBOLS_NAME_SIZE];

    if (symbols_name(symbols_now(), address, text))
        out(" <symbol:%s>", text);
}
