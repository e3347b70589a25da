// SPDX-License-Identifier: Apache-2.0
// Owns: the word of options that the run script left. Read once, before anything of it is used.
#include <hv/boot_options.h>

#include <hv/platform.h>

static uint64_t options;

void boot_options_read(void)
{
    uint64_t word = *(const volatile uint64_t *)platform.boot_options.base;

    options = boot_options_decode(word);
}

uint64_t boot_options(void)
{
    return options;
}
