// SPDX-License-Identifier: Apache-2.0
// arm64 Linux's system calls, for programs without a C library.
#pragma once

#include <stdint.h>

enum {
    SYS_IO_SETUP = 0,
    SYS_IO_SUBMIT = 2,
    SYS_IO_GETEVENTS = 4,
    SYS_IOCTL = 29,
    SYS_OPENAT = 56,
    SYS_CLOSE = 57,
    SYS_PIPE2 = 59,
    SYS_READ = 63,
    SYS_WRITE = 64,
    SYS_FSYNC = 82,
    SYS_EXIT = 93,
    SYS_CLOCK_GETTIME = 113,
    SYS_SCHED_SETAFFINITY = 122,
    SYS_GETPID = 172,
    SYS_SOCKET = 198,
    SYS_BIND = 200,
    SYS_LISTEN = 201,
    SYS_ACCEPT = 202,
    SYS_SETSOCKOPT = 208,
    SYS_SHUTDOWN = 210,
    SYS_CLONE = 220,
    SYS_EXECVE = 221,
};

// A call with up to five arguments; returns what the kernel does: below 0 it is an error's number, negated.
static inline long call5(long number, const long arguments[5])
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = arguments[0];
    register long x1 __asm__("x1") = arguments[1];
    register long x2 __asm__("x2") = arguments[2];
    register long x3 __asm__("x3") = arguments[3];
    register long x4 __asm__("x4") = arguments[4];

    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return x0;
}

static inline long call(long number, long a, long b, long c)
{
    return call5(number, (const long[]){a, b, c, 0, 0});
}

// The decimal number that text begins with.
static inline long number_of(const char *text)
{
    long number = 0;

    while (*text >= '0' && *text <= '9')
        number = 10 * number + *text++ - '0';
    return number;
}
