// SPDX-License-Identifier: Apache-2.0
// vm walk: where a guest virtual address leads, descriptor by descriptor. First come the guest's own tables, which make
// an IPA of it (mm/guest_walk.c), then stage 2, which makes a PA of that. The step that fails is named: a person sees
// whether the guest has not mapped the address, or EL2 has not.
#include <hv/monitor_cmds.h>

#include <hv/guest_walk.h>
#include <hv/monitor_expression.h>
#include <hv/monitor_out.h>
#include <hv/monitor_reply.h>
#include <hv/monitor_space.h>
#include <hv/monitor_subject.h>
#include <hv/string.h>
#include <hv/vm.h>

// One descriptor of the guest's tables: where it stands, as an IPA, and its value. Its level is Arm's: 3 is the last,
// which maps a page (DDI 0487, "VMSAv8-64 translation table format").
static void show_step(const struct guest_walk_step *step)
{
    out("stage=%u level=%u at=0x%lx descriptor:0x%016lx\n", 1, step->level, step->address.v, step->descriptor);
}

// Where stage 1 has led, or how it failed. The permissions are those of EL1 and of EL0 apart, as the guest's tables
// give them; memory is the byte of MAIR_EL1 that the descriptor chooses. An access flag fault has an IPA all the same,
// which says where it would have led.
static void show_result(const struct guest_walk *walk)
{
    out("stage=%u", 1);
    if (walk->fault != GUEST_WALK_NONE)
        out(" fault=%s level=%u", guest_walk_fault_name(walk->fault), walk->fault_level);
    if (walk->fault == GUEST_WALK_NONE || walk->fault == GUEST_WALK_ACCESS_FLAG) {
        out(" mmu=%d ipa=0x%lx size=0x%lx memory=0x%x el1=%s el0_read=%d el0_write=%d el0_exec=%d", !walk->flat,
            walk->ipa.v, walk->size, walk->memory,
            walk->el1_write  ? walk->el1_exec ? "rwx" : "rw-"
            : walk->el1_exec ? "r-x"
                             : "r--",
            walk->el0_read, walk->el0_write, walk->el0_exec);
    }
    out("\n");
}

// As ls shows permissions: "r-x" may be read and executed. text has room for four bytes.
static void permissions_text(uint32_t permissions, char *text)
{
    text[0] = (permissions & STAGE2_READ) != 0 ? 'r' : '-';
    text[1] = (permissions & STAGE2_WRITE) != 0 ? 'w' : '-';
    text[2] = (permissions & STAGE2_EXECUTE) != 0 ? 'x' : '-';
    text[3] = '\0';
}

// The second half: which descriptor of stage 2 the IPA meets. An invalid one is not necessarily a fault: the addresses
// of emulated devices have none, and an access to one comes to EL2.
static const char *walk_stage2(ipa_t ipa)
{
    struct stage2_entry entry;
    char text[4];
    enum hv_status status = stage2_query(&monitor_vm()->space.stage2, ipa, &entry);

    if (status != HV_OK)
        return monitor_error("stage 2: ipa 0x%lx: %s", (unsigned long)ipa.v, hv_status_name(status));
    permissions_text(entry.permissions, text);
    out("stage=%u level=%u descriptor:0x%016lx", 2, entry.level, entry.descriptor);
    if (entry.valid)
        out(" pa=0x%lx size=0x%lx guest=%s type=%s", entry.pa.v + (ipa.v & (entry.size - 1)), entry.size, text,
            (entry.permissions & STAGE2_DEVICE) != 0 ? "device" : "normal");
    out("\n");
    return entry.valid
               ? NULL
               : monitor_error("stage 2: no valid descriptor at level %u: this access comes to EL2", entry.level);
}

// What the words of the command say.
struct walk_words {
    enum monitor_space_kind kind;
    bool given; // -t: table
    uint64_t table;
    uint64_t va;
    struct vcpu *vcpu;
};

// vm walk [-k] [-t <table>] <va> [vcpu]
static const char *parse_walk(const struct monitor_words *words, struct walk_words *walk)
{
    unsigned int at = 2;
    const char *error = NULL;

    *walk = (struct walk_words){.kind = SPACE_VIRTUAL};
    for (; error == NULL && at < words->count && words->word[at][0] == '-'; at++) {
        if (strcmp(words->word[at], "-k") == 0) {
            walk->kind = SPACE_KERNEL;
        } else if (strcmp(words->word[at], "-t") == 0 && at + 1 < words->count) {
            walk->given = true;
            error = monitor_number("table", words->word[++at], 0, UINT64_MAX, &walk->table);
        } else {
            error = monitor_error("'%s' is none of -k, -t <table>", words->word[at]);
        }
    }
    if (error != NULL)
        return error;
    if (at >= words->count || words->count > at + 2 || (walk->given && walk->kind == SPACE_KERNEL))
        return "usage: vm walk [-k | -t <table>] <va> [vcpu]";
    error = monitor_vcpu(words->count > at + 1 ? words->word[at + 1] : NULL, &walk->vcpu);
    if (error == NULL) {
        struct monitor_words address = {.count = 1, .word = {words->word[at]}};

        at = 0;
        error = monitor_expression("va", &address, &at, walk->vcpu, &walk->va);
    }
    return error;
}

// Walks once to learn which of the two tables the address belongs to, and again with the table that -t has given. Bit
// 55 of an address says it: TTBR0_EL1 has the low half of the addresses and TTBR1_EL1 the high one. -t is for a process
// that does not run now, whose table a person has found in the kernel's memory.
static const char *walk_address(const struct walk_words *words)
{
    struct monitor_space space;
    struct guest_walk walk;
    struct guest_walk_registers *registers = &space.tables.registers;
    const char *error = monitor_space_open(&space, words->kind, words->vcpu);
    bool upper;

    if (error != NULL)
        return error;
    guest_walk(&words->vcpu->vm->space, registers, gva_make(words->va), &walk);
    if (words->given) {
        *(walk.ttbr != 0 ? &registers->ttbr1_el1 : &registers->ttbr0_el1) = words->table;
        space.from = "-t";
        guest_walk(&words->vcpu->vm->space, registers, gva_make(words->va), &walk);
    }
    upper = walk.ttbr != 0;
    out("vcpu=%u el=%u table=%s value=0x%lx from=%s\n", words->vcpu->id, space.tables.el,
        upper ? "TTBR1_EL1" : "TTBR0_EL1", upper ? registers->ttbr1_el1 : registers->ttbr0_el1,
        upper || words->given ? space.from : "now");
    for (unsigned int i = 0; i < walk.step_count; i++)
        show_step(&walk.steps[i]);
    show_result(&walk);
    if (walk.fault != GUEST_WALK_NONE)
        return monitor_error("stage 1: %s, level %u%s", guest_walk_fault_name(walk.fault), walk.fault_level,
                             words->given ? "" : monitor_space_hint(&space, words->va));
    return walk_stage2(walk.ipa);
}

// vm walk is the one command of this name.
const char *cmd_vm(const struct monitor_words *words)
{
    struct walk_words walk;
    const char *error;

    if (strcmp(words->word[1], "walk") != 0)
        return monitor_error("vm '%s' is not walk", words->word[1]);
    error = parse_walk(words, &walk);
    return error != NULL ? error : walk_address(&walk);
}
