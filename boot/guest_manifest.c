// SPDX-License-Identifier: Apache-2.0
// A guest that came with a list of its pieces (hv/guest_manifest.h): the kernel's Image, its device tree, its initrd
// and so on, each with its kind, IPA and size. QEMU writes the list and the pieces anew at each reset, so nothing here
// depends on what a guest left in its RAM. The list is checked so that a mistake is named before the guest starts,
// rather than seen as a guest that hangs. EL2's safety does not depend on it: the guest can reach its own RAM only,
// wherever the list says that it begins.
#include "loader_parts.h"

#include <hv/platform.h>
#include <hv/symbols.h>

// Where the last of the VM's RAM ends: the bound that an error names for an address outside RAM.
static uint64_t ram_end(const struct vm *vm)
{
    uint64_t end = 0;

    for (unsigned int i = 0; i < vm->space.ram_count; i++) {
        const struct ipa_range *range = &vm->space.ram[i].range;
        if (range->base.v + range->size > end)
            end = range->base.v + range->size;
    }
    return end;
}

// Whether ipa is one of the piece's bytes. The subtraction comes after the comparison, so it cannot go below 0; and
// there is no sum that could wrap, whatever the list says.
static bool holds(const struct guest_piece *piece, uint64_t ipa)
{
    return ipa >= piece->ipa && ipa - piece->ipa < piece->size;
}

static const struct guest_piece *piece_at(const struct guest_manifest *list, uint64_t ipa)
{
    for (unsigned int i = 0; i < list->piece_count; i++)
        if (holds(&list->pieces[i], ipa))
            return &list->pieces[i];
    return NULL;
}

// A piece has to lie within one block of the VM's RAM and must not overlap a piece before it. Two intervals overlap
// when one of them holds the other's first byte, so two questions suffice. The room for a piece is the block's size
// less what lies below the piece, which cannot go below 0, as the piece begins in the block; ipa + size could wrap.
static bool check_place(const struct vm *vm, const struct guest_manifest *list, unsigned int number,
                        struct loader_error *error)
{
    const struct guest_piece *piece = &list->pieces[number];
    const struct space_ram *ram = space_find_ram(&vm->space, ipa_make(piece->ipa));

    if (ram == NULL)
        return loader_refuse(error, "a piece of the guest begins outside guest RAM", "piece_ipa", piece->ipa,
                             ram_end(vm));
    uint64_t room = ram->range.size - (piece->ipa - ram->range.base.v);
    if (piece->size == 0 || piece->size > room)
        return loader_refuse(error, "a piece of the guest is empty or reaches beyond guest RAM", "piece_size",
                             piece->size, room);
    for (unsigned int i = 0; i < number; i++)
        if (holds(&list->pieces[i], piece->ipa) || holds(piece, list->pieces[i].ipa))
            return loader_refuse(error, "two pieces of the guest overlap", "piece_ipa", piece->ipa,
                                 list->pieces[i].ipa);
    return true;
}

// The piece has room for the header that is about to be read, and it is aligned to 8 bytes, because the header is read
// by words of that size.
static bool check_header(const struct guest_piece *piece, uint64_t size, struct loader_error *error)
{
    if (piece->size < size)
        return loader_refuse(error, "a piece of the guest is shorter than its header", "piece_size", piece->size, size);
    if (piece->ipa % sizeof(uint64_t) != 0)
        return loader_refuse(error, "a piece of the guest is not aligned to 8 bytes", "piece_ipa", piece->ipa,
                             sizeof(uint64_t));
    return true;
}

// An Image has to stand text_offset bytes above an address that is a multiple of 2 MiB (booting.rst). base is that
// multiple: for a piece at IPA 0x40080000 it is 0x40000000, so the header must say text_offset 0x80000. The Image's
// size in memory (image_size, which counts .bss) may not go beyond the piece.
static bool check_image_piece(const struct vm *vm, const struct guest_piece *piece, struct loader_error *error)
{
    const struct image_header *image = loader_memory(vm, piece->ipa);
    uint64_t base = piece->ipa / MIB(2) * MIB(2);

    if (!check_header(piece, sizeof(*image), error) ||
        !loader_check_image(image, piece->ipa - base + piece->size, error))
        return false;
    if (image->text_offset != piece->ipa - base)
        return loader_refuse(error, "Image not at its text_offset from a 2 MiB boundary", "text_offset",
                             image->text_offset, piece->ipa - base);
    return true;
}

// The second word of a device tree is totalsize, in big-endian as all of it is (Devicetree Specification 5.2).
static bool check_dtb_piece(const struct vm *vm, const struct guest_piece *piece, struct loader_error *error)
{
    const uint32_t *tree = loader_memory(vm, piece->ipa);

    if (!check_header(piece, DTB_HEADER_SIZE, error) || !loader_check_dtb(tree, error))
        return false;
    uint32_t size = __builtin_bswap32(tree[1]);
    return size <= piece->size || loader_refuse(error, "device tree cut short", "dtb_totalsize", size, piece->size);
}

static bool check_piece(const struct vm *vm, const struct guest_manifest *list, unsigned int number,
                        struct loader_error *error)
{
    const struct guest_piece *piece = &list->pieces[number];

    if (!check_place(vm, list, number, error))
        return false;
    switch (piece->kind) {
    case GUEST_PIECE_IMAGE:
        return check_image_piece(vm, piece, error);
    case GUEST_PIECE_DTB:
        return check_dtb_piece(vm, piece, error);
    case GUEST_PIECE_PROGRAM:
    case GUEST_PIECE_INITRD:
    case GUEST_PIECE_FILE:
        return true;
    default:
        return loader_refuse(error, "a piece of the guest is of no known kind", "piece_kind", piece->kind,
                             GUEST_PIECE_KIND_COUNT);
    }
}

// Where the guest begins, and the x0 that it begins with. The entry has to be in an Image or a program, which are the
// two kinds up to GUEST_PIECE_PROGRAM, and aligned as an A64 instruction is. x0 has to be the first byte of a device
// tree.
static bool check_start(const struct vm *vm, const struct guest_manifest *list, struct loader_error *error)
{
    const struct guest_piece *entry = piece_at(list, list->entry_ipa), *argument = piece_at(list, list->boot_argument);

    if (list->kind >= GUEST_KIND_COUNT)
        return loader_refuse(error, "a guest of no known kind", "guest_kind", list->kind, GUEST_KIND_COUNT);
    if (list->entry_ipa % 4 != 0 || entry == NULL || entry->kind > GUEST_PIECE_PROGRAM)
        return loader_refuse(error, "the guest's entry is in none of its pieces", "entry_ipa", list->entry_ipa,
                             ram_end(vm));
    if (argument == NULL || argument->kind != GUEST_PIECE_DTB || argument->ipa != list->boot_argument)
        return loader_refuse(error, "the guest's x0 is no device tree's address", "boot_argument", list->boot_argument,
                             ram_end(vm));
    return true;
}

bool loader_load_listed(struct vm *vm, const struct guest_manifest *list, struct loader_error *error)
{
    if (list->version != GUEST_MANIFEST_VERSION)
        return loader_refuse(error, "the guest's list is for another version of ariel: run make", "manifest_version",
                             list->version, GUEST_MANIFEST_VERSION);
    if (list->piece_count == 0 || list->piece_count > GUEST_MANIFEST_PIECES)
        return loader_refuse(error, "the guest's list has no pieces, or too many", "piece_count", list->piece_count,
                             GUEST_MANIFEST_PIECES);
    for (unsigned int i = 0; i < list->piece_count; i++)
        if (!check_piece(vm, list, i, error))
            return false;
    if (!check_start(vm, list, error))
        return false;
    vm->guest_name = list->kind == GUEST_KIND_LINUX ? "Linux Image" : "bare-metal program";
    vm->entry_ipa = list->entry_ipa;
    vm->boot_argument = list->boot_argument;
    // Names are for people: a guest whose table is no good runs without.
    (void)symbols_attach(&vm->symbols, (const void *)platform.symbols.base, platform.symbols.size, list->symbols_size,
                         list->symbols_check);
    return true;
}
