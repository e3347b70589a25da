// SPDX-License-Identifier: Apache-2.0
// pause, resume, reset, halt: whether the guest and the machine run; close leaves the monitor, version says what ariel
// is. reset and halt do not return, so they are left for after the reply (monitor_after_reply): whoever typed them sees
// "ok".
#include <hv/monitor_cmds.h>

#include <hv/machine.h>
#include <hv/monitor_out.h>
#include <hv/monitor_reply.h>
#include <hv/monitor_subject.h>
#include <hv/policy.h>
#include <hv/vm.h>

#include <version.h>

// version: what a report of a fault must name.
const char *cmd_version(const struct monitor_words *words)
{
    (void)words;
    out("ariel=%s policy=%s compiler=%s\n", ARIEL_VERSION, monitor_vm()->policy->name, __VERSION__);
    return NULL;
}

// pause: every vCPU waits in EL2 when this returns, and the guest's time stands still.
const char *cmd_pause(const struct monitor_words *words)
{
    (void)words;
    return vm_pause(monitor_vm()) == HV_OK ? NULL : monitor_error("the guest is %s", monitor_vm_state());
}

// resume: the guest goes on where it stood. A guest that was stopped for good has no such place; only a reset starts it
// again.
const char *cmd_resume(const struct monitor_words *words)
{
    (void)words;
    if (monitor_vm()->state == VM_STOPPED)
        return "the guest is stopped for good: only reset starts it again";
    if (vm_resume(monitor_vm()) != HV_OK)
        return monitor_error("the guest is %s", monitor_vm_state());
    monitor_ask_close();
    return NULL;
}

// These two run when "ok" is out.
static void reset_now(void)
{
    vm_reset(monitor_vm());
}

static void halt_now(void)
{
    vm_power_off(monitor_vm());
}

// reset: starts the guest again.
const char *cmd_reset(const struct monitor_words *words)
{
    (void)words;
    monitor_after_reply(reset_now);
    return NULL;
}

// halt: powers the machine off.
const char *cmd_halt(const struct monitor_words *words)
{
    (void)words;
    monitor_after_reply(halt_now);
    return NULL;
}

// close: the session leaves the prompt when this command's reply is out.
const char *cmd_close(const struct monitor_words *words)
{
    (void)words;
    monitor_ask_close();
    return NULL;
}
