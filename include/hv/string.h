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

// Where word stands in list, a text of words with one blank between them ("quit q exit"); NULL when list does not have
// it. A list of NULL has no words.
const char *parse_find_word(const char *list, const char *word);

// Reads a whole word as decimal or 0x-hexadecimal, with an optional K, M or G after it (powers of 1024). False, *value
// untouched, when text is empty, has anything else, or does not fit 64 bits.
bool parse_u64(const char *text, uint64_t *value);
