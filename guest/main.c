// SPDX-License-Identifier: Apache-2.0
// The diagnostic guest: runs its tests once, prints TAP and a summary, then stays and answers on its UART. Lines
// typed there: `list` names the tests, `run` runs them again, `run mmio` or `run mmio: every width` those that begin
// so; `pause` calls HVC_PAUSE; every other line is only echoed. Built with GUEST_TEST=gic it runs that suite alone,
// with GUEST_POWEROFF=1 it powers the machine off after the summary instead.
#include <hv/guest_abi.h>

#include "lib/call.h"
#include "lib/console.h"
#include "lib/gic.h"
#include "lib/print.h"
#include "lib/test.h"

#define PSCI_SYSTEM_OFF 0x84000008
#define TEXT_(word)     #word
#define TEXT(word)      TEXT_(word)

void guest_main(void);

void guest_main(void)
{
    test_run(TEXT(GUEST_TEST));
    if (GUEST_POWEROFF) {
        call_hvc(PSCI_SYSTEM_OFF, 0, 0, 0);
        print("# PSCI SYSTEM_OFF returned\n");
    }
    console_run();
}
