// SPDX-License-Identifier: Apache-2.0
// The VM as a whole: status shows it, vcpu chooses the vCPU that is meant from then on, step lets one vCPU make steps.
//
// status reads what other CPUs are changing, without a lock: each number is right for a moment, and two of them need
// not be of the same one. Who needs a picture of one moment pauses the VM first.
#include <hv/monitor_cmds.h>

#include <hv/arch/inject.h>
#include <hv/arch/registers.h>
#include <hv/arch/step.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/channel.h>
#include <hv/log.h>
#include <hv/monitor_out.h>
#include <hv/monitor_place.h>
#include <hv/monitor_reply.h>
#include <hv/monitor_subject.h>
#include <hv/pl011.h>
#include <hv/policy.h>
#include <hv/selftest.h>
#include <hv/string.h>
#include <hv/telemetry.h>
#include <hv/vm.h>

// Each step is an exit, so a large number of them takes long: this bounds how long the reply of one step command can be
// due.
#define STEP_MAX 1000000

// vcpu [n]: chooses vCPU n, and says which one is chosen.
const char *cmd_vcpu(const struct monitor_words *words)
{
    struct vcpu *vcpu;
    const char *error = monitor_vcpu(words->count > 1 ? words->word[1] : NULL, &vcpu);

    if (error == NULL) {
        monitor_choose_vcpu(vcpu);
        out("vcpu=%u\n", vcpu->id);
    }
    return error;
}

// A vCPU that waits in EL2 stands still, and its PC is exact. Of one that runs, the PC of its last exit is what is
// known.
static void show_vcpu(const struct vcpu *vcpu)
{
    static const char *const power[] = {[VCPU_ON] = "on", [VCPU_OFF] = "off", [VCPU_ON_PENDING] = "starting"};
    const struct telemetry *telemetry = vcpu->telemetry;
    uint64_t exits = telemetry->sequence;

    out("vcpu=%u power=%s exits=%lu", vcpu->id, power[vcpu->power], exits);
    if (vcpu->waiting) {
        out(" pc=0x%lx", vcpu->frame->elr_el2);
        monitor_show_place(vcpu->frame->elr_el2);
    } else if (exits > 0) {
        uint64_t pc = telemetry->last[(exits - 1) % TELEMETRY_LAST].pc;

        out(" last_exit_pc=0x%lx", pc);
        monitor_show_place(pc);
    }
    out("\n");
}

// status: the VM and why it stopped; how long it is up and was paused; records, and what was dropped on the serial
// line; a line for each vCPU.
const char *cmd_status(const struct monitor_words *words)
{
    const struct vm *vm = monitor_vm();
    uint64_t now = READ_SYSREG(CNTPCT_EL0);

    (void)words;
    out("vm=%s guest=%s", monitor_vm_state(), vm->guest_name == NULL ? "none" : vm->guest_name);
    if (vm->stop_reason != NULL)
        out(" reason=%s", vm->stop_reason);
    if (channel_words()[0] != '\0')
        out(" said=%s", channel_words());
    out("\nvcpus=%u policy=%s up_us=%lu paused_us=%lu\n", vm->vcpu_count, vm->policy->name, monitor_uptime_us(now),
        monitor_microseconds(vm_paused_ticks(vm, now)));
    out("records=%lu suppressed=%lu\n", log_sequence(), log_suppressed());
    out("guest_dropped=%lu input_dropped=%lu uart_dropped=%lu\n", channel_output_dropped(), channel_input_dropped(),
        pl011_dropped());
    for (unsigned int i = 0; i < vm->vcpu_count; i++)
        show_vcpu(&vm->vcpus[i]);
    return NULL;
}

// The end of a step: where every vCPU that is on stands now. The VM is paused or stopped.
static void show_places(void)
{
    const struct vm *vm = monitor_vm();

    monitor_forget_place(); // the steps may have moved the kernel
    for (unsigned int i = 0; i < vm->vcpu_count; i++) {
        if (vm->vcpus[i].power == VCPU_ON) {
            out("vcpu=%u pc=0x%lx", i, vm->vcpus[i].frame->elr_el2);
            monitor_show_place(vm->vcpus[i].frame->elr_el2);
            out("\n");
        }
    }
}

// step [n [vcpu]]: lets a paused VM run until the vCPU has executed n instructions; the other vCPUs run meanwhile. It
// returns at once, long before the steps are made: the reply is completed when the VM has paused again (show_places).
const char *cmd_step(const struct monitor_words *words)
{
    uint64_t count = 1;
    struct vcpu *vcpu;
    const char *error = monitor_vcpu(words->count > 2 ? words->word[2] : NULL, &vcpu);

    if (error == NULL && words->count > 1)
        error = monitor_number("n", words->word[1], 1, STEP_MAX, &count);
    if (error != NULL)
        return error;
    if (vcpu->vm->state == VM_STOPPED)
        return monitor_error("the guest is stopped for good: only reset starts it again");
    if (vcpu->vm->state != VM_PAUSED)
        return monitor_error("the guest is %s: pause it first", monitor_vm_state());
    if (vcpu->power != VCPU_ON)
        return monitor_error("vcpu %u is off", vcpu->id);
    if (monitor_reply_awaited())
        return monitor_error("steps of another session are under way: pause stops them");
    step_start(vcpu, (uint32_t)count);
    if (vm_resume(vcpu->vm) != HV_OK)
        return "the guest did not resume";
    monitor_defer_reply(show_places); // until the VM pauses again, which opens the monitor
    return NULL;
}
