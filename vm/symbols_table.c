// SPDX-License-Identifier: Apache-2.0
// The table of a guest's symbols. The host wrote it, and EL2 trusts the host; but a file of another version, or half a
// file, must end in a message and not in a fault of EL2's. So all that a lookup relies on is checked when the table is
// attached: that the arrays and the text lie within it, that the addresses ascend, that each name begins within the
// text, and that the text ends with a 0. No lookup checks anything after that.
#include <hv/symbols.h>

#include <hv/printf.h>
#include <hv/string.h>

static const uint32_t *offsets_of(const struct symbols_header *table)
{
    return (const uint32_t *)(table + 1);
}

static const uint32_t *names_of(const struct symbols_header *table)
{
    return offsets_of(table) + table->count;
}

static const char *text_of(const struct symbols_header *table)
{
    return (const char *)(names_of(table) + table->count);
}

uint64_t symbols_sum(const void *table, uint64_t size)
{
    const uint64_t *words = table;
    uint64_t running = 0;
    uint64_t sum = 0;

    for (uint64_t n = 0; n < size / sizeof(*words); n++) {
        running += words[n];
        sum += running;
    }
    return sum;
}

// The header by itself. Behind it there is room for both arrays, whose size cannot wrap: count has 32 bits.
static const char *check_header(const struct symbols_header *table, uint64_t size)
{
    uint64_t arrays = (uint64_t)table->count * 2 * sizeof(uint32_t);

    if (table->magic != SYMBOLS_MAGIC || table->version != SYMBOLS_VERSION)
        return "it is for another version of ariel: run make";
    if (table->size != size || size - sizeof(*table) <= arrays)
        return "its size is not what its header says";
    if (table->count == 0 || table->span == 0 || table->span > UINT32_MAX)
        return "it has no symbols";
    return NULL;
}

static const char *check_arrays(const struct symbols_header *table)
{
    const uint32_t *offsets = offsets_of(table);
    const uint32_t *names = names_of(table);
    uint64_t text_size = table->size - (uint64_t)(text_of(table) - (const char *)table);

    for (uint32_t n = 0; n < table->count; n++) {
        if (names[n] >= text_size || (n > 0 && offsets[n] < offsets[n - 1]))
            return "its symbols are not in order, or have no names";
    }
    return text_of(table)[text_size - 1] == '\0' ? NULL : "its last name has no end";
}

const char *symbols_attach(struct symbols *symbols, const void *base, uint64_t limit, uint64_t size, uint64_t check)
{
    const struct symbols_header *table = base;

    *symbols = (struct symbols){0};
    if (size == 0)
        return NULL;
    if (size > limit || size < sizeof(*table) || size % sizeof(uint64_t) != 0)
        symbols->refused = "its size is not one that a table can have";
    else if (symbols_sum(base, size) != check)
        symbols->refused = "it is not what the guest's list names: was it loaded?";
    else
        symbols->refused = check_header(table, size);
    if (symbols->refused == NULL)
        symbols->refused = check_arrays(table);
    if (symbols->refused != NULL)
        return symbols->refused;
    symbols->table = table;
    symbols->solved = table->vectors == SYMBOLS_FIXED;
    return NULL;
}

// How far address is from the program's first byte: where it runs or, for an address in guest RAM, where it was loaded.
static bool to_offset(const struct symbols *symbols, uint64_t address, uint64_t *offset)
{
    const struct symbols_header *table = symbols->table;

    if (table == NULL)
        return false;
    *offset = address - table->load_ipa;
    if (*offset < table->span)
        return true;
    *offset = address - table->link - symbols->slide;
    return symbols->solved && *offset < table->span;
}

// The last symbol at or below offset; of several at one address the first. The range [low, high) holds the first one
// above offset at its end: it halves until nothing is left.
bool symbols_find(const struct symbols *symbols, uint64_t address, struct symbols_place *place)
{
    const uint32_t *offsets;
    uint64_t offset;
    uint32_t low = 0;
    uint32_t high;

    if (!to_offset(symbols, address, &offset))
        return false;
    offsets = offsets_of(symbols->table);
    high = symbols->table->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (offsets[middle] <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return false;
    while (low > 1 && offsets[low - 2] == offsets[low - 1])
        low--;
    place->name = text_of(symbols->table) + names_of(symbols->table)[low - 1];
    place->offset = offset - offsets[low - 1];
    return place->name[0] != '\0';
}

bool symbols_name(const struct symbols *symbols, uint64_t address, char text[SYMBOLS_NAME_SIZE])
{
    const int longest = SYMBOLS_NAME_SIZE - 24; // "...+0x" and 16 digits
    struct symbols_place place;

    text[0] = '\0';
    if (!symbols_find(symbols, address, &place))
        return false;
    bool cut = strnlen(place.name, (size_t)longest + 1) > (size_t)longest;
    int length = format_text(text, SYMBOLS_NAME_SIZE, "%.*s%s", longest, place.name, cut ? "..." : "");
    if (place.offset != 0)
        format_text(&text[length], SYMBOLS_NAME_SIZE - (size_t)length, "+0x%lx", (unsigned long)place.offset);
    for (char *c = text; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~')
            *c = '?';
    }
    return true;
}

bool symbols_address(const struct symbols *symbols, const char *name, uint32_t *at, uint64_t *address)
{
    const struct symbols_header *table = symbols->table;

    if (table == NULL || !symbols->solved)
        return false;
    while (*at < table->count) {
        uint32_t number = (*at)++;

        if (strcmp(text_of(table) + names_of(table)[number], name) == 0) {
            *address = table->link + symbols->slide + offsets_of(table)[number];
            return true;
        }
    }
    return false;
}
