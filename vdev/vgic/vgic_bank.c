// SPDX-License-Identifier: Apache-2.0
// The registers that the distributor (SPIs) and a redistributor's SGI frame (SGIs and PPIs) share, at the same offsets
// 0x80 .. 0xfff (IHI 0069 12.9, 12.11): one row for each block of 0x80 bytes. Writes that change nothing return before
// any lock. What concerns interrupts in list registers of another vCPU is done there, at its next entry to EL2, which
// is at once: it is kicked.

#include "vgic_internal.h"

#include <hv/arch/barrier.h>
#include <hv/arch/registers.h>
#include <hv/cpu.h>
#include <hv/gicv3.h>

// One register of a bank. word counts the 32-bit registers of a bank: always 0 where one bit stands for an interrupt;
// 0 or 1 for GICD_ICFGR, which has two bits for each. These functions take the locks themselves.
typedef uint32_t (*word_read)(const struct vgic_view *view, unsigned int word);
typedef void (*word_write)(const struct vgic_view *view, unsigned int word, uint32_t value);

static uint32_t read_group(const struct vgic_view *view, unsigned int word)
{
    (void)word;
    return view->bank->group;
}

static uint32_t read_enabled(const struct vgic_view *view, unsigned int word)
{
    (void)word;
    return view->bank->enabled;
}

// The physical CPUs whose list registers hold interrupts of the view: bit n, CPU n.
static uint32_t listed_on(const struct vgic_view *view)
{
    uint32_t cpus = 0;

    for (uint32_t left = view->bank->listed; left != 0; left &= left - 1)
        cpus |= (uint32_t)BIT64(view->vm->vcpus[view->bank->place[__builtin_ctz(left)] >> 4].cpu);
    return cpus;
}

// Brings the shadows of the list registers that hold interrupts of the view up to date: asks all their CPUs at once.
// When a CPU does not answer in time, the log names it and its shadow is used as it stands. The caller holds no locks,
// because the CPUs that are asked take them.
static void observe(const struct vgic_view *view)
{
    uint32_t cpus;

    vgic_lock_view(view);
    cpus = listed_on(view);
    vgic_unlock_view(view);
    if (cpus != 0)
        (void)cpu_call_each(cpus, vgic_observe, NULL);
}

// Interrupts of the view whose list register has one of the bits of state.
static uint32_t listed_in_state(const struct vgic_view *view, uint64_t state)
{
    uint32_t result = 0;

    for (uint32_t left = view->bank->listed; left != 0; left &= left - 1) {
        unsigned int n = (unsigned int)__builtin_ctz(left);
        uint8_t place = view->bank->place[n];
        if (vgic_listed_state(view->bank, n, view->vm->vcpus[place >> 4].gic.lr[place & 15]) & state)
            result |= (uint32_t)BIT64(n);
    }
    return result;
}

// What the physical redistributor has of an interrupt of the guest's: pending, or active and pending. EL2 keeps only
// what it has taken from there. A level-sensitive one that it took, and that the guest has not acknowledged, is pending
// no longer once its line has fallen: then it goes back. Lock held.
static uint32_t with_physical(const struct vgic_view *view, uint32_t pending)
{
    uint32_t high = vgic_physical_pending(view->owner, view->bank->hardware);
    uint32_t fallen = pending & vgic_by_level(view->bank) & ~high;

    if (fallen != 0) {
        view->bank->latched &= ~fallen;
        view->bank->drop_pending |= fallen & view->bank->listed;
        vgic_post(view->owner);
    }
    return (pending & ~fallen) | high;
}

uint32_t vgic_read_pending(const struct vgic_view *view)
{
    uint32_t result;

    observe(view);
    vgic_lock_view(view);
    result = vgic_pending(view->bank) | listed_in_state(view, ICH_LR_EL2_PENDING);
    if (view->owner != NULL)
        result = with_physical(view, result);
    vgic_unlock_view(view);
    return result;
}

uint32_t vgic_read_active(const struct vgic_view *view)
{
    uint32_t result;

    observe(view);
    vgic_lock_view(view);
    result = view->bank->active | listed_in_state(view, ICH_LR_EL2_ACTIVE);
    vgic_unlock_view(view);
    return result;
}

static uint32_t read_pending(const struct vgic_view *view, unsigned int word)
{
    (void)word;
    return vgic_read_pending(view);
}

static uint32_t read_active(const struct vgic_view *view, unsigned int word)
{
    (void)word;
    return vgic_read_active(view);
}

// GICD_ICFGR<n>: the upper one of two bits says edge-triggered, the lower one is reserved. So interrupt 3 of the half,
// when it is edge-triggered, reads as 2 << 6, which is bit 7.
static uint32_t read_config(const struct vgic_view *view, unsigned int word)
{
    uint32_t half = view->bank->edge >> (16 * word) & 0xffff;
    uint32_t result = 0;

    for (; half != 0; half &= half - 1)
        result |= (uint32_t)2 << (2 * __builtin_ctz(half));
    return result;
}

// Enabling, grouping or configuration of bits has changed. Interrupts that may be taken now are raised; those that are
// listed and may not be taken any more leave their list registers at the next refill of the vCPU that has them. The
// caller holds the view's lock.
static void redeliver(const struct vgic_view *view, uint32_t bits)
{
    uint32_t deliverable = vgic_deliverable(view->vm, view->bank);

    if (view->owner != NULL && (bits & view->bank->hardware))
        vgic_mirror(view->owner);
    vgic_review(view, bits);
    vgic_raise(view, bits & deliverable & vgic_pending(view->bank) & ~view->bank->listed);
}

static void write_group(const struct vgic_view *view, unsigned int word, uint32_t value)
{
    (void)word;
    vgic_lock_view(view);
    uint32_t changed = view->bank->group ^ value;
    view->bank->group = value;
    redeliver(view, changed);
    vgic_unlock_view(view);
}

// A write that changes nothing returns without the lock. What it looked at may be stale, but only as if this write had
// come a moment earlier or later.
static void write_set_enable(const struct vgic_view *view, unsigned int word, uint32_t value)
{
    (void)word;
    if (!(value & ~__atomic_load_n(&view->bank->enabled, __ATOMIC_RELAXED)))
        return;
    vgic_lock_view(view);
    value &= ~view->bank->enabled;
    view->bank->enabled |= value;
    redeliver(view, value);
    vgic_unlock_view(view);
}

static void write_clear_enable(const struct vgic_view *view, unsigned int word, uint32_t value)
{
    (void)word;
    if (!(value & __atomic_load_n(&view->bank->enabled, __ATOMIC_RELAXED)))
        return;
    vgic_lock_view(view);
    value &= view->bank->enabled;
    view->bank->enabled &= ~value;
    redeliver(view, value);
    vgic_unlock_view(view);
}

static void write_set_pending(const struct vgic_view *view, unsigned int word, uint32_t value)
{
    (void)word;
    vgic_lock_view(view);
    view->bank->latched |= value;
    view->bank->set |= value & view->bank->hardware;
    vgic_raise(view, value & vgic_deliverable(view->vm, view->bank));
    vgic_unlock_view(view);
}

// The pending state may be in three places, and is cleared in each: latched in memory, in a list register (drop_pending
// has its vCPU clear it there), and in the physical redistributor. A level-sensitive interrupt whose line is high stays
// pending (GICD_ICPENDR, IHI 0069 12.9).
static void write_clear_pending(const struct vgic_view *view, unsigned int word, uint32_t value)
{
    (void)word;
    vgic_lock_view(view);
    view->bank->latched &= ~value;
    view->bank->set &= ~value;
    view->bank->drop_pending |= value & view->bank->listed;
    for (uint32_t left = value & view->bank->hardware; left != 0; left &= left - 1)
        gicv3_clear_pending((unsigned int)__builtin_ctz(left), view->owner->cpu);
    vgic_review(view, value);
    if (view->owner != NULL && (value & view->bank->forwarded))
        vgic_post(view->owner);
    vgic_unlock_view(view);
}

// An interrupt that becomes active by GICD_ISACTIVER was not acknowledged by any vCPU, but a list register of some vCPU
// must hold it: the owner's, or that of the vCPU the SPI is routed to, or, where there is none, that of vCPU 0.
static void write_set_active(const struct vgic_view *view, unsigned int word, uint32_t value)
{
    (void)word;
    vgic_lock_view(view);
    for (uint32_t left = value & ~view->bank->listed & ~view->bank->active; left != 0; left &= left - 1) {
        unsigned int n = (unsigned int)__builtin_ctz(left);
        struct vcpu *target = view->owner != NULL ? view->owner : vgic_spi_target(view->vm, view->first + n);
        if (target == NULL)
            target = &view->vm->vcpus[0];
        view->bank->place[n] = (uint8_t)(target->id << 4);
        view->bank->running[n] = view->bank->priority[n];
        if (view->owner == NULL)
            target->gic.spi_hint |= (uint32_t)BIT64(view->first / 32 - 1);
        vgic_post(target);
    }
    view->bank->active |= value;
    vgic_review(view, value);
    vgic_unlock_view(view);
}

// An interrupt that was active may be pending as well, and can be taken now: it is raised. With a physical interrupt
// behind it, the refill of its vCPU does that, because the physical one has to be deactivated on its own CPU first.
void vgic_clear_active(const struct vgic_view *view, uint32_t bits)
{
    vgic_lock_view(view);
    uint32_t forwarded = bits & view->bank->forwarded & ~view->bank->listed;
    view->bank->active &= ~bits;
    view->bank->drop_active |= bits & view->bank->listed;
    vgic_review(view, bits);
    if (view->owner != NULL && forwarded != 0)
        vgic_post(view->owner);
    else
        vgic_raise(view,
                   bits & ~view->bank->listed & vgic_pending(view->bank) & vgic_deliverable(view->vm, view->bank));
    vgic_unlock_view(view);
}

static void write_clear_active(const struct vgic_view *view, unsigned int word, uint32_t value)
{
    (void)word;
    vgic_clear_active(view, value);
}

// The physical interrupts behind bits are configured as the guest wants them, and it finds what they can be. Each is
// disabled meanwhile (IHI 0069 12.11.5); redeliver enables it again. Lock held.
static void configure_physical(const struct vgic_view *view, uint32_t bits)
{
    struct vgic_bank *bank = view->bank;

    for (bits &= bank->hardware; bits != 0; bits &= bits - 1) {
        unsigned int intid = (unsigned int)__builtin_ctz(bits);
        uint32_t bit = bits & -bits;

        gicv3_disable(intid, view->owner->cpu);
        bank->physical &= ~bit;
        gicv3_set_edge(intid, view->owner->cpu, bank->edge & bit);
        if (!gicv3_is_edge(intid, view->owner->cpu))
            bank->edge &= ~bit;
        else
            bank->edge |= bit;
    }
}

static void write_config(const struct vgic_view *view, unsigned int word, uint32_t value)
{
    uint32_t half = 0;

    if (view->owner != NULL && word == 0)
        return; // SGIs are edge-triggered for good
    for (unsigned int n = 0; n < 16; n++)
        half |= (value >> (2 * n + 1) & 1) << n;
    vgic_lock_view(view);
    uint32_t changed = (view->bank->edge ^ half << (16 * word)) & ((uint32_t)0xffff << (16 * word));
    view->bank->edge ^= changed;
    if (view->owner != NULL)
        configure_physical(view, changed);
    redeliver(view, changed);
    vgic_unlock_view(view);
}

// ---- GICD_IPRIORITYR: words and bytes. As many bits as the virtual CPU interface has.

// For example, with 5 bits a guest that writes 0xa7 reads 0xa0: the bits that are not implemented read as zero.
static uint32_t read_priorities(const struct vgic_bank *bank, unsigned int first, unsigned int size)
{
    uint32_t result = 0;

    for (unsigned int i = 0; i < size; i++)
        result |= (uint32_t)bank->priority[first + i] << (8 * i);
    return result;
}

static void write_priorities(const struct vgic_view *view, unsigned int first, unsigned int size, uint32_t values)
{
    uint8_t *priority = &view->bank->priority[first];
    uint32_t changed = 0;

    vgic_lock_view(view);
    for (unsigned int i = 0; i < size; i++) {
        uint8_t value = (uint8_t)(values >> (8 * i)) & vcpu_current()->gic.priority_mask;
        if (priority[i] != value)
            changed |= (uint32_t)BIT64(first + i);
        priority[i] = value;
    }
    vgic_review(view, changed);
    vgic_raise(view, changed & ~view->bank->listed & vgic_pending(view->bank) & vgic_deliverable(view->vm, view->bank));
    vgic_unlock_view(view);
}

// ---- The table

#define BLOCK_SHIFT    7
#define BLOCK_PRIORITY (0x400 >> BLOCK_SHIFT)
#define BLOCK_TARGETS  (0x800 >> BLOCK_SHIFT)

// NULL: reads as zero, writes ignored (with affinity routing and one Security state that is right for the rest).
static const struct {
    word_read read;
    word_write write;
} blocks[VGIC_BANK_END >> BLOCK_SHIFT] = {
    [0x080 >> BLOCK_SHIFT] = {read_group, write_group},
    [0x100 >> BLOCK_SHIFT] = {read_enabled, write_set_enable},
    [0x180 >> BLOCK_SHIFT] = {read_enabled, write_clear_enable},
    [0x200 >> BLOCK_SHIFT] = {read_pending, write_set_pending},
    [0x280 >> BLOCK_SHIFT] = {read_pending, write_clear_pending},
    [0x300 >> BLOCK_SHIFT] = {read_active, write_set_active},
    [0x380 >> BLOCK_SHIFT] = {read_active, write_clear_active},
    [0xc00 >> BLOCK_SHIFT] = {read_config, write_config},
    [0xc80 >> BLOCK_SHIFT] = {read_config, write_config},
};

// The INTID of the first interrupt that the register at offset is about. The registers below 0x400 have one bit for
// each interrupt, so a byte stands for 8: offset 0x104 (GICD_ISENABLER1) begins with INTID 4 * 8 = 32. GICD_IPRIORITYR
// from 0x400 on has a byte for each, and GICD_ICFGR from 0xc00 on two bits, so a byte stands for 4.
static unsigned int first_intid(unsigned int block, uint32_t offset)
{
    if (block < BLOCK_PRIORITY)
        return (offset & 0x7c) * 8;
    return block < BLOCK_TARGETS ? offset & 0x3ff : (offset & 0xfc) * 4;
}

static __attribute__((noinline)) enum mmio_result access_registers(struct vm *vm, struct vcpu *owner, uint32_t offset,
                                                                   unsigned int access, uint64_t *value)
{
    unsigned int block = (unsigned int)bounded_index(offset >> BLOCK_SHIFT, ARRAY_COUNT(blocks));
    unsigned int intid = first_intid(block, offset);
    bool priority = block >= BLOCK_PRIORITY && block < BLOCK_TARGETS;

    if (!(access & MMIO_WRITE))
        *value = 0;
    // A redistributor has INTIDs 0 .. 31 only, the distributor all the others.
    if ((owner != NULL) != (intid < 32) || intid >= VGIC_INTIDS)
        return MMIO_DONE;
    intid = (unsigned int)bounded_index(intid, VGIC_INTIDS);
    struct vgic_view view = vgic_view_of(vm, owner, intid);
    if (access & MMIO_WRITE) {
        if (priority)
            write_priorities(&view, intid % 32, mmio_size(access), (uint32_t)*value);
        else if (blocks[block].write != NULL)
            blocks[block].write(&view, intid % 32 / 16, (uint32_t)*value);
    } else if (priority) {
        *value = read_priorities(view.bank, intid % 32, access);
    } else if (blocks[block].read != NULL) {
        *value = blocks[block].read(&view, intid % 32 / 16);
    }
    return MMIO_DONE;
}

// GICD_IPRIORITYR, ITARGETSR, CPENDSGIR, SPENDSGIR (IHI 0069 12.1.3).
static bool has_bytes(uint32_t offset)
{
    return (offset >= 0x400 && offset < 0xc00) || (offset >= 0xf10 && offset < 0xf30);
}

__attribute__((noinline)) enum mmio_result vgic_bank_access(struct vcpu *vcpu, struct vcpu *owner, uint32_t offset,
                                                            unsigned int access, uint64_t *value)
{
    // From 0x100 to 0x3ff the bits that are 1 set or clear something; a write of 0 does nothing.
    if (offset >= 0x100 && offset < 0x400 && access == (4 | MMIO_WRITE) && *value == 0)
        return MMIO_DONE;
    if (mmio_size(access) != 4 && !(mmio_size(access) == 1 && has_bytes(offset)))
        return MMIO_FAULT;
    return access_registers(vcpu->vm, owner, offset, access, value);
}

uint32_t vgic_identification(uint32_t offset, uint32_t part)
{
    // PIDR4 (JEP106 continuation code 4, 64 KiB) to 7, PIDR0 to 3 (Arm, GICv3), CIDR0 to 3
    static const uint8_t values[12] = {0x44, 0, 0, 0, 0, 0xb4, 0x3b, 0, 0x0d, 0xf0, 0x05, 0xb1};

    if (offset == 0xffe0)
        return part; // PIDR0
    return offset >= 0xffd0 ? values[(offset - 0xffd0) / 4] : 0;
}
