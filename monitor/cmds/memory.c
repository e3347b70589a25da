// SPDX-License-Identifier: Apache-2.0
// mem write, find and crc: guest memory by IPA (mem read is in read.c). Everything goes through guest_mem_read and
// guest_mem_write, so a range that is not whole in guest RAM is refused before anything happens. A command runs in an
// exit of the vCPU of this CPU, which waits meanwhile: so the work of one command is bounded, and the bound is lower
// while the guest runs.
#include <hv/monitor_cmds.h>

#include <hv/guest_mem.h>
#include <hv/log.h>
#include <hv/monitor_out.h>
#include <hv/monitor_reply.h>
#include <hv/monitor_space.h>
#include <hv/monitor_subject.h>
#include <hv/string.h>
#include <hv/vm.h>

// The most bytes that one find or crc may go through. While the guest runs, its vCPU on this CPU waits for the command,
// so the bound is low; a paused guest waits in any case.
#define SCAN_MAX        MIB(1) // while the guest runs
#define SCAN_PAUSED_MAX MIB(64)
#define PATTERN_MAX     64u
#define FIND_MAX        32u // places named by one command

// A range has been found in guest RAM before it is used. The access can fail all the same, because EL2 makes it with
// care (guarded.h), and memory that the machine does not have does not answer.
static const char unreadable[] = "the memory did not answer, or its mapping changed meanwhile";

// mem write <ipa> <value> [width]. The old value is shown and recorded with the new one: a person may want it back.
static const char *write_words(const struct monitor_words *words)
{
    unsigned int width = 4;
    uint64_t value;
    uint64_t old = 0;
    uint64_t ipa;
    uint8_t bytes[8];
    const char *error = NULL;

    error = monitor_number("ipa", words->word[2], 0, UINT64_MAX, &ipa);
    if (error == NULL && words->count == 5)
        error = monitor_width(words->word[4], &width);
    if (error == NULL)
        error = monitor_number("value", words->word[3], 0, UINT64_MAX >> (64 - 8 * width), &value);
    if (error == NULL)
        error = monitor_ipa_error(words->word[2], ipa, NULL, width);
    if (error != NULL)
        return error;
    if (guest_mem_read(&monitor_vm()->space, ipa_make(ipa), bytes, width) != HV_OK)
        return unreadable;
    old = monitor_load(bytes, width);
    for (unsigned int i = 0; i < width; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
    if (guest_mem_write(&monitor_vm()->space, ipa_make(ipa), bytes, width) != HV_OK)
        return unreadable;
    log_record(LOG_INFO, LOG_MONITOR, "monitor-write", "what=mem ipa=0x%lx width=%u old=0x%lx new=0x%lx",
               (unsigned long)ipa, width, (unsigned long)old, (unsigned long)value);
    out("old=0x%lx new=0x%lx\n", old, value);
    return NULL;
}

// The words that mem find and mem crc begin with: an IPA and a number of bytes, which one command may go through.
static const char *parse_scan(const struct monitor_words *words, uint64_t *ipa, uint64_t *size)
{
    uint64_t max = monitor_vm()->state == VM_RUNNING ? SCAN_MAX : SCAN_PAUSED_MAX;
    const char *error = monitor_number("ipa", words->word[2], 0, UINT64_MAX, ipa);

    if (error == NULL)
        error = monitor_number("bytes", words->word[3], 0, UINT64_MAX, size);
    if (error == NULL && *size > max)
        error = monitor_error("bytes %s is more than %luM at once while the guest is %s", words->word[3],
                              (unsigned long)(max >> 20), monitor_vm_state());
    return error != NULL ? error : monitor_ipa_error(words->word[2], *ipa, words->word[3], *size);
}

// What to look for: a number, of width bytes, little-endian as memory has it; or else the bytes of the word itself. For
// example, 0x1234 with width 2 is the bytes 34 12, and ariel is 61 72 69 65 6c.
static unsigned int pattern_from(const char *word, unsigned int width, uint8_t *pattern)
{
    uint64_t value;
    size_t length = strnlen(word, PATTERN_MAX);

    if (!parse_u64(word, &value)) {
        memcpy(pattern, word, length);
        return (unsigned int)length;
    }
    for (unsigned int i = 0; i < width; i++)
        pattern[i] = (uint8_t)(value >> 8 * i);
    return width;
}

// mem find: reads pieces that overlap by the length of the pattern less one, so that a place across two of them is
// found. For example, a pattern of 4 bytes is looked for in bytes 0 to 258, then in bytes 256 to 514: it begins in the
// first 256 bytes of exactly one piece.
static const char *find_words(const struct monitor_words *words)
{
    uint8_t pattern[PATTERN_MAX];
    uint8_t bytes[256 + PATTERN_MAX];
    unsigned int width = 4;
    unsigned int found = 0;
    unsigned int length;
    uint64_t size;
    uint64_t ipa;
    const char *error;

    error = parse_scan(words, &ipa, &size);
    if (error == NULL && words->count == 6)
        error = monitor_width(words->word[5], &width);
    if (error != NULL)
        return error;
    length = pattern_from(words->word[4], width, pattern);
    if (length == 0 || length > size)
        return "nothing to look for, or more than the range holds";
    for (uint64_t done = 0; done + length <= size; done += 256) {
        uint64_t chunk = size - done < 256 + length - 1 ? size - done : 256 + length - 1;

        if (guest_mem_read(&monitor_vm()->space, ipa_make(ipa + done), bytes, chunk) != HV_OK)
            return unreadable;
        for (uint64_t i = 0; i + length <= chunk && i < 256; i++) {
            if (bytes[i] != pattern[0] || memcmp(&bytes[i], pattern, length) != 0)
                continue;
            out("ipa:0x%08lx\n", ipa + done + i);
            if (++found == FIND_MAX) {
                out_note("more may follow: go on behind the last place\n");
                return NULL;
            }
        }
    }
    return found > 0 ? NULL : "not found";
}

// CRC-32 (ISO 3309; zlib's crc32 is the same): the polynomial 0xedb88320, four bits at a time. table[n] is what the
// four bits n, shifted out at the low end, add to the rest. Sixteen entries are enough for a person's command; the
// usual table of 256 would be twice as fast and sixteen times as large.
static uint32_t crc32_add(uint32_t crc, const uint8_t *bytes, size_t size)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };

    for (size_t i = 0; i < size; i++) {
        crc = table[(crc ^ bytes[i]) & 15] ^ crc >> 4;
        crc = table[(crc ^ (uint32_t)(bytes[i] >> 4)) & 15] ^ crc >> 4;
    }
    return crc;
}

// mem crc <ipa> <bytes>: to compare guest memory with a file, by a sum that zlib and Python have as crc32.
static const char *crc_words(const struct monitor_words *words)
{
    uint8_t bytes[256];
    uint32_t crc = 0xffffffff;
    uint64_t size;
    uint64_t ipa;
    const char *error;

    error = parse_scan(words, &ipa, &size);
    for (uint64_t done = 0; error == NULL && done < size; done += sizeof(bytes)) {
        size_t chunk = size - done < sizeof(bytes) ? (size_t)(size - done) : sizeof(bytes);

        if (guest_mem_read(&monitor_vm()->space, ipa_make(ipa + done), bytes, chunk) != HV_OK)
            error = unreadable;
        else
            crc = crc32_add(crc, bytes, chunk);
    }
    if (error != NULL)
        return error;
    out("crc32=0x%x\n", ~crc);
    return NULL;
}

// mem: the second word chooses what is done.
const char *cmd_mem(const struct monitor_words *words)
{
    if (strcmp(words->word[1], "read") == 0)
        return monitor_mem_read(words);
    if (strcmp(words->word[1], "write") == 0)
        return write_words(words);
    if (strcmp(words->word[1], "find") == 0)
        return find_words(words);
    if (strcmp(words->word[1], "crc") == 0)
        return crc_words(words);
    return monitor_error("mem '%s' is none of read, write, find, crc", words->word[1]);
}

// How many bytes of range stage 2 maps. It goes from entry to entry: a block of 2 MiB is one step, and so is a hole of
// that size.
static uint64_t mapped_of(struct space *space, const struct ipa_range *range)
{
    uint64_t end = range->base.v + range->size, mapped = 0;
    struct stage2_entry entry;

    for (uint64_t ipa = range->base.v; ipa < end; ipa += entry.size - ipa % entry.size) {
        if (stage2_query(&space->stage2, ipa_make(ipa), &entry) != HV_OK)
            break;
        if (entry.valid)
            mapped += entry.size - ipa % entry.size;
    }
    return mapped;
}

// One-key: how much of the guest's RAM stage 2 maps, and how many tables that takes.
const char *key_memory(const struct monitor_words *words)
{
    struct space *space = &monitor_vm()->space;
    uint64_t mapped = 0, size = 0;

    (void)words;
    if (monitor_refused() != NULL)
        return monitor_refused();
    for (unsigned int i = 0; i < space->ram_count; i++) {
        size += space->ram[i].range.size;
        mapped += mapped_of(space, &space->ram[i].range);
    }
    out("guest_ram=0x%lx size_kib=%lu mapped_kib=%lu tables=%u tables_max=%u\n", space->ram[0].range.base.v, size >> 10,
        mapped >> 10, space->stage2.pool->used, space->stage2.pool->count);
    return NULL;
}
