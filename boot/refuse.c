// SPDX-License-Identifier: Apache-2.0
// The end of a boot that cannot have a guest: a machine that lacks something, an image that is none. A person gets the
// reason in one record and the monitor to look around; the keys are polled, since there may be no interrupt controller.

#include "refuse.h"

#include <hv/channel.h>
#include <hv/log.h>
#include <hv/monitor.h>

_Noreturn void refuse(struct vm *vm, const char *reason, const char *name, uint64_t value, uint64_t bound)
{
    log_record(LOG_ERROR, LOG_BOOT, "refused", "reason=%pQ %s=0x%lx bound=0x%lx", reason, name, value, bound);
    vm->state = VM_STOPPED;
    vm->stop_reason = reason;
    vm->vcpus[0].waiting = true;
    monitor_open_for_person(reason);
    for (;;)
        channel_poll();
}
