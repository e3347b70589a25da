// SPDX-License-Identifier: Apache-2.0
// What the run script says of the person's terminal and wishes: one 64-bit word that QEMU's loader writes to
// BOOT_OPTIONS_PA at each reset (scripts/run.py, boot_option_arguments). No guest reaches it. A command line typed by
// hand has none, and everything is as it is without.
#pragma once

#include <hv/bits.h>
#include <hv/types.h>

#define BOOT_OPTIONS_MAGIC   UINT64_C(0x61726f70) // "arop"
#define BOOT_OPTIONS_RAW     BIT64(0)             // the guest's output is not filtered
#define BOOT_OPTIONS_COLOR   BIT64(1)             // the terminal has colours, and they are wanted
#define BOOT_OPTIONS_TRACE   BIT64(2)             // the trace is on from the guest's first instruction, with everything
#define BOOT_OPTIONS_CPUS    GENMASK64(7, 4)      // of a machine that always has the same CPUs: use so many; 0: all
#define BOOT_OPTIONS_ROWS    GENMASK64(15, 8)     // the terminal's lines; 0: no terminal, or not known
#define BOOT_OPTIONS_COLUMNS GENMASK64(30, 16)    // its columns; 0 as above
#define BOOT_OPTIONS_MARK    GENMASK64(63, 32)    // BOOT_OPTIONS_MAGIC: the word is one

// The options that a word has: 0 unless it is marked as one.
static inline uint64_t boot_options_decode(uint64_t word)
{
    return FIELD_GET(BOOT_OPTIONS_MARK, word) == BOOT_OPTIONS_MAGIC ? word : 0;
}
