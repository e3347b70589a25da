// SPDX-License-Identifier: Apache-2.0
// Block requests (VIRTIO 1.2, 5.2.6). A request begins with a header of 16 bytes, type and sector, and ends with a byte
// of status that the device writes. Both are EL2's own memory as the device sees them: the header, so that the device
// reads what policy decided about; the status, so that EL2 can tell the guest that a request was refused, and record
// how it ended. A discard or write-zeroes also names its sectors in its data; EL2 copies those along, and lets one
// piece through, as QEMU does.
#include "virtio_internal.h"

#include <hv/guest_mem.h>

// Feature bits (5.2.3)
#define VIRTIO_BLK_F_SIZE_MAX     BIT64(1)
#define VIRTIO_BLK_F_SEG_MAX      BIT64(2)
#define VIRTIO_BLK_F_GEOMETRY     BIT64(4)
#define VIRTIO_BLK_F_RO           BIT64(5)
#define VIRTIO_BLK_F_BLK_SIZE     BIT64(6)
#define VIRTIO_BLK_F_FLUSH        BIT64(9)
#define VIRTIO_BLK_F_TOPOLOGY     BIT64(10)
#define VIRTIO_BLK_F_DISCARD      BIT64(13)
#define VIRTIO_BLK_F_WRITE_ZEROES BIT64(14)

// Types of request
#define VIRTIO_BLK_T_IN           0
#define VIRTIO_BLK_T_OUT          1
#define VIRTIO_BLK_T_FLUSH        4
#define VIRTIO_BLK_T_GET_ID       8
#define VIRTIO_BLK_T_DISCARD      11
#define VIRTIO_BLK_T_WRITE_ZEROES 13
#define VIRTIO_BLK_T_SECURE_ERASE 14

#define VIRTIO_BLK_S_OK     0
#define VIRTIO_BLK_S_IOERR  1
#define VIRTIO_BLK_S_UNSUPP 2

#define SECTOR_SIZE 512

#define CONFIG_SEG_MAX 12 // in struct virtio_blk_config (5.2.4)

// What EL2 copies, in words of 8 bytes: the header's type (the lower half of the first) and sector; of a discard also
// the first sector that it is about, and how many (the lower half).
enum { WORD_TYPE, WORD_SECTOR, WORD_PIECE_SECTOR, WORD_PIECE_SECTORS };
#define HEADER_SIZE 16
#define PIECE_SIZE  16

_Static_assert(HEADER_SIZE + PIECE_SIZE <= VIRTIO_COPY_MAX, "struct virtio_slot.copy");

// VIRTIO_REQUEST_COUNT for a type that ariel does not know.
static enum virtio_request request_of(uint32_t type)
{
    switch (type) {
    case VIRTIO_BLK_T_IN:
        return VIRTIO_REQUEST_READ;
    case VIRTIO_BLK_T_OUT:
        return VIRTIO_REQUEST_WRITE;
    case VIRTIO_BLK_T_FLUSH:
        return VIRTIO_REQUEST_FLUSH;
    case VIRTIO_BLK_T_GET_ID:
        return VIRTIO_REQUEST_GET_ID;
    case VIRTIO_BLK_T_DISCARD:
        return VIRTIO_REQUEST_DISCARD;
    case VIRTIO_BLK_T_WRITE_ZEROES:
        return VIRTIO_REQUEST_WRITE_ZEROES;
    case VIRTIO_BLK_T_SECURE_ERASE:
        return VIRTIO_REQUEST_SECURE_ERASE;
    default:
        return VIRTIO_REQUEST_COUNT;
    }
}

static bool names_pieces(enum virtio_request request)
{
    return request == VIRTIO_REQUEST_DISCARD || request == VIRTIO_REQUEST_WRITE_ZEROES ||
           request == VIRTIO_REQUEST_SECURE_ERASE;
}

static bool names_sectors(enum virtio_request request)
{
    return request == VIRTIO_REQUEST_READ || request == VIRTIO_REQUEST_WRITE;
}

// The guest is answered by EL2, and the device never sees the request.
static void answer(struct virtio_slot *slot, uint8_t status)
{
    slot->answer = status;
    slot->flags |= VIRTIO_SLOT_ANSWERED;
}

// The sectors of a discard, write-zeroes or secure erase. data: how many bytes stand behind the header.
static void read_piece(struct virtio_slot *slot, uint64_t data)
{
    if (data != PIECE_SIZE) {
        answer(slot, VIRTIO_BLK_S_UNSUPP);
        return;
    }
    slot->access.sector = slot->copy[WORD_PIECE_SECTOR];
    slot->access.sectors = (uint32_t)slot->copy[WORD_PIECE_SECTORS];
    slot->bytes = slot->access.sectors * SECTOR_SIZE;
}

// What the header says. data: how many bytes the device reads behind it; room: how many it may write before the status.
// A read is as long as its room, whatever stands behind its header.
static void read_header(struct virtio_slot *slot, uint64_t data, uint64_t room)
{
    slot->access.request = request_of((uint32_t)slot->copy[WORD_TYPE]);
    slot->bytes = slot->access.request == VIRTIO_REQUEST_WRITE ? data : room;
    if (names_sectors(slot->access.request)) {
        slot->access.sector = slot->copy[WORD_SECTOR];
        slot->access.sectors = (slot->bytes + SECTOR_SIZE - 1) / SECTOR_SIZE;
    } else if (names_pieces(slot->access.request)) {
        read_piece(slot, data);
    } else if (slot->access.request == VIRTIO_REQUEST_COUNT) {
        slot->access.request = VIRTIO_REQUEST_ANY;
        answer(slot, VIRTIO_BLK_S_UNSUPP);
    }
}

// The header decides how much of the request EL2 copies: of a discard with one piece, header and piece, 32 bytes at
// once, so that no byte of the guest's is read twice. Other requests have their data behind the header: 16 bytes.
static bool block_look(struct virtio_device *device, unsigned int queue, struct virtio_slot *slot,
                       struct virtio_fault *fault)
{
    struct virtio_chain *chain = &device->chain;
    uint64_t data = chain->readable - HEADER_SIZE;

    (void)queue;
    if (chain->readable < HEADER_SIZE || chain->writable == 0) {
        *fault = (struct virtio_fault){"block-request-short", chain->readable, HEADER_SIZE};
        return false;
    }
    uint32_t copied = HEADER_SIZE + (data == PIECE_SIZE ? PIECE_SIZE : 0);
    slot->status = VIRTIO_BLK_S_IOERR; // until the device writes another one
    if (!virtio_chain_take_front(chain, slot, copied) || !virtio_chain_take_status(chain, slot)) {
        *fault = (struct virtio_fault){"chain-too-long", chain->count, VIRTIO_CHAIN_MAX};
        return false;
    }
    read_header(slot, data, chain->writable - 1);
    return true;
}

// What a driver can do without ends with UNSUPP when no request of its kind is ever let through: then it does without.
// Everything else is an error of input or output.
static uint8_t refusal(const struct virtio_slot *slot)
{
    bool always = slot->row->sector_first == 0 && slot->row->sector_last == POLICY_VIRTIO_SECTOR_END;

    return always && !names_sectors(slot->access.request) ? VIRTIO_BLK_S_UNSUPP : VIRTIO_BLK_S_IOERR;
}

static void write_status(const struct virtio_slot *slot, uint8_t status)
{
    guest_mem_write_pa(slot->status_pa, &status, sizeof(status));
}

static uint32_t block_refuse(struct virtio_slot *slot)
{
    write_status(slot, slot->flags & VIRTIO_SLOT_ANSWERED ? slot->answer : refusal(slot));
    return 1;
}

// The status is read once: the device could write it again.
static const char *block_done(struct virtio_slot *slot, uint32_t written)
{
    uint8_t status = __atomic_load_n(&slot->status, __ATOMIC_RELAXED);

    (void)written;
    write_status(slot, status);
    if (status == VIRTIO_BLK_S_OK)
        return "ok";
    if (status == VIRTIO_BLK_S_UNSUPP)
        return "unsupported";
    virtio_record_error(slot);
    return "error";
}

// A disk says how many pieces of data a request may have. A driver adds the header and the status to them, and EL2 a
// buffer at each end.
static uint32_t block_config(const struct virtio_device *device, uint32_t offset, uint32_t whole)
{
    if (offset != CONFIG_SEG_MAX || device->queue_count == 0)
        return whole;
    uint32_t most = device->queues[0].shadow_size - VIRTIO_BUFFERS_ADDED - 2;
    return whole < most ? whole : most;
}

const struct virtio_type virtio_type_block = {
    .id = VIRTIO_ID_BLOCK,
    .queues = 1,
    .features = VIRTIO_BLK_F_SIZE_MAX | VIRTIO_BLK_F_SEG_MAX | VIRTIO_BLK_F_GEOMETRY | VIRTIO_BLK_F_RO |
                VIRTIO_BLK_F_BLK_SIZE | VIRTIO_BLK_F_FLUSH | VIRTIO_BLK_F_TOPOLOGY | VIRTIO_BLK_F_DISCARD |
                VIRTIO_BLK_F_WRITE_ZEROES,
    .config = block_config,
    .look = block_look,
    .refuse = block_refuse,
    .done = block_done,
};
