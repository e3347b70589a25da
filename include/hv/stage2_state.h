// SPDX-License-Identifier: Apache-2.0
// What a guest's address space consists of, as data: mm/pool.c, mm/stage2.c and mm/space.c work on it, and who only has
// a guest in hand (machine.h) need call none of them. Nobody else writes these structures.
#pragma once

#include <hv/range.h>
#include <hv/lock.h>
#include <hv/types.h>

#define STAGE2_IPA_BITS 39

// What a stage-2 entry says, besides an address: what the guest may do ...
#define STAGE2_READ    0x1u
#define STAGE2_WRITE   0x2u
#define STAGE2_EXECUTE 0x4u
// ... the memory type: Device-nGnRE when set, else Normal write-back ...
#define STAGE2_DEVICE 0x8u
// ... and what a permission fault on it means. The entry keeps this in bits 58:55, which are software's (DDI 0487
// D8.3.2). There is room for 16 meanings; a new one also says what trap/abort_classify.c does about it.
#define STAGE2_MEANING 0xf0u
#define STAGE2_PLAIN   0x00u // the guest does what it may not: the fault is its own
#define STAGE2_SHADOW  0x10u // registers of a device, kept as they read: the access is the device's to emulate

struct stage2_entry {
    bool valid;
    uint8_t level;        // 1, 2, 3: where the walk ended
    uint32_t permissions; // STAGE2_*
    pa_t pa;              // of the first byte of the block or page
    uint64_t size;        // bytes that this entry covers
    uint64_t descriptor;  // as it stands in memory
};

// Pages of 4 KiB for translation tables (pool.h).
#define POOL_PAGES_MAX 512

struct pool {
    uint8_t (*pages)[4096];               // 4 KiB aligned
    unsigned int count;                   // of pages, at most POOL_PAGES_MAX
    unsigned int used;                    // of them
    unsigned int reserved;                // of those that are free: promised to somebody who has not taken them yet
    uint64_t in_use[POOL_PAGES_MAX / 64]; // bit n % 64 of word n / 64: page n is used
    struct spinlock lock;                 // guards all
};

// One tree of stage-2 tables: a view of the guest's memory (stage2.h).
struct stage2 {
    uint64_t *root;        // 512 descriptors, 4 KiB aligned
    struct pool *pool;     // where the other tables come from; views of one guest may share it
    uint16_t vmid;         // what the TLBs know this view by
    unsigned int reserved; // pages of pool that the operation under way has left to take
    // Whether an entry by which the guest could write was ever replaced or taken away. While none was, all RAM is as
    // space_add_ram has mapped it. Written under the lock, read without.
    bool memory_changed;
    struct spinlock lock; // guards the rest
};

// A piece of the guest's RAM: contiguous for the guest and in the machine.
struct space_ram {
    struct ipa_range range;
    pa_t pa; // of its first byte
};

#define SPACE_RAM_MAX 4

// A guest's address space (space.h).
struct space {
    struct stage2 stage2; // the view that the guest's vCPUs run on
    unsigned int ram_count;
    struct space_ram ram[SPACE_RAM_MAX]; // disjoint; fixed once the guest runs
};
