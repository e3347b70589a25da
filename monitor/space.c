// SPDX-License-Identifier: Apache-2.0
// The address spaces in which a person names the guest's memory: by guest physical address (IPA), or by virtual
// address, which goes through the guest's own translation tables (mm/guest_walk.c) first. The tables are those of
// TTBR0_EL1 and TTBR1_EL1 of the vCPU, taken once for a command, on the CPU that has these registers.
//
// A kernel may hide itself from its programs (Linux calls that KPTI). While a program runs, TTBR1_EL1 then points at a
// trampoline, tables that have the exception vectors and nothing else of the kernel, and no address of the kernel
// translates. That can be told: the kernel's stack, right below SP_EL1, is not mapped. What helps is another value of
// TTBR1_EL1, one in which that stack is mapped: find_kernel looks for it.
#include <hv/monitor_space.h>

#include <hv/cpu.h>
#include <hv/guest_mem.h>
#include <hv/monitor_reply.h>
#include <hv/monitor_subject.h>
#include <hv/printf.h>
#include <hv/string.h>
#include <hv/vm.h>

#define UPPER_HALF BIT64(55) // TTBR1_EL1's addresses

struct call {
    struct vcpu *vcpu;
    struct kernel_tables tables;
};

// Runs on the vCPU's own CPU.
static void read_tables(void *argument)
{
    struct call *call = argument;

    kernel_tables_read(call->vcpu, &call->tables);
}

// The registers that translate are in the hardware of the vCPU's CPU, and are taken there.
static const char *tables_now(struct vcpu *vcpu, struct kernel_tables *tables)
{
    struct call call = {.vcpu = vcpu};

    if (!cpu_call(vcpu->cpu, read_tables, &call))
        return monitor_error("CPU %u does not answer", vcpu->cpu);
    *tables = call.tables;
    return NULL;
}

// Whether the kernel's stack of vcpu is mapped with this value of TTBR1_EL1. If it is, space uses it from now on.
static bool take_if_kernel(struct monitor_space *space, struct vcpu *vcpu, uint64_t ttbr1)
{
    struct kernel_tables tables = space->tables;

    tables.registers.ttbr1_el1 = ttbr1;
    if (ttbr1 == 0 || !kernel_tables_have_stack(vcpu, &tables))
        return false;
    space->tables = tables;
    return true;
}

// Puts the kernel's tables in the place of a trampoline's: those in which EL2 has last seen the kernel's stack of this
// vCPU mapped (it looks once a second, mm/kernel_tables.c), else those of another vCPU, as they are or were seen.
static const char *find_kernel(struct monitor_space *space, struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;

    if (take_if_kernel(space, vcpu, vcpu->kernel_ttbr1)) {
        space->from = "seen before";
        return NULL;
    }
    for (unsigned int n = 0; n < vm->vcpu_count; n++) {
        struct kernel_tables other = {};

        if (tables_now(&vm->vcpus[n], &other) == NULL && (take_if_kernel(space, vcpu, other.registers.ttbr1_el1) ||
                                                          take_if_kernel(space, vcpu, vm->vcpus[n].kernel_ttbr1))) {
            space->from = "another vCPU";
            return NULL;
        }
    }
    return monitor_error("no tables in which vCPU %u's kernel has its stack (SP_EL1 0x%lx) were seen: go on and try "
                         "again, or give them with vm walk -t",
                         vcpu->id, (unsigned long)space->tables.sp_el1);
}

// Opens an address space for one command. -v takes the tables as they are, -k looks for the kernel's where those are a
// trampoline's, and an IPA needs no tables.
const char *monitor_space_open(struct monitor_space *space, enum monitor_space_kind kind, struct vcpu *vcpu)
{
    const char *error;

    *space = (struct monitor_space){.kind = kind, .vcpu = vcpu, .from = "now"};
    if (kind == SPACE_IPA)
        return monitor_refused();
    error = tables_now(vcpu, &space->tables);
    if (error != NULL)
        return error;
    space->trampoline = !kernel_tables_have_stack(vcpu, &space->tables);
    if (kind == SPACE_KERNEL && space->trampoline)
        return find_kernel(space, vcpu);
    return NULL;
}

// What to add to the error when an address of the kernel does not translate: it may be there all the same. Bit 55 of a
// virtual address selects TTBR1_EL1 (DDI 0487, TTBR1_EL1).
const char *monitor_space_hint(const struct monitor_space *space, uint64_t va)
{
    if (space->kind != SPACE_VIRTUAL || !space->trampoline || !(va & UPPER_HALF))
        return "";
    return "; TTBR1_EL1 lacks the kernel's stack, as under KPTI at EL0: -k takes the kernel's tables";
}

// Reads within one page or block of the guest's tables: *size is cut to what lies in it, and the caller goes on from
// there.
static const char *read_part(const struct monitor_space *space, uint64_t va, uint8_t *bytes, size_t *size)
{
    struct guest_walk walk;
    uint64_t left;

    if (!guest_walk(&space->vcpu->vm->space, &space->tables.registers, gva_make(va), &walk))
        return monitor_error("va 0x%lx: stage 1: %s, level %u%s", (unsigned long)va, guest_walk_fault_name(walk.fault),
                             walk.fault_level, monitor_space_hint(space, va));
    left = walk.size - (va & (walk.size - 1));
    if (*size > left)
        *size = (size_t)left;
    if (guest_mem_read(&space->vcpu->vm->space, walk.ipa, bytes, *size) != HV_OK)
        return monitor_error("va 0x%lx is ipa 0x%lx, which is not all in guest RAM", (unsigned long)va,
                             (unsigned long)walk.ipa.v);
    return NULL;
}

// Reads size bytes from address. By virtual address the bytes may lie on several pages, which are translated one by
// one.
const char *monitor_space_read(const struct monitor_space *space, uint64_t address, void *bytes, size_t size)
{
    const char *error = NULL;

    if (space->kind == SPACE_IPA)
        return guest_mem_read(&monitor_vm()->space, ipa_make(address), bytes, size) == HV_OK
                   ? NULL
                   : "the memory did not answer, or its mapping changed meanwhile";
    for (size_t done = 0; error == NULL && done < size;) {
        size_t part = size - done;

        error = read_part(space, address + done, (uint8_t *)bytes + done, &part);
        done += part;
    }
    return error;
}

// What is wrong with a range of IPAs, or NULL. The words are what was typed, so that the error shows them as the person
// wrote them; NULL where none was typed.
const char *monitor_ipa_error(const char *ipa_word, uint64_t ipa, const char *size_word, uint64_t size)
{
    enum hv_status status;
    char ipa_text[24];
    char size_text[24];
    uint64_t number;
    const struct ipa_range *ram = &monitor_vm()->space.ram[0].range;

    if (monitor_refused() != NULL)
        return monitor_refused();
    status = guest_mem_check(&monitor_vm()->space, ipa_make(ipa), size, STAGE2_READ);
    if (status == HV_OK)
        return NULL;
    (void)format_text(ipa_text, sizeof(ipa_text), "0x%lx", (unsigned long)ipa);
    (void)format_text(size_text, sizeof(size_text), "%lu", (unsigned long)size);
    if (ipa_word == NULL || !parse_u64(ipa_word, &number))
        ipa_word = ipa_text;
    if (size_word == NULL)
        size_word = size_text;
    if (status == HV_ERR_NOT_FOUND)
        return monitor_error("%s + %s is not all mapped at stage 2", ipa_word, size_word);
    return monitor_error("%s + %s (%s) is not in guest RAM 0x%lx..0x%lx", ipa_word, size_word, hv_status_name(status),
                         (unsigned long)ram->base.v, (unsigned long)(ram->base.v + ram->size - 1));
}

// The width of one access in bytes.
const char *monitor_width(const char *word, unsigned int *width)
{
    uint64_t value = 0;

    if (!parse_u64(word, &value) || (value != 1 && value != 2 && value != 4 && value != 8))
        return monitor_error("width '%s' is none of 1, 2, 4, 8", word);
    *width = (unsigned int)value;
    return NULL;
}

// A number of width bytes, little-endian, as guest memory has it: the bytes 34 12 are 0x1234.
uint64_t monitor_load(const uint8_t *bytes, unsigned int width)
{
    uint64_t value = 0;

    for (unsigned int i = width; i-- > 0;)
        value = value << 8 | bytes[i];
    return value;
}
