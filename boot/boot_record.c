// SPDX-License-Identifier: Apache-2.0
// Owns the page platform.boot_record. Promises: a record is believed only when its check fits, so that memory which
// lost its contents with the power is never taken for one. It needs no key: nobody but EL2 can write there.
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

// A sum in which each word's place counts, and which no memory of one repeated byte fulfils.
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
    cache_clean_poc(record, sizeof(*record)); // a reset may come without a word, from outside
}
