// SPDX-License-Identifier: Apache-2.0
// The guest's PL031 (Arm DDI 0224). The machine's real one is read at each access and never written: the guest's clock
// is that plus vm->rtc.offset, so it keeps wall time over pauses, and what the guest sets is gone with the VM. It is
// always enabled (RTCCR reads 1), as QEMU's is.
//
// The alarm rings when the clock reaches RTCMR, once, and the clock knows whole seconds only, whose beginnings do not
// show. So EL2's timer looks at it in the last second before, LOOKS_PER_SECOND times: an alarm is late by less than one
// of these. The timer is that of the CPU that set the alarm, whatever becomes of its vCPU; of several that did so each
// looks, and the first that finds it due rings. An access looks as well, so that no guest reads a clock that has
// reached RTCMR and an alarm that has not rung.

#include <hv/device_ops.h>

#include <hv/arch/barrier.h>
#include <hv/arch/guarded.h>
#include <hv/arch/registers.h>
#include <hv/hyp_timer.h>
#include <hv/machine.h>
#include <hv/memory_map.h>
#include <hv/platform.h>
#include <hv/spinlock.h>
#include <hv/string.h>
#include <hv/vgic.h>

#define RTCDR   0x000
#define RTCMR   0x004
#define RTCLR   0x008
#define RTCCR   0x00c
#define RTCIMSC 0x010
#define RTCRIS  0x014
#define RTCMIS  0x018
#define RTCICR  0x01c

#define RTCPERIPHID0 0xfe0
#define INTERRUPT    0x1u // the one bit of RTCIMSC, RTCRIS, RTCMIS and RTCICR
#define ENABLED      0x1u // RTCCR

#define LOOKS_PER_SECOND 16

// PeriphID0-3, PCellID0-3: an Arm PL031 r1p0.
static const uint8_t identification[8] = {0x31, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1};

// The board's clock, in seconds. A board that has none counts from its reset, so that alarms come in their time.
static uint32_t machine_clock(void)
{
    uint64_t seconds = 0;

    if (platform.rtc.size == 0)
        return (uint32_t)(READ_SYSREG(CNTPCT_EL0) / READ_SYSREG(CNTFRQ_EL0));
    (void)guarded_device_read(pa_make(platform.rtc.base + RTCDR), 4, &seconds);
    return (uint32_t)seconds;
}

// Sets the interrupt line after a change of what it follows from. The caller holds the lock, as for all functions
// below.
static void update(struct vm *vm)
{
    struct vpl031 *rtc = &vm->rtc;
    bool level = (rtc->raw & rtc->mask) != 0;

    if (rtc->level != level) {
        rtc->level = level;
        (void)vgic_set_line(vm, 0, device_pl031.interrupt, level);
    }
}

static void alarm_expired(void *argument);

// Differences of the 32-bit clock are taken as signed, so that they are right across its wrap: a clock at 0xfffffffe
// and an alarm at 3 are 5 seconds apart. Rings when the alarm is due; otherwise has EL2's timer look again. For
// example, with 5 seconds left it looks in 4 seconds and a sixteenth, and from then on every sixteenth of a second.
static void look(struct vm *vm, uint32_t machine)
{
    struct vpl031 *rtc = &vm->rtc;
    int32_t left = (int32_t)(rtc->due - machine);
    uint64_t second = READ_SYSREG(CNTFRQ_EL0);

    if (!rtc->armed)
        return;
    if (left > 0) {
        uint64_t wait = (uint64_t)(left - 1) * second + second / LOOKS_PER_SECOND;
        hyp_timer_set(READ_SYSREG(CNTPCT_EL0) + wait, alarm_expired, vm);
        return;
    }
    rtc->armed = false;
    rtc->raw = INTERRUPT;
    update(vm);
}

// RTCMR or the clock was set. A match value that lies in the past would come again when the 32-bit counter has wrapped,
// 68 years later or more: no alarm is armed for it.
static void arm(struct vm *vm, uint32_t machine)
{
    struct vpl031 *rtc = &vm->rtc;

    rtc->due = rtc->match - rtc->offset;
    rtc->armed = (int32_t)(rtc->due - machine) >= 0;
    look(vm, machine);
}

// The register at word as it reads. PeriphID and PCellID are at the end of the page; reserved offsets read as zero.
static uint32_t read_register(const struct vpl031 *rtc, uint32_t word, uint32_t machine)
{
    switch (word) {
    case RTCDR:
        return machine + rtc->offset;
    case RTCMR:
        return rtc->match;
    case RTCLR:
        return rtc->load;
    case RTCCR:
        return ENABLED;
    case RTCIMSC:
        return rtc->mask;
    case RTCRIS:
        return rtc->raw;
    case RTCMIS:
        return rtc->raw & rtc->mask;
    default:
        if (word < RTCPERIPHID0)
            return 0;
        return identification[bounded_index((word - RTCPERIPHID0) / 4, ARRAY_COUNT(identification))];
    }
}

// A write of RTCLR sets the clock, and so changes how long the alarm has to wait: arm is called for it as for a write
// of RTCMR.
static void write_register(struct vm *vm, uint32_t word, uint32_t value, uint32_t machine)
{
    struct vpl031 *rtc = &vm->rtc;

    switch (word) {
    case RTCMR:
        rtc->match = value;
        arm(vm, machine);
        break;
    case RTCLR:
        rtc->load = value;
        rtc->offset = value - machine;
        arm(vm, machine);
        break;
    case RTCIMSC:
        rtc->mask = value & INTERRUPT;
        break;
    case RTCICR: // DDI 0224: 1 in bit 0 clears it. DDI 0287 has any value do so, and some programs rely on that
        if (value != 0)
            rtc->raw = 0;
        break;
    default:
        break;
    }
    update(vm);
}

// An access of at most 4 bytes, within one word.
static void access_word(struct vm *vm, uint32_t offset, unsigned int access, uint64_t *value)
{
    struct vpl031 *rtc = &vm->rtc;
    uint32_t word = offset & ~3u;

    spinlock_acquire(&rtc->lock);
    uint32_t machine = machine_clock();
    look(vm, machine);
    uint32_t whole = read_register(rtc, word, machine);
    if (access & MMIO_WRITE)
        write_register(vm, word, (uint32_t)mmio_write_part(4, whole, offset, mmio_size(access), *value), machine);
    else
        *value = mmio_read_part(4, whole, offset, access);
    spinlock_release(&rtc->lock);
}

static COLD enum mmio_result vpl031_access(struct vcpu *vcpu, uint32_t offset, unsigned int access, uint64_t *value)
{
    uint64_t high = *value >> 32;

    if (offset >= PL031_SIZE)
        return MMIO_FAULT;
    if (mmio_size(access) <= 4) {
        access_word(vcpu->vm, offset, access, value);
    } else { // QEMU's bus makes two accesses of 4 bytes of it
        unsigned int half = 4 | (access & MMIO_WRITE);
        access_word(vcpu->vm, offset, half, value);
        access_word(vcpu->vm, offset + 4, half, &high);
        *value = (uint32_t)*value | high << 32;
    }
    return MMIO_DONE;
}

static COLD void alarm_expired(void *argument)
{
    struct vm *vm = argument;

    spinlock_acquire(&vm->rtc.lock);
    look(vm, machine_clock());
    spinlock_release(&vm->rtc.lock);
}

static COLD void vpl031_reset(struct vm *vm)
{
    memset(&vm->rtc, 0, sizeof(vm->rtc));
    spinlock_init(&vm->rtc.lock, LOCK_RTC);
}

const struct device_ops device_pl031 = {.access = vpl031_access, .reset = vpl031_reset, .interrupt = PL031_INTID};
