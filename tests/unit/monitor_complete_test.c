// SPDX-License-Identifier: Apache-2.0
// Tab.
#include "monitor_world.h"

static void tab_completes(void **state)
{
    static const char *const rows[][2] = {
        {"he\t", "help "},
        {"HE\t", "help "},
        {"re\t", "re"},
        {"reg\t", "regs "},
        {"help mo\t", "help mo"},
        {"help ver\t", "help version "},
        {"mem r\t", "mem read "},
        {"exc top de\t", "exc top device "},
        {"exc top sys\t", "exc top sysreg "},
        {"log level w\t", "log level warn "},
        {"log -c po\t", "log -c policy "},
        {"sr sctlr\t", "sr SCTLR_EL1 "},
        {"p elr\t", "p ELR_EL1 "},
        {"sr TLBI\t", "sr TLBI"}, // an instruction: there is nothing to read
        {"sr dc_\t", "sr dc_"},
        {"sr osla\t", "sr osla"}, // can only be written
        {"policy test TLBI_VMALLE1\t", "policy test TLBI_VMALLE1"},
        {"policy test read hvc-pa\t", "policy test read hvc-pause "},
        {"hv \t", "hv selftest "},
        {"nonsense x\t", "nonsense x"},
        {"zzz\t", "zzz"},
        {"vm walk \t", "vm walk "},
        {"sta 0\x01\x06\x06\x06\t", "status  0"},
    };

    (void)state;
    type("\x1d\r");
    for (unsigned int i = 0; i < ARRAY_COUNT(rows); i++) {
        type(rows[i][0]);
        if (strcmp(fake_console.input + strlen(PROMPT), rows[i][1]) != 0)
            fail_msg("Tab makes '%s' of '%s'", fake_console.input, rows[i][0]);
        type("\x05\x15");
    }
    fake_console.length = 0;
    type("re\t");
    assert_string_equal(fake_console.text, "regs reset resume \n");
    type("\x15sr \t");
    assert_non_null(strstr(fake_console.text, "...\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(tab_completes, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
