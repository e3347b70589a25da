// SPDX-License-Identifier: Apache-2.0
// The guest's GIC as a state machine against a model written from IHI 0069 that knows nothing of list registers: three
// CPUs acknowledge and end interrupts while the guest writes any word of any shared register, sends SGIs of both groups
// and lines move. After each step, what registers read and what an acknowledge gives is the model's; then accesses of
// any kind to both frames, which leave no lock held, no storm and no CPU that does not look.
//
// Links: vdev/vgic/vgic.c vdev/vgic/vgic_view.c vdev/vgic/vgic_icc.c vdev/vgic/vgic_lr.c vdev/vgic/vgic_bank.c
// Links: vdev/vgic/vgic_dist.c vdev/vgic/vgic_redist.c
// Links: vdev/vgic/vgic_snapshot.c

#include "../unit/vgic_world.h"

#define SPI_BANK    WORLD_CPUS  // banks: each CPU's own, then INTIDs 32 .. 63
#define PRIVATE     0xf7ffff00u // SGIs 8 .. 15 and PPIs, but for the timer's, which is the machine's
#define STACK_LIMIT 20

static struct bank {
    uint32_t group, enabled, edge, latched, line, active;
    uint8_t priority[32];
    uint8_t target[32]; // CPU; WORLD_CPUS: 1 of N
} banks[WORLD_CPUS + 1];
static uint32_t control; // GICD_CTLR
static uint32_t forced;  // made active by GICD_ISACTIVER, bank by bank: nobody has acknowledged these
static struct {
    unsigned int intid[64];
    unsigned int depth;
} stacks[WORLD_CPUS];

static struct bank *bank_of(unsigned int cpu, unsigned int intid)
{
    return &banks[intid < 32 ? cpu : SPI_BANK];
}

static uint32_t known(unsigned int bank)
{
    return bank == SPI_BANK ? ~0u : PRIVATE;
}

static uint32_t pending(const struct bank *bank)
{
    return bank->latched | (bank->line & ~bank->edge);
}

// Would be signalled to a CPU with nothing running.
static uint32_t ready(const struct bank *bank)
{
    uint32_t on = (control & 1 ? ~bank->group : 0) | (control & 2 ? bank->group : 0);

    return pending(bank) & bank->enabled & on & ~bank->active;
}

// ---- The CPU interface

static void acknowledge(unsigned int cpu)
{
    unsigned int best = running(cpu), before = running(cpu);

    for (unsigned int intid = 8; intid < 64; intid++) {
        const struct bank *bank = bank_of(cpu, intid);
        bool mine = intid < 32 ? PRIVATE >> intid & 1 : bank->target[intid - 32] == cpu;
        if (mine && (ready(bank) >> intid % 32 & 1) && bank->priority[intid % 32] < best)
            best = bank->priority[intid % 32];
    }
    unsigned int got = guest_acknowledge();
    if (got == INTID_SPURIOUS) {
        fuzz_check(best == before); // 1-of-N may be with another CPU
        return;
    }
    struct bank *bank = bank_of(cpu, got);
    uint32_t bit = (uint32_t)BIT64(got % 32);
    fuzz_check(got >= 8 && got < 64 && (ready(bank) & bit));
    fuzz_check(got < 32 || bank->target[got - 32] == cpu || bank->target[got - 32] == WORLD_CPUS);
    fuzz_check(bank->priority[got % 32] <= best && bank->priority[got % 32] < before);
    bank->latched &= ~bit;
    bank->active |= bit;
    stacks[cpu].intid[stacks[cpu].depth++] = got;
}

static void end(unsigned int cpu)
{
    unsigned int intid = stacks[cpu].intid[--stacks[cpu].depth];

    guest_end(intid);
    bank_of(cpu, intid)->active &= ~(uint32_t)BIT64(intid % 32);
}

// ---- Registers

static uint32_t configuration(uint32_t edge)
{
    uint32_t value = 0;

    for (unsigned int n = 0; n < 16; n++)
        value |= (edge >> n & 1) << (2 * n + 1);
    return value;
}

static void check_bank(unsigned int n)
{
    const struct bank *bank = &banks[n];
    unsigned int intid = n == SPI_BANK ? 32 : 8, word = n == SPI_BANK ? 8 : 0;
    uint64_t frame = n == SPI_BANK ? 0 : SGI_FRAME;

    fuzz_check(((bank_read(n, intid, IGROUPR) ^ bank->group) & known(n)) == 0);
    fuzz_check(((bank_read(n, intid, ISENABLER) ^ bank->enabled) & known(n)) == 0);
    fuzz_check(((bank_read(n, intid, ICENABLER) ^ bank->enabled) & known(n)) == 0);
    fuzz_check(((bank_read(n, intid, ISPENDR) ^ pending(bank)) & known(n)) == 0);
    fuzz_check(((bank_read(n, intid, ICPENDR) ^ pending(bank)) & known(n)) == 0);
    fuzz_check(((bank_read(n, intid, ISACTIVER) ^ bank->active) & known(n)) == 0);
    fuzz_check(((bank_read(n, intid, ICACTIVER) ^ bank->active) & known(n)) == 0);
    for (unsigned int half = 0; half < 2; half++) {
        uint64_t at = frame + ICFGR + word + 4 * half;
        uint32_t read = n == SPI_BANK ? dist_read(at) : redist_read(n, at);
        fuzz_check(read == configuration(bank->edge >> (16 * half)));
    }
    for (unsigned int i = 0; i < 32; i += 4) {
        uint64_t at = frame + IPRIORITYR + (n == SPI_BANK ? 32 : 0) + i;
        uint32_t read = n == SPI_BANK ? dist_read(at) : redist_read(n, at);
        for (unsigned int byte = 0; byte < 4; byte++)
            fuzz_check((read >> (8 * byte) & 0xff) == bank->priority[i + byte]);
    }
}

static void check_all(void)
{
    settle();
    for (unsigned int n = 0; n <= SPI_BANK; n++)
        check_bank(n);
    fuzz_check(dist_read(0) == (control | 0x50));
    for (unsigned int i = 0; i < 32; i++)
        fuzz_check(distributor(IROUTER + 8 * (32 + i), 8, false, 0) ==
                   (banks[SPI_BANK].target[i] == WORLD_CPUS ? BIT64(31) : banks[SPI_BANK].target[i]));
}

static bool idle(void)
{
    unsigned int depth = 0;

    for (unsigned int cpu = 0; cpu < WORLD_CPUS; cpu++)
        depth += stacks[cpu].depth;
    return depth == 0;
}

// One word of one register; value is any, less what the architecture leaves open at that moment.
static void write_word(struct fuzz_input *input)
{
    unsigned int n = fuzz_below(input, WORLD_CPUS + 1), which = fuzz_below(input, 8);
    uint32_t value = (uint32_t)fuzz_take(input, 4) & known(n);
    unsigned int intid = n == SPI_BANK ? 32 : 8;
    struct bank *bank = &banks[n];

    switch (which) {
    case 0:
        value |= bank->group & ~known(n);
        bank_write(n, intid, IGROUPR, value);
        bank->group = value;
        break;
    case 1:
    case 2:
        bank_write(n, intid, ISENABLER, value);
        bank->enabled |= value;
        break;
    case 3:
        bank_write(n, intid, ICENABLER, value);
        bank->enabled &= ~value;
        break;
    case 4:
        bank_write(n, intid, ISPENDR, value);
        bank->latched |= value;
        break;
    case 5:
        bank_write(n, intid, ICPENDR, value);
        bank->latched &= ~value;
        break;
    case 6: // who was acknowledged is told from who was not by nobody but the guest
        if (!idle())
            break;
        bank_write(n, intid, ISACTIVER, value);
        bank->active |= value;
        forced |= value;
        break;
    default:
        if (!idle())
            break;
        bank_write(n, intid, ICACTIVER, value);
        bank->active &= ~value;
        break;
    }
}

static void write_priority(struct fuzz_input *input)
{
    unsigned int n = fuzz_below(input, WORLD_CPUS + 1), i = fuzz_below(input, 32);
    unsigned int priority = (unsigned int)fuzz_take(input, 1);

    set_priority(n, n == SPI_BANK ? 32 + i : i, priority);
    banks[n].priority[i] = priority & 0xf8;
}

static void write_router(struct fuzz_input *input)
{
    unsigned int i = fuzz_below(input, 32), target = fuzz_below(input, WORLD_CPUS + 1);

    if (banks[SPI_BANK].active >> i & 1)
        return;
    distributor(IROUTER + 8 * (32 + i), 8, true, target == WORLD_CPUS ? BIT64(31) : target);
    banks[SPI_BANK].target[i] = (uint8_t)target;
}

// Only of what is quiet: changing it otherwise is UNPREDICTABLE.
static void write_configuration(struct fuzz_input *input)
{
    unsigned int n = fuzz_below(input, WORLD_CPUS + 1), half = fuzz_below(input, 2);
    struct bank *bank = &banks[n];
    uint32_t busy = bank->enabled | bank->latched | bank->line | bank->active | ~known(n);
    uint32_t drawn = (uint32_t)fuzz_take(input, 2) << (16 * half), part = 0xffffu << (16 * half) & ~busy;
    uint32_t edge = (bank->edge & ~part) | (drawn & part);

    if (n != SPI_BANK && half == 0)
        edge = bank->edge; // SGIs
    uint64_t at = ICFGR + (n == SPI_BANK ? 8 : SGI_FRAME) + 4 * half;
    if (n == SPI_BANK)
        dist_write(at, configuration(edge >> (16 * half)));
    else
        redist_write(n, at, configuration(edge >> (16 * half)) | (half == 0 ? (uint32_t)fuzz_take(input, 4) : 0));
    bank->edge = edge;
}

static void send(struct fuzz_input *input)
{
    unsigned int group = fuzz_below(input, 2), intid = 8 + fuzz_below(input, 8), targets = fuzz_below(input, 16);
    bool all_others = targets & 8;
    uint64_t value = (uint64_t)intid << 24 | (targets & 7) | (all_others ? BIT64(40) : 0);

    if (group)
        vgic_write_sgi1r(vcpu_current(), value);
    else
        vgic_write_sgi0r(vcpu_current(), value);
    for (unsigned int cpu = 0; cpu < WORLD_CPUS; cpu++) {
        bool to = all_others ? cpu != here : targets >> cpu & 1;
        if (to && (banks[cpu].group >> intid & 1) == group)
            banks[cpu].latched |= (uint32_t)BIT64(intid);
    }
}

static void move_line(struct fuzz_input *input)
{
    unsigned int cpu = fuzz_below(input, WORLD_CPUS), intid = 16 + fuzz_below(input, 48);
    struct bank *bank = bank_of(cpu, intid);
    uint32_t bit = (uint32_t)BIT64(intid % 32);

    if (intid == INTID_VIRTUAL_TIMER)
        return;
    bank->line ^= bit;
    fuzz_check(vgic_set_line(&vm, cpu, intid, bank->line & bit) == HV_OK);
    if (bank->line & bit)
        bank->latched |= bank->edge & bit;
}

static void step(struct fuzz_input *input)
{
    unsigned int what = fuzz_below(input, 32);

    if (what < 8) {
        settle();
        if (stacks[here].depth < STACK_LIMIT && forced == 0)
            acknowledge(here);
    } else if (what < 14) {
        if (stacks[here].depth > 0)
            end(here);
    } else if (what < 21) {
        write_word(input);
    } else if (what < 23) {
        write_priority(input);
    } else if (what < 25) {
        write_router(input);
    } else if (what == 25) {
        write_configuration(input);
    } else if (what < 28) {
        send(input);
    } else if (what < 31) {
        move_line(input);
    } else {
        control = fuzz_below(input, 4);
        dist_write(0, control | (uint32_t)fuzz_take(input, 4) << 8);
    }
}

static void begin(void)
{
    world_started(NULL);
    memset(banks, 0, sizeof(banks));
    memset(stacks, 0, sizeof(stacks));
    control = 3;
    forced = 0;
    for (unsigned int n = 0; n <= SPI_BANK; n++) {
        banks[n].group = ~0u;
        if (n < SPI_BANK)
            banks[n].edge = 0xffff;
    }
}

static void follow_the_model(struct fuzz_input *input)
{
    begin();
    while (input->size > 0) {
        run_on(fuzz_below(input, WORLD_CPUS));
        step(input);
        if (fuzz_below(input, 3) == 0)
            check_all();
        else
            settle_cpu(); // at least this CPU returns to its guest
        bool any = false;
        for (unsigned int n = 0; n <= SPI_BANK; n++)
            any |= banks[n].active != 0;
        if (!any)
            forced = 0;
    }
    check_all();
}

static void access_anything(struct fuzz_input *input)
{
    begin();
    while (input->size > 0) {
        unsigned int how = fuzz_below(input, 256), size = 1u << (how & 3);
        uint64_t value = fuzz_take(input, 8);
        uint32_t offset = (uint32_t)fuzz_take(input, 3) & ~(size - 1);
        unsigned int access = size | (how & 4 ? MMIO_WRITE : 0);

        run_on(how >> 6 < WORLD_CPUS ? how >> 6 : 0);
        enum mmio_result result = how & 8 ? device_gicr.access(vcpu_current(), offset, access, &value)
                                          : device_gicd.access(vcpu_current(), offset & 0xffff, access, &value);
        fuzz_check(result == MMIO_DONE || result == MMIO_FAULT);
        fuzz_check(size == 8 || result != MMIO_DONE || (how & 4) || value >> (8 * size) == 0);
        if (how & 16)
            vgic_write_sgi1r(vcpu_current(), value);
        if ((how & 32) && cpus[here].depth < 60)
            guest_acknowledge();
        settle();
        fuzz_check(vm.vgic.lock.ticket.held == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};

    if (fuzz_below(&input, 4) == 0)
        access_anything(&input);
    else
        follow_the_model(&input);
    return 0;
}
