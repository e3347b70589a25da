// SPDX-License-Identifier: Apache-2.0
// The text that says what the numbers in a trace's records mean: names of keys, causes and verdicts, the rows of the
// policy, the machine. A trace is read on another machine, perhaps years later, by tools of another version: so it
// brings its own names, from the tables that this EL2 was built with.
//
// All strings are written by %pJ, which escapes them. What does not fit the chunk is left out by whole rows of the
// policy, and the text says how many: an index into `rows` that it does not have is then a row without words.
#include <hv/trace_meta.h>

#include <stdarg.h>

#include <hv/arch/registers.h>
#include <hv/device_table.h>
#include <hv/event_key.h>
#include <hv/log.h>
#include <hv/machine.h>
#include <hv/platform.h>
#include <hv/policy.h>
#include <hv/policy_virtio.h>
#include <hv/printf.h>
#include <hv/string.h>
#include <hv/trace.h>
#include <hv/trace_virtio.h>
#include <hv/trap_result.h>

#define TEXT_MAX (TRACE_CHUNK_SIZE - sizeof(struct trace_chunk))
#define SLOT     sizeof(struct trace_record)
// What is written behind the rows of the policy, with all devices, has room in any case.
#define TAIL_MAX 4096

struct text {
    char *bytes;
    size_t length; // may go beyond TEXT_MAX: then the rest was not written
};

// Rows {name, type, offset}
struct field {
    const char *name;
    const char *type;
    unsigned int offset;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text, const char *format, ...)
{
    size_t room = text->length < TEXT_MAX ? TEXT_MAX - text->length : 0;
    va_list arguments;

    va_start(arguments, format);
    text->length += (size_t)format_text_v(&text->bytes[TEXT_MAX - room], room, format, arguments);
    va_end(arguments);
}

// A list of what name_of says of 0 .. count - 1.
static void add_names(struct text *text, const char *list, const char *(*name_of)(unsigned int n), unsigned int count)
{
    add(text, "\"%s\":[", list);
    for (unsigned int n = 0; n < count; n++)
        add(text, "%s%pJ", n > 0 ? "," : "", name_of(n));
    add(text, "],");
}

static const char *type_name(unsigned int type)
{
    static const char *const names[] = {"", [TRACE_TYPE_EXIT] = "exit", "text", "virtio"};

    return names[type];
}

static void add_machine(struct text *text, const struct trace_machine *machine)
{
    add(text, "{\"format\":\"ariel-trace\",\"version\":%u,\"ariel\":%pJ,\"hz\":%lu,\"start\":%lu,", TRACE_VERSION,
        machine->version, READ_SYSREG(CNTFRQ_EL0), log_start());
    add(text, "\"boot\":\"%016lx\",\"board\":%pJ,\"cpus\":%u,\"midr\":\"0x%lx\",\"policy\":%pJ,", log_boot_number(),
        platform.name, machine->cpus, READ_SYSREG(MIDR_EL1), machine->vms[0].policy->name);
}

static void add_layout(struct text *text)
{
#define LAYOUT_FIELD(name, type, offset, ...) {#name, #type, offset},
    static const struct field fields[] = {TRACE_EVENT_TABLE(LAYOUT_FIELD) TRACE_EXIT_TABLE(LAYOUT_FIELD)};

    add(text, "\"record\":[");
    for (unsigned int i = 0; i < ARRAY_COUNT(fields); i++)
        add(text, "%s[%pJ,%pJ,%u]", i > 0 ? "," : "", fields[i].name, fields[i].type, fields[i].offset);
    add(text, "],");
}

static void add_tables(struct text *text)
{
    add_names(text, "keys", event_key_name, KEY_COUNT);
    add(text, "\"groups\":{\"call\":%u,\"device\":%u,\"register\":%u},", (unsigned int)KEY_HVC_FIRST,
        (unsigned int)KEY_DEVICE_FIRST, (unsigned int)KEY_SYSREG_FIRST);
    add_names(text, "causes", event_key_name, KEY_HVC_FIRST); // causes are the first keys
    add_names(text, "verdicts", policy_action_name, POLICY_ACTION_COUNT);
    add_names(text, "results", trap_result_name, TRAP_RESULT_COUNT);
    add_names(text, "types", type_name, TRACE_TYPE_VIRTIO + 1);
    add_names(text, "requests", policy_virtio_request_name, VIRTIO_REQUEST_COUNT);
    add_names(text, "statuses", trace_virtio_status_name, TRACE_VIRTIO_STATUS_COUNT);
}

static void add_vms(struct text *text, const struct trace_machine *machine)
{
    add(text, "\"vms\":[");
    for (unsigned int n = 0; n < machine->vm_count; n++) {
        const struct vm *vm = &machine->vms[n];
        add(text, "%s{\"name\":\"vm%u\",\"vcpus\":%u,\"guest\":%pJ,\"ram\":[", n > 0 ? "," : "", vm->number,
            vm->vcpu_count, vm->guest_name != NULL ? vm->guest_name : "");
        for (unsigned int i = 0; i < vm->space.ram_count; i++)
            add(text, "%s[\"0x%lx\",\"0x%lx\"]", i > 0 ? "," : "", vm->space.ram[i].range.base.v,
                vm->space.ram[i].range.size);
        add(text, "]}");
    }
    add(text, "],");
}

static void add_devices(struct text *text)
{
#define DEVICE_PLACE(id, name, base, size, ...) {name, base, size},
    static const struct {
        const char *name;
        uint64_t base, size;
    } devices[] = {DEVICE_TABLE(DEVICE_PLACE)};

    add(text, "\"devices\":[");
    for (unsigned int i = 0; i < ARRAY_COUNT(devices); i++)
        add(text, "%s{\"name\":%pJ,\"base\":\"0x%lx\",\"size\":\"0x%lx\"}", i > 0 ? "," : "", devices[i].name,
            devices[i].base, devices[i].size);
    add(text, "],");
}

// Last, since they are what may not fit.
static void add_rows(struct text *text, const struct policy *policy)
{
    unsigned int n = 0;

    add(text, "\"rows\":[");
    for (; n < policy->row_count; n++) {
        const struct policy_row *row = &policy->rows[n];
        size_t before = text->length;

        add(text, "%s{\"place\":%pJ,\"text\":%pJ,\"why\":%pJ,\"action\":%pJ}", n > 0 ? "," : "", row->place, row->text,
            row->why, policy_action_name(row->action));
        if (text->length > TEXT_MAX - TAIL_MAX) {
            text->length = before;
            break;
        }
    }
    add(text, "],\"rows_missing\":%u}\n", policy->row_count - n);
}

struct trace_chunk *trace_meta_make(const struct trace_machine *machine)
{
    struct trace_chunk *chunk = trace_meta_chunk();
    struct text text = {(char *)(chunk + 1), 0};

    add_machine(&text, machine);
    add_layout(&text);
    add_tables(&text);
    add_vms(&text, machine);
    add_devices(&text);
    add_rows(&text, machine->vms[0].policy);
    chunk->bytes = (uint32_t)text.length;
    chunk->count = (uint32_t)((text.length + SLOT - 1) / SLOT);
    memset(&text.bytes[text.length], 0, chunk->count * SLOT - text.length);
    chunk->closed = READ_SYSREG(CNTPCT_EL0);
    return chunk;
}
