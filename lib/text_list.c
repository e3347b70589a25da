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

const char *text_find_word(const char *list, const char *word)
{
    size_t length = strlen(word);

    while (list != NULL && *list != '\0') {
        if (strncmp(list, word, length) == 0 && (list[length] == ' ' || list[length] == '\0'))
            return list;
        list = strchr(list, ' ');
        if (list != NULL)
            list++;
    }
    return NULL;
}
