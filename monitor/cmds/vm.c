// SPDX-License-Identifier: Apache-2.0
// The state of the VM and of what it is made of: status, step, inject, vm walk, gic, timer, hv selftest. What runs on
// another CPU is asked for with cpu_call.
#include <hv/monitor_cmds.h>

#include <hv/arch/inject.h>
#include <hv/arch/registers.h>
#include <hv/arch/step.h>
#include <hv/console.h>
#include <hv/cpu.h>
#include <hv/guest_words.h>
#include <hv/log.h>
#include <hv/monitor_out.h>
#include <hv/pl011.h>
#include <hv/policy.h>
#include <hv/selftest.h>
#include <hv/string.h>
#include <hv/telemetry.h>
#include <hv/vm.h>

#define STEP_MAX 1000000

uint64_t monitor_microseconds(uint64_t ticks)
{
    uint64_t frequency = READ_SYSREG(CNTFRQ_EL0);

    if (frequency == 0)
        return 0;
    return ticks / frequency * 1000000 + ticks % frequency * 1000000 / frequency;
}

const char *monitor_vm_state(void)
{
    return vm0.state <= VM_PAUSING ? "running" : vm0.state == VM_PAUSED ? "paused" : "stopped";
}

const char *monitor_refused(void)
{
    return vm0.vcpu_count == 0 ? "the machine was refused: there is no guest" : NULL;
}

static unsigned int chosen_vcpu; // by the vcpu command

const char *monitor_vcpu(const char *word, struct vcpu **vcpu)
{
    uint64_t number = chosen_vcpu;
    const char *error = monitor_refused();

    if (error == NULL && word != NULL)
        error = monitor_number("vcpu", word, 0, vm0.vcpu_count - 1, &number);
    if (error == NULL)
        *vcpu = &vm0.vcpus[number];
    return error;
}

const char *cmd_vcpu(const struct monitor_words *words)
{
    struct vcpu *vcpu;
    const char *error = monitor_vcpu(words->count > 1 ? words->word[1] : NULL, &vcpu);

    if (error == NULL) {
        chosen_vcpu = vcpu->id;
        out("vcpu=%u\n", vcpu->id);
    }
    return error;
}

static void show_vcpu(const struct vcpu *vcpu)
{
    static const char *const power[] = {[VCPU_ON] = "on", [VCPU_OFF] = "off", [VCPU_ON_PENDING] = "starting"};
    const struct telemetry *telemetry = vcpu->telemetry;
    uint64_t exits = telemetry->sequence;

    out("vcpu=%u power=%s exits=%lu", vcpu->id, power[vcpu->power], exits);
    if (vcpu->waiting)
        out(" pc=0x%lx", vcpu->frame->elr_el2);
    else if (exits > 0)
        out(" last_exit_pc=0x%lx", telemetry->last[(exits - 1) % TELEMETRY_LAST].pc);
    out("\n");
}

const char *cmd_status(const struct monitor_words *words)
{
    uint64_t now = READ_SYSREG(CNTPCT_EL0);

    (void)words;
    out("vm=%s guest=%s", monitor_vm_state(), vm0.guest_name == NULL ? "none" : vm0.guest_name);
    if (vm0.stop_reason != NULL)
        out(" reason=%s", vm0.stop_reason);
    if (guest_words()[0] != '\0')
        out(" said=%s", guest_words());
    out("\nvcpus=%u policy=%s up_us=%lu paused_us=%lu\n", vm0.vcpu_count, policy_name, monitor_microseconds(now),
        monitor_microseconds(vm_paused_ticks(&vm0, now)));
    out("records=%lu suppressed=%lu\n", log_sequence(), log_suppressed());
    out("guest_dropped=%lu input_dropped=%lu uart_dropped=%lu\n", console_dropped(), console_input_dropped(),
        pl011_dropped());
    for (unsigned int i = 0; i < vm0.vcpu_count; i++)
        show_vcpu(&vm0.vcpus[i]);
    return NULL;
}

const char *cmd_step(const struct monitor_words *words)
{
    uint64_t count = 1;
    struct vcpu *vcpu;
    const char *error = monitor_vcpu(words->count > 2 ? words->word[2] : NULL, &vcpu);

    if (error == NULL && words->count > 1)
        error = monitor_number("n", words->word[1], 1, STEP_MAX, &count);
    if (error != NULL)
        return error;
    if (vm0.state != VM_PAUSED)
        return monitor_error("the guest is %s: pause it first", monitor_vm_state());
    if (vcpu->power != VCPU_ON)
        return monitor_error("vcpu %u is off", vcpu->id);
    step_start(vcpu, (uint32_t)count);
    if (vm_resume(&vm0) != HV_OK)
        return "the guest did not resume";
    monitor_defer_reply(); // until the VM pauses again, which opens the monitor
    return NULL;
}

void monitor_show_places(void)
{
    for (unsigned int i = 0; i < vm0.vcpu_count; i++) {
        if (vm0.vcpus[i].power == VCPU_ON)
            out("vcpu=%u pc=0x%lx\n", i, vm0.vcpus[i].frame->elr_el2);
    }
}

struct injection {
    struct vcpu *vcpu;
    const char *kind;
};

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
    vcpu_moved(vcpu);
}

static const char *inject_irq(const struct monitor_words *words, struct vcpu *vcpu)
{
    enum hv_status status;
    uint64_t intid;
    const char *error = monitor_number("irq", words->word[2], 0, 1019, &intid);

    if (error != NULL)
        return error;
    status = vgic_set_pending(&vm0, vcpu->id, (unsigned int)intid);
    if (status != HV_OK)
        return monitor_error("irq %s: %s", words->word[2], hv_status_name(status));
    log_record(LOG_INFO, LOG_MONITOR, "monitor-write", "what=irq vcpu=%u intid=%lu", vcpu->id, (unsigned long)intid);
    return NULL;
}

const char *key_break(const struct monitor_words *words)
{
    (void)words;
    console_guest_break();
    log_record(LOG_INFO, LOG_MONITOR, "monitor-write", "what=break vcpu=0");
    return NULL;
}

const char *cmd_console(const struct monitor_words *words)
{
    if (words->count > 1) {
        const char *wanted = words->count > 2 ? words->word[2] : "";
        bool on = strcmp(wanted, "on") == 0;

        if (strcmp(words->word[1], "transparent") != 0 || (!on && strcmp(wanted, "off") != 0))
            return monitor_error("console takes 'transparent on' or 'transparent off'");
        console_set_transparent(on);
    }
    out("transparent=%s opens_monitor=%s\n", console_is_transparent() ? "on" : "off",
        console_is_transparent() ? "break" : "ctrl-],break");
    return NULL;
}

const char *cmd_inject(const struct monitor_words *words)
{
    struct injection injection = {.kind = words->word[1]};
    bool irq = strcmp(injection.kind, "irq") == 0;
    unsigned int cpu_word = irq ? 3 : 2;

    if (strcmp(injection.kind, "break") == 0)
        return key_break(words);
    const char *error = monitor_vcpu(words->count > cpu_word ? words->word[cpu_word] : NULL, &injection.vcpu);

    if (error != NULL)
        return error;
    if (irq)
        return inject_irq(words, injection.vcpu);
    if (strcmp(injection.kind, "undef") != 0 && strcmp(injection.kind, "abort") != 0 &&
        strcmp(injection.kind, "serror") != 0)
        return monitor_error("inject '%s' is none of undef, abort, serror, irq, break", injection.kind);
    if (injection.vcpu->power != VCPU_ON)
        return monitor_error("vcpu %u is off", injection.vcpu->id);
    if (!cpu_call(injection.vcpu->id, inject_here, &injection))
        return monitor_error("CPU %u does not answer", injection.vcpu->id);
    log_record(LOG_INFO, LOG_MONITOR, "monitor-write", "what=%s vcpu=%u", injection.kind, injection.vcpu->id);
    return NULL;
}

static void check(const char *name, bool passed, unsigned int *failed)
{
    out("check:%-22s result:%s\n", name, passed ? "passed" : "FAILED");
    *failed += !passed;
}

static bool trapped_ranges_are_unmapped(void)
{
    struct stage2_entry entry;

    for (unsigned int i = 0; i < policy_range_count; i++)
        if (policy_ranges[i].mapping == POLICY_TRAPPED &&
            stage2_query(&vm0.stage2, ipa_make(policy_ranges[i].base), &entry) == HV_OK && entry.valid)
            return false;
    return true;
}

static bool commands_are_sorted(void)
{
    for (unsigned int i = 1; i < monitor_command_count; i++) {
        if (strcmp(monitor_commands[i - 1].name, monitor_commands[i].name) >= 0)
            return false;
    }
    return true;
}

static void count_cpu(void *argument)
{
    __atomic_fetch_add((unsigned int *)argument, 1, __ATOMIC_RELAXED);
}

static bool el2_is_translated(void)
{
    uint64_t need = SCTLR_ELX_M | SCTLR_ELX_C | SCTLR_ELX_I | SCTLR_ELX_WXN;

    return (READ_SYSREG(SCTLR_EL2) & need) == need;
}

static bool keys_round_trip(void)
{
    for (unsigned int key = 0; key < KEY_COUNT; key++) {
        if (policy_verdicts_of(key)[0].row >= policy_row_count || policy_verdicts_of(key)[1].row >= policy_row_count)
            return false;
    }
    return true;
}

const char *cmd_hv(const struct monitor_words *words)
{
    unsigned int failed = 0;
    unsigned int answers = 0;
    uint64_t start = READ_SYSREG(CNTPCT_EL0);

    if (strcmp(words->word[1], "selftest") != 0)
        return monitor_error("hv '%s' is not selftest", words->word[1]);
    if (monitor_refused() != NULL)
        return monitor_refused();
    check("el2 mmu, caches, wxn", el2_is_translated(), &failed);
    const char *wrong = selftest_memory();
    check(wrong == NULL ? "memory protection" : wrong, wrong == NULL, &failed);
    check("stage 2 devices", trapped_ranges_are_unmapped(), &failed);
    check("policy rows", keys_round_trip(), &failed);
    check("command table", commands_are_sorted(), &failed);
    check("every cpu answers", cpu_call_all(count_cpu, &answers) && answers == cpu_count(), &failed);
    check("counter runs", READ_SYSREG(CNTPCT_EL0) > start, &failed);
    return failed == 0 ? NULL : monitor_error("%u checks failed", failed);
}
