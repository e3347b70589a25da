// SPDX-License-Identifier: Apache-2.0
// What a guest can ask of a virtio device, as far as a policy file and the log name it. The policy compiler reads the
// rows, and so does policy/policy_virtio.c.
//   TYPE(ID, "name", number)            a device type: VIRTIO 1.2, 5; the names are those of policy files
//   REQUEST(ID, "name", TYPE, effect)   a kind of request of one type. The effect says what it does to a disk:
//     READS   names sectors and changes nothing
//     WRITES  names sectors and changes them: refused where the disk is read-only
//     OTHER   names no sectors
// A type without a REQUEST of its own has only ANY: one buffer is like another to ariel.
#pragma once

#define POLICY_VIRTIO_ROW_MAX 32 // [[virtio]] rows of a policy file, with the default's

// clang-format off
#define VIRTIO_TYPE_TABLE(TYPE) \
    TYPE(NET,     "net",     1) \
    TYPE(BLOCK,   "block",   2) \
    TYPE(CONSOLE, "console", 3) \
    TYPE(RNG,     "rng",     4) /* the entropy device */ \
    TYPE(9P,      "9p",      9)

#define VIRTIO_REQUEST_TABLE(REQUEST) \
    REQUEST(ANY,          "any",          NONE,  OTHER) \
    REQUEST(READ,         "read",         BLOCK, READS) /* VIRTIO_BLK_T_IN, VIRTIO 1.2, 5.2.6 */ \
    REQUEST(WRITE,        "write",        BLOCK, WRITES) \
    REQUEST(FLUSH,        "flush",        BLOCK, OTHER) \
    REQUEST(DISCARD,      "discard",      BLOCK, WRITES) \
    REQUEST(WRITE_ZEROES, "write-zeroes", BLOCK, WRITES) \
    REQUEST(GET_ID,       "get-id",       BLOCK, OTHER) \
    REQUEST(SECURE_ERASE, "secure-erase", BLOCK, WRITES) \
    REQUEST(TX,           "tx",           NET,   OTHER) /* from the guest to the network, 5.1.6 */ \
    REQUEST(RX,           "rx",           NET,   OTHER)
// clang-format on
