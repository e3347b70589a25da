// SPDX-License-Identifier: Apache-2.0
// Checks memory protection from within. stage1.c and stage2.c meant to build certain tables; this file does not believe
// them. It asks the CPU what EL2 may read and write (the AT instructions), reads the tables that TTBR0_EL2 and
// VTTBR_EL2 point to, and compares both with what has to hold. It reads only, and its time is bounded by the number of
// EL2's pages and of table entries. Each check returns the reason that a person reads, or NULL.
#include <hv/selftest.h>

#include <hv/arch/descriptor.h>
#include <hv/arch/el2_translate.h>
#include <hv/arch/guarded.h>
#include <hv/arch/registers.h>
#include <hv/arch/s2_pte.h>
#include <hv/vm.h>

#include <hv/log_ring.h>
#include <hv/platform.h>

#define PAGE_SIZE KIB(4)
// EL2's addresses have 39 bits, so T0SZ is 64 - 39 = 25, and with pages of 4 KiB the walk begins at level 1.
#define EL2_BITS 39

extern const char text_start[], text_end[], rodata_start[], rodata_end[], data_start[], stacks_start[], stacks_end[],
    sealed_start[], sealed_end[], hv_end[];

enum protection { READ_EXECUTE, READ_ONLY, READ_WRITE };

// The descriptor at which EL2's walk for address ends, or 0 when there is none. Each table has 512 entries, which are 9
// bits of the address: level 1 takes bits 38:30, level 2 bits 29:21, level 3 bits 20:12. A descriptor above level 3
// whose bit 1 is clear is a block, and the walk ends there; at level 3 it ends in any case.
static uint64_t el2_descriptor(uint64_t address)
{
    const uint64_t *table = (const uint64_t *)(READ_SYSREG(TTBR0_EL2) & DESC_ADDRESS);

    for (unsigned int shift = 30;; shift -= 9) {
        uint64_t descriptor = table[(address >> shift) % 512];

        if ((descriptor & DESC_VALID) == 0)
            return 0;
        if (shift == 12 || (descriptor & DESC_TABLE) == 0)
            return descriptor;
        table = (const uint64_t *)(descriptor & DESC_ADDRESS);
    }
}

// AT says whether a page may be read and written, but not whether it may be executed; XN in the descriptor says that. A
// page that can be written has to be never executed, and only text can be executed.
static bool page_is(uint64_t address, enum protection protection)
{
    const void *page = (const void *)address;
    bool write = protection == READ_WRITE;
    bool never_executed = (el2_descriptor(address) & EL2_DESC_XN) != 0;

    return el2_may_access(page, false) && el2_may_access(page, true) == write &&
           never_executed == (protection != READ_EXECUTE);
}

// An empty range is a mistake of the caller's or of the linker script's, and no proof: it is false.
static bool range_is(const char *start, const char *end, uint64_t step, enum protection protection)
{
    for (uint64_t page = (uint64_t)start; page < (uint64_t)end; page += step)
        if (!page_is(page, protection))
            return false;
    return start < end;
}

// Under each CPU's stack lies a page that is not mapped, so that a stack which grows too far ends in an exception and
// not in another CPU's stack. The last line tries it for the first of these pages: guarded_copy survives the exception
// and returns how many bytes it could not copy, which has to be all of them.
static bool guard_pages_are_unmapped(void)
{
    uint64_t stride = (uint64_t)(stacks_end - stacks_start) / CPU_MAX;
    uint64_t word;

    for (const char *guard = stacks_start; guard < stacks_end; guard += stride) {
        if (el2_may_access(guard, false) || el2_may_access(guard, true))
            return false;
        if (!range_is(guard + PAGE_SIZE, guard + stride, PAGE_SIZE, READ_WRITE))
            return false;
    }
    return guarded_copy(&word, stacks_start, sizeof(word)) == sizeof(word);
}

// A null pointer of EL2's has to fault rather than read what the machine has at address 0.
static bool page_zero_is_unmapped(void)
{
    uint64_t value;

    return el2_descriptor(0) == 0 && !guarded_device_read(pa_make(0), 4, &value);
}

// EL2 writes a guest's RAM when it loads an image and when a person asks it to, and never executes it.
static bool ram_is_data(const struct vm *vm)
{
    for (unsigned int i = 0; i < vm->space.ram_count; i++) {
        const char *ram = (const char *)(uintptr_t)vm->space.ram[i].pa.v;
        if (!range_is(ram, ram + vm->space.ram[i].range.size, MIB(2), READ_WRITE))
            return false;
    }
    return vm->space.ram_count != 0;
}

static const char *check_el2(const struct vm *vm)
{
    const char *log = (const char *)platform.log_ring.base;
    const char *trace = (const char *)platform.trace.base;
    const char *symbols = (const char *)platform.symbols.base;
    const char *flash = (const char *)platform.flash.base;

    if (64 - FIELD_GET(TCR_EL2_T0SZ, READ_SYSREG(TCR_EL2)) != EL2_BITS)
        return "TCR_EL2.T0SZ is not as built";
    if ((READ_SYSREG(SCTLR_EL2) & (SCTLR_ELX_M | SCTLR_ELX_WXN)) != (SCTLR_ELX_M | SCTLR_ELX_WXN))
        return "SCTLR_EL2: the MMU or WXN is off";
    if (!range_is(text_start, text_end, PAGE_SIZE, READ_EXECUTE))
        return "EL2 text is not read-only and executable";
    if (!range_is(rodata_start, rodata_end, PAGE_SIZE, READ_ONLY))
        return "EL2 read-only data is writable or executable";
    if (!range_is(sealed_start, sealed_end, PAGE_SIZE, READ_ONLY))
        return "EL2 tables are writable or executable";
    if (!range_is(data_start, stacks_start, PAGE_SIZE, READ_WRITE) ||
        !range_is(stacks_end, sealed_start, PAGE_SIZE, READ_WRITE) ||
        !range_is(sealed_end, hv_end, PAGE_SIZE, READ_WRITE) ||
        !range_is(log, log + LOG_RING_SIZE, PAGE_SIZE, READ_WRITE) ||
        !range_is(trace, trace + TRACE_SIZE, PAGE_SIZE, READ_WRITE) ||
        !range_is(symbols, symbols + SYMBOLS_SIZE, PAGE_SIZE, READ_WRITE) || !ram_is_data(vm))
        return "EL2 data is executable or not writable";
    if (platform.flash.size != 0 && !range_is(flash + MIB(2), flash + platform.flash.size, MIB(2), READ_ONLY))
        return "EL2 can write the boot flash";
    if (!guard_pages_are_unmapped())
        return "a guard page under an EL2 stack is mapped";
    return page_zero_is_unmapped() ? NULL : "page 0 of EL2 is mapped";
}

// Whether a valid stage-2 entry is one of the three that this VM may have:
//   - guest RAM, which leads to the memory behind it at the same offset, with all permissions;
//   - the shadow page (STAGE2_SHADOW) of the UART's registers, which the guest cannot write;
//   - a device that the board lets pass, at most read and written and never executed.
// In each case the descriptor has to be, bit by bit, what s2_pte_leaf writes for those permissions.
static bool leaf_is_sound(const struct vm *vm, const struct stage2_entry *entry, uint64_t ipa)
{
    const struct space_ram *ram = space_find_ram(&vm->space, ipa_make(ipa));

    if (entry->descriptor != s2_pte_leaf(entry->level, entry->pa, entry->permissions))
        return false;
    if (ram != NULL) {
        uint64_t offset = ipa - ram->range.base.v;
        return entry->size <= ram->range.size - offset && entry->pa.v == ram->pa.v + offset &&
               entry->permissions == (STAGE2_READ | STAGE2_WRITE | STAGE2_EXECUTE);
    }
    if ((entry->permissions & STAGE2_MEANING) == STAGE2_SHADOW)
        return ipa == PL011_IPA && entry->pa.v == (uintptr_t)vm->uart.reg && entry->size == PL011_SIZE &&
               (entry->permissions & ~(STAGE2_READ | STAGE2_SHADOW)) == 0;
    return platform_may_pass(entry->pa.v, entry->size) &&
           entry->permissions == (STAGE2_READ | STAGE2_WRITE | STAGE2_DEVICE);
}

static const char *check_stage2(struct vm *vm)
{
    struct stage2_entry entry;

    if (READ_SYSREG(VTTBR_EL2) != stage2_vttbr(&vm->space.stage2) || (READ_SYSREG(HCR_EL2) & HCR_EL2_VM) == 0)
        return "stage 2 is off, or not this VM's";
    // An entry says how much it covers, so the loop takes whole invalid blocks in one step.
    for (uint64_t ipa = 0; ipa < BIT64(STAGE2_IPA_BITS); ipa += entry.size) {
        if (stage2_query(&vm->space.stage2, ipa_make(ipa), &entry) != HV_OK)
            return "stage 2 can't be read";
        if (entry.valid && !leaf_is_sound(vm, &entry, ipa))
            return "a stage-2 entry is not as map or protect would write it";
    }
    return NULL;
}

const char *selftest_memory(struct vm *vm)
{
    const char *wrong = check_el2(vm);

    if (wrong == NULL)
        wrong = check_stage2(vm);
    if (wrong == NULL && !log_ring_is_valid((const struct log_ring *)platform.log_ring.base))
        wrong = "the log ring's header is damaged";
    return wrong;
}
