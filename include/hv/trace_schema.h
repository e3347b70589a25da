// SPDX-License-Identifier: Apache-2.0
// The bytes of the trace, once: the header of a chunk and a record. trace.h holds its C structures to these tables by
// static asserts; docs/TRACE.md and tools/ariel/trace_format.py are made from them by tools/trace_schema.py. One row:
//   FIELD(name, type, offset in bytes, "what it means")
// All numbers are little-endian. Types: u8, u16, u32, u64, and arrays of them as u64x4. Bytes that no row names are
// spare, and 0.
#pragma once

#define TRACE_MAGIC   0x52545241 // the bytes "ARTR"
#define TRACE_VERSION 1

// What a chunk holds: its field `kind`.
#define TRACE_KIND_RECORDS 0
#define TRACE_KIND_META    1 // a text in JSON that says what the numbers in the records mean

// What a record is about: its field `type`.
#define TRACE_TYPE_EXIT   1 // an exit of a guest
#define TRACE_TYPE_TEXT   2 // a piece of a line: the guest's, or of the log
#define TRACE_TYPE_VIRTIO 3 // a request that a virtio device has answered

// A text record: its field `key` says whose line it is a piece of.
#define TRACE_TEXT_CONSOLE 0
#define TRACE_TEXT_LOG     1
#define TRACE_TEXT_OFFSET  64 // from here on the record holds up to TRACE_TEXT_SIZE bytes of the line
#define TRACE_TEXT_SIZE    64

// clang-format off
#define TRACE_CHUNK_TABLE(FIELD) \
    FIELD(magic,          u32,   0, "0x52545241: the bytes \"ARTR\"") \
    FIELD(version,        u16,   4, "1") \
    FIELD(kind,           u16,   6, "0: records; 1: meta, a text in JSON") \
    FIELD(count,          u32,   8, "slots of 128 bytes behind this header: records, or pieces of the text") \
    FIELD(bytes,          u32,  12, "records: 128 * count once the chunk is closed; meta: length of the text") \
    FIELD(boot,           u64,  16, "number of this boot of the machine, drawn at random: chunks of several boots may stand in one file") \
    FIELD(first,          u64,  24, "number of the first record on this CPU, from 0 at boot; a dropped record has a number too") \
    FIELD(dropped,        u64,  32, "records that this CPU had dropped since boot when the chunk was opened") \
    FIELD(opened,         u64,  40, "CNTPCT_EL0 when the chunk was opened") \
    FIELD(closed,         u64,  48, "CNTPCT_EL0 when it was closed; 0: it is still being written (in memory only)") \
    FIELD(cpu,            u16,  56, "physical CPU whose records these are") \
    FIELD(vm,             u16,  58, "VM of the vCPU that runs on it") \
    FIELD(vbar_el1,       u64,  64, "the guest's VBAR_EL1 when the chunk was opened") \
    FIELD(ttbr1_el1,      u64,  72, "TTBR1_EL1 likewise") \
    FIELD(tcr_el1,        u64,  80, "TCR_EL1 likewise") \
    FIELD(sctlr_el1,      u64,  88, "SCTLR_EL1 likewise") \
    FIELD(virtual_offset, u64,  96, "CNTVOFF_EL2 likewise: the guest's counter is CNTPCT_EL0 less this, modulo 2^64")

// The first 64 bytes are struct event.
#define TRACE_EVENT_TABLE(FIELD) \
    FIELD(sequence, u64,    0, "number of the exit on its vCPU since boot") \
    FIELD(entry,    u64,    8, "CNTPCT_EL0 at entry to EL2") \
    FIELD(exit,     u64,   16, "CNTPCT_EL0 before the way back") \
    FIELD(pc,       u64,   24, "the guest's address of the instruction") \
    FIELD(address,  u64,   32, "IPA of an access, function number of a call, INTID of an interrupt, else 0") \
    FIELD(value,    u64,   40, "written by the guest, or given to it") \
    FIELD(syndrome, u32,   48, "ESR_EL2[31:0]; 0 for an interrupt") \
    FIELD(key,      u16,   52, "register, device, call or cause: index into meta.keys") \
    FIELD(row,      u16,   54, "policy row that decided: index into meta.rows; as many or more: none") \
    FIELD(cause,    u8,    56, "index into meta.causes") \
    FIELD(verdict,  u8,    57, "index into meta.verdicts") \
    FIELD(result,   u8,    58, "what became of the guest: index into meta.results") \
    FIELD(write,    u8,    59, "1: a write or a call; 0: a read, or neither") \
    FIELD(vcpu,     u8,    60, "number of the vCPU in its VM") \
    FIELD(logged,   u8,    61, "1: a log record cites this exit") \
    FIELD(width,    u8,    62, "bytes of the access; 0: none, or unknown") \
    FIELD(type,     u8,    63, "1: exit; 2: text; 3: virtio")

#define TRACE_EXIT_TABLE(FIELD) \
    FIELD(x,        u64x4, 64, "x0 to x3 of the guest: at entry for calls; else a register that the exit gave a value holds that value") \
    FIELD(lr,       u64,   96, "x30 of the guest, likewise") \
    FIELD(caller,   u64,  104, "calls that take the whole way: the return address in the frame record at x29, from [x29 + 8]; 0: not read") \
    FIELD(context,  u32,  112, "hash of TTBR0_EL1 and CONTEXTIDR_EL1: equal for exits of one address space") \
    FIELD(pstate,   u32,  116, "SPSR_EL2[31:0]: exception level in bits 3:2, AArch32 in bit 4") \
    FIELD(vm,       u16,  120, "number of the VM")
// clang-format on

#define TRACE_RECORD_TABLE(FIELD) TRACE_EVENT_TABLE(FIELD) TRACE_EXIT_TABLE(FIELD)
