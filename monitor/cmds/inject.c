// SPDX-License-Identifier: Apache-2.0
// inject: an exception, an interrupt or a BREAK that the guest has not asked for, to see what it does. An exception is
// given on the vCPU's own CPU, whose registers it changes. It is given between two of the guest's instructions, at any
// of them, which real faults do not do: a guest that was just saving its registers for an exception may not survive it.
// Each injection writes a record, so that nobody who reads the log later takes it for a fault.
#include <hv/monitor_cmds.h>

#include <hv/arch/inject.h>
#include <hv/channel.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/hold.h>
#include <hv/log.h>
#include <hv/monitor_reply.h>
#include <hv/monitor_subject.h>
#include <hv/string.h>
#include <hv/vm.h>

struct injection {
    struct vcpu *vcpu;
    const char *kind;
};

// On the vCPU's own CPU: an exception changes the EL1 registers, which are in that CPU's hardware.
static void inject_here(void *argument)
{
    struct injection *injection = argument;
    struct vcpu *vcpu = injection->vcpu;

    if (injection->kind[0] == 'u')
        inject_undef(vcpu);
    else if (injection->kind[0] == 'a')
        inject_abort(vcpu, (gva_t){vcpu->frame->elr_el2}, false, false);
    else
        inject_serror(vcpu);
    hold_drop(vcpu);
}

// An interrupt is made pending in the virtual GIC, as if a device had asked for it. Whether the guest takes it depends
// on the guest: it must be enabled, and of a priority that the guest does not mask.
static const char *inject_irq(const struct monitor_words *words, struct vcpu *vcpu)
{
    enum hv_status status;
    uint64_t intid;
    const char *error = monitor_number("irq", words->word[2], 0, 1019, &intid);

    if (error != NULL)
        return error;
    status = vgic_set_pending(vcpu->vm, vcpu->id, (unsigned int)intid);
    if (status != HV_OK)
        return monitor_error("irq %s: %s", words->word[2], hv_status_name(status));
    log_record(LOG_INFO, LOG_MONITOR, "monitor-write", "what=irq vcpu=%u intid=%lu", vcpu->id, (unsigned long)intid);
    return NULL;
}

// inject break and the key b: a BREAK on the guest's serial line, as the magic SysRq of Linux needs it.
const char *key_break(const struct monitor_words *words)
{
    (void)words;
    channel_type_break();
    log_record(LOG_INFO, LOG_MONITOR, "monitor-write", "what=break vcpu=0");
    return NULL;
}

// inject: an exception goes to a vCPU that is on, since one that is off has no registers to take it in; an interrupt
// may go to any.
const char *cmd_inject(const struct monitor_words *words)
{
    struct injection injection = {.kind = words->word[1]};
    bool irq = strcmp(injection.kind, "irq") == 0;
    unsigned int vcpu_word = irq ? 3 : 2;

    if (strcmp(injection.kind, "break") == 0)
        return key_break(words);
    const char *error = monitor_vcpu(words->count > vcpu_word ? words->word[vcpu_word] : NULL, &injection.vcpu);

    if (error != NULL)
        return error;
    if (irq)
        return inject_irq(words, injection.vcpu);
    if (strcmp(injection.kind, "undef") != 0 && strcmp(injection.kind, "abort") != 0 &&
        strcmp(injection.kind, "serror") != 0)
        return monitor_error("inject '%s' is none of undef, abort, serror, irq, break", injection.kind);
    if (injection.vcpu->power != VCPU_ON)
        return monitor_error("vcpu %u is off", injection.vcpu->id);
    if (!cpu_call(injection.vcpu->cpu, inject_here, &injection))
        return monitor_error("CPU %u does not answer", injection.vcpu->cpu);
    log_record(LOG_INFO, LOG_MONITOR, "monitor-write", "what=%s vcpu=%u", injection.kind, injection.vcpu->id);
    return NULL;
}
