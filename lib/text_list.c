// SPDX-License-Identifier: Apache-2.0
// Texts that stand one after the other in one string: "first\0second\0third". An array of pointers to them would take
// eight bytes more for each.
#include <hv/string.h>

const char *text_nth(const char *list, unsigned int n)
{
    while (n-- > 0)
        list += strlen(list) + 1;
    return list;
}
