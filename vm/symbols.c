// SPDX-License-Identifier: Apache-2.0
// Where the guest's kernel runs. KASLR moves a kernel by a slide that it draws at boot and tells nobody; but VBAR_EL1
// holds the address of its exception vectors, and the table knows where those were linked. Two other things stand in
// VBAR_EL1 at times. Right after reset it is anything. And a kernel that hides itself from its programs (Linux: KPTI)
// has the vectors of a trampoline there while a program runs. So a slide counts only when it is one that Linux can
// draw; and when no vCPU has the kernel's vectors, but each is in a program, the slide found before still holds. A
// slide that may be wrong is not used: no name is better than a wrong one.
#include <hv/symbols.h>

#include <hv/arch/fields.h>
#include <hv/arch/vcpu_registers.h>
#include <hv/cpu.h>
#include <hv/machine.h>

#define SLIDE_ALIGN UINT64_C(0x10000) // the largest page of a kernel
// Linux draws a slide below this one with 48 bits of addresses, and smaller ones with fewer bits.
#define SLIDE_END    (UINT64_C(3) << 45)
#define KERNEL_START (UINT64_C(0xffff) << 48) // what TTBR1_EL1 translates, with 48 bits of addresses

// What one vCPU says.
struct evidence {
    const struct vcpu *vcpu;
    uint64_t vbar_el1;
    bool el0;
};

// Runs on the vCPU's own CPU, whose hardware has its registers.
static void look(void *argument)
{
    struct evidence *evidence = argument;

    evidence->vbar_el1 = 0;
    (void)vcpu_register_read(VCPU_REGISTER_VBAR_EL1, &evidence->vbar_el1);
    evidence->el0 = FIELD_GET(SPSR_ELX_M_EL, evidence->vcpu->frame->spsr_el2) == 0;
}

// Whether the kernel's vectors can be at vbar_el1, and the slide when they are.
static bool slide_of(const struct symbols_header *table, uint64_t vbar_el1, uint64_t *slide)
{
    *slide = vbar_el1 - (table->link + table->vectors);
    return *slide % SLIDE_ALIGN == 0 && *slide < SLIDE_END && table->link + *slide >= KERNEL_START &&
           table->link + *slide <= UINT64_MAX - table->span;
}

// Any CPU may find it, and all find the same.
static void set_slide(struct symbols *symbols, uint64_t slide)
{
    __atomic_store_n(&symbols->slide, slide, __ATOMIC_RELAXED);
    __atomic_store_n(&symbols->solved, true, __ATOMIC_RELEASE);
}

// While all vCPUs are in programs nothing can be told, so the kernel's place has to be seen before somebody asks.
void symbols_look(struct vcpu *vcpu)
{
    struct symbols *symbols = &vcpu->vm->symbols;
    struct evidence evidence = {.vcpu = vcpu};
    uint64_t slide;

    if (symbols->table == NULL || symbols->solved)
        return;
    look(&evidence);
    if (slide_of(symbols->table, evidence.vbar_el1, &slide))
        set_slide(symbols, slide);
}

void symbols_solve(struct vm *vm)
{
    struct symbols *symbols = &vm->symbols;
    bool all_el0 = true;

    if (symbols->table == NULL || symbols->table->vectors == SYMBOLS_FIXED)
        return;
    for (unsigned int n = 0; n < vm->vcpu_count; n++) {
        struct evidence evidence = {.vcpu = &vm->vcpus[n]};
        uint64_t slide;

        if (vm->vcpus[n].power != VCPU_ON || !cpu_call(vm->vcpus[n].cpu, look, &evidence))
            continue;
        if (slide_of(symbols->table, evidence.vbar_el1, &slide)) {
            set_slide(symbols, slide);
            return;
        }
        all_el0 &= evidence.el0;
    }
    if (!all_el0)
        __atomic_store_n(&symbols->solved, false, __ATOMIC_RELEASE);
}
