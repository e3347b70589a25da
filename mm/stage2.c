// SPDX-License-Identifier: Apache-2.0
// Stage-2 tables. Owns the tree under stage2->root. All but stage2_meaning runs under stage2->lock.
//
// Who may hold what, by the state of a descriptor (level 1 is the root, level 3 the pages):
//
//   descriptor  | level | points to              | that page in the pool | made by              | gone by
//   ------------+-------+------------------------+-----------------------+----------------------+---------------------
//   invalid     | 1-3   | nothing                | -                     | stage2_init, unmap   | map
//   table       | 1-2   | one pool page that no  | used                  | map; splitting a     | unmap of the last
//               |       | other descriptor names |                       | block (protect,      | entry; merging
//               |       | and that is not empty  |                       | unmap)               | (map, protect)
//   block, page | 2-3   | memory of others,      | -                     | map, protect,        | unmap, splitting
//               |       | never freed here       |                       | merging, splitting   |
//
// A level-1 block is never made, but understood.
//
// The problem: a guest runs on these tables while they change, on any CPU, and a change that ends half way leaves it
// with memory that nobody meant it to have. The rule has two halves. An operation goes over its range twice, in pieces
// of at most 2 MiB: the first pass only looks (is all of the range mapped, or none of it, and how many tables are
// missing) and reserves these tables in the pool; the second pass changes, and cannot fail. And a live descriptor is
// never changed into another one, but made invalid, forgotten by all TLBs, and only then written anew: only store()
// writes descriptors that a table walker can reach, and it keeps this half.
#include <hv/stage2.h>

#include <hv/arch/barrier.h>
#include <hv/arch/fields.h>
#include <hv/arch/s2_pte.h>
#include <hv/arch/tlb.h>
#include <hv/pool.h>
#include <hv/spinlock.h>
#include <hv/string.h>

#define PAGE_SIZE   KIB(4)
#define BLOCK_SIZE  MIB(2)
#define GIGA_SIZE   GIB(1)
#define ENTRY_COUNT 512
#define BLOCK_LEVEL 2
#define PAGE_LEVEL  3
#define PA_BITS     48
#define PERMISSIONS (STAGE2_READ | STAGE2_WRITE | STAGE2_EXECUTE | STAGE2_DEVICE | STAGE2_MEANING)

/*@ predicate s2_range(struct ipa_range r) = r.size != 0 && r.base.v % PAGE_SIZE == 0 && r.size % PAGE_SIZE == 0 &&
                                             r.base.v + r.size <= BIT64(STAGE2_IPA_BITS);
*/

// A piece of a range: within one 2 MiB slot.
struct piece {
    ipa_t ipa;
    uint64_t size;
};

/*@ requires s2_level(level);
    assigns \nothing;
    ensures \exists integer i; 0 <= i < ENTRY_COUNT && \result == table + i &&
            i == ipa.v / s2_size(level) % ENTRY_COUNT;
*/
static uint64_t *slot(uint64_t *table, ipa_t ipa, unsigned int level)
{
    return &table[(ipa.v / s2_pte_size(level)) % ENTRY_COUNT];
}

// Tables are EL2 memory, which EL2 maps where it is.
static uint64_t *table_pointer(uint64_t descriptor, unsigned int level)
{
    return (uint64_t *)(uintptr_t)s2_pte_address(descriptor, level).v;
}

/*@ requires \valid(piece) && \valid_read(range) && \separated(piece, range) && s2_range(*range);
    requires range->base.v <= piece->ipa.v + piece->size <= range->base.v + range->size;
    assigns *piece;
    ensures \result != 0 <==> \old(piece->ipa.v + piece->size) < range->base.v + range->size;
    ensures piece->ipa.v == \old(piece->ipa.v + piece->size);
    ensures \result != 0 ==> 0 < piece->size <= BLOCK_SIZE;
    ensures \result != 0 ==> piece->ipa.v / BLOCK_SIZE == (piece->ipa.v + piece->size - 1) / BLOCK_SIZE;
    ensures piece->ipa.v + piece->size <= range->base.v + range->size;
*/
static bool next_piece(struct piece *piece, const struct ipa_range *range)
{
    uint64_t end = range->base.v + range->size;
    uint64_t start = piece->ipa.v + piece->size;
    uint64_t slot_end = start - start % BLOCK_SIZE + BLOCK_SIZE;

    piece->ipa = ipa_make(start);
    piece->size = (slot_end < end ? slot_end : end) - start;
    return start < end;
}

#define for_each_piece(name, range)                                                                                    \
    for (struct piece name = {.ipa = (range)->base, .size = 0}; next_piece(&(name), (range));)

// ---- Tables of the pool ---------------------------------------------------------------------------------------------

// A table of invalid entries: one of those that the looking pass has reserved.
static uint64_t *table_take(struct stage2 *stage2) REQUIRES(stage2->lock)
{
    stage2->reserved--;
    return pool_take(stage2->pool);
}

// No walker may still see it: its descriptor went through store().
static void table_give(struct stage2 *stage2, const uint64_t *table) REQUIRES(stage2->lock)
{
    pool_give(stage2->pool, table);
}

// ---- The one place where a live descriptor changes ------------------------------------------------------------------

// Puts descriptor in place of *entry, which covers ipa at level. Over a valid entry this is break-before-make (DDI 0487
// D8.14.1): the old entry is cleared and gone from every TLB and walk cache before the new one appears. Over an invalid
// one nothing is cached. finish() completes the last store of an operation. The same barrier that makes the hole
// visible makes memory_changed visible before it: who sees it false looks at tables that are still as they were.
static void store(struct stage2 *stage2, uint64_t *entry, unsigned int level, ipa_t ipa, uint64_t descriptor)
    REQUIRES(stage2->lock)
{
    volatile uint64_t *live = entry;
    uint64_t old = *live;

    if (old == descriptor)
        return;
    if (s2_pte_is_valid(old)) {
        if (s2_pte_is_table(old, level) || (s2_pte_permissions(old) & STAGE2_WRITE) != 0)
            __atomic_store_n(&stage2->memory_changed, true, __ATOMIC_RELAXED);
        *live = S2_PTE_INVALID;
        barrier_complete_stores(); // every walker sees the hole before the TLBs forget
        if (s2_pte_is_table(old, level))
            tlb_flush_stage2_all(stage2_vttbr(stage2)); // what is cached below it has many addresses
        else
            tlb_flush_stage2_ipa(stage2_vttbr(stage2), ipa);
    } else {
        barrier_order_stores(); // walkers see a new table's contents before its descriptor
    }
    *live = descriptor;
}

// Every operation ends here, also one that was refused: what was reserved and not taken goes back to the pool.
static void finish(struct stage2 *stage2) RELEASES(stage2->lock)
{
    pool_unreserve(stage2->pool, stage2->reserved);
    stage2->reserved = 0;
    barrier_complete_stores(); // walkers of all CPUs see the new entries before the caller relies on them
    spinlock_release(&stage2->lock);
}

// ---- Walking down ---------------------------------------------------------------------------------------------------

// The descriptor where the walk for ipa ends, at most at level last; its level in *level.
static uint64_t *find(const struct stage2 *stage2, ipa_t ipa, unsigned int last, unsigned int *level)
    REQUIRES(stage2->lock)
{
    uint64_t *table = stage2->root;

    for (*level = 1;; ++*level) {
        uint64_t *entry = slot(table, ipa, *level);

        if (*level == last || !s2_pte_is_table(*entry, *level))
            return entry;
        table = table_pointer(*entry, *level);
    }
}

// Gives entry a table: of nothing, or of the block that stood there, in 512 parts.
static void split(struct stage2 *stage2, uint64_t *entry, unsigned int level, ipa_t ipa) REQUIRES(stage2->lock)
{
    uint64_t *table = table_take(stage2);

    if (s2_pte_is_valid(*entry)) {
        pa_t pa = s2_pte_address(*entry, level);
        uint32_t permissions = s2_pte_permissions(*entry);

        for (size_t i = 0; i < ENTRY_COUNT; i++)
            table[i] = s2_pte_leaf(level + 1, pa_add(pa, i * s2_pte_size(level + 1)), permissions);
    }
    store(stage2, entry, level, ipa, s2_pte_table(pa_make((uintptr_t)table)));
}

// The descriptor of ipa at level last, with the tables on the way made.
static uint64_t *descend(struct stage2 *stage2, ipa_t ipa, unsigned int last) REQUIRES(stage2->lock)
{
    unsigned int level;

    for (;;) {
        uint64_t *entry = find(stage2, ipa, last, &level);

        if (level == last)
            return entry;
        split(stage2, entry, level, ipa);
    }
}

// ---- Putting tables away --------------------------------------------------------------------------------------------

// Whether nothing is mapped through the table. A software bit in an invalid entry does not count.
static bool is_empty(const uint64_t *table)
{
    for (size_t i = 0; i < ENTRY_COUNT; i++)
        if (s2_pte_is_valid(table[i]))
            return false;
    return true;
}

// Frees the tables on the way to ipa that have become empty, from below.
static void prune(struct stage2 *stage2, ipa_t ipa) REQUIRES(stage2->lock)
{
    for (unsigned int last = BLOCK_LEVEL; last >= 1; last--) {
        unsigned int level;
        uint64_t *entry = find(stage2, ipa, last, &level);
        uint64_t *table;

        if (!s2_pte_is_table(*entry, level))
            continue;
        table = table_pointer(*entry, level);
        if (!is_empty(table))
            return;
        store(stage2, entry, level, ipa, S2_PTE_INVALID);
        table_give(stage2, table);
    }
}

// Puts a 2 MiB block in place of 512 pages in a row that all have permissions, or whatever they have when any is set.
// False when they are not such.
static bool merge(struct stage2 *stage2, ipa_t ipa, uint32_t permissions, bool any) REQUIRES(stage2->lock)
{
    unsigned int level;
    uint64_t *entry = find(stage2, ipa, BLOCK_LEVEL, &level);
    uint64_t *table;
    pa_t pa;

    if (!s2_pte_is_table(*entry, level))
        return false;
    table = table_pointer(*entry, level);
    pa = s2_pte_address(table[0], PAGE_LEVEL);
    if (pa.v % BLOCK_SIZE != 0)
        return false;
    for (size_t i = 0; i < ENTRY_COUNT; i++)
        if (!s2_pte_is_valid(table[i]) || s2_pte_address(table[i], PAGE_LEVEL).v != pa.v + i * PAGE_SIZE ||
            (!any && s2_pte_permissions(table[i]) != permissions))
            return false;
    store(stage2, entry, level, ipa, s2_pte_leaf(level, pa, permissions));
    table_give(stage2, table);
    return true;
}

// ---- The looking pass -----------------------------------------------------------------------------------------------

/*@ requires \valid_read(range);
    assigns \nothing;
    ensures \result == HV_OK <==> s2_range(*range);
*/
static enum hv_status check_range(const struct ipa_range *range)
{
    if (range->size == 0)
        return HV_ERR_EMPTY;
    if (range->base.v % PAGE_SIZE != 0 || range->size % PAGE_SIZE != 0)
        return HV_ERR_ALIGN;
    if (range->base.v >= BIT64(STAGE2_IPA_BITS) || range->size > BIT64(STAGE2_IPA_BITS) - range->base.v)
        return HV_ERR_BOUNDS;
    return HV_OK;
}

/*@ requires \valid_read(range);
    assigns \nothing;
    ensures \result == HV_OK ==> s2_range(*range) && pa.v % PAGE_SIZE == 0 && pa.v + range->size <= BIT64(PA_BITS);
*/
static enum hv_status check_map(const struct ipa_range *range, pa_t pa, uint32_t permissions)
{
    enum hv_status status = check_range(range);

    if (status != HV_OK)
        return status;
    if (pa.v % PAGE_SIZE != 0)
        return HV_ERR_ALIGN;
    if (pa.v >= BIT64(PA_BITS) || range->size > BIT64(PA_BITS) - pa.v)
        return HV_ERR_BOUNDS;
    if ((permissions & ~PERMISSIONS) != 0 || (permissions & STAGE2_MEANING) > STAGE2_SHADOW)
        return HV_ERR_INVALID;
    return HV_OK;
}

// Whether all of piece is mapped (mapped = true), or none of it (false). The walk for its first page ends at entry,
// which is one of level; those of its other pages follow in the same table, or end there, too.
static bool piece_is(const struct piece *piece, const uint64_t *entry, unsigned int level, bool mapped)
{
    size_t count = level == PAGE_LEVEL ? piece->size / PAGE_SIZE : 1;

    for (size_t i = 0; i < count; i++)
        if (s2_pte_is_valid(entry[i]) != mapped)
            return false;
    return true;
}

// How many tables descend(piece->ipa, last) takes when the walk ends at level now, and every piece before it has taken
// its own.
static unsigned int tables_missing(const struct piece *piece, unsigned int level, unsigned int last, bool first)
{
    // The level-2 table is shared by the pieces of 1 GiB: the first of them counts it.
    if (level == 1 && !first && piece->ipa.v % GIGA_SIZE != 0)
        level = BLOCK_LEVEL;
    return level < last ? last - level : 0;
}

// Where the second pass changes piece, for which the walk ends at level now: at a block, when the change is one block's
// and no table of pages stands there, else at the pages. offset is pa - ipa for map, 0 for what stays where it is.
static unsigned int change_level(const struct piece *piece, unsigned int level, uint64_t offset)
{
    bool whole = piece->size == BLOCK_SIZE && offset % BLOCK_SIZE == 0;

    return whole && level != PAGE_LEVEL ? BLOCK_LEVEL : PAGE_LEVEL;
}

// The whole looking pass: HV_OK promises that the second pass succeeds, and has reserved the tables that it takes.
static enum hv_status look(struct stage2 *stage2, const struct ipa_range *range, uint64_t offset, bool mapped)
    REQUIRES(stage2->lock)
{
    unsigned int needed = 0;

    for_each_piece(piece, range)
    {
        unsigned int level;
        const uint64_t *entry = find(stage2, piece.ipa, PAGE_LEVEL, &level);

        if (!piece_is(&piece, entry, level, mapped))
            return mapped ? HV_ERR_NOT_FOUND : HV_ERR_EXISTS;
        needed += tables_missing(&piece, level, change_level(&piece, level, offset), piece.ipa.v == range->base.v);
    }
    if (!pool_reserve(stage2->pool, needed))
        return HV_ERR_NO_MEMORY;
    stage2->reserved = needed;
    return HV_OK;
}

// ---- The operations -------------------------------------------------------------------------------------------------

void stage2_init(struct stage2 *stage2, uint64_t *root, struct pool *pool, uint16_t vmid)
{
    memset(root, 0, PAGE_SIZE);
    *stage2 = (struct stage2){.lock = SPINLOCK(LOCK_STAGE2), .root = root, .pool = pool, .vmid = vmid};
}

// The descriptor with which the change of piece begins, at level *level, with the tables on the way made. The next ones
// follow it in the same table.
static uint64_t *first_entry(struct stage2 *stage2, const struct piece *piece, uint64_t offset, unsigned int *level)
    REQUIRES(stage2->lock)
{
    (void)find(stage2, piece->ipa, PAGE_LEVEL, level);
    *level = change_level(piece, *level, offset);
    return descend(stage2, piece->ipa, *level);
}

// A piece is at most one block of 2 MiB (for_each_piece). It becomes one block, or the pages of one table.
static void map_piece(struct stage2 *stage2, const struct piece *piece, uint64_t offset, uint32_t permissions)
    REQUIRES(stage2->lock)
{
    unsigned int level;
    uint64_t *entry = first_entry(stage2, piece, offset, &level);
    uint64_t size = s2_pte_size(level);

    for (uint64_t done = 0; done < piece->size; done += size, entry++) {
        ipa_t ipa = ipa_add(piece->ipa, done);

        store(stage2, entry, level, ipa, s2_pte_leaf(level, pa_make(ipa.v + offset), permissions));
    }
    if (level == PAGE_LEVEL) // the last of its 2 MiB may have made a block possible
        (void)merge(stage2, piece->ipa, permissions, false);
}

// offset is what has to be added to an IPA to get its PA. It is the same for all of the range, and may wrap around: IPA
// 0x40000000 at PA 0x2000000 has the offset -0x3e000000.
enum hv_status stage2_map(struct stage2 *stage2, const struct ipa_range *range, pa_t pa, uint32_t permissions)
{
    enum hv_status status = check_map(range, pa, permissions);
    uint64_t offset = pa.v - range->base.v;

    if (status != HV_OK)
        return status;
    spinlock_acquire(&stage2->lock);
    status = look(stage2, range, offset, false);
    if (status == HV_OK)
        for_each_piece(piece, range) map_piece(stage2, &piece, offset, permissions);
    finish(stage2);
    return status;
}

// A whole block, or a table with all its pages, goes by one store and one flush. For single pages a block is split
// first: what is left of it stays mapped.
static void unmap_piece(struct stage2 *stage2, const struct piece *piece) REQUIRES(stage2->lock)
{
    bool whole = piece->size == BLOCK_SIZE;
    unsigned int level = whole ? BLOCK_LEVEL : PAGE_LEVEL;
    uint64_t *entry = descend(stage2, piece->ipa, level);

    if (whole) {
        uint64_t old = *entry;

        store(stage2, entry, level, piece->ipa, S2_PTE_INVALID);
        if (s2_pte_is_table(old, level))
            table_give(stage2, table_pointer(old, level));
    } else {
        for (uint64_t done = 0; done < piece->size; done += PAGE_SIZE)
            store(stage2, entry++, level, ipa_add(piece->ipa, done), S2_PTE_INVALID);
    }
    prune(stage2, piece->ipa);
}

enum hv_status stage2_unmap(struct stage2 *stage2, const struct ipa_range *range)
{
    enum hv_status status = check_range(range);

    if (status != HV_OK)
        return status;
    spinlock_acquire(&stage2->lock);
    status = look(stage2, range, 0, true);
    if (status == HV_OK)
        for_each_piece(piece, range) unmap_piece(stage2, &piece);
    finish(stage2);
    return status;
}

// All 2 MiB of a table of pages may become one block at once, whatever their permissions were. Otherwise each entry
// keeps its address and gets the new permissions; a block of which a part changes is split.
static void protect_piece(struct stage2 *stage2, const struct piece *piece, uint32_t permissions) REQUIRES(stage2->lock)
{
    unsigned int level;
    uint64_t *entry;
    uint64_t size;

    if (piece->size == BLOCK_SIZE && merge(stage2, piece->ipa, permissions, true))
        return;
    entry = first_entry(stage2, piece, 0, &level);
    size = s2_pte_size(level);
    for (uint64_t done = 0; done < piece->size; done += size, entry++)
        store(stage2, entry, level, ipa_add(piece->ipa, done),
              s2_pte_leaf(level, s2_pte_address(*entry, level), permissions));
    (void)merge(stage2, piece->ipa, permissions, false);
}

enum hv_status stage2_protect(struct stage2 *stage2, const struct ipa_range *range, uint32_t permissions)
{
    enum hv_status status = check_map(range, pa_make(0), permissions);

    if (status != HV_OK)
        return status;
    spinlock_acquire(&stage2->lock);
    status = look(stage2, range, 0, true);
    if (status == HV_OK)
        for_each_piece(piece, range) protect_piece(stage2, &piece, permissions);
    finish(stage2);
    return status;
}

// The lock is held for the walk alone. The answer is what stood there at that moment; a caller for whom it has to stay
// true must keep the VM from changing it.
enum hv_status stage2_query(struct stage2 *stage2, ipa_t ipa, struct stage2_entry *entry)
{
    unsigned int level;
    uint64_t descriptor;

    if (ipa.v >= BIT64(STAGE2_IPA_BITS))
        return HV_ERR_BOUNDS;
    spinlock_acquire(&stage2->lock);
    descriptor = *find(stage2, ipa, PAGE_LEVEL, &level);
    spinlock_release(&stage2->lock);

    *entry = (struct stage2_entry){.level = (uint8_t)level, .size = s2_pte_size(level), .descriptor = descriptor};
    if (s2_pte_is_valid(descriptor)) {
        entry->valid = true;
        entry->permissions = s2_pte_permissions(descriptor);
        entry->pa = s2_pte_address(descriptor, level);
    }
    return HV_OK;
}

enum hv_status stage2_translate(struct stage2 *stage2, ipa_t ipa, pa_t *pa)
{
    struct stage2_entry entry;
    enum hv_status status = stage2_query(stage2, ipa, &entry);

    if (status != HV_OK)
        return status;
    if (!entry.valid)
        return HV_ERR_NOT_FOUND;
    *pa = pa_add(entry.pa, ipa.v % entry.size);
    return HV_OK;
}

// Without the lock: between two loads another CPU may free a table and make it one of another place or level. So a
// table is followed only when it lies in the pool, where nothing but descriptors is ever read, and the answer is the
// meaning of some entry that stands, or stood a moment ago, in these tables.
uint32_t stage2_meaning(const struct stage2 *stage2, ipa_t ipa)
{
    const uint64_t *table = stage2->root;

    if (ipa.v >= BIT64(STAGE2_IPA_BITS))
        return STAGE2_PLAIN;
    for (unsigned int level = 1;; level++) {
        uint64_t descriptor = __atomic_load_n(&table[(ipa.v / s2_pte_size(level)) % ENTRY_COUNT], __ATOMIC_RELAXED);

        if (!s2_pte_is_table(descriptor, level))
            return s2_pte_is_valid(descriptor) ? s2_pte_meaning(descriptor) : STAGE2_PLAIN;
        table = table_pointer(descriptor, level);
        if (!pool_has(stage2->pool, (uintptr_t)table))
            return STAGE2_PLAIN;
    }
}

// The pointer stays good as long as nobody unmaps or merges the page: true of the shadow of a device, which stands for
// the life of its VM.
const uint64_t *stage2_leaf(struct stage2 *stage2, ipa_t ipa)
{
    unsigned int level;
    const uint64_t *entry;

    if (ipa.v >= BIT64(STAGE2_IPA_BITS))
        return NULL;
    spinlock_acquire(&stage2->lock);
    entry = find(stage2, ipa, PAGE_LEVEL, &level);
    spinlock_release(&stage2->lock);
    return level == PAGE_LEVEL ? entry : NULL;
}

uint64_t stage2_vttbr(const struct stage2 *stage2)
{
    return FIELD_PREP(VTTBR_EL2_VMID, stage2->vmid) | (uintptr_t)stage2->root;
}
