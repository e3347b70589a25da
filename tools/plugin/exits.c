// SPDX-License-Identifier: Apache-2.0
// A TCG plugin that counts executed instructions: the guest's, and EL2's by exit. An exit begins in one of the vectors
// for lower exception levels and ends with the first instruction of the guest. Each address of EL2 may carry marks
// (bits, given by tools/exits.py); the marks of all that an exit executed, ORed, say what it was for. What EL2 executes
// after a reset before its CPU's guest runs is a start.
//
// EL2's code is told from the guest's by its place in the host's memory, since their virtual addresses overlap.
//
//   -plugin exits.so,out=FILE[,map=FILE][,paths=on]
//
// The map's lines, numbers in hex: "text START END", "vectors ADDRESS", "reset ADDRESS", "marks ADDRESS BITS". Without
// a map there is no EL2. A guest instruction MOVZ XZR, #n, LSL #48, which does nothing, writes the counters as they
// stand then to FILE, after "at n"; at QEMU's end they follow "at end", with the blocks and, with paths=on, the whole
// ways of exits. Counters have one writer each, their CPU.
#include "qemu_plugin.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CPU_MAX      8
#define TEXT_MAX     0x20000u // instructions
#define BUCKET_COUNT 1024u    // kinds of exits per CPU; powers of two
#define PATH_COUNT   8192u
#define PATH_MAX     256u // blocks
#define MARK_START   (1ull << 63)
#define MARK_LOST    (1ull << 62) // more kinds than buckets
#define RESET_MAX    4

#define MARKER      0xd2e0001fu // MOVZ XZR, #n, LSL #48; n in bits 20:5
#define MARKER_MASK 0xffe0001fu

enum kind { KIND_BODY, KIND_VECTOR, KIND_RESET };

struct block {
    uint64_t pc;
    uint32_t length;
    enum kind kind;
    uint64_t marks;
    uint64_t runs[CPU_MAX];
    struct block *next; // of the same PC
};

struct bucket {
    uint64_t marks;
    uint64_t exits;
    uint64_t instructions;
};

struct path {
    uint64_t runs;
    uint32_t length;
    const struct block **blocks;
};

struct cpu {
    uint64_t guest;
    bool in_el2;
    struct bucket now; // the exit under way
    uint32_t length;
    const struct block *blocks[PATH_MAX + 1];
    struct bucket buckets[BUCKET_COUNT];
    struct path paths[PATH_COUNT];
};

int qemu_plugin_version = PLUGIN_API_VERSION;
int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int count, char **arguments);

static struct cpu cpus[CPU_MAX];
static uint64_t text_start, text_end, vectors, resets[RESET_MAX];
static unsigned int reset_count;
static bool keep_paths;
static uint64_t marks[TEXT_MAX];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; // of what follows
static struct block *blocks[TEXT_MAX];                   // by PC
static uintptr_t displacement;                           // host address of EL2's code minus its PC; 0: not seen yet
static FILE *out;

// ---- Counting

static struct bucket *find_bucket(struct cpu *cpu, uint64_t key)
{
    uint64_t hash = key * 0x9e3779b97f4a7c15ull;

    for (unsigned int n = 0; n < BUCKET_COUNT - 1; n++) {
        struct bucket *bucket = &cpu->buckets[((hash >> 40) + n) % BUCKET_COUNT];
        if (bucket->exits == 0)
            bucket->marks = key;
        if (bucket->marks == key)
            return bucket;
    }
    cpu->buckets[BUCKET_COUNT - 1].marks = MARK_LOST;
    return &cpu->buckets[BUCKET_COUNT - 1];
}

static void keep_path(struct cpu *cpu)
{
    size_t size = cpu->length * sizeof(cpu->blocks[0]);
    uint64_t hash = cpu->length;

    for (uint32_t n = 0; n < cpu->length; n++)
        hash = (hash ^ cpu->blocks[n]->pc ^ cpu->blocks[n]->length) * 0x100000001b3ull;
    for (unsigned int n = 0; n < 16; n++) {
        struct path *path = &cpu->paths[((hash >> 20) + n) % PATH_COUNT];
        if (path->runs == 0) {
            path->blocks = malloc(size);
            memcpy(path->blocks, cpu->blocks, size);
            path->length = cpu->length;
        }
        if (path->length == cpu->length && memcmp(path->blocks, cpu->blocks, size) == 0) {
            path->runs++;
            return;
        }
    }
}

static void leave_el2(struct cpu *cpu)
{
    struct bucket *bucket;

    if (!cpu->in_el2)
        return;
    cpu->in_el2 = false;
    bucket = find_bucket(cpu, cpu->now.marks);
    bucket->exits++;
    bucket->instructions += cpu->now.instructions;
    if (keep_paths && cpu->length <= PATH_MAX && !(cpu->now.marks & MARK_START))
        keep_path(cpu);
}

static void run_guest(unsigned int index, void *length)
{
    struct cpu *cpu = &cpus[index % CPU_MAX];

    leave_el2(cpu);
    cpu->guest += (uintptr_t)length;
}

static void run_el2(unsigned int index, void *data)
{
    struct cpu *cpu = &cpus[index % CPU_MAX];
    struct block *block = data;

    if (block->kind != KIND_BODY) {
        leave_el2(cpu); // an interrupt may come before the guest's first instruction
        cpu->in_el2 = true;
        cpu->length = 0;
        cpu->now = (struct bucket){.marks = block->kind == KIND_RESET ? MARK_START : 0};
    }
    block->runs[index % CPU_MAX]++;
    cpu->now.marks |= block->marks;
    cpu->now.instructions += block->length;
    if (cpu->length <= PATH_MAX)
        cpu->blocks[cpu->length++] = block;
}

// ---- Writing

static void write_counters(void)
{
    for (unsigned int n = 0; n < CPU_MAX; n++) {
        if (cpus[n].guest != 0)
            fprintf(out, "guest %u %" PRIu64 "\n", n, cpus[n].guest);
        for (unsigned int i = 0; i < BUCKET_COUNT; i++) {
            const struct bucket *bucket = &cpus[n].buckets[i];
            if (bucket->exits != 0)
                fprintf(out, "exits %u %" PRIx64 " %" PRIu64 " %" PRIu64 "\n", n, bucket->marks, bucket->exits,
                        bucket->instructions);
        }
    }
}

static void run_marker(unsigned int index, void *number)
{
    (void)index;
    pthread_mutex_lock(&lock);
    fprintf(out, "at %u\n", (unsigned int)(uintptr_t)number);
    write_counters();
    pthread_mutex_unlock(&lock);
}

static void write_path(unsigned int cpu, const struct path *path)
{
    fprintf(out, "path %u %" PRIu64, cpu, path->runs);
    for (uint32_t n = 0; n < path->length; n++)
        fprintf(out, " %" PRIx64 "+%u", path->blocks[n]->pc, path->blocks[n]->length);
    fputc('\n', out);
}

static void write_all(qemu_plugin_id_t id, void *data)
{
    (void)id;
    (void)data;
    pthread_mutex_lock(&lock);
    for (unsigned int n = 0; n < CPU_MAX; n++)
        leave_el2(&cpus[n]); // the exit that powered the machine off, and CPUs that never came to a guest
    fputs("at end\n", out);
    write_counters();
    for (size_t i = 0; i < TEXT_MAX; i++)
        for (const struct block *block = blocks[i]; block != NULL; block = block->next)
            for (unsigned int n = 0; n < CPU_MAX; n++)
                if (block->runs[n] != 0)
                    fprintf(out, "block %u %" PRIx64 " %u %" PRIu64 "\n", n, block->pc, block->length, block->runs[n]);
    for (unsigned int n = 0; n < CPU_MAX; n++)
        for (unsigned int i = 0; i < PATH_COUNT; i++)
            if (cpus[n].paths[i].runs != 0)
                write_path(n, &cpus[n].paths[i]);
    fclose(out);
    pthread_mutex_unlock(&lock);
}

// ---- Translation

static struct block *make_block(uint64_t pc, uint32_t length)
{
    struct block *block = calloc(1, sizeof(*block));

    block->pc = pc;
    block->length = length;
    if (pc - vectors >= 0x400 && pc - vectors < 0x800 && pc % 0x80 == 0)
        block->kind = KIND_VECTOR;
    for (unsigned int n = 0; n < reset_count; n++)
        if (pc == resets[n])
            block->kind = KIND_RESET;
    for (uint32_t n = 0; n < length && (pc - text_start) / 4 + n < TEXT_MAX; n++)
        block->marks |= marks[(pc - text_start) / 4 + n];
    return block;
}

// The same code is translated more than once.
static struct block *find_block(uint64_t pc, uint32_t length)
{
    struct block **slot = &blocks[(pc - text_start) / 4];
    struct block *block;

    pthread_mutex_lock(&lock);
    for (block = *slot; block != NULL && block->length != length; block = block->next)
        ;
    if (block == NULL) {
        block = make_block(pc, length);
        block->next = *slot;
        *slot = block;
    }
    pthread_mutex_unlock(&lock);
    return block;
}

static bool is_el2(uint64_t pc, const struct qemu_plugin_insn *first)
{
    if (pc < text_start || pc >= text_end)
        return false;
    uintptr_t here = (uintptr_t)qemu_plugin_insn_haddr(first) - pc;
    if (displacement == 0 && pc == resets[0])
        displacement = here; // the machine's first instruction; no other CPU runs yet
    return displacement == here;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    size_t length = qemu_plugin_tb_n_insns(tb);
    uint64_t pc = qemu_plugin_tb_vaddr(tb);

    (void)id;
    if (is_el2(pc, qemu_plugin_tb_get_insn(tb, 0))) {
        qemu_plugin_register_vcpu_tb_exec_cb(tb, run_el2, QEMU_PLUGIN_CB_NO_REGS, find_block(pc, (uint32_t)length));
        return;
    }
    qemu_plugin_register_vcpu_tb_exec_cb(tb, run_guest, QEMU_PLUGIN_CB_NO_REGS, (void *)length);
    for (size_t n = 0; n < length; n++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, n);
        const void *place = qemu_plugin_insn_haddr(insn);
        uint32_t word;
        if (place == NULL)
            continue; // not in memory
        memcpy(&word, place, sizeof(word));
        if ((word & MARKER_MASK) == MARKER)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, run_marker, QEMU_PLUGIN_CB_NO_REGS,
                                                   (void *)(uintptr_t)(word >> 5 & 0xffff));
    }
}

// ---- Start

static bool read_map(const char *name)
{
    FILE *map = fopen(name, "r");
    char word[16];
    uint64_t number;

    if (map == NULL)
        return false;
    while (fscanf(map, "%15s %" SCNx64, word, &number) == 2) {
        if (strcmp(word, "text") == 0 && fscanf(map, "%" SCNx64, &text_end) == 1)
            text_start = number;
        else if (strcmp(word, "vectors") == 0)
            vectors = number;
        else if (strcmp(word, "reset") == 0 && reset_count < RESET_MAX)
            resets[reset_count++] = number;
        else if (strcmp(word, "marks") != 0 || (number - text_start) / 4 >= TEXT_MAX ||
                 fscanf(map, "%" SCNx64, &marks[(number - text_start) / 4]) != 1)
            break;
    }
    bool whole = feof(map) && text_end > text_start && (text_end - text_start) / 4 <= TEXT_MAX && reset_count > 0;
    fclose(map);
    return whole;
}

int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int count, char **arguments)
{
    (void)info;
    for (int n = 0; n < count; n++) {
        if (strncmp(arguments[n], "out=", 4) == 0)
            out = fopen(arguments[n] + 4, "w");
        else if (strcmp(arguments[n], "paths=on") == 0)
            keep_paths = true;
        else if (strncmp(arguments[n], "map=", 4) != 0 || !read_map(arguments[n] + 4)) {
            fprintf(stderr, "exits: %s: no such argument, or not a map\n", arguments[n]);
            return -1;
        }
    }
    if (out == NULL) {
        fputs("exits: out=FILE is missing or cannot be written\n", stderr);
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, write_all, NULL);
    return 0;
}
