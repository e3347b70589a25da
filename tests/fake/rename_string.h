// SPDX-License-Identifier: Apache-2.0
// Lets a host test hold lib/string.c beside the C library's functions of the same names: include the C library's
// headers and cmocka first, then this, then the .c itself ("#include <rename_string.h>", "#include
// \"../../lib/string.c\""). ISO names only: lib/printf.c and lib/parse.c define none and are simply linked.
#pragma once

#define memcpy     hv_memcpy
#define memmove    hv_memmove
#define memset     hv_memset
#define memcmp     hv_memcmp
#define strlen     hv_strlen
#define strnlen    hv_strnlen
#define strcmp     hv_strcmp
#define strncmp    hv_strncmp
#define strcasecmp hv_strcasecmp
#define strchr     hv_strchr
