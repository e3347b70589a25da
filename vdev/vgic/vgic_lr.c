// SPDX-License-Identifier: Apache-2.0
// List registers (IHI 0069 11.4).
//
// The problem: a guest may have any number of interrupts pending and active, and the hardware has few list registers,
// four on a Cortex-A57. And the hardware changes what is in them while the guest runs, without telling EL2.
//
// The rule: the state of an interrupt is either in memory or in a list register ("listed"), never in both. Listing
// moves it into the register: the active state, and the pending state that was latched (`soft` remembers that it was).
// An interrupt that is pending because its line is high asks for a maintenance interrupt at its deactivation (the EOI
// bit), because the line may still be high then. gic.lr is a copy of what EL2 wrote last, so that an exit that is not
// about interrupts reads no ICH_LR<n>_EL2.
//
// Who keeps it: vgic_refill takes the state of all listed interrupts back into memory and chooses anew. First comes the
// best pending interrupt, so that it can preempt; then active ones by priority, so that the register in which the
// guest's EOI looks for them is found; then the other pending ones. For what finds no register EL2 asks for a
// maintenance interrupt: for pending ones when no listed interrupt is pending any more (ICH_HCR_EL2.NPIE), for active
// ones when the guest ends an interrupt that has no register (LRENPIE). Writes of ICC_DIR_EL1 always trap, because the
// interrupt that they name may be in another CPU's register. The register of an active interrupt keeps the priority at
// which the guest took it, because the CPU interface drops that priority when the interrupt ends.

#include "vgic_internal.h"

#include <hv/arch/registers.h>
#include <hv/gicv3.h>
#include <hv/policy.h>
#include <hv/spinlock.h>

// clang-format off
#define LR_LIST(LR) LR(0) LR(1) LR(2) LR(3) LR(4) LR(5) LR(6) LR(7) LR(8) LR(9) LR(10) LR(11) LR(12) LR(13) LR(14) LR(15)
// clang-format on

// The number of a system register is part of the MRS or MSR instruction, so a list register cannot be chosen by an
// index: these two functions have one instruction for each of the 16.
static uint64_t read_lr(unsigned int k)
{
    switch (k) {
#define READ_CASE(n)                                                                                                   \
    case n:                                                                                                            \
        return READ_SYSREG(ICH_LR##n##_EL2);
        LR_LIST(READ_CASE)
    default:
        return 0;
    }
}

// Writes list register k and its copy in memory. k < lr_count: a register that the implementation lacks is undefined.
static void write_lr(struct vgic_cpu *gic, unsigned int k, uint64_t value)
{
    gic->lr[k] = value;
    switch (k) {
#define WRITE_CASE(n)                                                                                                  \
    case n:                                                                                                            \
        WRITE_SYSREG(ICH_LR##n##_EL2, value);                                                                          \
        break;
        LR_LIST(WRITE_CASE)
    default:
        break;
    }
}

// A list register's value for an interrupt of bank in state (ICH_LR_EL2_PENDING and _ACTIVE).
static uint64_t compose(const struct vgic_bank *bank, unsigned int intid, uint64_t state)
{
    uint32_t bit = (uint32_t)BIT64(intid % 32);
    uint64_t value = state | FIELD_PREP(ICH_LR_EL2_PRIORITY, bank->running[intid % 32]) | intid;

    if (bank->group & bit)
        value |= ICH_LR_EL2_GROUP;
    // With HW set the guest's deactivation also deactivates the physical interrupt PINTID. An active interrupt that is
    // to become pending once more must not do that yet: the physical one belongs to the pending state that follows.
    if ((bank->forwarded & bit) && !((state & ICH_LR_EL2_ACTIVE) && (bank->latched & bit)))
        return value | ICH_LR_EL2_HW | FIELD_PREP(ICH_LR_EL2_PINTID, intid);
    if (!(bank->edge & bit) && (vgic_pending(bank) & bit))
        value |= ICH_LR_EL2_EOI;
    return value;
}

// Puts intid into list register k of vcpu, which is free or was intid's own. From here on the pending and the active
// state are in the register: latched is cleared, and soft keeps that it was set. The caller holds the bank's lock and
// vcpu's, and runs on vcpu's CPU.
static void occupy(struct vcpu *vcpu, struct vgic_bank *bank, unsigned int intid, unsigned int k, uint64_t state)
{
    uint32_t bit = (uint32_t)BIT64(intid % 32);

    bank->soft &= ~bit;
    if (!(state & ICH_LR_EL2_ACTIVE))
        bank->running[intid % 32] = bank->priority[intid % 32];
    if (state & ICH_LR_EL2_PENDING) {
        bank->soft |= bank->latched & bit;
        bank->latched &= ~bit;
    }
    bank->listed |= bit;
    bank->place[intid % 32] = (uint8_t)(vcpu->id << 4 | k);
    vcpu->gic.lr_used |= (uint16_t)BIT64(k);
    write_lr(&vcpu->gic, k, compose(bank, intid, state));
}

// intid has a list register already. What happens depends on what the guest has made of it: an empty register is used
// again; a physical interrupt, or one that another vCPU has changed, is left to the refill; an edge is added to the
// register; a level behind an active interrupt is looked at when that ends.
static void list_again(struct vcpu *vcpu, struct vgic_bank *bank, unsigned int intid)
{
    struct vgic_cpu *gic = &vcpu->gic;
    uint32_t bit = (uint32_t)BIT64(intid % 32);
    unsigned int k = bank->place[intid % 32] & 15;
    uint64_t value = read_lr(k);

    if (!(value & ICH_LR_EL2_STATE)) {
        bank->drop_active &= ~bit;
        bank->drop_pending &= ~bit;
        occupy(vcpu, bank, intid, k, ICH_LR_EL2_PENDING);
    } else if ((value & ICH_LR_EL2_HW) || ((bank->forwarded | bank->drop_active | bank->drop_pending) & bit)) {
        gic->work = 1;
    } else if ((value & ICH_LR_EL2_PENDING) || (bank->edge & bit)) {
        bank->soft |= bank->latched & bit;
        bank->latched &= ~bit;
        if (bank->line & ~bank->edge & bit)
            value |= ICH_LR_EL2_EOI;
        write_lr(gic, k, value | ICH_LR_EL2_PENDING);
    } else {
        write_lr(gic, k, value | ICH_LR_EL2_EOI); // pending behind an active level: looked at when that ends
    }
}

void vgic_list(struct vcpu *vcpu, struct vgic_bank *bank, unsigned int intid)
{
    struct vgic_cpu *gic = &vcpu->gic;
    uint32_t bit = (uint32_t)BIT64(intid % 32);
    uint32_t free = ~(uint32_t)gic->lr_used & (uint32_t)(BIT64(gic->lr_count) - 1);

    if (bank->listed & bit)
        list_again(vcpu, bank, intid);
    else if (free != 0 && !(bank->active & bit))
        occupy(vcpu, bank, intid, (unsigned int)__builtin_ctz(free), ICH_LR_EL2_PENDING);
    else
        gic->work = 1;
}

// The short way of a timer's interrupt, which comes many times a second: it still has the list register of last time
// and that register is empty (its bit of ICH_ELRSR_EL2 is 1), so the register is made pending again and nothing else
// changes. Returns false when that is not so. It takes no lock: it writes only what belongs to this CPU, and whoever
// changes the bank at the same time posts this vCPU, which then refills from what the bank says.
static inline bool list_forwarded(struct vcpu *vcpu, unsigned int intid)
{
    const struct vgic_bank *bank = &vcpu->gic.bank;
    unsigned int k = bank->place[intid] & 15;
    uint32_t kept = bank->listed & bank->forwarded & bank->soft & ~(bank->drop_active | bank->drop_pending | bank->set);

    if (!(kept >> intid & 1) || !(READ_SYSREG(ICH_ELRSR_EL2) >> k & 1))
        return false;
    write_lr(&vcpu->gic, k, (vcpu->gic.lr[k] & ~ICH_LR_EL2_STATE) | ICH_LR_EL2_PENDING);
    return true;
}

// The long way: the interrupt has no list register that could take it unchanged. One that is not the guest's is
// disabled for good, so that it cannot keep this CPU busy.
static COLD void forward_anew(struct vcpu *vcpu, unsigned int intid)
{
    struct vgic_bank *bank = &vcpu->gic.bank;
    uint32_t bit = (uint32_t)BIT64(intid % 32);

    if (intid >= 32 || !(bank->hardware & bit)) {
        gicv3_disable(intid, vcpu->cpu);
        gicv3_deactivate(intid);
        return;
    }
    if (bank->set & bit)
        vgic_refill(vcpu); // was that acknowledged meanwhile?
    spinlock_acquire(&vcpu->gic.lock);
    if (vgic_deliverable(vcpu->vm, bank) & bit) {
        bank->forwarded |= bit;
        bank->latched |= bit;
        vgic_list(vcpu, bank, intid);
    } else {
        bank->latched |= bank->edge & bit;
        gicv3_deactivate(intid); // just disabled: a line that is high makes it pending again when it is enabled
    }
    spinlock_release(&vcpu->gic.lock);
}

void vgic_forward(struct vcpu *vcpu, unsigned int intid)
{
    if (!list_forwarded(vcpu, intid))
        forward_anew(vcpu, intid);
}

// A level-sensitive interrupt is pending only as long as its line is high, unless a
// write to GICD_ISPENDR made it pending: that stays until it is acknowledged or cleared. A register with the HW bit
// follows the physical line, which this call is not about.
COLD void vgic_unlist_level(struct vcpu *vcpu, struct vgic_bank *bank, unsigned int intid)
{
    unsigned int k = bank->place[intid % 32] & 15;
    uint64_t value = read_lr(k);

    if (value & ICH_LR_EL2_HW)
        return;
    if ((bank->soft | bank->latched) & BIT64(intid % 32))
        return; // GICD_ISPENDR has made it pending, or will again
    value &= ~(ICH_LR_EL2_PENDING | ICH_LR_EL2_EOI);
    write_lr(&vcpu->gic, k, value);
}

COLD void vgic_observe(void *unused)
{
    struct vgic_cpu *gic = &vcpu_current()->gic;

    (void)unused;
    spinlock_acquire(&gic->lock);
    for (uint32_t left = gic->lr_used; left != 0; left &= left - 1) {
        unsigned int k = (unsigned int)__builtin_ctz(left);
        gic->lr[k] = read_lr(k);
    }
    spinlock_release(&gic->lock);
}

// The contract is in vgic_internal.h. ~soft leaves out a pending state that came from the level alone.
__attribute__((noinline)) uint64_t vgic_listed_state(const struct vgic_bank *bank, unsigned int n, uint64_t value)
{
    if (bank->drop_active >> n & 1)
        value &= ~ICH_LR_EL2_ACTIVE;
    if ((bank->drop_pending | ~bank->soft) >> n & 1)
        value &= ~ICH_LR_EL2_PENDING;
    return value & ICH_LR_EL2_STATE;
}

// Takes the state of list register k back into memory, without the bits that other CPUs have cleared meanwhile
// (vgic_listed_state). The INTID comes from EL2's own copy, which the guest cannot influence. An SPI whose route has
// changed since it was listed is offered to its new vCPU. The caller holds both locks.
static void take_back(struct vcpu *vcpu, unsigned int k)
{
    uint64_t value = read_lr(k);
    unsigned int intid = (unsigned int)(vcpu->gic.lr[k] & ICH_LR_EL2_VINTID);
    struct vgic_view view = vgic_view_of(vcpu->vm, vcpu, intid);
    struct vgic_bank *bank = view.bank;
    uint32_t bit = (uint32_t)BIT64(intid % 32);
    uint64_t state = vgic_listed_state(bank, intid % 32, value);

    bank->listed &= ~bit;
    vcpu->gic.ended_count += state == 0;
    if (state & ICH_LR_EL2_ACTIVE)
        bank->active |= bit;
    if (!(state & ICH_LR_EL2_PENDING))
        bank->set &= ~bit | bank->latched; // acknowledged; set anew since, it is in latched
    else
        bank->latched |= bit;
    if ((value & ICH_LR_EL2_HW) && !(value & ICH_LR_EL2_STATE))
        bank->forwarded &= ~bit; // the guest's deactivation was the physical one's
    bank->drop_active &= ~bit;
    bank->drop_pending &= ~bit;
    if (view.owner != NULL)
        return;
    vcpu->gic.spi_hint |= (uint32_t)BIT64(intid / 32 - 1);
    if ((bank->active & bit) || vgic_targets(vcpu->vm, intid, vcpu) ||
        !(bit & vgic_pending(bank) & vgic_deliverable(vcpu->vm, bank)))
        return;
    struct vcpu *target = vgic_spi_target(vcpu->vm, intid); // routed elsewhere since: never to vcpu itself
    if (target != NULL)
        vgic_offer_spi(target, intid);
}

// Physical interrupts that are active for the guest's sake, but that the guest does not wait for, or whose line has
// fallen before it looked: given back. A line that is high makes them pending again; they are taken when the guest
// enables them. What an edge or a write to ISPENDR has left is kept here.
static void give_back(struct vcpu *vcpu)
{
    struct vgic_bank *bank = &vcpu->gic.bank;
    uint32_t wanted = bank->latched & vgic_deliverable(vcpu->vm, bank);
    uint32_t level = vgic_by_level(bank);

    wanted &= ~level | vgic_physical_pending(vcpu, wanted & level & ~bank->active);
    uint32_t idle = bank->forwarded & ~bank->active & ~wanted;
    bank->latched &= ~(idle & level);
    bank->forwarded &= ~idle;
    for (; idle != 0; idle &= idle - 1)
        gicv3_deactivate((unsigned int)__builtin_ctz(idle));
}

// ---- Choosing

// The refill sorts the candidates by one number, the key: bit 24 is set for an interrupt that is only pending, bits 16
// to 23 are the priority, bits 0 to 15 the INTID. The least key wins. For example, active INTID 40 at priority 0xa0 has
// the key 0x00a00028, and pending INTID 27 at priority 0x20 has 0x0120001b: the active one comes first. Equal
// priorities are ordered by INTID; the architecture leaves that order open.
struct choice {
    uint32_t keys[VGIC_LR_MAX]; // active or not, priority, INTID: the least first
    unsigned int count;
    unsigned int max;
    uint32_t best_pending; // key, or ~0
    bool pending_left;
    bool active_left;
};

#define KEY_PENDING                        0x01000000u // pending only: behind every active one
#define KEY(pending_only, priority, intid) ((pending_only ? KEY_PENDING : 0) | (uint32_t)(priority) << 16 | (intid))

// Inserts key into the sorted list. When the list is full, the greatest of all keys is left out, and the choice
// remembers whether that was a pending or an active interrupt.
static void consider(struct choice *choice, uint32_t key)
{
    unsigned int at = choice->count;

    if (choice->count == choice->max) {
        uint32_t last = choice->keys[choice->max - 1];
        uint32_t loser = key < last ? last : key;
        if (loser & KEY_PENDING)
            choice->pending_left = true;
        else
            choice->active_left = true;
        if (loser == key)
            return;
        at = --choice->count;
    }
    for (; at > 0 && choice->keys[at - 1] > key; at--)
        choice->keys[at] = choice->keys[at - 1];
    choice->keys[at] = key;
    choice->count++;
}

// Considers what is pending or active in one bank and may be in a list register of vcpu. An active SPI belongs to the
// vCPU that acknowledged it (place), a pending one to a vCPU that GICD_IROUTER allows. Returns false when the bank has
// nothing for vcpu, so that the caller may drop its hint.
static bool consider_bank(struct vcpu *vcpu, struct choice *choice, const struct vgic_view *view)
{
    struct vgic_bank *bank = view->bank;
    uint32_t pending = vgic_pending(bank) & vgic_deliverable(vcpu->vm, bank) & ~bank->listed;
    uint32_t active = bank->active & ~bank->listed;
    bool any = false;

    for (uint32_t left = pending | active; left != 0; left &= left - 1) {
        unsigned int n = (unsigned int)__builtin_ctz(left);
        uint32_t bit = (uint32_t)BIT64(n);
        bool is_active = active & bit;
        if (view->owner == NULL && is_active && bank->place[n] >> 4 != vcpu->id)
            continue;
        if (view->owner == NULL && !is_active && !vgic_targets(vcpu->vm, view->first + n, vcpu))
            continue;
        uint32_t key = KEY(!is_active, bank->priority[n], view->first + n);
        if (!is_active && key < choice->best_pending)
            choice->best_pending = key;
        consider(choice, key);
        any = true;
    }
    return any;
}

// The best pending interrupt must be listed even when active ones fill every register: it may outrank them all.
static void keep_best_pending(struct choice *choice)
{
    if (choice->count == 0 || choice->best_pending == ~0u || (choice->keys[choice->count - 1] & KEY_PENDING) ||
        choice->count < choice->max)
        return;
    choice->keys[choice->count - 1] = choice->best_pending;
    choice->active_left = true;
}

// Writes what was chosen into list registers 0, 1, 2 and so on, and empties those that were in use before and are not
// any more. No interrupt is listed on this vCPU when it begins: take_back has emptied its registers.
static void list_chosen(struct vcpu *vcpu, const struct choice *choice)
{
    struct vgic_cpu *gic = &vcpu->gic;
    uint16_t was_used = gic->lr_used;

    gic->lr_used = 0;
    for (unsigned int k = 0; k < choice->count; k++) {
        unsigned int intid = choice->keys[k] & 0xffff;
        struct vgic_bank *bank = vgic_view_of(vcpu->vm, vcpu, intid).bank;
        uint32_t bit = (uint32_t)BIT64(intid % 32);
        uint64_t state = bank->active & bit ? ICH_LR_EL2_ACTIVE : ICH_LR_EL2_PENDING;
        // Pending and active at once only where the pending state moved here and no physical one stands behind it.
        if ((bank->active & bank->latched & bank->edge & ~bank->forwarded & vgic_deliverable(vcpu->vm, bank)) & bit)
            state |= ICH_LR_EL2_PENDING;
        occupy(vcpu, bank, intid, k, state);
        bank->active &= ~bit;
    }
    for (uint32_t left = was_used & ~(uint32_t)gic->lr_used; left != 0; left &= left - 1)
        write_lr(gic, (unsigned int)__builtin_ctz(left), 0);
}

// The guest has ended count interrupts that had no list register. ICH_HCR_EL2.EOIcount says how many, not which. A
// guest ends interrupts in the reverse order of their acknowledgement, and one preempts only at a higher priority, so
// the ones that it ended are those that run at the highest priorities (the least numbers).
static COLD void end_unlisted(struct vcpu *vcpu, unsigned int count)
{
    while (count-- > 0) {
        uint32_t best = ~0u;
        for (unsigned int intid = 0; intid < VGIC_INTIDS; intid++) {
            struct vgic_view view = vgic_view_of(vcpu->vm, vcpu, intid);
            uint32_t bit = (uint32_t)BIT64(intid % 32);
            if (!(view.bank->active & ~view.bank->listed & bit))
                continue;
            if (view.owner == NULL && view.bank->place[intid % 32] >> 4 != vcpu->id)
                continue;
            uint32_t key = KEY(false, view.bank->running[intid % 32], intid);
            best = key < best ? key : best;
        }
        if (best == ~0u)
            return;
        vgic_view_of(vcpu->vm, vcpu, best & 0xffff).bank->active &= ~(uint32_t)BIT64(best % 32);
    }
}

// Considers the vCPU's own bank, and of the SPIs the banks for which spi_hint has a bit. A hint may be wrong in one
// direction only: a set bit with nothing behind it costs one look, and is then cleared.
static void choose(struct vcpu *vcpu, struct choice *choice)
{
    struct vgic_view view = vgic_view_of(vcpu->vm, vcpu, 0);

    consider_bank(vcpu, choice, &view);
    for (uint32_t left = vcpu->gic.spi_hint; left != 0; left &= left - 1) {
        unsigned int b = (unsigned int)__builtin_ctz(left);
        view = vgic_view_of(vcpu->vm, vcpu, 32 * (b + 1));
        if (!consider_bank(vcpu, choice, &view))
            vcpu->gic.spi_hint &= ~(uint32_t)BIT64(b);
    }
    keep_best_pending(choice);
}

// The order matters. First everything is taken back, so that memory has the whole state. Then the unlisted ends and the
// physical interrupts are settled, because both change what is active. Then the choice is made and written. The VM's
// lock is taken before the vCPU's (the order of lock.h).
void vgic_refill(struct vcpu *vcpu)
{
    struct vgic_cpu *gic = &vcpu->gic;
    struct choice choice = {.max = gic->lr_count, .best_pending = ~0u};
    uint64_t hcr = gic->hcr_base;

    // Cleared before anything is looked at: what another CPU posts from here on stays posted.
    __atomic_exchange_n(&gic->work, 0, __ATOMIC_ACQ_REL);
    spinlock_acquire(&vcpu->vm->vgic.lock);
    spinlock_acquire(&gic->lock);
    gic->refill_count++;
    for (uint32_t left = gic->lr_used; left != 0; left &= left - 1)
        take_back(vcpu, (unsigned int)__builtin_ctz(left));
    if ((gic->hcr & ICH_HCR_EL2_LRENPIE) && !(READ_SYSREG(ICH_VMCR_EL2) & ICH_VMCR_EL2_VEOIM))
        end_unlisted(vcpu, (unsigned int)FIELD_GET(ICH_HCR_EL2_EOICOUNT, READ_SYSREG(ICH_HCR_EL2)));
    give_back(vcpu);
    choose(vcpu, &choice);
    list_chosen(vcpu, &choice);
    if (choice.pending_left)
        hcr |= ICH_HCR_EL2_NPIE;
    if (choice.active_left)
        hcr |= ICH_HCR_EL2_LRENPIE;
    // ICH_HCR_EL2 is written only when it changes, or when EOIcount has been used up and has to be cleared.
    if (hcr != gic->hcr || (hcr & ICH_HCR_EL2_LRENPIE))
        WRITE_SYSREG(ICH_HCR_EL2, hcr); // EOIcount starts again from 0
    gic->hcr = hcr;
    gic->spill = choice.pending_left || choice.active_left;
    spinlock_release(&gic->lock);
    spinlock_release(&vcpu->vm->vgic.lock);
}

COLD void vgic_take_back_all(struct vcpu *vcpu)
{
    struct vgic_cpu *gic = &vcpu->gic;

    spinlock_acquire(&vcpu->vm->vgic.lock);
    spinlock_acquire(&gic->lock);
    for (uint32_t left = gic->lr_used; left != 0; left &= left - 1)
        take_back(vcpu, (unsigned int)__builtin_ctz(left));
    for (unsigned int k = 0; k < gic->lr_count; k++)
        write_lr(gic, k, 0);
    gic->lr_used = 0;
    gic->spi_hint = (uint32_t)BIT64(VGIC_SPI_BANKS) - 1; // turned on again, it may take what nobody could
    give_back(vcpu);
    gic->hcr = gic->hcr_base; // empty list registers are no reason for maintenance now
    WRITE_SYSREG(ICH_HCR_EL2, gic->hcr);
    spinlock_release(&gic->lock);
    spinlock_release(&vcpu->vm->vgic.lock);
    gic->work = 1;
}
