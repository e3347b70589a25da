// SPDX-License-Identifier: Apache-2.0
// The program of `make bench-linux` in the guest's initramfs, without a C library. As init it marks that it runs and
// becomes the shell of workload.sh.
//
//   workload mark N       all output is sent, "@N" is printed, and QEMU's plugin (tools/plugin/exits.c) is told
//   workload ping-pong N  N bytes to another process on another CPU and back, through two pipes
#include "syscall.h"

#define TCSBRK  0x5409
#define SIGCHLD 17

// MOVZ XZR, #n, LSL #48: the number is part of the instruction.
#define MARK(n)                                                                                                        \
    case n:                                                                                                            \
        __asm__ volatile("movz xzr, #%0, lsl #48" : : "i"(n));                                                         \
        break

static void mark(long number)
{
    char line[] = "@0\n";

    line[1] = (char)('0' + number);
    (void)call(SYS_IOCTL, 1, TCSBRK, 1);
    (void)call(SYS_WRITE, 1, (long)line, 3);
    switch (number) {
        MARK(0);
        MARK(1);
        MARK(2);
        MARK(3);
        MARK(4);
        MARK(5);
    default:
        break;
    }
}

// Where there is one CPU, the other process shares it.
static void run_on(long cpu)
{
    uint64_t mask = 1ull << cpu;
    (void)call(SYS_SCHED_SETAFFINITY, 0, sizeof(mask), (long)&mask);
}

static long ping_pong(long rounds)
{
    int there[2];
    int back[2];
    char byte = 'b';

    if (call(SYS_PIPE2, (long)there, 0, 0) != 0 || call(SYS_PIPE2, (long)back, 0, 0) != 0)
        return 1;
    long child = call(SYS_CLONE, SIGCHLD, 0, 0);
    run_on(child == 0 ? 1 : 0);
    for (long n = 0; n < rounds; n++) {
        if (child == 0 && call(SYS_READ, there[0], (long)&byte, 1) != 1)
            return 1;
        if (call(SYS_WRITE, child == 0 ? back[1] : there[1], (long)&byte, 1) != 1)
            return 1;
        if (child != 0 && call(SYS_READ, back[0], (long)&byte, 1) != 1)
            return 1;
    }
    return 0;
}

static long become_shell(void)
{
    static char *const arguments[] = {"/bin/sh", "/workload.sh", 0};
    static char *const environment[] = {"PATH=/bin:/sbin:/usr/bin:/usr/sbin", 0};

    mark(0);
    return call(SYS_EXECVE, (long)arguments[0], (long)arguments, (long)environment);
}

// From the kernel's stack: argc, argv[0] ...
__attribute__((used, noreturn)) static void run(char **stack)
{
    long count = (long)stack[0];
    long status = 2;

    if (call(SYS_GETPID, 0, 0, 0) == 1) {
        status = become_shell();
    } else if (count == 3 && stack[2][0] == 'm') {
        mark(number_of(stack[3]));
        status = 0;
    } else if (count == 3 && stack[2][0] == 'p') {
        status = ping_pong(number_of(stack[3]));
    }
    for (;;)
        (void)call(SYS_EXIT, status, 0, 0);
}

__asm__(".global _start\n_start: mov x0, sp\n b run");
