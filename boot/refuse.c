// SPDX-License-Identifier: Apache-2.0
// The end of a boot that cannot have a guest, because the machine lacks something or what was loaded is not an image. A
// person gets the reason in one record, and the monitor to look around. The loop asks the UART for keys itself and
// waits for no interrupt: one of the reasons to come here is that the machine has no interrupt controller that EL2 can
// use.

#include "refuse.h"

#include <hv/channel.h>
#include <hv/log.h>
#include <hv/monitor.h>
#include <hv/port.h>

_Noreturn void refuse(struct vm *vm, const char *reason, const char *name, uint64_t value, uint64_t bound)
{
    log_record(LOG_ERROR, LOG_BOOT, "refused", "reason=%pQ %s=0x%lx bound=0x%lx", reason, name, value, bound);
    vm->state = VM_STOPPED;
    vm->stop_reason = reason;
    // vCPU 0 waits in EL2: it has never been in the guest, and this CPU stays in the loop below.
    vm->vcpus[0].waiting = true;
    monitor_open_for_person(reason);
    for (;;) {
        channel_poll();
        port_poll();
    }
}
