// SPDX-License-Identifier: Apache-2.0
// The trace as data: a chunk's header, and a record (docs/TRACE.md). Data only, for whoever writes or reads one.
#pragma once

#include <hv/event.h>
#include <hv/memory_map.h>
#include <hv/trace_schema.h>
#include <hv/types.h>

#define TRACE_CHUNK_SIZE    0x10000 // header included
#define TRACE_CHUNK_RECORDS 511
#define TRACE_RING_SIZE     (TRACE_SIZE / CPU_MAX)
#define TRACE_RING_CHUNKS   (TRACE_RING_SIZE / TRACE_CHUNK_SIZE)

// The header of a chunk, and what stands before its records. `closed` is 0 while it is being written; `count` is right
// at any moment.
struct trace_chunk {
    uint32_t magic;
    uint16_t version;
    uint16_t kind;
    uint32_t count;
    uint32_t bytes;
    uint64_t boot;
    uint64_t first;
    uint64_t dropped;
    uint64_t opened;
    uint64_t closed;
    uint16_t cpu;
    uint16_t vm;
    uint32_t spare;
    uint64_t vbar_el1;
    uint64_t ttbr1_el1;
    uint64_t tcr_el1;
    uint64_t sctlr_el1;
    uint64_t virtual_offset;
    uint8_t spare_bytes[24];
};

struct trace_record {
    struct event event;
    union {
        struct {
            uint64_t x[4];
            uint64_t lr;
            uint64_t caller;
            uint32_t context;
            uint32_t pstate;
            union {
                uint16_t vm;
                uint64_t vm_and_spare; // bits 15:0 are vm, the others 0: one store
            };
        };
        uint8_t text[TRACE_TEXT_SIZE]; // TRACE_TYPE_TEXT
    };
};

_Static_assert(sizeof(struct trace_chunk) == 128 && sizeof(struct trace_record) == 128);
_Static_assert(sizeof(struct trace_chunk) + TRACE_CHUNK_RECORDS * sizeof(struct trace_record) == TRACE_CHUNK_SIZE);
_Static_assert(offsetof(struct trace_record, text) == TRACE_TEXT_OFFSET);
