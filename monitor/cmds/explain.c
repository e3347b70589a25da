// SPDX-License-Identifier: Apache-2.0
// explain: one exit, or a bare value of ESR_EL2, in sentences. Who did it, what was it, which control bit sent it to
// EL2, which row of the policy gave which verdict, and what did the guest get? Nothing is known here but how to ask:
// all words come from the tables of causes, registers, devices and calls and from the policy's rows.
#include <hv/monitor_cmds.h>

#include <hv/arch/aarch32.h>
#include <hv/arch/esr_fields.h>
#include <hv/arch/registers.h>
#include <hv/arch/sysreg.h>
#include <hv/cpu.h>
#include <hv/event_name.h>
#include <hv/machine.h>
#include <hv/monitor_out.h>
#include <hv/monitor_place.h>
#include <hv/monitor_reply.h>
#include <hv/monitor_subject.h>
#include <hv/policy.h>
#include <hv/printf.h>
#include <hv/string.h>
#include <hv/telemetry.h>
#include <hv/trap.h>
#include <hv/vm.h>

// What a row of cause_table.h says: the exception class (ESR_ELx.EC), the control bit that sends the exception to EL2,
// and the sentence that names the cause.
struct cause_text {
    uint8_t class;
    const char *control;
    const char *sentence;
};

#define CAUSE_TEXT(id, ec, name, control, sentence) [KEY_CAUSE_##id] = {(ec), control, sentence},
static const struct cause_text cause_texts[] = {CAUSE_TABLE(CAUSE_TEXT)};

// The control of each system register as sysreg_table.h spells it: "HCR_EL2_TVM", or "ALWAYS".
#define SYSREG_CONTROL(name, op0, op1, crn, crm, op2, class, access, control, ...)                                     \
    [KEY_##name - KEY_SYSREG_FIRST] = #control,
static const char *const sysreg_controls[KEY_SYSREG_UNKNOWN - KEY_SYSREG_FIRST] = {SYSREG_TABLE(SYSREG_CONTROL)};

#define CONTROL_NAME_SIZE 24 // more than any name of a control bit, end of string included

// The cause of an event is checked against the table's size. One without a row is shown as "?".
static const char *cause_control(unsigned int cause)
{
    return cause < ARRAY_COUNT(cause_texts) ? cause_texts[cause].control : "?";
}

const char *monitor_cause_sentence(unsigned int cause)
{
    return cause < ARRAY_COUNT(cause_texts) ? cause_texts[cause].sentence : "?";
}

// An event may be overwritten while it is copied, since its vCPU runs on. So it is looked up again behind the copy: if
// the slot still has that number, and its turn has not come again, what was copied is whole. The fence keeps the second
// look behind the copy.
bool monitor_copy_event(unsigned int vcpu, uint64_t sequence, struct event *event)
{
    const struct telemetry *telemetry = monitor_vm()->vcpus[vcpu].telemetry;
    const struct event *kept = telemetry_find(telemetry, sequence);

    if (kept == NULL)
        return false;
    *event = *kept;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    // A slot among the last ones is written anew from the moment its turn comes again.
    return telemetry_find(telemetry, sequence) == kept &&
           (kept >= telemetry->logged || telemetry->sequence - sequence <= TELEMETRY_KEPT);
}

// The row that decided about an event. A number beyond the rows is POLICY_ROW_NONE: no row did, and a row that stands
// in no file says so.
static const struct policy_row *row_of(const struct event *event)
{
    static const struct policy_row none = {
        .place = "none", .text = "none", .why = "no row decides about it: EL2 handles it by itself"};
    const struct policy *policy = monitor_vm()->policy;

    return event->row < policy->row_count ? &policy->rows[event->row] : &none;
}

// An event takes two lines on a terminal of 80 columns: who and what, and below it the address, value and verdict.
// Where the function is known, a line between the two names it.
void monitor_show_event(const struct event *event)
{
    const struct policy_row *row = row_of(event);
    char name[EVENT_NAME_SIZE];

    out("us:%12lu vcpu:%u seq:%7lu pc:0x%08lx access:%s key:%-20s", monitor_uptime_us(event->entry), event->vcpu,
        event->sequence, event->pc, event->write ? "w" : "r", event_name(event, name, sizeof(name)));
    if (monitor_place_known(event->pc)) {
        out_note("\n             ");
        monitor_show_place(event->pc);
    }
    out_note("\n             ");
    out(" address:0x%08lx value:0x%lx verdict:%s result:%s at:%s\n", event->address, event->value,
        policy_action_name(event->verdict), trap_result_name(event->result), row->place);
}

void monitor_show_event_heading(void)
{
    out_heading("%12s v %7s pc, read or write, key", "us", "seq");
    out_heading("%12s address, value, verdict, result, policy row", "");
}

// A merge: of the next events of each vCPU the one that came first is shown, until none is left. An event that is gone
// by now is passed over.
void monitor_show_events(const uint64_t *begin, const uint64_t *end)
{
    uint64_t position[CPU_MAX];
    unsigned int first;

    memcpy(position, begin, monitor_vm()->vcpu_count * sizeof(position[0]));
    monitor_show_event_heading();
    do {
        struct event event;
        struct event next;

        first = CPU_MAX;
        for (unsigned int n = 0; n < monitor_vm()->vcpu_count; n++) {
            while (position[n] < end[n] && !monitor_copy_event(n, position[n], &next))
                position[n]++;
            if (position[n] < end[n] && (first == CPU_MAX || next.entry < event.entry)) {
                event = next;
                first = n;
            }
        }
        if (first < CPU_MAX) {
            monitor_show_event(&event);
            position[first]++;
        }
    } while (first < CPU_MAX);
}

// The name of a register's control bit as the manual writes it: HCR_EL2_TVM becomes HCR_EL2.TVM. A bit's own name has
// no underscore, so that the last one stands between the register and the bit.
static const char *sysreg_control(unsigned int key, char buffer[CONTROL_NAME_SIZE])
{
    const char *control = sysreg_controls[key - KEY_SYSREG_FIRST];
    size_t register_length = 0;

    if (strcmp(control, "ALWAYS") == 0)
        return "always";
    for (size_t n = 0; control[n] != '\0'; n++) {
        if (control[n] == '_')
            register_length = n;
    }
    format_text(buffer, CONTROL_NAME_SIZE, "%.*s.%s", (int)register_length, control, &control[register_length + 1]);
    return buffer;
}

// The control bit that brought this exit to EL2: of a known register its own, else that of the cause. The text may
// stand in buffer.
static const char *control_of(unsigned int cause, unsigned int key, char buffer[CONTROL_NAME_SIZE])
{
    if (key >= KEY_SYSREG_FIRST && key < KEY_SYSREG_UNKNOWN)
        return sysreg_control(key, buffer);
    return cause_control(cause);
}

// Whether the syndrome is that of an access to a register: MSR, MRS, or AArch32's to a coprocessor.
static bool names_register(uint64_t esr)
{
    switch (FIELD_GET(ESR_ELX_EC, esr)) {
    case ESR_EC_SYSREG:
    case ESR_EC_CP15:
    case ESR_EC_CP15_64:
    case ESR_EC_CP14:
    case ESR_EC_VMRS:
    case ESR_EC_CP14_64:
        return true;
    default:
        return false;
    }
}

// The key of the register that a syndrome names. AArch32 programs reach some of the same registers by coprocessor
// instructions, whose syndromes have another form (DDI 0487, ESR_ELx.ISS of the classes 0x03 to 0x08).
static unsigned int register_key(uint64_t esr)
{
    bool upper;

    return FIELD_GET(ESR_ELX_EC, esr) == ESR_EC_SYSREG ? sysreg_key((uint32_t)esr)
                                                       : aarch32_register_key((uint32_t)esr, &upper);
}

// The line "esr": a syndrome's fields by their names, the fault that it reports, and the register that it names.
static void explain_syndrome(uint64_t esr)
{
    const struct field_table *table = esr_fields(esr);
    int level = fault_status_level((unsigned int)esr);

    out("esr  esr:0x%08lx class:%s", esr, table->name);
    out_fields(table, esr);
    if (esr_has_fault_status(esr)) {
        out(": fault:%s", fault_status_name((unsigned int)esr));
        if (level >= 0)
            out(" level=%u", (unsigned int)level);
    }
    if (names_register(esr)) {
        char name[24];
        unsigned int key = register_key(esr);

        sysreg_encoded_name((uint32_t)esr, name, sizeof(name));
        out(" register=%s direction=%s", key == KEY_SYSREG_UNKNOWN ? name : event_key_name(key),
            (esr & ISS_SYSREG_DIRECTION) != 0 ? "read" : "write");
    }
    out("\n");
}

// The five lines of an exit: who, what, esr, why, got.
static void explain_event(const struct event *event)
{
    const struct policy_row *row = row_of(event);
    char name[EVENT_NAME_SIZE];
    char control[CONTROL_NAME_SIZE];

    out("who  vcpu=%u seq=%lu pc=0x%lx", event->vcpu, event->sequence, event->pc);
    monitor_show_place(event->pc);
    out(" us=%lu\n", monitor_uptime_us(event->entry));
    out("what cause:%s: access:%s key=%s address=0x%lx value=0x%lx\n", monitor_cause_sentence(event->cause),
        event->write ? "write or call" : "read", event_name(event, name, sizeof(name)), event->address, event->value);
    explain_syndrome(event->syndrome);
    out("why  control:%s traps it; verdict=%s by at:%s subject:%s why:%s\n",
        control_of(event->cause, event->key, control), policy_action_name(event->verdict), row->place, row->text,
        row->why);
    out("got  result:%s", trap_result_name(event->result));
    if (!event->write && event->result == TRAP_DONE)
        out(" value=0x%lx", event->value);
    out(" ns=%lu\n", monitor_nanoseconds(event->exit - event->entry));
}

// explain esr <value>: the same for a bare value, as a crash report of a kernel has one. There is no event, so it
// cannot say who it was and what became of it.
static const char *explain_esr(const char *word)
{
    uint64_t esr;
    const char *error = monitor_number("esr", word, 0, UINT64_MAX, &esr);
    unsigned int known_key = KEY_COUNT;
    bool known = false;
    char control[CONTROL_NAME_SIZE];

    if (error != NULL)
        return error;
    explain_syndrome(esr);
    if (names_register(esr))
        known_key = register_key(esr);
    for (unsigned int i = 0; i < ARRAY_COUNT(cause_texts) && !known; i++) {
        known = cause_texts[i].class == FIELD_GET(ESR_ELX_EC, esr);
        if (known) {
            out("why  control:%s traps cause:%s\n", control_of(i, known_key, control), monitor_cause_sentence(i));
        }
    }
    return NULL;
}

// explain <seq> [vcpu]: each vCPU numbers its events for itself, so several may keep one of this number; then the vCPU
// must be named.
const char *cmd_explain(const struct monitor_words *words)
{
    struct event event;
    struct vcpu *vcpu = NULL;
    uint64_t sequence;
    unsigned int found = 0;
    const char *error;

    if (strcmp(words->word[1], "esr") == 0)
        return explain_esr(words->word[2]);
    error = monitor_number("seq", words->word[1], 0, UINT64_MAX - 1, &sequence);
    if (error == NULL && words->count > 2)
        error = monitor_vcpu(words->word[2], &vcpu);
    if (error != NULL)
        return error;
    for (unsigned int n = 0; n < monitor_vm()->vcpu_count; n++) {
        if ((vcpu == NULL || vcpu->id == n) && monitor_copy_event(n, sequence, &event))
            found++;
    }
    if (found == 0)
        return monitor_error("event %s is not kept (exc last shows those that are)", words->word[1]);
    if (found > 1)
        return monitor_error("several vCPUs keep an event %s: explain %s <vcpu>", words->word[1], words->word[1]);
    explain_event(&event);
    return NULL;
}
