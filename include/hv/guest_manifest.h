// SPDX-License-Identifier: Apache-2.0
// The list of what was loaded for the guest: tools/run_linux.py makes it (tools/guest_manifest.py), and QEMU writes
// it to GUEST_MANIFEST_PA at each reset together with the guest's pieces. No guest reaches that page. Without a list,
// as with a command line typed by hand, the loader goes by what it finds at LINUX_IMAGE_PA (loader.h).
#pragma once

#include <hv/types.h>

#define GUEST_MANIFEST_MAGIC   UINT64_C(0x5453476c65697261) // "arielGST"
#define GUEST_MANIFEST_VERSION 2
#define GUEST_MANIFEST_PIECES  64

enum guest_kind {
    GUEST_KIND_LINUX,   // entered at its Image
    GUEST_KIND_PROGRAM, // a bare-metal program: ELF, flat binary or Image
    GUEST_KIND_COUNT,
};

enum guest_piece_kind {
    GUEST_PIECE_IMAGE,   // begins with an arm64 Image header; size is the memory it takes, .bss included
    GUEST_PIECE_PROGRAM, // code and data of a program without such a header
    GUEST_PIECE_INITRD,
    GUEST_PIECE_DTB, // a device tree
    GUEST_PIECE_FILE,
    GUEST_PIECE_KIND_COUNT,
};

struct guest_piece {
    uint64_t ipa;
    uint64_t size; // bytes, not 0
    uint64_t kind; // enum guest_piece_kind
};

// Little-endian, as the host wrote it. tests/tools/test_run_linux.py holds the Python side to these numbers.
struct guest_manifest {
    uint64_t magic;
    uint64_t version;
    uint64_t kind;          // enum guest_kind
    uint64_t entry_ipa;     // PC of vCPU 0
    uint64_t boot_argument; // its x0: the IPA of a GUEST_PIECE_DTB
    uint64_t piece_count;   // 1 .. GUEST_MANIFEST_PIECES
    uint64_t symbols_size;  // bytes of the table of symbols at SYMBOLS_PA (symbols.h); 0: there is none
    uint64_t symbols_check; // what symbols_sum makes of it
    struct guest_piece pieces[GUEST_MANIFEST_PIECES];
};
