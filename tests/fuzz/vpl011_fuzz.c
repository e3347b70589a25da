// SPDX-License-Identifier: Apache-2.0
// The guest's UART against a second one, written from Arm DDI 0183: every access of any size to any offset, with bytes
// typed meanwhile, reads the same in both, drives the same line, sends the same bytes and loses none. So does every
// register read from the page that the guest may see, while it may.
// Links: vdev/vpl011.c drivers/hyp_timer.c platform/platform.c lib/range.c

#include <fuzz.h>

#include <fake_channel.h>
#include <fake_cpu_id.h>
#include <fake_gicv3.h>
#include <fake_panic.h>
#include <fake_shadow.h>
#include <fake_vgic.h>

#include <hv/arch/registers.h>
#include <hv/device_ops.h>
#include <hv/hyp_timer.h>
#include <hv/vm.h>
#include <hv/vpl011.h>

static struct vm vm;

// The console may call in with its own lock held, so the UART's is free when it is called. And flags and interrupts
// speak of no byte while the page can be read: to read it from there would lose it.
static void look(uint64_t effect, uint64_t value)
{
    if (effect == FAKE_SHADOW) {
        fuzz_check((bool)value != fake_shadow.shown && vm.uart.shadow);
        fuzz_check((vm.uart.reg[0x18 / 4] & 0x10) && !(vm.uart.reg[0x3c / 4] & 0x50));
    } else {
        fuzz_check(vm.uart.lock.ticket.held == 0);
    }
}

static uint8_t last_sent(void)
{
    return fake_channel.sent[(fake_channel.sent_count - 1) % sizeof(fake_channel.sent)];
}

// Bit periods pass at once when an operation has ended. Until then no deadline is one that has passed.
static void let_time_pass(void)
{
    uint64_t now = fake_sysreg_get("CNTPCT_EL0"), due = fake_sysreg_get("CNTHP_CVAL_EL2");

    fuzz_check(due > now);
    fake_sysreg_set("CNTPCT_EL0", now + (UINT64_C(1) << 40));
    if (due != HYP_TIMER_NEVER)
        hyp_timer_interrupt();
}

// ---- The second one: registers as the manual names them, the FIFO as a list that begins at 0

static struct {
    uint32_t ilpr, ibrd, fbrd, lcr_h, cr, ifls, imsc, ris, rsr;
    uint16_t fifo[32];
    unsigned int count;
    bool waiting; // a byte was refused
    bool filled;  // something was sent since the transmit interrupt was cleared
} model;

static unsigned int room(void)
{
    return model.lcr_h & 0x10 ? 32 : 1;
}

static unsigned int trigger(void)
{
    if (!(model.lcr_h & 0x10))
        return 1;
    switch (model.ifls >> 3 & 7) {
    case 0:
        return 32 / 8;
    case 1:
        return 32 / 4;
    case 2:
        return 32 / 2;
    case 3:
        return 32 * 3 / 4;
    default:
        return 32 * 7 / 8;
    }
}

static uint32_t raw_interrupts(void)
{
    return model.ris;
}

static void model_add(uint16_t data)
{
    model.fifo[model.count++] = data;
    model.ris |= 0x40; // 32 bit periods later
    if (model.count == trigger())
        model.ris |= 0x10;
}

static uint32_t model_take(void)
{
    uint16_t data = model.fifo[0];

    if (model.count == 0)
        return 0;
    memmove(&model.fifo[0], &model.fifo[1], sizeof(model.fifo) - sizeof(model.fifo[0]));
    model.count--;
    if (model.count == 0)
        model.ris &= ~0x40u;
    model.rsr = data >> 8;
    if (model.count < trigger())
        model.ris &= ~0x10u;
    return data;
}

static void model_send(uint8_t byte)
{
    if ((model.cr & 0x280) == 0x280) {
        if (model.count < room()) {
            model_add(byte);
        } else {
            model.fifo[model.count - 1] |= 0x800;
            model.ris |= 0x400;
        }
    }
    model.ris |= 0x20;
    model.filled = true;
}

static uint32_t *model_stored(uint32_t offset, uint32_t *bits)
{
    switch (offset) {
    case 0x20:
        *bits = 0xff;
        return &model.ilpr;
    case 0x24:
        *bits = 0xffff;
        return &model.ibrd;
    case 0x28:
        *bits = 0x3f;
        return &model.fbrd;
    case 0x2c:
        *bits = 0xff;
        return &model.lcr_h;
    case 0x30:
        *bits = 0xff87;
        return &model.cr;
    case 0x34:
        *bits = 0x3f;
        return &model.ifls;
    case 0x38:
        *bits = 0x7ff;
        return &model.imsc;
    default:
        return NULL;
    }
}

static uint32_t model_read(uint32_t offset)
{
    static const uint8_t ids[] = {0x11, 0x10, 0x34, 0, 0x0d, 0xf0, 0x05, 0xb1};
    uint32_t bits, *stored = model_stored(offset, &bits);

    if (stored != NULL)
        return *stored;
    if (offset >= 0xfe0)
        return ids[(offset - 0xfe0) / 4];
    switch (offset) {
    case 0x04:
        return model.rsr;
    case 0x18:
        return 0x87 | (model.count == 0 ? 0x10 : 0) | (model.count >= room() ? 0x40 : 0);
    case 0x3c:
        return raw_interrupts();
    case 0x40:
        return raw_interrupts() & model.imsc;
    default:
        return 0;
    }
}

static void model_write(uint32_t offset, uint32_t value)
{
    uint32_t bits, *stored = model_stored(offset, &bits);

    if (stored != NULL)
        *stored = value & bits;
    else if (offset == 0x04)
        model.rsr = 0;
    else if (offset == 0x44) {
        model.ris &= ~value;
        if ((value & 0x20) && model.filled)
            model.ris |= 0x20; // a character later
        model.filled &= !(value & 0x20);
    }
    if (offset == 0x2c || offset == 0x34)
        model.ris = (model.ris & ~0x10u) | (model.count >= trigger() ? 0x10 : 0);
}

// ---- Both

static void access_both(struct fuzz_input *input)
{
    unsigned int how = fuzz_below(input, 256);
    unsigned int size = how & 0x80 ? 1u << (how & 3) : 4;
    uint32_t offset = (uint32_t)fuzz_take(input, how & 0x40 ? 2 : 1) & ~(size - 1);
    bool write = how & 0x20;
    uint64_t value = fuzz_take(input, size), drawn = value;
    uint32_t word = offset & ~3u;
    unsigned int before = fake_channel.sent_count;
    bool loopback = model.cr & 0x80, part = offset != 0 && word == 0;
    enum mmio_result result = device_pl011.access(&vm.vcpus[0], offset, write ? size | MMIO_WRITE : size, &value);

    fuzz_check((result == MMIO_DONE) == (size <= 4 && offset < PL011_SIZE));
    fuzz_check(result == MMIO_DONE || result == MMIO_FAULT);
    if (result != MMIO_DONE)
        return;
    unsigned int shift = 8 * (offset & 3);
    uint32_t mask = (uint32_t)(~UINT64_C(0) >> (64 - 8 * size)) << shift;
    if (!write) {
        uint32_t whole = word != 0 ? model_read(word) : part ? 0 : model_take();
        fuzz_check(value == (whole & mask) >> shift);
    } else if (word != 0) {
        model_write(word, (model_read(word) & ~mask) | ((uint32_t)drawn << shift & mask));
    } else if (!part) {
        model_send((uint8_t)drawn);
        fuzz_check(fake_channel.sent_count - before == !loopback && (loopback || last_sent() == (uint8_t)drawn));
    }
}

static void type(uint8_t byte)
{
    bool taken = (model.cr & 0x280) == 0x200 && model.count < room();

    fuzz_check(vpl011_has_room(&vm) == taken);
    fuzz_check(vpl011_receive(&vm, byte) == taken);
    if (taken)
        model_add(byte);
    else
        model.waiting = true;
}

// Who was refused is told, once, when half the FIFO is free.
static void check_told(unsigned int before)
{
    bool open = (model.cr & 0x280) == 0x200 && model.count < room() && model.count <= room() / 2;

    fuzz_check(fake_channel.room_calls - before <= model.waiting);
    if (fake_channel.room_calls != before) {
        fuzz_check(open);
        model.waiting = false;
    }
}

// drawn: which of the registers that never change is looked at
static void check_page(uint32_t drawn)
{
    uint32_t other = (drawn | 0x50) & 0xffc;

    fuzz_check(fake_shadow.shown == (vm.uart.shadow && model.count == 0));
    fuzz_check(vm.uart.reg[0] == 0 && vm.uart.reg[other / 4] == model_read(other));
    for (uint32_t offset = 4; offset < 0x50; offset += 4)
        fuzz_check(vm.uart.reg[offset / 4] == model_read(offset));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};

    memset(&vm, 0, sizeof(vm));
    memset(&model, 0, sizeof(model));
    vm.vcpus[0].vm = &vm;
    fake_vgic = (struct fake_vgic){.vm = &vm, .intid = PL011_INTID, .edges_only = true};
    fake_effect_hook = look;
    fake_sysreg_reset();
    fake_sysreg_set("CNTFRQ_EL0", 62500000);
    fake_sysreg_set("TPIDR_EL2", (uint64_t)&vm.vcpus[0]);
    model.cr = 0x300;
    model.ifls = 0x12;
    hyp_timer_init_cpu();
    device_pl011.reset(&vm);
    vm.uart.shadow = fake_shadow.shown = fuzz_below(&input, 2);
    while (input.size > 0) {
        unsigned int before = fake_channel.room_calls;
        if (fuzz_below(&input, 4) == 0)
            type((uint8_t)fuzz_take(&input, 1));
        else
            access_both(&input);
        let_time_pass();
        check_told(before);
        fuzz_check(fake_vgic.level == ((raw_interrupts() & model.imsc) != 0));
        fuzz_check(vm.uart.lock.ticket.held == 0);
        check_page((uint32_t)input.size * 0x9e3779b1u >> 16);
    }
    // A guest that reads all there is hears of what waits.
    unsigned int before = fake_channel.room_calls;
    bool waiting = model.waiting && (model.cr & 0x280) == 0x200 && model.count > 0;
    while (model.count > 0) {
        uint64_t value = 0;
        (void)device_pl011.access(&vm.vcpus[0], 0, 4, &value);
        fuzz_check(value == model_take());
    }
    fuzz_check(!waiting || fake_channel.room_calls != before);
    return 0;
}
