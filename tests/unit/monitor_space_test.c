// SPDX-License-Identifier: Apache-2.0
// Virtual addresses, as the guest translates them now and as its kernel does.
#include "monitor_world.h"

#include <hv/arch/descriptor.h>
#include <hv/kernel_tables.h>

// What Linux leaves in TTBR1_EL1 under KPTI while a program runs.
static void enter_program(void)
{
    fake_sysreg_set("TTBR1_EL1", GUEST_RAM_IPA + VECTORS);
    frames[0].spsr_el2 = 0;
}

static void virtual_addresses_go_through_stage_1(void **state)
{
    (void)state;
    make_tables();
    memcpy(&fake_guest_memory[0x800], "kernel words", 12);
    memcpy(&fake_guest_memory[0x40], "program words", 13);
    says("mem read -v 0xffffff8040000800 12", "0xffffff8040000800 6e72656b 77206c65 7364726f ");
    says("x/3xw $sp", "0xffffff8040000800 6e72656b 77206c65 7364726f ");
    says("mem read -v $sp 12 4 1", "0xffffff8040000800 6e72656b");
    says("mem read -v $sp 12 -j", "\"va\":\"0xffffff8040000800\"");
    enter_program();
    says("x/2xw $sp", "0x80000040 676f7270 206d6172 ");
    says("xp/2xw 0x40000040", "0x40000040 676f7270 206d6172 ");
    refused("mem read -v 0 4", "err va 0x0: stage 1: invalid descriptor, level 1");
    refused("x 0xbffffff0", "err va 0xbffffff0 is ipa 0x7ffffff0, which is not all in guest RAM");
    // The first page is there, the next one is not: what is there is shown.
    monitor_world_entry(PROGRAM, 0, 0);
    refused("mem read -v 0x7ffffff8 16", "err va 0x7ffffff8: ");
    fake_sysreg_set("SCTLR_EL1", 0);
    says("x/1xw 0x40000040", "0x40000040 676f7270 ");
}

static void a_trampoline_is_told_from_the_kernels_tables(void **state)
{
    (void)state;
    make_tables();
    says("vm walk 0xffffff8040000000", "el=1 table=TTBR1_EL1 value=0x40001000 from=now\n");
    enter_program();
    refused("vm walk 0xffffff8040000000",
            "err stage 1: invalid descriptor, level 1; TTBR1_EL1 lacks the kernel's stack");
    assert_non_null(strstr(fake_console.text, "el=0 table=TTBR1_EL1 value=0x40003000 from=now\n"));
    refused("x/1xw 0xffffff8040000000", "err va 0xffffff8040000000: stage 1: invalid descriptor, level 1; TTBR1_EL1");
    refused("vm walk -k 0xffffff8040000000", "err no tables in which vCPU 0's kernel has its stack");
    says("vm walk -t 0x40001000 0xffffff8040000000", "value=0x40001000 from=-t\n");
    refused("vm walk -t 0x40003000 0xffffff8040000000", "err stage 1: invalid descriptor, level 1");
    // Seen once a second: not while a program runs, but while the kernel does.
    kernel_tables_look(&vm0.vcpus[0]);
    assert_int_equal(vm0.vcpus[0].kernel_ttbr1, 0);
    fake_sysreg_set("TTBR1_EL1", GUEST_RAM_IPA + KERNEL);
    kernel_tables_look(&vm0.vcpus[0]);
    enter_program();
    kernel_tables_look(&vm0.vcpus[0]);
    assert_int_equal(vm0.vcpus[0].kernel_ttbr1, GUEST_RAM_IPA + KERNEL);
    says("vm walk -k 0xffffff8040000000", "value=0x40001000 from=seen before\n");
    says("mem read -k 0xffffff8040000000 4", "0xffffff8040000000 00000000 ");
    says("x/1xw -k 0xffffff8040000000", "0xffffff8040000000 00000000 ");
    says("vm walk -k 0x80000000", "table=TTBR0_EL1 value=0x40002000 from=now\n");
    // What was seen is looked at again: a kernel that has moved is not found where it was.
    monitor_world_entry(KERNEL, 1, 0);
    refused("vm walk -k 0xffffff8040000000", "err no tables in which");
    monitor_world_entry(KERNEL, 1, GUEST_RAM_IPA | DESC_VALID | DESC_AF);
    vm0.vcpus[0].kernel_ttbr1 = 0;
    vm0.vcpus[1].kernel_ttbr1 = GUEST_RAM_IPA + KERNEL;
    says("vm walk -k 0xffffff8040000000", "value=0x40001000 from=another vCPU\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(virtual_addresses_go_through_stage_1, set_up_screen),
        cmocka_unit_test_setup(a_trampoline_is_told_from_the_kernels_tables, set_up_screen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
