// SPDX-License-Identifier: Apache-2.0
// Looks wherever firmware may look for drives and a clock, and prints what it finds: the same lines on the bare machine
// and under ariel. What follows the time of day is left out.

#include "bare.h"

volatile bool aborted;

static void flash(void)
{
    static const uint64_t places[] = {0x0,      0x4,       0x1000,    0x1ffff8,  0x200000,
                                      0x800000, 0x3fffff8, 0x4000000, 0x4040000, 0x7fffff8};

    for (unsigned int n = 0; n < sizeof(places) / sizeof(places[0]); n++)
        for (unsigned int size = 1; size <= 8; size *= 2)
            if (places[n] % size == 0)
                show_load(places[n], size);
}

static void virtio(void)
{
    for (uint64_t base = 0x0a000000; base < 0x0a004000; base += 0x200) {
        show_load(base + 0x0, 4);
        show_load(base + 0x8, 4); // DeviceID
    }
    for (uint64_t base = 0x0a000000; base < 0x0a004000; base += 0x3e00) {
        for (uint64_t offset = 0; offset < 0x200; offset += 4)
            show_load(base + offset, 4);
        for (unsigned int size = 1; size <= 8; size *= 2)
            for (uint64_t offset = 0; offset < 0x20; offset += size)
                show_load(base + offset, size);
        show_store(base + 0x00, 4, ~0u);
        show_store(base + 0x14, 4, 1); // DeviceFeaturesSel
        show_store(base + 0x30, 4, 1); // QueueSel
        show_store(base + 0x70, 1, 1);
        show_store(base + 0x70, 4, 1); // Status
        show_store(base + 0x100, 8, 1);
        for (uint64_t offset = 0; offset < 0x80; offset += 0x10)
            show_load(base + offset, 4);
    }
}

static void clock(void)
{
    const uint64_t base = 0x09010000, year = 1000 * 1000 * 32;

    for (uint64_t offset = 0x04; offset < 0x40; offset += 4)
        show_load(base + offset, 4);
    for (uint64_t offset = 0xfe0; offset < 0x1000; offset += 4)
        show_load(base + offset, 4);
    show_load(base + 0x800, 4);
    show_load(base + 0xfe0, 8);
    show_load(base + 0xfe4, 1);
    show_store(base + 0x08, 4, year); // RTCLR
    show_load(base + 0x08, 4);
    print(load(base, 4) - year < 3000 ? "set\n" : "not set\n");
    show_store(base + 0x04, 4, 2 * year); // RTCMR: not soon
    show_load(base + 0x14, 4);
    show_store(base + 0x10, 4, 3); // RTCIMSC
    show_load(base + 0x10, 4);
    show_load(base + 0x18, 4);
    show_store(base + 0x0c, 4, 0); // RTCCR
    show_load(base + 0x0c, 4);
    show_store(base + 0x14, 4, 1);
    show_load(base + 0x14, 4);
    show_store(base + 0xfe0, 4, 0);
    show_load(base + 0xfe0, 4);
    show_store(base + 0x10, 4, 0);
}

void main(void);
void main(void)
{
    flash();
    virtio();
    clock();
    print("end\n");
    psci(PSCI_SYSTEM_OFF);
}
