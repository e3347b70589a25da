// SPDX-License-Identifier: Apache-2.0
// A vCPU's registers: regs shows all, sr reads or writes one. They are taken on the vCPU's own CPU (cpu_call), between
// two of the guest's instructions; a running guest goes on at once.
#include <hv/monitor_cmds.h>

#include <hv/arch/el1_regs.h>
#include <hv/arch/vcpu_registers.h>
#include <hv/arch/esr_fields.h>
#include <hv/arch/sysreg.h>
#include <hv/cpu.h>
#include <hv/event_key.h>
#include <hv/log.h>
#include <hv/monitor_out.h>
#include <hv/string.h>
#include <hv/vm.h>

struct snapshot {
    struct vcpu *vcpu;
    struct trap_frame frame;
    uint64_t el1[EL1_REGISTER_COUNT];
};

static void take_snapshot(void *argument)
{
    struct snapshot *snapshot = argument;

    snapshot->frame = *snapshot->vcpu->frame;
    for (unsigned int i = 0; i < EL1_REGISTER_COUNT; i++)
        snapshot->el1[i] = el1_register_read(i);
}

static void show_register(const struct vcpu *vcpu, const char *name, uint64_t value)
{
    if (out_is_json())
        out("vcpu=%u", vcpu->id);
    out("name:%-14s value:0x%016lx", name, value);
    out_fields(register_fields(name), value);
    if (strcmp(name, "ESR_EL1") == 0) {
        out(" class:%s", esr_fields(value)->name);
        out_fields(esr_fields(value), value);
        if (esr_has_fault_status(value))
            out(" fault:%s", fault_status_name((unsigned int)value));
    }
    out("\n");
}

static void show_general(const struct vcpu *vcpu, const struct trap_frame *frame)
{
    char name[4] = "x0";

    for (unsigned int i = 0; i < 31; i++) {
        name[i < 10 ? 1 : 2] = (char)('0' + i % 10);
        if (i >= 10)
            name[1] = (char)('0' + i / 10);
        if (out_is_json()) {
            show_register(vcpu, name, frame->x[i]);
            continue;
        }
        out_note("%-3s 0x%016lx%s", name, (unsigned long)frame->x[i], i % 3 == 2 || i == 30 ? "\n" : "  ");
    }
}

const char *cmd_regs(const struct monitor_words *words)
{
    static struct snapshot snapshot;
    struct vcpu *vcpu;
    const char *error = monitor_vcpu(words->count > 1 ? words->word[1] : NULL, &vcpu);

    if (error != NULL)
        return error;
    snapshot.vcpu = vcpu;
    if (!cpu_call(vcpu->id, take_snapshot, &snapshot))
        return monitor_error("CPU %u does not answer", vcpu->id);
    out_note("vcpu %u is %s, the guest %s\n", vcpu->id, vcpu->power == VCPU_ON ? "on" : "off", monitor_vm_state());
    show_general(vcpu, &snapshot.frame);
    show_register(vcpu, "PC", snapshot.frame.elr_el2);
    show_register(vcpu, "SPSR_EL2", snapshot.frame.spsr_el2);
    show_register(vcpu, "SP_EL0", snapshot.frame.sp_el0);
    show_register(vcpu, "SP_EL1", snapshot.frame.sp_el1);
    for (unsigned int i = 0; i < EL1_REGISTER_COUNT; i++)
        show_register(vcpu, el1_register_name(i), snapshot.el1[i]);
    return NULL;
}

struct register_access {
    struct vcpu *vcpu;
    const char *name;
    bool write;
    bool known;
    bool unsafe; // a value that EL2 must not return with
    enum hv_status status;
    uint64_t old;
    uint64_t value;
};

// The frame's slot for x0..x30, PC, SPSR_EL2, SP_EL0, SP_EL1, and SP, which is one of the two; NULL for other names.
static uint64_t *frame_slot(struct trap_frame *frame, const char *name)
{
    uint64_t n;

    if ((name[0] == 'x' || name[0] == 'X') && parse_u64(name + 1, &n) && n < 31)
        return &frame->x[n];
    if (strcasecmp(name, "SP") == 0)
        return FIELD_GET(SPSR_ELX_M, frame->spsr_el2) == SPSR_M_EL1H ? &frame->sp_el1 : &frame->sp_el0;
    if (strcasecmp(name, "PC") == 0)
        return &frame->elr_el2;
    if (strcasecmp(name, "SPSR_EL2") == 0)
        return &frame->spsr_el2;
    if (strcasecmp(name, "SP_EL0") == 0)
        return &frame->sp_el0;
    if (strcasecmp(name, "SP_EL1") == 0)
        return &frame->sp_el1;
    return NULL;
}

// What no policy can have trapped.
static void access_untrapped(struct register_access *access)
{
    unsigned int number = vcpu_register_find(access->name);

    access->known = number < VCPU_REGISTER_COUNT && vcpu_register_read(number, &access->old);
    if (access->known && access->write && !vcpu_register_write(number, access->value))
        access->status = HV_ERR_UNSUPPORTED;
}

static void access_hardware(struct register_access *access)
{
    unsigned int key = event_key_find(access->name);

    if (key < KEY_SYSREG_FIRST || key >= KEY_SYSREG_UNKNOWN) {
        access_untrapped(access);
        return;
    }
    access->status = sysreg_read(key, &access->old);
    if (access->status == HV_OK && access->write)
        access->status = sysreg_write(key, access->value);
}

// Whether EL2 may return with pstate where it would have returned with old: to a guest exception level at 64 bits, or
// to the mode that the guest is in. Anything else in M would be an illegal return, at best.
static bool pstate_is_safe(uint64_t pstate, uint64_t old)
{
    uint64_t mode = pstate & (SPSR_ELX_M4 | SPSR_ELX_M);

    return mode == SPSR_M_EL0T || mode == SPSR_M_EL1T || mode == SPSR_M_EL1H ||
           mode == (old & (SPSR_ELX_M4 | SPSR_ELX_M));
}

static void write_slot(struct register_access *access, uint64_t *slot)
{
    struct trap_frame *frame = access->vcpu->frame;

    access->unsafe = slot == &frame->spsr_el2 && !pstate_is_safe(access->value, frame->spsr_el2);
    if (access->unsafe)
        return;
    *slot = access->value;
    if (slot == &frame->elr_el2)
        vcpu_moved(access->vcpu);
}

static void access_register(void *argument)
{
    struct register_access *access = argument;
    uint64_t *slot = frame_slot(access->vcpu->frame, access->name);
    unsigned int index = el1_register_find(access->name);

    access->known = true;
    access->status = HV_OK;
    if (slot != NULL) {
        access->old = *slot;
        if (access->write)
            write_slot(access, slot);
    } else if (index < EL1_REGISTER_COUNT) {
        access->old = el1_register_read(index);
        if (access->write)
            el1_register_write(index, access->value);
    } else {
        access_hardware(access);
    }
}

// The register that a person means by word: as gdb says it, with $; PSTATE, which gdb calls cpsr, is SPSR_EL2 here, and
// fp and lr are x29 and x30.
static const char *register_of(const char *word)
{
    static const char *const also[][2] = {{"PSTATE", "SPSR_EL2"}, {"cpsr", "SPSR_EL2"}, {"fp", "x29"}, {"lr", "x30"}};

    if (*word == '$')
        word++;
    for (unsigned int n = 0; n < ARRAY_COUNT(also); n++) {
        if (strcasecmp(word, also[n][0]) == 0)
            return also[n][1];
    }
    return word;
}

static const char *access_error(const struct register_access *access)
{
    if (access->unsafe)
        return "SPSR_EL2.M may be EL0t (0), EL1t (4), EL1h (5) or what it is";
    if (!access->known)
        return monitor_error("no register '%s' (regs shows the usual ones; x0..x30, PC, PSTATE ...)", access->name);
    if (access->status != HV_OK)
        return monitor_error("%s: %s", access->name, hv_status_name(access->status));
    return NULL;
}

const char *monitor_register(struct vcpu *vcpu, const char *name, uint64_t *value)
{
    struct register_access access = {.vcpu = vcpu, .name = register_of(name)};

    if (!cpu_call(vcpu->id, access_register, &access))
        return monitor_error("CPU %u does not answer", vcpu->id);
    *value = access.old;
    return access_error(&access);
}

const char *cmd_sr(const struct monitor_words *words)
{
    struct register_access access = {.name = register_of(words->word[1]), .write = words->count > 2};
    const char *error = monitor_vcpu(words->count > 3 ? words->word[3] : NULL, &access.vcpu);

    if (error == NULL && access.write)
        error = monitor_number("value", words->word[2], 0, UINT64_MAX, &access.value);
    if (error != NULL)
        return error;
    if (!cpu_call(access.vcpu->id, access_register, &access))
        return monitor_error("CPU %u does not answer", access.vcpu->id);
    error = access_error(&access);
    if (error != NULL)
        return error;
    if (access.write)
        log_record(LOG_INFO, LOG_MONITOR, "monitor-write", "what=sr name=%pQ vcpu=%u old=0x%lx new=0x%lx", access.name,
                   access.vcpu->id, (unsigned long)access.old, (unsigned long)access.value);
    show_register(access.vcpu, access.name, access.write ? access.value : access.old);
    return NULL;
}
