// SPDX-License-Identifier: Apache-2.0
// What gdb calls it: expressions, formats, and the vCPU and VM that are meant.
#include "monitor_world.h"

#include <hv/monitor_subject.h>

static void print_and_examine_are_gdbs(void **state)
{
    (void)state;
    frames[0].x[0] = 0x1234;
    frames[0].x[30] = 0x40000100;
    frames[0].sp_el1 = 0x40000020;
    frames[0].spsr_el2 = 0x3c5;
    says("p/x $pc", "0x40000000\nok");
    says("p $x0", "x0             0x0000000000001234\n");
    says("print $x0", "0x0000000000001234\n");
    says("print/d $x0", "4660\n");
    says("p $x0+0x10", "0x1244\n");
    says("p/x $x0 - 4", "0x1230\n");
    says("p/x $lr + $x0 - 0x34", "0x40001300\n");
    says("p/d -1", "-1\n");
    says("p/u -1", "18446744073709551615\n");
    says("p/t 10", "1010\n");
    says("p/o 8", "010\n");
    says("p/c 0x41", "65 'A'\n");
    says("p/x 16", "0x10\n");
    says("p 0x7fffffffffffffff + 0x7fffffffffffffff + 3", "0x1\n");
    says("p/x $x0 -j", "{\"value\":\"0x1234\"}\n");
    says("i r", "PC             0x0000000040000000");
    says("info registers", "PC  ");
    says("i r pc", "pc             0x0000000040000000\n");
    says("info r $sp", "sp             0x0000000040000020\n");
    says("i r 1", "vcpu 1 is");
    says("info threads", "vcpu=1 power=on");
    says("i", "vm=running");
    memcpy(&fake_guest_memory[0x20], "hello\0\xff\x01", 9);
    says("x/s $sp", "0x40000020 \"hello\"\n");
    says("x/2s $sp", "0x40000026 \"\\xff\\x01\"\n");
    says("x/s $sp -j", "{\"va\":\"0x40000020\",\"string\":\"hello\"}\n");
    says("x/2xg $sp", "0x40000020 01ff006f6c6c6568 ");
    says("x/1xg $sp + 8", "0x40000028 ");
    says("x/2xb $sp", "0x40000020 68 65 ");
    says("x/2db $sp", "0x40000020 104\n0x40000021 101\n");
    says("x/1db 0x40000026", "0x40000026 -1\n");
    says("-j x/1xw 0x40000020", "\"data\":\"6c6c6568\"");
    refused("p", "err usage: print");
    refused("p/s 1", "err format '/s' is none of");
    refused("p/x", "err value is missing");
    refused("p/x main", "err value 'main' is not a number");
    refused("p/x $x0 +", "err an operator needs");
    refused("p/x $nope", "err no register 'nope'");
    refused("p/x 1 2", "err '2' does not belong to the expression");
    refused("x/2i $pc", "err format '/2i' is not");
    refused("x/s", "err va is missing");
    refused("bt", "err no command 'bt'");
}

static void the_vcpu_can_be_chosen(void **state)
{
    (void)state;
    frames[0].x[5] = 0x50;
    frames[1].x[5] = 0x51;
    says("vcpu", "vcpu=0\n");
    says("p/x $x5", "0x50\n");
    says("vcpu 1", "vcpu=1\n");
    says("p/x $x5", "0x51\n");
    says("regs", "vcpu 1 is");
    says("regs 0", "vcpu 0 is");
    says("thread 0", "vcpu=0\n");
    refused("vcpu 2", "err vcpu 2 is outside 0..1");
}

static void commands_are_about_the_vm_that_is_chosen(void **state)
{
    static struct vm other;
    static struct trap_frame frame;
    static struct telemetry telemetry;

    (void)state;
    other = (struct vm){.state = VM_PAUSED, .guest_name = "other", .vcpu_count = 1, .policy = &policy_built};
    other.vcpus[0] = (struct vcpu){.vm = &other, .cpu = 1, .frame = &frame, .telemetry = &telemetry};
    frames[0].x[5] = 0x50;
    frame.x[5] = 0x70;
    says("vcpu 1", "vcpu=1\n");
    monitor_choose_vm(&other);
    says("status", "vm=paused guest=other");
    says("vcpu", "vcpu=0\n"); // the choice of a vCPU was the other VM's
    refused("vcpu 1", "err vcpu 1 is outside 0..0");
    says("p/x $x5", "0x70\n");
    says("sr x5 0x71", "0x0000000000000071");
    assert_int_equal(frame.x[5], 0x71);
    assert_int_equal(frames[0].x[5], 0x50);
    says("exc", "0 exits");
    assert_string_equal(run("resume"), "ok");
    assert_int_equal(other.state, VM_RUNNING);
    monitor_choose_vm(&vm0);
    says("p/x $x5", "0x50\n");
    says("exc", "7 exits");
    assert_int_equal(vm0.state, VM_RUNNING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(print_and_examine_are_gdbs, set_up_screen),
        cmocka_unit_test_setup(the_vcpu_can_be_chosen, set_up_screen),
        cmocka_unit_test_setup(commands_are_about_the_vm_that_is_chosen, set_up_screen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
