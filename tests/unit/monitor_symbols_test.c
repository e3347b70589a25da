// SPDX-License-Identifier: Apache-2.0
// sym, and names beside the addresses that other commands show.
#include "monitor_world.h"

#include <hv/monitor_place.h>
#include <hv/symbols.h>

#define LINK UINT64_C(0xffff800080000000)
#define LOAD UINT64_C(0x40000000)

static const struct {
    struct symbols_header header;
    uint32_t numbers[8];
    char text[48];
} table = {.header = {.magic = SYMBOLS_MAGIC,
                      .version = SYMBOLS_VERSION,
                      .count = 4,
                      .size = sizeof(table),
                      .link = LINK,
                      .vectors = 0x800,
                      .span = 0x20000,
                      .load_ipa = LOAD,
                      .left_out = 3},
           .numbers = {0, 0x800, 0x1000, 0x1100, 0, 7, 15, 27},
           .text = "_stext\0vectors\0init_cpu_fe\0init_cpu_fe"};

static int set_up_symbols(void **state)
{
    set_up(state);
    fake_sysreg_reset();
    assert_null(symbols_attach(&vm0.symbols, &table, sizeof(table), sizeof(table), symbols_sum(&table, sizeof(table))));
    return 0;
}

static void without_a_table_it_says_so(void **state)
{
    (void)state;
    vm0.symbols = (struct symbols){0};
    refused("sym", "err no symbols: the guest came without");
    vm0.symbols.refused = "of the moon";
    refused("sym vectors", "err no symbols: the table is no good, since of the moon");
    says("status", "last_exit_pc=0x");
    assert_null(strstr(fake_console.text, "<"));
}

static void names_and_addresses(void **state)
{
    (void)state;
    says("sym", "symbols=4 left_out=3 linked=0xffff800080000000 loaded=0x40000000 slide=unknown");
    refused("sym vectors", "err it is not known where the kernel runs");
    refused("sym 0xffff800080000800", "err it is not known where the kernel runs");
    says("sym 0x40000804", "address=0x40000804 <vectors+0x4>\n");
    fake_sysreg_set("VBAR_EL1", LINK + 0x4000000 + 0x800);
    says("sym", "slide=0x4000000\n");
    says("sym vectors", "address=0xffff800084000800 name=vectors\n");
    says("sym init_cpu_fe",
         "address=0xffff800084001000 name=init_cpu_fe\naddress=0xffff800084001100 name=init_cpu_fe\n");
    says("sym 0xffff800084000000", "address=0xffff800084000000 <_stext>\n");
    says("info symbol 0xffff800084001004", "<init_cpu_fe+0x4>\n");
    says("info address vectors", "address=0xffff800084000800 name=vectors\n");
    says("sym -j 0x40000000", "{\"address\":\"0x40000000\",\"symbol\":\"_stext\"}\n");
    refused("sym nobody", "err no function 'nobody'");
    refused("sym 0x1000", "err 0x1000 is in no function");
    frames[0].elr_el2 = LOAD + 0x804;
    says("sym $pc", "<vectors+0x4>\n");
}

static void other_commands_name_what_they_show(void **state)
{
    (void)state;
    fake_sysreg_set("VBAR_EL1", LINK + 0x800);
    frames[0].elr_el2 = LINK + 0x804;
    telemetry_cpu[0].sequence = 5;
    telemetry_cpu[0].last[4] = (struct event){.sequence = 4, .pc = LINK + 0x1008, .key = KEY_CAUSE_WFI};
    says("explain 4 0", "pc=0xffff800080001008 <init_cpu_fe+0x8> us=");
    says("exc last 1", "\n              <init_cpu_fe+0x8>\n              0x");
    says("exc last 1 -j", "\"symbol\":\"init_cpu_fe+0x8\",\"address\":");
    says("regs", "PC             0xffff800080000804 <vectors+0x4>\n");
    says("regs", "VBAR_EL1       0xffff800080000800 <vectors>\n");
    says("status", "<init_cpu_fe+0x8>");
    telemetry_cpu[0].last[4].pc = 0x1000;
    assert_string_equal(run("exc last 1"), "ok");
    assert_null(strstr(fake_console.text, "<"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_a_table_it_says_so, set_up_symbols),
        cmocka_unit_test_setup(names_and_addresses, set_up_symbols),
        cmocka_unit_test_setup(other_commands_name_what_they_show, set_up_symbols),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
