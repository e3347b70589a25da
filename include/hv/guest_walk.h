// SPDX-License-Identifier: Apache-2.0
// The guest's own stage 1, walked in software: from a virtual address to the IPA that its tables give it, level by
// level (DDI 0487 D8.2). For the monitor's "vm walk" and for fetching an instruction that trapped. Pure: the registers
// come in a struct, the tables through guest_mem_read; whatever the guest has written there ends the walk within four
// levels.
#pragma once

#include <hv/types.h>

struct space;

// Of the vCPU whose address it is.
struct guest_walk_registers {
    uint64_t sctlr_el1;
    uint64_t tcr_el1;
    uint64_t ttbr0_el1;
    uint64_t ttbr1_el1;
    uint64_t mair_el1;
};

// Why a walk gives no address: rows (ID, "one sentence").
// clang-format off
#define GUEST_WALK_FAULT_TABLE(FAULT) \
    FAULT(NONE,         "translated") \
    FAULT(VA_RANGE,     "address outside what TCR_EL1.TnSZ covers") \
    FAULT(EPD,          "walks disabled by TCR_EL1.EPDn") \
    FAULT(GRANULE,      "reserved granule in TCR_EL1.TGn") \
    FAULT(TNSZ,         "TCR_EL1.TnSZ out of range for the granule") \
    FAULT(UNSUPPORTED,  "TCR_EL1.DS (52-bit descriptors) is not decoded") \
    FAULT(TABLE_READ,   "table not in guest RAM") \
    FAULT(TRANSLATION,  "invalid descriptor") \
    FAULT(ADDRESS_SIZE, "output address above TCR_EL1.IPS") \
    FAULT(ACCESS_FLAG,  "access flag clear")
// clang-format on
enum guest_walk_fault {
#define GUEST_WALK_FAULT_ENUM(id, sentence) GUEST_WALK_##id,
    GUEST_WALK_FAULT_TABLE(GUEST_WALK_FAULT_ENUM) GUEST_WALK_FAULT_COUNT,
};

#define GUEST_WALK_LEVELS 4

struct guest_walk_step {
    uint8_t level;
    ipa_t address; // of the descriptor
    uint64_t descriptor;
};

struct guest_walk {
    uint8_t fault;       // enum guest_walk_fault
    uint8_t fault_level; // where; 0 for what no descriptor says
    bool flat;           // SCTLR_EL1.M = 0: the address is the IPA
    uint8_t ttbr;        // 0 or 1: whose tables
    uint8_t step_count;  // descriptors read, steps[0] first
    struct guest_walk_step steps[GUEST_WALK_LEVELS];

    // When fault is GUEST_WALK_NONE or GUEST_WALK_ACCESS_FLAG:
    ipa_t ipa;      // of the address asked for
    uint64_t size;  // bytes of the block or page
    uint64_t leaf;  // its descriptor; 0 when flat
    uint8_t memory; // MAIR_EL1 byte that AttrIndx selects; 0 (Device-nGnRnE) when flat
    bool el1_write; // what each exception level may do; reading at EL1 is always allowed. Limits from the table
    bool el1_exec;  // descriptors and SCTLR_EL1.WXN are counted in
    bool el0_read;
    bool el0_write;
    bool el0_exec;
};

// The registers of this CPU's EL1.
void guest_walk_registers_read(struct guest_walk_registers *registers);

// Translates va. Returns whether it has an IPA (fault is GUEST_WALK_NONE); *walk is filled either way.
bool guest_walk(struct space *space, const struct guest_walk_registers *registers, gva_t va, struct guest_walk *walk);

// The sentence of a fault; "?" when out of range. Never NULL.
const char *guest_walk_fault_name(unsigned int fault);
