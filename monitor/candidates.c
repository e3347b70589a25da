// SPDX-License-Identifier: Apache-2.0
// The lists of names that Tab offers and that more than one command has.
#include <hv/monitor_candidates.h>

#include <hv/arch/sysreg.h>
#include <hv/arch/vcpu_registers.h>
#include <hv/event_key.h>
#include <hv/log.h>
#include <hv/string.h>

// A whole string as a candidate. Each function of this file returns candidate number n and sets its length, or returns
// NULL behind the last one. No end of string is needed behind a candidate, so a list of words in one string can be
// offered in place.
const char *monitor_candidate_word(const char *word, size_t *length)
{
    *length = strlen(word);
    return word;
}

// Word number n of a list whose words are separated by single blanks. For example, word 1 of "top last log" is "last".
const char *monitor_candidate_in_list(unsigned int n, const char *list, size_t *length)
{
    while (*list != '\0') {
        const char *end = strchr(list, ' ');

        *length = end == NULL ? strlen(list) : (size_t)(end - list);
        if (n-- == 0)
            return list;
        list += *length + (end != NULL);
    }
    return NULL;
}

const char *monitor_candidate_level(unsigned int n, const char *list, size_t *length)
{
    (void)list;
    return n < LOG_LEVEL_COUNT ? monitor_candidate_word(log_level_name(n), length) : NULL;
}

const char *monitor_candidate_class(unsigned int n, const char *list, size_t *length)
{
    (void)list;
    return n < LOG_CLASS_COUNT ? monitor_candidate_word(log_class_name(n), length) : NULL;
}

// All keys of events: causes, calls, devices and registers (event_key.h).
const char *monitor_candidate_key(unsigned int n, const char *list, size_t *length)
{
    (void)list;
    return n < KEY_COUNT ? monitor_candidate_word(event_key_name(n), length) : NULL;
}

// The registers that sr can read. First those of the table of a vCPU's registers, which have no key where they
// cannot be trapped: one that has a key is left out there ("" is no candidate), because it comes among the keys. Of
// the keys those are left out that nobody can read: system instructions, such as TLBI_VMALLE1, have keys as well.
const char *monitor_candidate_register(unsigned int n, const char *list, size_t *length)
{
    (void)list;
    if (n < VCPU_REGISTER_COUNT) {
        const char *name = vcpu_registers[n].name;

        return monitor_candidate_word(event_key_find(name) < KEY_COUNT ? "" : name, length);
    }
    n += KEY_SYSREG_FIRST - VCPU_REGISTER_COUNT;
    if (n >= KEY_SYSREG_UNKNOWN)
        return NULL;
    return monitor_candidate_word(sysreg_is_readable(n) ? event_key_name(n) : "", length);
}
