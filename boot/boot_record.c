// SPDX-License-Identifier: Apache-2.0
// Owns the page platform.boot_record, in which the first boot writes what it found in guest RAM for the boots after it
// (loader.c). A warm reset keeps the page, and power off loses it; so a boot must tell a record from memory that holds
// anything at all. The rule: a record is believed only when both its magic number and its check sum fit. The sum needs
// no secret key, because it is there against chance only: the page is in no guest's stage 2, and nobody but EL2 writes
// to it.
#include "boot_record.h"

#include <hv/arch/cache.h>
#include <hv/platform.h>

#define BOOT_RECORD_MAGIC UINT64_C(0x544f4f424c455241) // "ARELBOOT"
#define RECORD_WORDS      (sizeof(struct boot_record) / sizeof(uint64_t))

_Static_assert(sizeof(struct boot_record) <= BOOT_RECORD_SIZE);

static struct boot_record *record_page(void)
{
    return (struct boot_record *)platform.boot_record.base;
}

// The sum of all words but the last, which is the check itself. It is turned left by 7 bits before each word is added,
// so that the place of a word counts as well: two words that have changed places give another sum. It starts from the
// magic number and is inverted at the end, so that memory which holds one byte throughout (zeroes or ones, as memory
// often does after power on) does not fit.
static uint64_t boot_record_check(const struct boot_record *record)
{
    const uint64_t *words = (const uint64_t *)record;
    uint64_t sum = BOOT_RECORD_MAGIC;

    for (size_t i = 0; i + 1 < RECORD_WORDS; i++)
        sum = (sum << 7 | sum >> 57) + words[i];
    return ~sum;
}

const struct boot_record *boot_record_find(void)
{
    const struct boot_record *record = record_page();

    return record->magic == BOOT_RECORD_MAGIC && record->check == boot_record_check(record) ? record : NULL;
}

void boot_record_keep(const struct boot_record *found)
{
    struct boot_record *record = record_page();

    *record = *found;
    record->magic = BOOT_RECORD_MAGIC;
    record->check = boot_record_check(record);
    // QEMU's system_reset or a reset button ends EL2 without a call of any of its functions. What is still only in a
    // data cache then is lost, so the record goes to memory (the point of coherency) at once.
    cache_clean_poc(record, sizeof(*record));
}
