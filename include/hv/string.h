// SPDX-License-Identifier: Apache-2.0
// The freestanding string functions the compiler and EL2 need (ISO C semantics), and number parsing for people.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *text);
size_t strnlen(const char *text, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t max);
int strcasecmp(const char *a, const char *b);
char *strchr(const char *text, int byte);

// Text n of a list, which is "first\0second\0third"; n is less than their number.
const char *text_nth(const char *list, unsigned int n);
// Where word is in list, whose words have a blank between them; NULL: not there.
const char *text_find_word(const char *list, const char *word);

// Reads a whole word as decimal or 0x-hexadecimal, with an optional K, M or G after it (powers of 1024). False, *value
// untouched, when text is empty, has anything else, or does not fit 64 bits.
bool parse_u64(const char *text, uint64_t *value);
