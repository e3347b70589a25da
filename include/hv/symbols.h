// SPDX-License-Identifier: Apache-2.0
// Names for addresses of a guest's code. EL2 cannot read a kernel's symbols by itself: it has no file, and the kernel
// keeps them packed. So the host does that when it starts the machine (tools/guest_symbols.py): it leaves a table of
// the functions in memory that no guest reaches (SYMBOLS_PA), which QEMU's loader writes anew at each reset, and names
// it in the guest's list (guest_manifest.h). Here the table is checked once, and then looked up.
//
// The table has addresses as the program was linked. A kernel with KASLR runs somewhere else, which VBAR_EL1 tells: it
// holds the address of the kernel's vectors. Before its MMU is on, a kernel runs where it was loaded.
#pragma once

#include <hv/symbols_state.h>
#include <hv/types.h>

struct vcpu;
struct vm;

#define SYMBOLS_MAGIC   UINT64_C(0x4d59536c65697261) // "arielSYM"
#define SYMBOLS_VERSION 1
// As vectors: the program runs where it was linked.
#define SYMBOLS_FIXED UINT64_MAX
// Bytes of text that symbols_name makes, end of string included; a longer name is cut.
#define SYMBOLS_NAME_SIZE 96

// Little-endian, as the host wrote it. Behind it stand, for each of count symbols in order of address, a u32 with its
// distance from link in bytes; then, for each, a u32 with the place of its name in the text; then the text: names, each
// with a 0 behind it. An empty name marks the end of the code before it.
struct symbols_header {
    uint64_t magic;
    uint32_t version;
    uint32_t count;
    uint64_t size;     // bytes of the whole table
    uint64_t link;     // the address for which the program's first byte was linked
    uint64_t vectors;  // where the kernel's exception vectors are, in bytes from link; or SYMBOLS_FIXED
    uint64_t span;     // bytes of memory that the program takes from link on
    uint64_t load_ipa; // where guest RAM has its first byte
    uint64_t left_out; // functions for whose names there was no room
};

// What is at an address: offset bytes into the function of that name. The name is the table's.
struct symbols_place {
    const char *name;
    uint64_t offset;
};

// Checks the table of size bytes at base, of which there can be limit, and from then on *symbols has it. check: what
// the guest's list says that symbols_sum makes of it. NULL, or why there will be no names; size 0 is no error, the
// guest has none. Once, before the guest runs.
const char *symbols_attach(struct symbols *symbols, const void *base, uint64_t limit, uint64_t size, uint64_t check);
// The sum of the running sums of the table's words of 8 bytes, modulo 2^64. size: a multiple of 8.
uint64_t symbols_sum(const void *table, uint64_t size);

// Finds out where vm's kernel runs, from VBAR_EL1 of its vCPUs: each is asked on its own CPU. Whoever shows names calls
// it once before them. No locks held that another CPU's call takes (cpu.h).
void symbols_solve(struct vm *vm);
// Once a second, on the vCPU's own CPU, which is in EL2: the same from this vCPU alone, as long as it is not known.
void symbols_look(struct vcpu *vcpu);
// Whether an address of the guest's is in a function of the table's, where the kernel was at the last symbols_solve.
bool symbols_find(const struct symbols *symbols, uint64_t address, struct symbols_place *place);
// The same as text: "start_kernel+0x9c"; false and "" where there is none. What is not printable becomes '?'.
bool symbols_name(const struct symbols *symbols, uint64_t address, char text[SYMBOLS_NAME_SIZE]);
// The guest's address of the next symbol of that name, from number *at on, which is then behind it. False: there is no
// further one, or it is not known where the kernel runs.
bool symbols_address(const struct symbols *symbols, const char *name, uint32_t *at, uint64_t *address);
