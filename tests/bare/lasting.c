// SPDX-License-Identifier: Apache-2.0
// Attacks what outlives a reset: programs words of both flash banks by CFI commands, sets the real clock, has fw_cfg's
// DMA write memory. Prints what changed, and starts again. Where nothing holds it, the second start finds what the
// first left.

#include "bare.h"

volatile bool aborted;

#define CLOCK   0x09010000
#define FW_CFG  0x09020000
#define CHANGED 1000000

static void program(uint64_t address)
{
    uint64_t before = load(address, 4);

    store(address, 4, 0x00400040);
    store(address, 4, 0xdeadbee5);
    store(address, 4, 0x00ff00ff); // back to reading
    bool kept = before == load(address, 4) && before != 0xdeadbee5;

    print("flash ");
    print_hex(address);
    print(kept ? " kept\n" : " CHANGED\n");
}

static uint64_t big_endian(uint64_t value)
{
    return __builtin_bswap64(value);
}

// FWCfgDmaAccess: the signature's 4 bytes, key 0, to the IPA that a guest would give.
static void transfer(void)
{
    static volatile uint32_t target;
    static volatile uint64_t request[2] __attribute__((aligned(16)));

    target = 0x5a5a5a5a;
    request[0] = big_endian(UINT64_C(0x0000000a) << 32 | 4); // select key 0, read; 4 bytes
    request[1] = big_endian((uintptr_t)&target);
    store(FW_CFG + 16, 8, big_endian((uintptr_t)request));
    print(target == 0x5a5a5a5a && request[0] == big_endian(UINT64_C(0x0000000a) << 32 | 4) ? "fw-cfg kept\n"
                                                                                           : "fw-cfg CHANGED\n");
}

void main(void);
void main(void)
{
    uint64_t clock = load(CLOCK, 4);

    print(clock < 2 * CHANGED ? "clock CHANGED\n" : "clock kept\n");
    program(0x00200000);
    program(0x04000000);
    program(0x07fffffc);
    transfer();
    store(CLOCK + 8, 4, CHANGED);
    store(CLOCK + 4, 4, CHANGED + 1);
    print("again\n");
    psci(PSCI_SYSTEM_RESET);
}
