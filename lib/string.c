// SPDX-License-Identifier: Apache-2.0
// The freestanding string functions. Before the EL2 MMU is on, all memory is Device memory, where an unaligned access
// faults: every access here is aligned to its size. When the pointers agree modulo 8, copies move 64 bytes a turn and
// fills 128, in pairs of words (ldp/stp); else they go by single bytes. So loading 64 KiB of guest and zeroing the
// counters of each vCPU stay a small part of the boot's instruction budget. The loops pass their pointer through
// keep(), or the compiler would see a memset in memset and make it call itself.
#include <hv/string.h>

typedef uint64_t __attribute__((may_alias)) word_t;

#define WORD_MASK   (sizeof(word_t) - 1)
#define BLOCK_WORDS 8
#define BLOCK_BYTES (BLOCK_WORDS * sizeof(word_t))

// Emits nothing; hides from the compiler that a loop's pointer is base + i.
#define keep(pointer) __asm__("" : "+r"(pointer))

// How many bytes there are from pointer to the next multiple of 8, at most size. For a pointer that ends in 5 it is 3,
// for one that is aligned it is 0.
static size_t bytes_to_word(const void *pointer, size_t size)
{
    size_t head = -(uintptr_t)pointer & WORD_MASK;

    return head < size ? head : size;
}

// Only if both pointers have the same offset from a word can both be aligned at once, and words be copied.
static bool agree_in_alignment(const void *a, const void *b)
{
    return (((uintptr_t)a ^ (uintptr_t)b) & WORD_MASK) == 0;
}

// All eight words are read before the first is written, so that memmove may use it where the two blocks overlap.
static void copy_block(word_t *to, const word_t *from)
{
    word_t a = from[0], b = from[1], c = from[2], d = from[3];
    word_t e = from[4], f = from[5], g = from[6], h = from[7];

    to[0] = a;
    to[1] = b;
    to[2] = c;
    to[3] = d;
    to[4] = e;
    to[5] = f;
    to[6] = g;
    to[7] = h;
}

// The way of what is left before the first word and behind the last one, and of pointers that do not agree.
static void copy_bytes_up(uint8_t *to, const uint8_t *from, size_t size)
{
    for (const uint8_t *end = from + size; from != end;) {
        *to++ = *from++;
        keep(to);
    }
}

// From the first byte to the last. For example, 100 bytes from an address that ends in 5 to one that ends in 0xd are 3
// bytes, a block of 64, four words and one byte: from the fourth byte on both pointers are aligned.
static void copy_up(uint8_t *to, const uint8_t *from, size_t size)
{
    if (agree_in_alignment(to, from)) {
        size_t head = bytes_to_word(to, size);

        copy_bytes_up(to, from, head);
        to += head;
        from += head;
        size -= head;
        for (; size >= BLOCK_BYTES; size -= BLOCK_BYTES) {
            copy_block((word_t *)(void *)to, (const word_t *)(const void *)from);
            to += BLOCK_BYTES;
            from += BLOCK_BYTES;
        }
        for (; size >= sizeof(word_t); size -= sizeof(word_t)) {
            *(word_t *)(void *)to = *(const word_t *)(const void *)from;
            to += sizeof(word_t);
            from += sizeof(word_t);
            keep(to);
        }
    }
    copy_bytes_up(to, from, size);
}

// Each byte is read before the one above it could have been overwritten.
static void copy_bytes_down(uint8_t *to, const uint8_t *from, size_t size)
{
    for (to += size, from += size; size != 0; size--) {
        *--to = *--from;
        keep(to);
    }
}

// For overlapping ranges with to above from: from the last byte to the first.
static void copy_down(uint8_t *to, const uint8_t *from, size_t size)
{
    if (agree_in_alignment(to, from)) {
        size_t tail = (uintptr_t)(to + size) & WORD_MASK;

        tail = tail < size ? tail : size;
        size -= tail;
        copy_bytes_down(to + size, from + size, tail);
        while (size >= BLOCK_BYTES) {
            size -= BLOCK_BYTES;
            copy_block((word_t *)(void *)(to + size), (const word_t *)(const void *)(from + size));
        }
    }
    copy_bytes_down(to, from, size);
}

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    copy_up(to, from, size);
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    // True when to is within the bytes of from: going up would overwrite bytes that are still to be read. When to is
    // below from, the difference wraps around to a large number, and going up is right.
    if ((uintptr_t)to - (uintptr_t)from < size)
        copy_down(to, from, size);
    else
        copy_up(to, from, size);
    return to;
}

// Returns where it has stopped.
static uint8_t *set_bytes(uint8_t *to, uint8_t byte, size_t size)
{
    for (const uint8_t *end = to + size; to != end;) {
        *to++ = byte;
        keep(to);
    }
    return to;
}

static void fill_block(word_t *block, word_t word)
{
    block[0] = block[1] = word;
    block[2] = block[3] = word;
    block[4] = block[5] = word;
    block[6] = block[7] = word;
}

void *memset(void *to, int byte, size_t size)
{
    size_t head = bytes_to_word(to, size);
    uint8_t *p = set_bytes(to, (uint8_t)byte, head);
    word_t word = (uint8_t)byte * UINT64_C(0x0101010101010101);

    size -= head;
    for (; size >= 2 * BLOCK_BYTES; size -= 2 * BLOCK_BYTES) {
        fill_block((word_t *)(void *)p, word);
        fill_block((word_t *)(void *)p + BLOCK_WORDS, word);
        p += 2 * BLOCK_BYTES;
        keep(p);
    }
    for (; size >= sizeof(word_t); size -= sizeof(word_t)) {
        *(word_t *)(void *)p = word;
        p += sizeof(word_t);
        keep(p);
    }
    set_bytes(p, (uint8_t)byte, size);
    return to;
}

// Byte by byte: nobody compares much, and the first difference decides the sign. Bytes count as numbers without a sign.
int memcmp(const void *a, const void *b, size_t size)
{
    const uint8_t *p = a, *q = b;

    for (; size != 0; size--, p++, q++)
        if (*p != *q)
            return *p - *q;
    return 0;
}

// Never reads at or beyond text[max], so text need not be terminated.
size_t strnlen(const char *text, size_t max)
{
    size_t length = 0;

    while (length < max && text[length] != '\0')
        length++;
    return length;
}

size_t strlen(const char *text)
{
    const char *end = text;

    while (*end != '\0') {
        end++;
        keep(end);
    }
    return (size_t)(end - text);
}

// Ends at the first difference, at an end of string, or after max bytes.
int strncmp(const char *a, const char *b, size_t max)
{
    for (; max != 0; max--, a++, b++)
        if (*a != *b || *a == '\0')
            return (uint8_t)*a - (uint8_t)*b;
    return 0;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

// ASCII alone: other bytes stay what they are.
static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : (uint8_t)c;
}

// For names that a person types: "sctlr_el1" is SCTLR_EL1.
int strcasecmp(const char *a, const char *b)
{
    while (*a != '\0' && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return lower(*a) - lower(*b);
}

// The end of string counts as a byte of it, so that strchr(text, 0) is the end, as in ISO C.
char *strchr(const char *text, int byte)
{
    for (; *text != (char)byte; text++)
        if (*text == '\0')
            return NULL;
    return (char *)(uintptr_t)text; // ISO C: the constness is the caller's
}
